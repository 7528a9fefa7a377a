//! The parent learns how each child ended, and each of them once.
#![no_std]
#![no_main]

use user::prelude::*;
use user::processes::{Ended, WNOHANG, exited, fork, kill, wait4};
use user::rt::cpu::undefined;
use user::rt::syscall::{syscall0, syscall5};
use user::threads::sleep;

program!(main);

fn main() {
    check_eq!(wait4(-1, 0), Err(Errno::ECHILD));
    let child = fork(|| 7);
    check_eq!(wait4(child as i64, 0), Ok(Ended { pid: child, status: exited(7) }));
    check_eq!(wait4(child as i64, 0), Err(Errno::ECHILD));
    check_eq!(kill(child, 0), Err(Errno::ESRCH));

    let child = fork(|| {
        undefined();
        0
    });
    check_eq!(wait4(-1, 0), Ok(Ended { pid: child, status: 4 }));

    let child = fork(|| {
        loop {
            let _ = sleep(1000);
        }
    });
    check_eq!(wait4(child as i64, WNOHANG), Ok(Ended { pid: 0, status: 0 }));
    check_eq!(wait4(1 << 20, WNOHANG), Err(Errno::ECHILD));
    check_eq!(wait4(-1, 1 << 10), Err(Errno::EINVAL));
    check_eq!(kill(child, 9), Ok(0));
    let mut info = [0u32; 32];
    const P_PID: u64 = 1;
    const WEXITED: u64 = 4;
    const WNOWAIT: u64 = 0x100_0000;
    for options in [WEXITED | WNOWAIT, WEXITED] {
        info.fill(77);
        check_eq!(syscall5(nr::WAITID, P_PID, child, info.as_mut_ptr() as u64, options, 0), Ok(0));
        check_eq!([info[0], info[2], info[4], info[6]], [17, 2, child as u32, 9]);
    }
    check_eq!(syscall5(nr::WAITID, P_PID, child, 0, WEXITED, 0), Err(Errno::ECHILD));
    check_eq!(syscall5(nr::WAITID, P_PID, child, 0, 0, 0), Err(Errno::EINVAL));

    // A grandchild whose parent ends is not ours.
    let child = fork(|| {
        fork(|| {
            let parent = syscall0(nr::GETPPID);
            while syscall0(nr::GETPPID) == parent && parent != Ok(1) {
                let _ = sleep(1);
            }
            0
        });
        3
    });
    check_eq!(wait4(-1, 0), Ok(Ended { pid: child, status: exited(3) }));
}
