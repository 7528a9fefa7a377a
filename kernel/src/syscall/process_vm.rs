//! The memory of other processes: process_vm_readv, process_vm_writev.
//!
//! A page at a time goes through a buffer: the task enters the other address space for as long as it copies there, and the rules for
//! faults are those of any copy.

use alloc::vec::Vec;

use abi::{Errno, IoVec};
use mm::vma::VmaFlags;
use mm::{PAGE_SIZE, Page, USER_END};

use super::Arguments;
use super::user::UserSlice;
use super::vectors::{self, UserVectors};
use crate::arch::shared::Shared;
use crate::fs::transfer::{Sink, Source};
use crate::process::{Space, Thread, table};
use crate::sched;

/// `process_vm_readv(2)`.
pub(super) fn process_vm_readv(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    transfer(thread, arguments, |remote, local, buffer| {
        let wanted = buffer.len().min(local.room());
        let bytes = &mut buffer[..wanted];
        let found = remote.read(bytes);
        (wanted, local.put(&bytes[..found]))
    })
}

/// `process_vm_writev(2)`.
pub(super) fn process_vm_writev(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    transfer(thread, arguments, |remote, local, buffer| {
        let wanted = buffer.len().min(local.left());
        let bytes = &mut buffer[..wanted];
        let found = local.take(bytes);
        (wanted, remote.write(&bytes[..found]))
    })
}

/// A range of another process's memory, inside of one page.
struct Remote<'a> {
    space: &'a Shared<Space>,
    own: &'a Shared<Space>,
    address: u64,
}

impl Remote<'_> {
    /// Reads from the start of the range; how many bytes that could be.
    fn read(&self, bytes: &mut [u8]) -> usize {
        // What programs may only write or execute can be read by the processor, but not by others.
        let [_, here, _] = self.space.vmas_around(Page::containing(self.address));
        if here.is_none_or(|view| !view.vma.flags.contains(VmaFlags::READ)) {
            return 0;
        }
        self.within(bytes.len(), |mut slice| slice.take(bytes))
    }

    /// Writes to the start of the range; how many bytes that could be.
    fn write(&self, bytes: &[u8]) -> usize {
        self.within(bytes.len(), |mut slice| slice.put(bytes))
    }

    /// Does `copy` with `length` bytes of the range while the other address space is the task's.
    fn within(&self, length: usize, copy: impl FnOnce(UserSlice) -> usize) -> usize {
        let Ok(slice) = UserSlice::new(self.address, length as u64) else { return 0 };
        drop(sched::enter_space(Some(self.space.clone())));
        let copied = copy(slice);
        drop(sched::enter_space(Some(self.own.clone())));
        copied
    }
}

/// Moves bytes between the ranges of both processes, in order. `part` moves as many as fit the buffer, and says how many it wanted
/// to move and how many those were.
///
/// Errors: `EINVAL`, `EFAULT`, `ENOMEM`, `ESRCH`. A fault in the middle ends the transfer, which has moved what comes before.
fn transfer(
    thread: &Thread,
    arguments: &Arguments,
    part: impl Fn(Remote<'_>, &mut UserVectors, &mut [u8]) -> (usize, usize),
) -> Result<u64, Errno> {
    let [_, local, local_count, remote, remote_count, flags] = arguments.0;
    if flags != 0 {
        return Err(Errno::EINVAL);
    }
    let mut local = UserVectors::read(local, local_count)?;
    if local.left() == 0 {
        return Ok(0);
    }
    let ranges = vectors::ranges(remote, remote_count)?;
    if ranges.iter().all(|range| range.len == 0) {
        return Ok(0);
    }
    let space = table::space(arguments.i32(0)).ok_or(Errno::ESRCH)?;
    let mut buffer = Vec::new();
    buffer.try_reserve_exact(PAGE_SIZE as usize).map_err(|_| Errno::ENOMEM)?;
    buffer.resize(PAGE_SIZE as usize, 0);
    let mut done = 0;
    'ranges: for IoVec { base, len } in ranges {
        let end = base.saturating_add(len);
        let mut address = base;
        while address < end && local.left() != 0 {
            let length = (PAGE_SIZE - address % PAGE_SIZE).min(end - address) as usize;
            if address >= USER_END {
                break 'ranges;
            }
            let remote = Remote { space: &space, own: &thread.space, address };
            let (wanted, moved) = part(remote, &mut local, &mut buffer[..length]);
            done += moved as u64;
            address += moved as u64;
            if moved < wanted {
                break 'ranges;
            }
        }
    }
    if done == 0 { Err(Errno::EFAULT) } else { Ok(done) }
}
