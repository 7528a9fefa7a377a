//! Names for addresses of the kernel's code, from `.sugarbush/symbols` of the ramdisk: lines `hex-address name`,
//! ascending, searched in place.

use core::fmt;
use core::str;

use rustc_demangle::{Demangle, demangle};
use spin::Once;

use crate::ramdisk;

static TEXT: Once<&'static [u8]> = Once::new();

/// An address as `name+offset`.
pub(crate) struct Symbol {
    name: Demangle<'static>,
    offset: u64,
}

impl fmt::Display for Symbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The alternate form leaves out the hash.
        write!(f, "{:#}+{:#x}", self.name, self.offset)
    }
}

/// Finds the table.
pub(crate) fn init() {
    TEXT.call_once(|| ramdisk::find(b".sugarbush/symbols").unwrap_or(b""));
}

/// The symbol that contains `address`, if the table knows one at or below.
pub(crate) fn find(address: u64) -> Option<Symbol> {
    let text = *TEXT.get()?;
    // The last line that starts at or below `address`: `low` starts such a line, `high` a later one.
    let (mut low, mut high) = (0, text.len());
    let mut best = None;
    while low < high {
        let line = line_start(text, low + (high - low) / 2);
        let end = line_end(text, line);
        match parse(&text[line..end]) {
            Some((start, name)) if start <= address => {
                best = Some((start, name));
                low = end + 1;
            }
            Some(_) => high = line,
            None => return None,
        }
    }
    best.map(|(start, name)| Symbol { name: demangle(name), offset: address - start })
}

/// Start of the line that contains `at`.
fn line_start(text: &[u8], at: usize) -> usize {
    text[..at].iter().rposition(|&byte| byte == b'\n').map_or(0, |newline| newline + 1)
}

/// Position of the newline that ends the line that starts at `at`.
fn line_end(text: &[u8], at: usize) -> usize {
    text[at..].iter().position(|&byte| byte == b'\n').map_or(text.len(), |newline| at + newline)
}

fn parse(line: &'static [u8]) -> Option<(u64, &'static str)> {
    let (address, name) = str::from_utf8(line).ok()?.split_once(' ')?;
    Some((u64::from_str_radix(address, 16).ok()?, name))
}
