//! Ending a program early where the Linux at hand is too old for it.

use crate::{println, sys};

/// Name of our kernel's machine.
const OURS: &[u8] = b"sugarbush\0";

/// Ends the program, successfully and with a message, if it runs on Linux. On our kernel it fails: that has everything.
pub fn skip(why: core::fmt::Arguments<'_>) -> ! {
    if sys::uname().is_ok_and(|name| name.nodename.starts_with(OURS)) {
        crate::fail(format_args!("our own kernel lacks something: {why}"));
    }
    println!("skip: {why}");
    sys::exit(0)
}
