//! The soft limit is at most the hard one; a limit that does not exist is refused.
#![no_std]
#![no_main]

use abi::rlimit::*;
use user::prelude::*;
use user::sys::getrlimit;

program!(main);

fn main() {
    for resource in 0..RLIM_NLIMITS {
        let limit = getrlimit(resource).unwrap();
        check!(limit.current <= limit.maximum, "{}: {:?}", resource, limit);
    }
    check!(getrlimit(RLIMIT_STACK).unwrap().current >= 1 << 20);
    check!(getrlimit(RLIMIT_NOFILE).unwrap().current >= 16);
    check_eq!(getrlimit(RLIM_NLIMITS), Err(Errno::EINVAL));
    check_eq!(getrlimit(u32::MAX), Err(Errno::EINVAL));
}
