//! Formatted output on file descriptors.

use crate::sys;
use core::fmt::{self, Write};

/// Descriptor of standard output.
pub const STDOUT: i32 = 1;
/// Descriptor of standard error.
pub const STDERR: i32 = 2;

/// Prints to standard output.
#[macro_export]
macro_rules! print {
    ($($argument:tt)*) => { $crate::io::print_to($crate::io::STDOUT, format_args!($($argument)*)) };
}

/// Prints a line to standard output.
#[macro_export]
macro_rules! println {
    () => { $crate::print!("\n") };
    ($($argument:tt)*) => { $crate::print!("{}\n", format_args!($($argument)*)) };
}

/// Formats to a descriptor, in as few writes as a small buffer permits. Errors of `write` are ignored.
pub fn print_to(fd: i32, message: fmt::Arguments<'_>) {
    let mut output = Output { fd, length: 0, buffer: [0; 512] };
    // Formatting itself cannot fail: `write_str` below never does.
    let _ = output.write_fmt(message);
    output.flush();
}

struct Output {
    fd: i32,
    length: usize,
    buffer: [u8; 512],
}

impl Output {
    fn flush(&mut self) {
        let mut rest = &self.buffer[..self.length];
        while !rest.is_empty() {
            match sys::write(self.fd, rest) {
                Ok(written) if written > 0 => rest = &rest[written..],
                _ => break,
            }
        }
        self.length = 0;
    }
}

impl Write for Output {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for &byte in text.as_bytes() {
            if self.length == self.buffer.len() {
                self.flush();
            }
            self.buffer[self.length] = byte;
            self.length += 1;
        }
        Ok(())
    }
}
