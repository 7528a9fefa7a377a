//! A page without any right keeps its contents until rights return.
#![no_std]
#![no_main]

use user::pages::{check_stamps, stamp};
use user::prelude::*;
use user::probe::Probe;

program!(main);

fn main() {
    let probe = Probe::new();
    let base = map(3);
    stamp(base, 3);

    check_eq!(mprotect(base, 3 * PAGE, Prot::NONE), Ok(0));
    for page in 0..3 {
        check_eq!(probe.read(base + page * PAGE), None);
        check!(!probe.write(base + page * PAGE, 1));
    }

    check_eq!(mprotect(base, 3 * PAGE, Prot::READ), Ok(0));
    check_stamps(base, 3);
    check!(!probe.write(base, 1));
    check_eq!(mprotect(base, 3 * PAGE, Prot::READ_WRITE), Ok(0));
    check_stamps(base, 3);
    check!(probe.write(base, 1));
    check_eq!(read_byte(base), 1);
}
