//! `process_vm_readv` and `process_vm_writev` copy between two processes, page by page up to where they cannot.
#![no_std]
#![no_main]

use abi::IoVec;
use user::pages::{check_stamps, check_zero, stamp};
use user::prelude::*;
use user::processes::{exited, fork, wait};
use user::rt::syscall::syscall6;
use user::sys::{close, getpid, pipe, read, write};

program!(main);

fn vm(number: u64, pid: u64, local: (u64, u64), remote: (u64, u64)) -> Result<u64, Errno> {
    let (local, remote) = (IoVec { base: local.0, len: local.1 }, IoVec { base: remote.0, len: remote.1 });
    let (local, remote) = ((&raw const local) as u64, (&raw const remote) as u64);
    syscall6(number, pid, local, 1, remote, 1, 0)
}

fn main() {
    let base = reserve(12);
    map_at(base, 12, Prot::READ_WRITE);
    stamp(base, 4);
    let (here, there) = (pipe().unwrap(), pipe().unwrap());
    let child = fork(|| {
        // Only this process has these.
        stamp(base + 4 * PAGE, 4);
        check_eq!(write(there.writer, &[1]), Ok(1));
        let mut byte = [0];
        check_eq!(read(here.reader, &mut byte), Ok(1));
        check_stamps(base + 8 * PAGE, 4);
        0
    });
    let mut byte = [0];
    check_eq!(read(there.reader, &mut byte), Ok(1));
    check_zero(base + 4 * PAGE, 4);
    let pages = |first: u64, count: u64| (base + first * PAGE, count * PAGE);
    check_eq!(vm(nr::PROCESS_VM_READV, child, pages(4, 4), pages(4, 4)), Ok(4 * PAGE));
    check_stamps(base + 4 * PAGE, 4);
    stamp(base + 8 * PAGE, 4);
    check_eq!(vm(nr::PROCESS_VM_WRITEV, child, pages(8, 4), (base + 8 * PAGE, 4 * PAGE)), Ok(4 * PAGE));
    check_eq!(write(here.writer, &[1]), Ok(1));
    check_eq!(wait(child), exited(0));
    check_eq!(vm(nr::PROCESS_VM_READV, child, pages(4, 1), pages(4, 1)), Err(Errno::ESRCH));

    // The own memory: a hole ends it, on either side; the shorter list ends it, too.
    let own = getpid().unwrap();
    check_eq!(munmap(base + 6 * PAGE, PAGE), Ok(0));
    check_eq!(vm(nr::PROCESS_VM_READV, own, pages(0, 4), pages(4, 4)), Ok(2 * PAGE));
    check_eq!(vm(nr::PROCESS_VM_READV, own, pages(5, 2), pages(0, 2)), Ok(PAGE));
    check_eq!(vm(nr::PROCESS_VM_WRITEV, own, pages(0, 2), pages(5, 2)), Ok(PAGE));
    check_eq!(vm(nr::PROCESS_VM_READV, own, pages(0, 1), pages(6, 1)), Err(Errno::EFAULT));
    check_eq!(vm(nr::PROCESS_VM_READV, own, (base, 3), pages(4, 1)), Ok(3));
    check_eq!(vm(nr::PROCESS_VM_READV, own, pages(0, 1), (base + 5 * PAGE - 4, 8)), Ok(8));

    // Rights count.
    check_eq!(mprotect(base, PAGE, Prot::READ), Ok(0));
    check_eq!(vm(nr::PROCESS_VM_WRITEV, own, pages(4, 1), pages(0, 1)), Err(Errno::EFAULT));
    check_eq!(mprotect(base, PAGE, Prot::WRITE), Ok(0));
    check_eq!(vm(nr::PROCESS_VM_READV, own, pages(4, 1), pages(0, 1)), Err(Errno::EFAULT));
    check_eq!(mprotect(base, PAGE, Prot::NONE), Ok(0));
    check_eq!(vm(nr::PROCESS_VM_READV, own, pages(4, 1), pages(0, 1)), Err(Errno::EFAULT));

    // Bad arguments.
    let wild = 0xffff_8000_0000_0000;
    check_eq!(vm(nr::PROCESS_VM_READV, own, pages(4, 1), (wild, 8)), Err(Errno::EFAULT));
    check_eq!(vm(nr::PROCESS_VM_READV, own, (wild, 8), pages(4, 1)), Err(Errno::EFAULT));
    check_eq!(vm(nr::PROCESS_VM_READV, own, pages(4, 1), (base, u64::MAX)), Err(Errno::EINVAL));
    check_eq!(vm(nr::PROCESS_VM_READV, 4_000_000, pages(4, 1), pages(5, 1)), Err(Errno::ESRCH));
    check_eq!(vm(nr::PROCESS_VM_READV, 4_000_000, (base, 0), pages(5, 1)), Ok(0));
    check_eq!(syscall6(nr::PROCESS_VM_READV, own, 0, 0, 0, 0, 1), Err(Errno::EINVAL));
    check_eq!(syscall6(nr::PROCESS_VM_READV, own, base + 4 * PAGE, 1025, 0, 0, 0), Err(Errno::EINVAL));
    check_eq!(syscall6(nr::PROCESS_VM_READV, own, 0, 1, 0, 0, 0), Err(Errno::EFAULT));
    for pipe in [here, there] {
        close(pipe.reader).unwrap();
        close(pipe.writer).unwrap();
    }
}
