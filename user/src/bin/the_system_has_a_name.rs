//! uname fills all its fields with ended strings; the machine is x86_64 and the release is new enough for glibc.
#![no_std]
#![no_main]

use core::ffi::CStr;
use user::prelude::*;
use user::sys::uname;

program!(main);

fn main() {
    let name = uname().unwrap();
    for field in [&name.sysname, &name.nodename, &name.release, &name.version, &name.machine] {
        let text = CStr::from_bytes_until_nul(field);
        check!(text.is_ok_and(|text| !text.is_empty()), "{:?}", field);
    }
    check_eq!(CStr::from_bytes_until_nul(&name.machine), Ok(c"x86_64"));
    let major = name.release.iter().take_while(|byte| byte.is_ascii_digit());
    check!(major.fold(0, |number, digit| number * 10 + u32::from(digit - b'0')) >= 4);
}
