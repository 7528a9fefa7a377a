//! `MADV_REMOVE` empties what is behind a shared mapping, for every process that maps it, and the pages take no memory; it
//! refuses what is private, locked, or may not be written.
#![no_std]
#![no_main]

use abi::fs::{F_ADD_SEALS, F_SEAL_FUTURE_WRITE, O_CREAT, O_RDONLY, O_RDWR};
use abi::mman::MADV_REMOVE;
use user::files::{create, enter_scratch, fcntl, leave_scratch, map_file, numbered_file, on_path};
use user::pages::{check_stamps, check_zero, stamp};
use user::prelude::*;
use user::processes::{exited, fork, wait};
use user::sys::{close, fstat, madvise, mincore, mlock, mmap_file, pwrite};

program!(main);

fn remove(address: u64, pages: u64) -> Result<u64, Errno> {
    madvise(address, pages * PAGE, MADV_REMOVE)
}

fn main() {
    anonymous();
    ranges();
    files();
    refusals();
}

fn anonymous() {
    let base = mmap(0, 6 * PAGE, Prot::READ_WRITE, Map::SHARED).unwrap();
    stamp(base, 6);
    let child = fork(|| {
        check_stamps(base, 6);
        check_eq!(remove(base + PAGE, 4), Ok(0));
        let mut answers = [7; 6];
        check_eq!(mincore(base, 6 * PAGE, &mut answers), Ok(0));
        check_eq!(answers, [1, 0, 0, 0, 0, 1]);
        check_zero(base + PAGE, 4);
        0
    });
    check_eq!(wait(child), exited(0));
    check_stamps(base, 1);
    check_zero(base + PAGE, 4);
    check_stamps(base + 5 * PAGE, 1);
    stamp(base + PAGE, 4);
    check_stamps(base, 6);
    // Rights do not matter.
    check_eq!(mprotect(base, 6 * PAGE, Prot::NONE), Ok(0));
    check_eq!(remove(base, 1), Ok(0));
    check_eq!(mprotect(base, 6 * PAGE, Prot::READ), Ok(0));
    check_zero(base, 1);
    check_stamps(base + PAGE, 5);
}

/// Several mappings, holes between them, and one that is refused.
fn ranges() {
    let base = reserve(8);
    for (page, pages) in [(0, 2), (3, 1), (4, 2)] {
        check!(mmap(base + page * PAGE, pages * PAGE, Prot::READ_WRITE, Map::SHARED | Map::FIXED).is_ok());
        stamp(base + page * PAGE, pages);
    }
    check_eq!(remove(base + PAGE, 4), Err(Errno::ENOMEM));
    check_stamps(base, 1);
    check_zero(base + PAGE, 1);
    check_zero(base + 3 * PAGE, 2);
    check_stamps(base + 5 * PAGE, 1);
    stamp(base + 3 * PAGE, 3);
    check_eq!(mlock(base + 4 * PAGE, PAGE, 0), Ok(0));
    check_eq!(remove(base + 3 * PAGE, 3), Err(Errno::EINVAL));
    check_zero(base + 3 * PAGE, 1);
    check_eq!(remove(base + 5 * PAGE, 1), Ok(0));
    check_zero(base + 5 * PAGE, 1);
}

fn files() {
    let file = numbered_file(8);
    let (shared, private) = (map_file(file, 8, Map::SHARED, 0), map_file(file, 8, Map::PRIVATE, 0));
    write_byte(private + 3 * PAGE, 99);
    check_eq!((read_byte(shared + 2 * PAGE), read_byte(private + 2 * PAGE)), (3, 3));
    check_eq!(remove(shared + 2 * PAGE, 3), Ok(0));
    check_eq!(fstat(file).expect("fstat").st_blocks, 40);
    check_eq!(fstat(file).expect("fstat").st_size, 8 * PAGE as i64);
    let first = |base: u64| [1, 2, 3, 4, 5].map(|page| read_byte(base + page * PAGE));
    check_eq!(first(shared), [2, 0, 0, 0, 6]);
    check_eq!(first(private), [2, 0, 99, 0, 6]);
    // Nobody needs the descriptor.
    check_eq!(close(file), Ok(0));
    check_eq!(remove(shared + 5 * PAGE, 1), Ok(0));
    check_eq!((read_byte(shared + 5 * PAGE), read_byte(private + 5 * PAGE)), (0, 0));
    check_eq!(remove(private, 1), Err(Errno::EACCES));

    enter_scratch(c"sugarbush-removed");
    let path = c"file";
    let file = create(path, O_CREAT | O_RDWR, 0o600).expect("open");
    check_eq!(pwrite(file, &[7; 2 * PAGE as usize], 0), Ok(2 * PAGE as usize));
    let reader = user::sys::open(path, O_RDONLY).expect("open");
    let view = mmap_file(0, 2 * PAGE, Prot::READ, Map::SHARED, reader, 0).expect("mmap");
    check_eq!(remove(view, 1), Err(Errno::EACCES));
    let writer = mmap_file(0, 2 * PAGE, Prot::READ, Map::SHARED, file, 0).expect("mmap");
    check_eq!(remove(writer + PAGE, 1), Ok(0));
    check_eq!((read_byte(view), read_byte(view + PAGE)), (7, 0));
    // Beyond the end there is nothing to remove.
    let beyond = mmap_file(0, 4 * PAGE, Prot::READ, Map::SHARED, file, 0).expect("mmap");
    check_eq!(remove(beyond + 2 * PAGE, 2), Ok(0));
    check_eq!(on_path(nr::UNLINK, path), Ok(0));
    leave_scratch(c"sugarbush-removed");
}

fn refusals() {
    let private = map(1);
    check_eq!(remove(private, 1), Err(Errno::EINVAL));
    check_eq!(remove(private + 1, 1), Err(Errno::EINVAL));
    check_eq!(remove(private, 0), Ok(0));
    let file = numbered_file(1);
    let mapped = map_file(file, 1, Map::SHARED, 0);
    check_eq!(fcntl(file, F_ADD_SEALS, F_SEAL_FUTURE_WRITE.into()), Ok(0));
    check_eq!(remove(mapped, 1), Err(Errno::EPERM));
    check_eq!(close(file), Ok(0));
    check_eq!(remove(mapped, 1), Err(Errno::EPERM));
    check_eq!(read_byte(mapped), 1);
    let shared = mmap(0, PAGE, Prot::READ_WRITE, Map::SHARED).unwrap();
    check_eq!(mlock(shared, PAGE, 0), Ok(0));
    check_eq!(remove(shared, 1), Err(Errno::EINVAL));
}
