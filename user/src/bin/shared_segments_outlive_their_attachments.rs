//! System V shared memory: what `shmctl` tells, where segments are attached, what counts as an attachment, and when a segment goes.
#![no_std]
#![no_main]

use abi::fs::O_RDONLY;
use abi::ipc::*;
use abi::mman::MADV_REMOVE;
use user::io::for_each_line;
use user::pages::{check_zero, stamp};
use user::prelude::*;
use user::processes::{exec, exited, fork, wait};
use user::rt::start::argument;
use user::shm::*;
use user::sys::{close, getpid, lseek, madvise, mseal, open, read};

program!(main);

/// Nobody else's, one hopes.
const KEY: i32 = 0x5b6a_7e11;

fn main() {
    if argument(1).is_some() {
        return; // the program that a child executes
    }
    contents_and_status();
    processes();
    pieces();
    removal();
    addresses();
    keys();
    changes();
    moves();
    lists();
}

fn contents_and_status() {
    let id = segment(2 * PAGE + 100);
    let status_before = status(id).expect("IPC_STAT");
    let pid = getpid().expect("getpid") as i32;
    check_eq!((status_before.segsz, status_before.nattch), (2 * PAGE + 100, 0));
    check_eq!((status_before.atime, status_before.dtime, status_before.lpid), (0, 0, 0));
    check_eq!((status_before.perm.key, status_before.perm.mode, status_before.cpid), (0, 0o600, pid));
    check!(status_before.ctime > 0);
    let one = shmat(id, 0, 0).expect("shmat");
    let other = shmat(id, 0, 0).expect("shmat");
    check_eq!(attachments(id), 2);
    let attached = status(id).expect("IPC_STAT");
    check!(attached.atime >= attached.ctime && attached.dtime == 0);
    check_eq!(attached.lpid, pid);
    check_zero(one, 3);
    write_byte(one + PAGE, 7);
    check_eq!(read_byte(other + PAGE), 7);
    check!(Maps::read().matches(one, one + 3 * PAGE, &[(0, 3, "rw-s")]));
    let mut found = 0;
    for_each_line(c"/proc/self/maps", |line| {
        let name = b"/SYSV00000000 (deleted)";
        if line.ends_with(name) {
            found += 1;
            let text = str::from_utf8(line).expect("text");
            let mut words = text.split_ascii_whitespace().skip(3);
            check_eq!(words.next(), Some("00:01"));
            check_eq!(words.next().and_then(|inode| inode.parse().ok()), Some(id));
        }
    });
    check_eq!(found, 2);
    check_eq!(shmdt(one), Ok(0));
    check_eq!(shmdt(one), Err(Errno::EINVAL));
    check_eq!(shmdt(one + 1), Err(Errno::EINVAL));
    check!(status(id).expect("IPC_STAT").dtime > 0);
    check_eq!(shmdt(other), Ok(0));
    check_eq!(attachments(id), 0);
    let again = shmat(id, 0, SHM_RDONLY).expect("shmat");
    check_eq!(read_byte(again + PAGE), 7);
    check_eq!(shmdt(again), Ok(0));
    check_eq!(remove(id), Ok(0));
    check_eq!(status(id).err(), Some(Errno::EINVAL));
    check_eq!(shmat(id, 0, 0), Err(Errno::EINVAL));
}

fn processes() {
    let id = segment(PAGE);
    let base = shmat(id, 0, 0).expect("shmat");
    let pid = fork(|| {
        check_eq!(attachments(id), 2);
        write_byte(base, 3);
        check_eq!(shmdt(base), Ok(0));
        check_eq!(attachments(id), 1);
        0
    });
    check_eq!(wait(pid), exited(0));
    check_eq!(read_byte(base), 3);
    check_eq!(status(id).expect("IPC_STAT").lpid, pid as i32);
    check_eq!(wait(fork(|| 0)), exited(0));
    check_eq!(attachments(id), 1);
    let child = fork(|| {
        let problem = exec(c"/proc/self/exe", &[c"self", c"again"]);
        user::fail(format_args!("execve: {problem:?}"))
    });
    check_eq!(wait(child), exited(0));
    check_eq!(attachments(id), 1);
    // Removed while both have it.
    let child = fork(|| {
        check_eq!(remove(id), Ok(0));
        check_eq!(attachments(id), 2);
        0
    });
    check_eq!(wait(child), exited(0));
    check_eq!((attachments(id), read_byte(base)), (1, 3));
    check_eq!(munmap(base, PAGE), Ok(0));
    check_eq!(status(id).err(), Some(Errno::EINVAL));
}

fn pieces() {
    let id = segment(8 * PAGE);
    let base = shmat(id, 0, 0).expect("shmat");
    stamp(base, 8);
    // Pieces count, and never become one again.
    check_eq!(mprotect(base + 2 * PAGE, 2 * PAGE, Prot::READ), Ok(0));
    check_eq!(attachments(id), 3);
    check_eq!(mprotect(base + 2 * PAGE, 2 * PAGE, Prot::READ_WRITE), Ok(0));
    check_eq!(attachments(id), 3);
    let maps = Maps::read();
    check!(maps.matches(base, base + 8 * PAGE, &[(0, 2, "rw-s"), (2, 4, "rw-s"), (4, 8, "rw-s")]));
    // A border moves, though.
    check_eq!(mprotect(base + 4 * PAGE, 4 * PAGE, Prot::READ), Ok(0));
    check_eq!(mprotect(base + 4 * PAGE, 2 * PAGE, Prot::READ_WRITE), Ok(0));
    check_eq!(attachments(id), 3);
    let maps = Maps::read();
    check!(maps.matches(base, base + 8 * PAGE, &[(0, 2, "rw-s"), (2, 6, "rw-s"), (6, 8, "r--s")]));
    // The rest of what began at an address is detached from there.
    check_eq!(munmap(base, PAGE), Ok(0));
    check_eq!(munmap(base + 4 * PAGE, PAGE), Ok(0));
    check_eq!(attachments(id), 4);
    check_eq!(shmdt(base + PAGE), Err(Errno::EINVAL));
    check_eq!(shmdt(base), Ok(0));
    check_eq!(attachments(id), 0);
    check!(Maps::read().matches(base, base + 8 * PAGE, &[]));
    // Only what belongs to it.
    let area = reserve(16);
    check_eq!(shmat(id, area, 0), Ok(area));
    check_eq!(shmat(id, area + 8 * PAGE, 0), Ok(area + 8 * PAGE));
    check_eq!(munmap(area + 7 * PAGE, 2 * PAGE), Ok(0));
    check_eq!(shmdt(area), Ok(0));
    check_eq!(attachments(id), 1);
    check_eq!(shmdt(area + 8 * PAGE), Ok(0));
    let again = shmat(id, 0, 0).expect("shmat");
    check_eq!(mlock(again + PAGE), Ok(0));
    check_eq!(attachments(id), 3);
    check_eq!(shmdt(again), Ok(0));
    check_eq!(attachments(id), 0);
    check_eq!(remove(id), Ok(0));
}

fn mlock(address: u64) -> Result<u64, Errno> {
    user::sys::mlock(address, PAGE, 0)
}

fn removal() {
    let id = shmget(KEY, PAGE, IPC_CREAT | IPC_EXCL | 0o640).expect("shmget");
    let base = shmat(id, 0, 0).expect("shmat");
    let mut named = false;
    for_each_line(c"/proc/self/maps", |line| named |= line.ends_with(b"/SYSV5b6a7e11 (deleted)"));
    check!(named);
    check_eq!(remove(id), Ok(0));
    let going = status(id).expect("IPC_STAT");
    check_eq!((going.perm.key, going.perm.mode, going.nattch), (0, 0o640 | SHM_DEST, 1));
    check_eq!(shmget(KEY, PAGE, 0), Err(Errno::ENOENT));
    check_eq!(remove(id), Ok(0));
    let more = shmat(id, 0, 0).expect("shmat");
    write_byte(more, 5);
    check_eq!((attachments(id), read_byte(base)), (2, 5));
    named = false;
    for_each_line(c"/proc/self/maps", |line| named |= line.ends_with(b"/SYSV5b6a7e11 (deleted)"));
    check!(named);
    check_eq!(shmdt(base), Ok(0));
    check_eq!(shmdt(more), Ok(0));
    check_eq!(status(id).err(), Some(Errno::EINVAL));
    check_eq!(remove(id), Err(Errno::EINVAL));
}

fn addresses() {
    let id = segment(2 * PAGE);
    let area = reserve(6);
    check_eq!(shmat(id, area + 100, 0), Err(Errno::EINVAL));
    check_eq!(shmat(id, area + 100, SHM_RND), Ok(area));
    check_eq!(shmat(id, area + PAGE, 0), Err(Errno::EINVAL));
    check_eq!(shmat(id, area + PAGE, SHM_REMAP), Ok(area + PAGE));
    check_eq!(attachments(id), 2);
    write_byte(area, 1);
    check_eq!(read_byte(area + PAGE), 1);
    check_eq!(shmdt(area), Ok(0));
    check_eq!(shmdt(area + PAGE), Ok(0));
    check_eq!(shmat(id, 0, SHM_REMAP), Err(Errno::EINVAL));
    check_eq!(shmat(id, 100, SHM_RND | SHM_REMAP), Err(Errno::EINVAL));
    check_eq!(shmat(id, 1 << 47, 0), Err(Errno::ENOMEM));
    check_eq!(shmat(id, PAGE.wrapping_neg(), 0), Err(Errno::EINVAL));
    check_eq!(shmat(id, PAGE.wrapping_neg(), SHM_REMAP), Err(Errno::ENOMEM));
    check_eq!(shmat(-1, 0, 0), Err(Errno::EINVAL));
    check_eq!(attachments(id), 0);

    let reader = shmat(id, 0, SHM_RDONLY).expect("shmat");
    check!(Maps::read().matches(reader, reader + 2 * PAGE, &[(0, 2, "r--s")]));
    check_eq!(mprotect(reader, PAGE, Prot::READ_WRITE), Err(Errno::EACCES));
    check_eq!(madvise(reader, PAGE, MADV_REMOVE), Err(Errno::EACCES));
    check_eq!(wait(fork(|| sealed(reader))), exited(0));
    let code = shmat(id, 0, SHM_EXEC).expect("shmat");
    check!(Maps::read().matches(code, code + 2 * PAGE, &[(0, 2, "rwxs")]));
    stamp(code, 2);
    check_eq!(madvise(code, PAGE, MADV_REMOVE), Ok(0));
    check_zero(reader, 1);
    check_eq!(read_byte(reader + PAGE), read_byte(code + PAGE));
    check_eq!(shmdt(reader), Ok(0));
    check_eq!(shmdt(code), Ok(0));
    check_eq!(remove(id), Ok(0));
}

/// What can never be written is refused before what is sealed.
fn sealed(reader: u64) -> i32 {
    check_eq!(mseal(reader, PAGE), Ok(0));
    check_eq!(mprotect(reader, PAGE, Prot::READ_WRITE), Err(Errno::EACCES));
    check_eq!(mprotect(reader, PAGE, Prot::NONE), Err(Errno::EPERM));
    check_eq!(madvise(reader, PAGE, MADV_REMOVE), Err(Errno::EACCES));
    // It stays, and the piece behind goes.
    check_eq!(shmdt(reader), Ok(0));
    check!(Maps::read().matches(reader, reader + 2 * PAGE, &[(0, 1, "r--s")]));
    check_eq!(read_byte(reader), 1);
    0
}

fn keys() {
    check_eq!(shmget(KEY, PAGE, 0o600), Err(Errno::ENOENT));
    check_eq!(shmget(KEY, 0, IPC_CREAT | 0o600), Err(Errno::EINVAL));
    check_eq!(shmget(KEY, u64::MAX, IPC_CREAT | 0o600), Err(Errno::EINVAL));
    let id = shmget(KEY, 2 * PAGE, IPC_CREAT | 0o600).expect("shmget");
    check_eq!(shmget(KEY, 2 * PAGE, IPC_CREAT | 0o600), Ok(id));
    check_eq!(shmget(KEY, 0, 0), Ok(id));
    check_eq!(shmget(KEY, 2 * PAGE, IPC_EXCL), Ok(id));
    check_eq!(shmget(KEY, 2 * PAGE + 1, 0), Err(Errno::EINVAL));
    check_eq!(shmget(KEY, 9 * PAGE, IPC_CREAT | IPC_EXCL), Err(Errno::EEXIST));
    let other = segment(PAGE);
    let third = segment(PAGE);
    check!(id != other && other != third && third != id);
    check_eq!(remove(third), Ok(0));
    check_eq!(remove(other), Ok(0));
    check_eq!(remove(id), Ok(0));
    let again = shmget(KEY, PAGE, IPC_CREAT | 0o600).expect("shmget");
    check!(again != id);
    check_eq!(remove(again), Ok(0));
    check_eq!(status(id).err(), Some(Errno::EINVAL));
}

fn changes() {
    let id = segment(PAGE);
    check_eq!(command(id, SHM_LOCK), Ok(0));
    check_eq!(status(id).expect("IPC_STAT").perm.mode, 0o600 | SHM_LOCKED);
    check_eq!(command(id, SHM_UNLOCK), Ok(0));
    let mut new = status(id).expect("IPC_STAT");
    check_eq!(new.perm.mode, 0o600);
    new.perm.mode = 0o7644;
    check_eq!(shmctl(id, IPC_SET, &mut new), Ok(0));
    check_eq!(status(id).expect("IPC_STAT").perm.mode, 0o644);
    new.perm.uid = u32::MAX;
    check_eq!(shmctl(id, IPC_SET, &mut new), Err(Errno::EINVAL));
    for wrong in [4, 10, 16, 0x102, u32::MAX] {
        check_eq!((wrong, command(id, wrong)), (wrong, Err(Errno::EINVAL)));
    }
    check_eq!(command(-1, IPC_RMID), Err(Errno::EINVAL));
    check_eq!(command(id, IPC_STAT), Err(Errno::EFAULT));
    check_eq!(command(id, IPC_SET), Err(Errno::EFAULT));
    check_eq!(remove(id), Ok(0));
}

fn moves() {
    let id = segment(4 * PAGE);
    let base = shmat(id, 0, 0).expect("shmat");
    write_byte(base + PAGE, 9);
    let area = reserve(8);
    let moved = mremap(base, 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, area).expect("mremap");
    check_eq!(attachments(id), 1);
    check_eq!(shmdt(base), Err(Errno::EINVAL));
    check_eq!(mremap(moved, 4 * PAGE, 6 * PAGE, 0, 0), Ok(moved));
    check_eq!(attachments(id), 1);
    let twice = mremap(moved, 0, 2 * PAGE, MREMAP_MAYMOVE, 0).expect("mremap");
    check_eq!(attachments(id), 2);
    check_eq!((read_byte(twice + PAGE), read_byte(moved + PAGE)), (9, 9));
    check_eq!(shmdt(moved), Ok(0));
    check_eq!(shmdt(twice), Ok(0));
    check_eq!(attachments(id), 0);
    let base = shmat(id, 0, 0).expect("shmat");
    check_eq!(read_byte(base + PAGE), 9);
    // What comes back becomes one with one side.
    let flags = MREMAP_MAYMOVE | MREMAP_FIXED;
    check_eq!(mremap(base + PAGE, PAGE, PAGE, flags, area), Ok(area));
    check_eq!(attachments(id), 3);
    check_eq!(mremap(area, PAGE, PAGE, flags, base + PAGE), Ok(base + PAGE));
    check_eq!(attachments(id), 2);
    check!(Maps::read().matches(base, base + 4 * PAGE, &[(0, 2, "rw-s"), (2, 4, "rw-s")]));
    check_eq!(mremap(base, 4 * PAGE, 4 * PAGE, flags, area), Err(Errno::EFAULT));
    check_eq!(shmdt(base), Ok(0));
    check_eq!(remove(id), Ok(0));
}

fn lists() {
    let id = shmget(KEY, 3 * PAGE, IPC_CREAT | 0o600).expect("shmget");
    let base = shmat(id, 0, 0).expect("shmat");
    write_byte(base, 1);
    let mut found = false;
    for_each_line(c"/proc/sysvipc/shm", |line| {
        let text = str::from_utf8(line).expect("text");
        let mut words = [""; 16];
        text.split_ascii_whitespace().zip(&mut words).for_each(|(word, place)| *place = word);
        if words[0].parse() == Ok(KEY) {
            found = true;
            check_eq!(words[1].parse(), Ok(id));
            check_eq!(&words[2..4], &["600", "12288"]);
            check_eq!(&words[6..11], &["1", "0", "0", "0", "0"]);
            check_eq!(&words[14..16], &["4096", "0"]);
        }
        check_eq!(line.len(), 169);
    });
    check!(found);
    let mut info = ShmInfo::default();
    check!(shmctl(0, SHM_INFO, &mut info).is_ok());
    check!(info.used_ids >= 1 && info.shm_tot >= 3 && info.shm_rss >= 1);
    let mut limits = IpcInfo::default();
    let highest = shmctl(0, IPC_INFO, &mut limits).expect("IPC_INFO") as i32;
    check_eq!((limits.shmmin, limits.shmmax, limits.shmall), (1, u64::MAX - (1 << 24), u64::MAX - (1 << 24)));
    check_eq!((limits.shmmni, limits.shmseg), (4096, 4096));
    let mut by_index = ShmidDs::default();
    let known = (0..=highest).any(|index| shmctl(index, SHM_STAT, &mut by_index) == Ok(id as u64));
    check!(known);
    check_eq!((by_index.perm.key, by_index.nattch), (KEY, 1));
    for (path, text) in [
        (c"/proc/sys/kernel/shmmni", &b"4096\n"[..]),
        (c"/proc/sys/kernel/shmmax", b"18446744073692774399\n"),
        (c"/proc/sys/kernel/shmall", b"18446744073692774399\n"),
    ] {
        let file = open(path, O_RDONLY).expect("open");
        let mut bytes = [0; 32];
        let length = read(file, &mut bytes).expect("read");
        check_eq!(&bytes[..length], text);
        check_eq!(lseek(file, 0, 1), Ok(length as u64));
        check_eq!(close(file), Ok(0));
    }
    check_eq!(shmdt(base), Ok(0));
    check_eq!(remove(id), Ok(0));
}
