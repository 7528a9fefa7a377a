//! Vectors: several ranges of user memory that are read or written as one, as `readv(2)` and `writev(2)` do.

use alloc::vec::Vec;

use abi::{Errno, IOV_MAX, IoVec};

use super::user::{TRANSFER_MAX, UserPtr, UserSlice};
use crate::fs::transfer::{Sink, Source};

/// The ranges in the table of `count` entries at `address`, wherever they are.
///
/// Errors: `EINVAL` for too many, or one that is too long; `EFAULT` for a table that cannot be read; `ENOMEM`.
pub(super) fn ranges(address: u64, count: u64) -> Result<Vec<IoVec>, Errno> {
    if count > IOV_MAX as u64 {
        return Err(Errno::EINVAL);
    }
    let mut ranges = Vec::new();
    ranges.try_reserve_exact(count as usize).map_err(|_| Errno::ENOMEM)?;
    for index in 0..count {
        let at = address.checked_add(index * size_of::<IoVec>() as u64).ok_or(Errno::EFAULT)?;
        let range = UserPtr::<IoVec>::new(at).read()?;
        if range.len > i64::MAX as u64 {
            return Err(Errno::EINVAL);
        }
        ranges.push(range);
    }
    Ok(ranges)
}

/// Ranges of user memory, one after the other.
#[derive(Debug)]
pub(super) struct UserVectors {
    slices: Vec<UserSlice>,
    /// All before this one are done.
    current: usize,
}

impl UserVectors {
    /// The vectors in the table of `count` entries at `address`, together cut to what one transfer moves.
    ///
    /// Errors: `EINVAL` for too many, or one that is too long; `EFAULT` for a table that cannot be read, or a range that
    /// is not in the user half; `ENOMEM`.
    pub(super) fn read(address: u64, count: u64) -> Result<UserVectors, Errno> {
        let ranges = ranges(address, count)?;
        let mut slices = Vec::new();
        slices.try_reserve_exact(ranges.len()).map_err(|_| Errno::ENOMEM)?;
        let mut room = TRANSFER_MAX;
        for IoVec { base, len } in ranges {
            UserSlice::new(base, len)?;
            slices.push(UserSlice::new(base, len.min(room))?);
            room -= len.min(room);
        }
        Ok(UserVectors { slices, current: 0 })
    }

    /// First byte and length of each that is not empty.
    pub(super) fn ranges(&self) -> impl Iterator<Item = (u64, u64)> {
        self.slices.iter().map(UserSlice::range).filter(|(_, length)| *length != 0)
    }

    fn left_in_all(&self) -> usize {
        self.slices[self.current..].iter().map(Source::left).sum()
    }

    /// Moves `length` bytes, or as many as there is room for; returns how many that were. `part` moves those from an
    /// offset on through one slice, and returns how many it moved.
    fn move_through(&mut self, length: usize, mut part: impl FnMut(&mut UserSlice, usize) -> usize) -> usize {
        let mut done = 0;
        while done < length
            && let Some(slice) = self.slices.get_mut(self.current)
        {
            let wanted = slice.left().min(length - done);
            let moved = part(slice, done);
            done += moved;
            if moved < wanted {
                break;
            }
            if slice.left() == 0 {
                self.current += 1;
            }
        }
        done
    }
}

impl Sink for UserVectors {
    fn room(&self) -> usize {
        self.left_in_all()
    }

    fn put(&mut self, bytes: &[u8]) -> usize {
        self.move_through(bytes.len(), |slice, offset| slice.put(&bytes[offset..]))
    }
}

impl Source for UserVectors {
    fn left(&self) -> usize {
        self.left_in_all()
    }

    fn take(&mut self, into: &mut [u8]) -> usize {
        self.move_through(into.len(), |slice, offset| slice.take(&mut into[offset..]))
    }
}
