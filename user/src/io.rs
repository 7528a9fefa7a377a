//! Formatted output on file descriptors, and files by lines.

use crate::{check, sys};
use core::ffi::CStr;
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

/// Calls `f` with each line of the file, without its end, cut to 255 bytes. Ends the program if the file cannot be read,
/// or the last line has no end.
pub fn for_each_line(path: &CStr, mut f: impl FnMut(&[u8])) {
    let fd = sys::open(path, abi::fs::O_RDONLY).expect("open the file");
    let mut line = [0; 255];
    let mut length = 0;
    loop {
        let mut buffer = [0; 1024];
        let read = sys::read(fd, &mut buffer).expect("read the file");
        if read == 0 {
            break;
        }
        for &byte in &buffer[..read] {
            if byte == b'\n' {
                f(&line[..length]);
                length = 0;
            } else if length < line.len() {
                line[length] = byte;
                length += 1;
            }
        }
    }
    check!(length == 0, "{:?}: the last line has no end", path);
    check!(sys::close(fd).is_ok());
}
