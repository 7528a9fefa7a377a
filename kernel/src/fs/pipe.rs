//! Pipes (`pipe(7)`): a ring of up to 64 KiB between a read end and a write end.
//!
//! A read of an empty pipe whose write end is open, and a write to a full one whose read end is open, wait for the other side.
//! Whoever changes what others may wait for wakes them afterwards: those at the pipe, and those who poll anything.

use alloc::collections::VecDeque;
use core::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use abi::Errno;

use super::transfer::{CHUNK, Sink, Source};
use crate::arch::shared::{NoMemory, Shared};
use crate::sched::mutex::Mutex;
use crate::sched::{Sleep, WaitQueue};

/// Capacity in bytes.
pub(crate) const CAPACITY: usize = 64 * 1024;
/// A write of up to this many bytes is not taken apart (`PIPE_BUF`).
pub(crate) const ATOMIC: usize = 4096;

/// Those who wait for any of several pipes.
pub(crate) static POLLERS: WaitQueue = WaitQueue::new();
/// Pipes made so far.
static MADE: AtomicU64 = AtomicU64::new(0);

/// What to do instead of waiting.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Blocking {
    /// `O_NONBLOCK` is not set: wait.
    Wait,
    /// `O_NONBLOCK` is set.
    DoNotWait,
}

/// A pipe.
pub(crate) struct Pipe {
    /// Held while bytes move to or from user memory.
    ring: Mutex<Ring>,
    /// Bytes in the ring; changed by its holder only.
    level: AtomicUsize,
    /// Whether the read end is open. Never becomes true again.
    has_reader: AtomicBool,
    /// Whether the write end is open. Never becomes true again.
    has_writer: AtomicBool,
    waiters: WaitQueue,
    /// Its inode number.
    pub(crate) inode: u64,
}

/// The read end of a pipe; dropping it closes it.
pub(crate) struct Reader(Shared<Pipe>);

/// The write end of a pipe; dropping it closes it.
pub(crate) struct Writer(Shared<Pipe>);

/// A new pipe. Its memory comes with the first write.
pub(crate) fn pipe() -> Result<(Reader, Writer), NoMemory> {
    let pipe = Shared::new(Pipe {
        ring: Mutex::new(Ring { data: VecDeque::new() }),
        level: AtomicUsize::new(0),
        has_reader: AtomicBool::new(true),
        has_writer: AtomicBool::new(true),
        waiters: WaitQueue::new(),
        inode: MADE.fetch_add(1, Ordering::Relaxed) + 1,
    })?;
    Ok((Reader(pipe.clone()), Writer(pipe)))
}

impl Pipe {
    /// Bytes waiting to be read.
    pub(crate) fn len(&self) -> usize {
        self.level.load(Ordering::SeqCst)
    }

    /// Whether the read end is open.
    pub(crate) fn has_reader(&self) -> bool {
        self.has_reader.load(Ordering::SeqCst)
    }

    /// Whether the write end is open.
    pub(crate) fn has_writer(&self) -> bool {
        self.has_writer.load(Ordering::SeqCst)
    }

    /// Works on the ring, and wakes those who wait for a change if there was one.
    fn with_ring(&self, work: impl FnOnce(&mut Ring) -> Result<usize, Errno>) -> Result<usize, Errno> {
        let mut ring = self.ring.lock();
        let result = work(&mut ring);
        self.level.store(ring.data.len(), Ordering::SeqCst);
        drop(ring);
        if result.is_ok() {
            self.changed();
        }
        result
    }

    fn changed(&self) {
        self.waiters.wake_all();
        POLLERS.wake_all();
    }

    fn wait(&self, ready: impl FnMut() -> bool) -> Result<(), Errno> {
        self.waiters.wait(Sleep::Interruptible, None, ready).map_err(|_| Errno::EINTR)
    }
}

impl Reader {
    /// The pipe.
    pub(crate) fn pipe(&self) -> &Pipe {
        &self.0
    }

    /// Moves what is there to `sink`; returns the bytes moved, 0 at the end of the data. Waits while there is nothing and the
    /// write end is open.
    ///
    /// Errors: `EFAULT`; `EAGAIN` instead of waiting; `EINTR`.
    pub(crate) fn read(&self, sink: &mut dyn Sink, blocking: Blocking) -> Result<usize, Errno> {
        loop {
            // Looked at before the data: what was written last is read before the end.
            let has_writer = self.0.has_writer();
            match self.0.with_ring(|ring| ring.read(sink)) {
                Err(Errno::EAGAIN) if !has_writer => return Ok(0),
                Err(Errno::EAGAIN) if blocking == Blocking::Wait => {
                    self.0.wait(|| self.0.len() > 0 || !self.0.has_writer())?;
                }
                result => return result,
            }
        }
    }
}

impl Writer {
    /// The pipe.
    pub(crate) fn pipe(&self) -> &Pipe {
        &self.0
    }

    /// Appends what `source` has, all of it if it may wait; returns the bytes moved. Up to [`ATOMIC`] bytes go in one piece.
    ///
    /// Errors: `EPIPE` without a reader (the caller raises SIGPIPE); `EFAULT`; `ENOMEM`; `EAGAIN` instead of waiting; `EINTR`.
    /// Only when nothing was moved.
    pub(crate) fn write(&self, source: &mut dyn Source, blocking: Blocking) -> Result<usize, Errno> {
        let mut done = 0;
        let least = if source.left() <= ATOMIC { source.left() } else { 1 };
        loop {
            let result = match self.write_some(source) {
                Err(Errno::EAGAIN) if blocking == Blocking::Wait => {
                    self.0.wait(|| CAPACITY - self.0.len() >= least || !self.0.has_reader()).map(|()| 0)
                }
                result => result,
            };
            match result {
                Ok(moved) => done += moved,
                Err(_) if done > 0 => return Ok(done),
                Err(error) => return Err(error),
            }
            if source.left() == 0 || (blocking == Blocking::DoNotWait && done > 0) {
                return Ok(done);
            }
        }
    }

    fn write_some(&self, source: &mut dyn Source) -> Result<usize, Errno> {
        if source.left() > 0 && !self.0.has_reader() {
            return Err(Errno::EPIPE);
        }
        self.0.with_ring(|ring| ring.write(source))
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.0.has_reader.store(false, Ordering::SeqCst);
        self.0.changed();
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.0.has_writer.store(false, Ordering::SeqCst);
        self.0.changed();
    }
}

/// What was written and not yet read; at most [`CAPACITY`] bytes.
struct Ring {
    data: VecDeque<u8>,
}

impl Ring {
    /// Moves what is there to `sink`; returns the bytes moved.
    ///
    /// Errors: `EFAULT`; `EAGAIN` if it is empty.
    fn read(&mut self, sink: &mut dyn Sink) -> Result<usize, Errno> {
        if sink.room() == 0 {
            return Ok(0);
        }
        if self.data.is_empty() {
            return Err(Errno::EAGAIN);
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
    /// Errors: `EFAULT`; `ENOMEM`; `EAGAIN` if there is no room.
    fn write(&mut self, source: &mut dyn Source) -> Result<usize, Errno> {
        if source.left() == 0 {
            return Ok(0);
        }
        let room = CAPACITY - self.data.len();
        if room == 0 || (source.left() <= ATOMIC && source.left() > room) {
            return Err(Errno::EAGAIN);
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
