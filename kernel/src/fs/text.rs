//! Text that grows fallibly, for files that are written when they are read. Numbers of texts that have many go round `core::fmt`, which
//! takes ten times as long.

use alloc::vec::Vec;
use core::fmt;

/// A text. Writing to it fails only when memory is short.
#[derive(Debug, Default)]
pub(crate) struct Text(Vec<u8>);

impl Text {
    /// Its length in bytes.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Its bytes.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// Appends bytes.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> fmt::Result {
        self.0.try_reserve(bytes.len()).map_err(|_| fmt::Error)?;
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    /// Appends a number in decimal, with blanks before it if it has fewer than `width` columns, which are at most 20.
    pub(crate) fn push_decimal(&mut self, number: u64, width: usize) -> fmt::Result {
        self.push_number::<10>(number, width, b' ')
    }

    /// Appends a number in hexadecimal, with zeroes before it if it has fewer than `width` digits, which are at most 20.
    pub(crate) fn push_hexadecimal(&mut self, number: u64, width: usize) -> fmt::Result {
        self.push_number::<16>(number, width, b'0')
    }

    fn push_number<const BASE: u64>(&mut self, mut number: u64, width: usize, before: u8) -> fmt::Result {
        let mut columns = [before; 20]; // u64::MAX has as many in decimal
        let mut start = columns.len();
        loop {
            start -= 1;
            columns[start] = b"0123456789abcdef"[(number % BASE) as usize];
            number /= BASE;
            if number == 0 {
                break;
            }
        }
        self.push(&columns[start.min(columns.len() - width)..])
    }
}

impl fmt::Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.push(text.as_bytes())
    }
}
