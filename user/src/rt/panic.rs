//! A panic prints its message to standard error and exits with status 101.

use crate::io::{STDERR, print_to};
use core::panic::PanicInfo;

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    print_to(STDERR, format_args!("{info}\n"));
    crate::sys::exit(101)
}
