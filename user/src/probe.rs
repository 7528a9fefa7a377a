//! Asks the kernel whether memory can be accessed, without dying where it cannot.

use crate::check_eq;
use crate::rt::syscall::syscall3;
use crate::sys::{self, Pipe};
use abi::{Errno, nr};

/// A pipe through which single bytes of memory are read and written by system calls.
pub struct Probe(Pipe);

impl Probe {
    /// Opens the pipe.
    pub fn new() -> Self {
        Self(sys::pipe().expect("a probe needs a pipe"))
    }

    /// Closes the pipe.
    pub fn close(self) {
        check_eq!(sys::close(self.0.reader), Ok(0));
        check_eq!(sys::close(self.0.writer), Ok(0));
    }

    /// The byte at `address`, or `None` if it cannot be read.
    pub fn read(&self, address: u64) -> Option<u8> {
        match syscall3(nr::WRITE, self.0.writer as u64, address, 1) {
            Ok(written) => {
                check_eq!(written, 1);
                let mut byte = [0];
                check_eq!(sys::read(self.0.reader, &mut byte), Ok(1));
                Some(byte[0])
            }
            Err(errno) => {
                check_eq!(errno, Errno::EFAULT);
                None
            }
        }
    }

    /// Writes the byte at `address`; `false` if it cannot be written.
    pub fn write(&self, address: u64, value: u8) -> bool {
        check_eq!(sys::write(self.0.writer, &[value]), Ok(1));
        match syscall3(nr::READ, self.0.reader as u64, address, 1) {
            Ok(read) => {
                check_eq!(read, 1);
                true
            }
            Err(errno) => {
                check_eq!(errno, Errno::EFAULT);
                let mut byte = [0];
                check_eq!(sys::read(self.0.reader, &mut byte), Ok(1));
                check_eq!(byte[0], value);
                false
            }
        }
    }
}

impl Default for Probe {
    fn default() -> Self {
        Self::new()
    }
}
