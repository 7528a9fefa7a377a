//! `/proc/sys/vm/max_map_count`, the most VMAs of a process.
//!
//! The limit is the whole machine's: only programs that run on our kernel alone (`only_`) may set it.

use crate::sys;
use abi::fs::{O_RDONLY, O_WRONLY};
use core::ffi::CStr;

/// The file.
pub const PATH: &CStr = c"/proc/sys/vm/max_map_count";

/// The limit.
pub fn get() -> u64 {
    let fd = sys::open(PATH, O_RDONLY).expect("open max_map_count");
    let mut text = [0; 16];
    let length = sys::read(fd, &mut text).expect("read max_map_count");
    sys::close(fd).expect("close");
    let digits = text[..length].strip_suffix(b"\n").expect("a line");
    str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok()).expect("a number")
}

/// Sets the limit.
pub fn set(limit: u64) {
    let mut digits = [b' '; 16];
    let mut rest = limit;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    let fd = sys::open(PATH, O_WRONLY).expect("open max_map_count");
    sys::write(fd, &digits).expect("write max_map_count");
    sys::close(fd).expect("close");
}

/// Does `action` under this limit. What it returns is for checks afterwards: an action that ends the program would
/// leave the limit to others.
pub fn under<T>(limit: u64, action: impl FnOnce() -> T) -> T {
    let before = get();
    set(limit);
    let result = action();
    set(before);
    result
}
