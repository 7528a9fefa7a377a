//! Texts that are written while they are read, a piece at a time.
//!
//! ```text
//!  read before, forgotten │ piece at hand │ not written yet
//!  0                      start           end              bytes
//! ```
//!
//! A piece is some records as a whole, a line of `maps` say. A read takes what is left of the piece at hand, and has one more
//! written if it has room for it. So a record that is read in parts is whole, whatever happens meanwhile to what it tells of, and no lock
//! of that is held while bytes are moved. A read at 0, and one that does not begin where the last ended, begin anew, as on Linux.

use alloc::vec::Vec;

use abi::Errno;
use mm::PAGE_SIZE;

use super::content::copy_out;
use super::transfer::Sink;

/// What of a text to write.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part {
    /// Where to begin: 0, or the [`Piece::next`] of the part before.
    pub(crate) from: u64,
    /// Bytes that are wanted. It ends with the record that reaches as far.
    pub(crate) length: usize,
}

impl Part {
    /// All of it.
    pub(crate) const WHOLE: Part = Part { from: 0, length: usize::MAX };
    /// Most bytes that are wanted at once.
    const LENGTH_MAX: usize = PAGE_SIZE as usize;

    fn up_to(from: u64, length: usize) -> Part {
        Part { from, length: length.min(Part::LENGTH_MAX) }
    }
}

/// A part of a text.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Piece {
    /// Its bytes.
    pub(crate) text: Vec<u8>,
    /// Where the next one begins, in a measure of the writer's; `None` if this is the last.
    pub(crate) next: Option<u64>,
}

/// A text as it is being read.
#[derive(Debug, Default)]
pub(super) struct Written {
    /// The piece at hand.
    piece: Piece,
    /// Where it begins, in bytes from the begin of the text.
    start: u64,
    /// Where the last read ended.
    read: u64,
}

/// Writes a part of a text.
pub(super) type Write<'a> = &'a dyn Fn(Part) -> Result<Piece, Errno>;

impl Written {
    /// Moves bytes from `offset` on to `sink`; returns how many, 0 at the end. Errors: `EFAULT`, those of `write`.
    pub(super) fn read(
        &mut self,
        offset: u64,
        sink: &mut dyn Sink,
        write: Write<'_>,
    ) -> Result<usize, Errno> {
        if offset == 0 || offset != self.read {
            *self = Written { piece: Piece { text: Vec::new(), next: Some(0) }, start: 0, read: 0 };
            while self.end() < offset && self.write_on(Part::LENGTH_MAX, write)? {}
        }
        let mut done = copy_out(&self.piece.text, offset - self.start, sink)?;
        if sink.room() > 0 && offset + done as u64 >= self.end() {
            let more = match self.write_on(sink.room(), write) {
                Ok(true) => copy_out(&self.piece.text, 0, sink),
                Ok(false) => Ok(0),
                Err(errno) => Err(errno),
            };
            done += more.or_else(|errno| if done > 0 { Ok(0) } else { Err(errno) })?;
        }
        self.read = offset + done as u64;
        Ok(done)
    }

    fn end(&self) -> u64 {
        self.start + self.piece.text.len() as u64
    }

    /// Goes on to the next piece, of some `length` bytes; whether there is one.
    fn write_on(&mut self, length: usize, write: Write<'_>) -> Result<bool, Errno> {
        let Some(from) = self.piece.next else { return Ok(false) };
        let next = write(Part::up_to(from, length))?;
        self.start = self.end();
        self.piece = next;
        Ok(true)
    }
}
