//! Programs for `x_calls`: lists of calls and accesses in an arena of pages. The format is in user/src/bin/x_calls.rs.

use std::fmt;

use abi::nr;

/// Bytes of a page.
pub(super) const PAGE: u64 = 4096;
/// The first address of the arena: a border of page tables and one of directories lie in its middle.
pub(super) const ARENA: u64 = 0x1000_3fe0_0000;
/// Pages of the arena.
pub(super) const PAGES: u64 = 1024;

/// One line of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// A system call: its number and arguments.
    Call(u64, [u64; 6]),
    /// A load of a byte.
    Read(u64),
    /// A store of a byte.
    Write(u64, u8),
    /// mincore, with the vector.
    Residency(u64, u64),
    /// A new segment of shared memory is attached: at this address, so many bytes of it, with these flags.
    Attach(u64, u64, u64),
    /// A child reads all pages and writes this byte to them.
    Fork(u8),
    /// The mappings.
    Maps,
}

impl Line {
    /// The name of the system call that this is, if it is one.
    pub(super) fn call(&self) -> Option<&'static str> {
        match self {
            Line::Call(number, _) => nr::name(*number),
            Line::Residency(..) => nr::name(nr::MINCORE),
            Line::Attach(..) => nr::name(nr::SHMAT),
            _ => None,
        }
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Line::Call(number, [a, b, c, d, e, g]) => {
                write!(f, "c {number:x} {a:x} {b:x} {c:x} {d:x} {e:x} {g:x}")
            }
            Line::Read(address) => write!(f, "r {address:x}"),
            Line::Write(address, byte) => write!(f, "w {address:x} {byte:x}"),
            Line::Residency(address, length) => write!(f, "i {address:x} {length:x}"),
            Line::Attach(address, length, flags) => write!(f, "a {address:x} {length:x} {flags:x}"),
            Line::Fork(byte) => write!(f, "f {byte:x}"),
            Line::Maps => f.write_str("m"),
        }
    }
}

/// A list of lines with a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Program {
    pub(super) number: u64,
    pub(super) lines: Vec<Line>,
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "p {:x}", self.number)?;
        self.lines.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}
