//! Records of `getdents64(2)`: inode, offset of the next record, length, type, name.
//!
//! A directory that is open has its records written down when it is read from its start, so that entries that come and go
//! afterwards disturb nobody.

use alloc::vec::Vec;

use abi::Errno;
use abi::fs::{S_IFDIR, S_IFMT};

use super::Files;
use super::inode::{Inode, Kind};
use super::path::is_proc;
use super::procfs;
use super::transfer::Sink;
use super::tree::Tree;
use crate::arch::shared::Shared;

/// Bytes of a record before its name.
const HEADER: usize = 19;

/// The records of a directory. Errors: `ENOMEM`.
pub(crate) fn records(tree: &Tree, directory: &Shared<Inode>, files: &Files) -> Result<Vec<u8>, Errno> {
    let mut records = Vec::new();
    let parent = {
        let _names = tree.names.lock();
        directory.place.lock().as_ref().and_then(|place| place.parent.as_ref().map(|parent| parent.number))
    };
    push(&mut records, directory.number, S_IFDIR, b".")?;
    push(&mut records, parent.unwrap_or(directory.number), S_IFDIR, b"..")?;
    let mut visit = |name: &[u8], mode| push(&mut records, directory.number ^ (1 << 32), mode, name);
    match &directory.kind {
        Kind::ProcDirectory(kind) => kind.list(files, &mut visit)?,
        _ if is_proc(directory, tree) => procfs::list_processes(&mut visit)?,
        _ => {}
    }
    if let Kind::Directory(entries) = &directory.kind {
        let _names = tree.names.lock();
        for entry in entries.lock().iter() {
            push(&mut records, entry.inode.number, entry.inode.mode(), &entry.name)?;
        }
    }
    Ok(records)
}

fn push(records: &mut Vec<u8>, inode: u64, mode: u32, name: &[u8]) -> Result<(), Errno> {
    let length = (HEADER + name.len() + 1).next_multiple_of(8);
    records.try_reserve(length).map_err(|_| Errno::ENOMEM)?;
    let start = records.len();
    records.resize(start + length, 0);
    let record = &mut records[start..];
    record[0..8].copy_from_slice(&inode.to_le_bytes());
    record[8..16].copy_from_slice(&((start + length) as u64).to_le_bytes());
    record[16..18].copy_from_slice(&(length as u16).to_le_bytes());
    record[18] = ((mode & S_IFMT) >> 12) as u8; // DT_* is the type of st_mode
    record[HEADER..HEADER + name.len()].copy_from_slice(name);
    Ok(())
}

/// Puts as many whole records as fit, from `offset` (bytes) on; returns their bytes.
///
/// Errors: `EINVAL` if not even one record fits; `EFAULT`.
pub(crate) fn read(records: &[u8], offset: u64, sink: &mut dyn Sink) -> Result<usize, Errno> {
    let mut rest = usize::try_from(offset).ok().and_then(|at| records.get(at..)).unwrap_or_default();
    let mut done = 0;
    while rest.len() >= HEADER {
        let length = usize::from(u16::from_le_bytes([rest[16], rest[17]]));
        let Some(record) = rest.get(..length).filter(|record| record.len() >= HEADER) else { break };
        if record.len() > sink.room() {
            return if done > 0 { Ok(done) } else { Err(Errno::EINVAL) };
        }
        if sink.put(record) < record.len() {
            // The record that is only partly there does not count.
            return if done > 0 { Ok(done) } else { Err(Errno::EFAULT) };
        }
        done += record.len();
        rest = &rest[length..];
    }
    Ok(done)
}
