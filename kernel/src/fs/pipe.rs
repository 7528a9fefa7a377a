//! Pipes (`pipe(7)`): a ring of up to 64 KiB between a read end and a write end.
//!
//! A read of an empty pipe whose write end is open, and a write to a full one, wait on Linux for the other
//! side. Here both ends belong to the one thread there is: nobody could ever end the wait. The call
//! returns `EDEADLK` instead, and the kernel log says so; with `O_NONBLOCK` it is `EAGAIN` as on Linux.

use alloc::collections::VecDeque;

use abi::Errno;

use super::transfer::{CHUNK, Sink, Source};

/// Capacity in bytes.
pub(crate) const CAPACITY: usize = 64 * 1024;
/// A write of up to this many bytes is not taken apart (`PIPE_BUF`).
pub(crate) const ATOMIC: usize = 4096;

/// What to do instead of waiting.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Blocking {
    /// `O_NONBLOCK` is not set: wait.
    Wait,
    /// `O_NONBLOCK` is set.
    DoNotWait,
}

impl Blocking {
    fn refusal(self) -> Errno {
        match self {
            Blocking::Wait => Errno::EDEADLK,
            Blocking::DoNotWait => Errno::EAGAIN,
        }
    }
}

/// A pipe. Owned by the open files, hence guarded by what guards those.
#[derive(Debug)]
pub(crate) struct Pipe {
    /// What was written and not yet read; at most [`CAPACITY`] bytes.
    data: VecDeque<u8>,
    /// Whether the read end is open.
    pub(crate) has_reader: bool,
    /// Whether the write end is open.
    pub(crate) has_writer: bool,
}

impl Pipe {
    /// An empty pipe with both ends open. Its memory comes with the first write.
    pub(crate) const fn new() -> Pipe {
        Pipe { data: VecDeque::new(), has_reader: true, has_writer: true }
    }

    /// Bytes waiting to be read.
    pub(crate) fn len(&self) -> usize {
        self.data.len()
    }

    /// Moves what is there to `sink`; returns the bytes moved, 0 at the end of the data.
    ///
    /// Errors: `EFAULT`; `EAGAIN` or `EDEADLK` if the pipe is empty and its write end open.
    pub(crate) fn read(&mut self, sink: &mut dyn Sink, blocking: Blocking) -> Result<usize, Errno> {
        if sink.room() == 0 {
            return Ok(0);
        }
        if self.data.is_empty() {
            return if self.has_writer { Err(blocking.refusal()) } else { Ok(0) };
        }
        let mut done = 0;
        while sink.room() > 0 && !self.data.is_empty() {
            let (front, _) = self.data.as_slices();
            let wanted = front.len().min(sink.room());
            let taken = sink.put(&front[..wanted]);
            self.data.drain(..taken);
            done += taken;
            if taken < wanted {
                return if done > 0 { Ok(done) } else { Err(Errno::EFAULT) };
            }
        }
        if self.data.is_empty() {
            self.data = VecDeque::new(); // an idle pipe holds no memory
        }
        Ok(done)
    }

    /// Appends what `source` has, all of it up to [`ATOMIC`] bytes, else what there is room for; returns the
    /// bytes moved.
    ///
    /// Errors: `EPIPE` without a reader (the caller raises SIGPIPE); `EFAULT`; `ENOMEM`; `EAGAIN` or
    /// `EDEADLK` if there is no room.
    pub(crate) fn write(&mut self, source: &mut dyn Source, blocking: Blocking) -> Result<usize, Errno> {
        if source.left() == 0 {
            return Ok(0);
        }
        if !self.has_reader {
            return Err(Errno::EPIPE);
        }
        let room = CAPACITY - self.data.len();
        if room == 0 || (source.left() <= ATOMIC && source.left() > room) {
            return Err(blocking.refusal());
        }
        let length = source.left().min(room);
        self.data.try_reserve(length).map_err(|_| Errno::ENOMEM)?;
        let mut done = 0;
        while done < length {
            let block = ATOMIC.min(length - done);
            let before = self.data.len();
            if !self.append(source, block) {
                self.data.truncate(before); // as on Linux, a block that is not all there does not count
                return if done > 0 { Ok(done) } else { Err(Errno::EFAULT) };
            }
            done += block;
        }
        Ok(done)
    }

    /// Appends `length` bytes of the source; false if memory behind it was bad. There is room.
    fn append(&mut self, source: &mut dyn Source, length: usize) -> bool {
        let mut done = 0;
        while done < length {
            let mut chunk = [0; CHUNK];
            let piece = &mut chunk[..CHUNK.min(length - done)];
            let taken = source.take(piece);
            self.data.extend(&piece[..taken]);
            done += taken;
            if taken < piece.len() {
                return false;
            }
        }
        true
    }
}
