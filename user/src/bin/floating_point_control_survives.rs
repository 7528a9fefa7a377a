//! MXCSR and the x87 control word start as the ABI says and keep what they are set to.
#![no_std]
#![no_main]

use user::prelude::*;
use user::rt::cpu::{FloatControl, float_control, set_float_control};
use user::sys::getpid;

program!(main);

fn main() {
    check_eq!(float_control(), FloatControl { mxcsr: 0x1f80, x87: 0x37f });

    let base = map(1);
    // Round towards zero, flush to zero; single precision.
    let changed = FloatControl { mxcsr: 0xff80, x87: 0xc7f };
    set_float_control(changed);
    check!(getpid().is_ok());
    write_byte(base, 1);
    check_eq!(float_control(), changed);
}
