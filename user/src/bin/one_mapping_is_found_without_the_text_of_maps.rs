//! `PROCMAP_QUERY` finds the mapping at an address, or the next one that is as asked, with its name, and tells what there is no
//! room for.
#![no_std]
#![no_main]

use abi::fs::O_RDONLY;
use abi::ioctl::*;
use user::files::{map_file, numbered_file};
use user::prelude::*;
use user::rt::syscall::syscall3;
use user::sys::open;

program!(main);

fn ask(file: i32, query: &mut ProcmapQuery) -> Result<u64, Errno> {
    syscall3(nr::IOCTL, file as u64, PROCMAP_QUERY, core::ptr::from_mut(query) as u64)
}

/// Start and end, in pages from `base`, of what is found at page `page`.
fn find(file: i32, base: u64, page: u64, flags: u64) -> Result<(u64, u64), Errno> {
    let mut query = ProcmapQuery {
        size: size_of::<ProcmapQuery>() as u64,
        query_flags: flags,
        query_addr: base + page * PAGE + 5,
        ..ProcmapQuery::default()
    };
    ask(file, &mut query)?;
    check_eq!(query.vma_page_size, PAGE);
    check!(flags & query.vma_flags & 15 == flags & 15);
    Ok(((query.vma_start - base) / PAGE, (query.vma_end - base) / PAGE))
}

fn main() {
    let file = open(c"/proc/self/maps", O_RDONLY).expect("open");
    let base = reserve(16);
    map_at(base, 12, Prot::NONE);
    check_eq!(mprotect(base + PAGE, PAGE, Prot::READ_WRITE), Ok(0));
    check_eq!(mprotect(base + 3 * PAGE, PAGE, Prot::READ), Ok(0));
    check_eq!(mprotect(base + 5 * PAGE, PAGE, Prot::READ | Prot::EXEC), Ok(0));
    check_eq!(munmap(base + 7 * PAGE, PAGE), Ok(0));
    let fixed = Map::SHARED | Map::FIXED;
    check!(mmap(base + 9 * PAGE, 2 * PAGE, Prot::READ_WRITE, fixed).is_ok());
    let find = |page, flags| find(file, base, page, flags);

    check_eq!(find(0, 0), Ok((0, 1)));
    check_eq!(find(7, 0), Err(Errno::ENOENT));
    check_eq!(find(2, PROCMAP_QUERY_VMA_READABLE), Err(Errno::ENOENT));
    check_eq!(find(5, PROCMAP_QUERY_VMA_READABLE), Ok((5, 6)));
    check_eq!(find(5, PROCMAP_QUERY_FILE_BACKED_VMA), Err(Errno::ENOENT));
    let next = PROCMAP_QUERY_COVERING_OR_NEXT_VMA;
    check_eq!(find(7, next), Ok((8, 9)));
    check_eq!(find(2, next | PROCMAP_QUERY_VMA_READABLE), Ok((3, 4)));
    check_eq!(find(2, next | PROCMAP_QUERY_VMA_WRITABLE), Ok((9, 11)));
    check_eq!(find(0, next | PROCMAP_QUERY_VMA_EXECUTABLE), Ok((5, 6)));
    check_eq!(find(0, next | PROCMAP_QUERY_VMA_SHARED), Ok((9, 11)));
    check_eq!(find(0, next | PROCMAP_QUERY_FILE_BACKED_VMA), Ok((9, 11)));
    check_eq!(find(0, 0x40), Err(Errno::EINVAL));

    let mut room = [0u8; 64];
    let known = ProcmapQuery { size: size_of::<ProcmapQuery>() as u64, ..ProcmapQuery::default() };
    let named = |address: u64, size: u32, to: &mut [u8; 64]| ProcmapQuery {
        query_addr: address,
        vma_name_size: size,
        vma_name_addr: to.as_mut_ptr() as u64,
        ..known
    };
    let mut query = named(base + 9 * PAGE, 64, &mut room);
    check_eq!(ask(file, &mut query), Ok(0));
    check_eq!((query.vma_name_size, query.vma_flags), (20, 0xb));
    check_eq!(&room[..20], b"/dev/zero (deleted)\0");
    check_eq!(ask(file, &mut named(base + 9 * PAGE, 19, &mut room)), Err(Errno::ENAMETOOLONG));
    let mut query = named(base, 64, &mut room);
    check_eq!(ask(file, &mut query), Ok(0));
    check_eq!((query.vma_name_size, query.inode, query.vma_offset), (0, 0, 0));
    let memory = numbered_file(4);
    let mapped = map_file(memory, 2, Map::PRIVATE, 1);
    let mut query = named(mapped + PAGE, 64, &mut room);
    (query.build_id_size, query.build_id_addr) = (20, room.as_mut_ptr() as u64 + 40);
    check_eq!(ask(file, &mut query), Ok(0));
    check_eq!((query.vma_name_size, query.build_id_size, query.vma_offset), (26, 0, PAGE));
    check_eq!(&room[..26], b"/memfd:numbered (deleted)\0");
    check_eq!(query.inode, user::sys::fstat(memory).expect("fstat").st_ino);

    // As much of the structure as the program knows.
    let mut short = ProcmapQuery { size: 40, query_addr: base, ..ProcmapQuery::default() };
    check_eq!(ask(file, &mut short), Ok(0));
    check_eq!((short.vma_start, short.vma_end, short.vma_page_size), (base, base + PAGE, 0));
    for (size, problem) in [(0, Errno::EINVAL), (23, Errno::EINVAL), (4097, Errno::E2BIG)] {
        check_eq!(ask(file, &mut ProcmapQuery { size, ..short }), Err(problem));
    }
    let mut longer = [known; 2];
    longer[0].size += 8;
    longer[0].query_addr = base;
    check_eq!(ask(file, &mut longer[0]), Err(Errno::E2BIG));
    longer[1].size = 0;
    check_eq!(ask(file, &mut longer[0]), Ok(0));
    check_eq!(ask(file, &mut ProcmapQuery { vma_name_size: 8, ..known }), Err(Errno::EINVAL));
    check_eq!(ask(file, &mut ProcmapQuery { build_id_addr: 8, ..known }), Err(Errno::EINVAL));
    check_eq!(ask(memory, &mut query), Err(Errno::ENOTTY));
    check_eq!(syscall3(nr::IOCTL, file as u64, PROCMAP_QUERY, 8), Err(Errno::EFAULT));
}
