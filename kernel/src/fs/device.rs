//! Character devices.

use abi::Errno;

use super::transfer::{CHUNK, Sink, Source, put_generated, put_zeroes};
use crate::{console, input, random};

/// A character device.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Device {
    /// The program's serial line.
    Console,
    /// Swallows writes, reads as empty.
    Null,
    /// Swallows writes, reads as zeroes.
    Zero,
    /// Refuses writes, reads as zeroes.
    Full,
    /// Swallows writes, reads as random bytes.
    Random,
    /// Makes descriptors of `userfaultfd(2)` by request.
    Userfaults,
}

impl Device {
    /// Moves bytes from the device to `sink`; returns how many, 0 at the end. The console gives what has
    /// arrived and waits for the first byte.
    ///
    /// Errors: `EFAULT`, `EINTR`, `EINVAL`.
    pub(crate) fn read(self, sink: &mut dyn Sink) -> Result<usize, Errno> {
        let room = sink.room();
        let done = match self {
            Device::Null => return Ok(0),
            Device::Console => {
                let mut chunk = [0; CHUNK];
                let there = if room > 0 { input::read(&mut chunk[..CHUNK.min(room)])? } else { 0 };
                if there == 0 {
                    return Ok(0);
                }
                sink.put(&chunk[..there])
            }
            Device::Zero | Device::Full => put_zeroes(sink, room),
            Device::Random => put_generated(sink, room, random::fill),
            Device::Userfaults => return Err(Errno::EINVAL),
        };
        if done == 0 && room > 0 { Err(Errno::EFAULT) } else { Ok(done) }
    }

    /// Moves bytes from `source` to the device; returns how many.
    ///
    /// Errors: `EFAULT`, `ENOSPC`, `EINVAL`.
    pub(crate) fn write(self, source: &mut dyn Source) -> Result<usize, Errno> {
        match self {
            Device::Console => write_console(source),
            Device::Userfaults => Err(Errno::EINVAL),
            Device::Full if source.left() > 0 => Err(Errno::ENOSPC),
            Device::Null | Device::Zero | Device::Full | Device::Random => Ok(source.left()),
        }
    }
}

/// Bytes that a write to the console copies at once: of a piece that is not all there nothing is written, as
/// on Linux.
const CONSOLE_PIECE: usize = 2048;

fn write_console(source: &mut dyn Source) -> Result<usize, Errno> {
    let length = source.left();
    let mut done = 0;
    while done < length {
        let mut buffer = [0; CONSOLE_PIECE];
        let piece = &mut buffer[..CONSOLE_PIECE.min(length - done)];
        if source.take(piece) < piece.len() {
            return if done > 0 { Ok(done) } else { Err(Errno::EFAULT) };
        }
        console::write(piece);
        done += piece.len();
    }
    Ok(done)
}
