//! Records of `getdents64(2)`: inode, offset of the next record, length, type, name.

use abi::Errno;
use abi::fs::S_IFMT;

use super::transfer::Sink;
use super::tree::{NAME_MAX, NodeId, Tree};

/// Bytes of a record before its name.
const HEADER: usize = 19;
/// Longest record: the longest name and its NUL, rounded up to 8.
const RECORD_MAX: usize = (HEADER + NAME_MAX + 1).next_multiple_of(8);

/// Puts the records from entry `offset` on, as many whole ones as fit; returns their bytes and the entry
/// that comes next. Entries 0 and 1 are `.` and `..`.
///
/// Errors: `EINVAL` if not even one record fits; `EFAULT`.
pub(crate) fn read(
    tree: &Tree,
    directory: NodeId,
    offset: u64,
    sink: &mut dyn Sink,
) -> Result<(usize, u64), Errno> {
    let (mut done, mut next) = (0, offset);
    while let Some((node, name)) = entry(tree, directory, next) {
        let mut buffer = [0; RECORD_MAX];
        let record = record(&mut buffer, node.inode(), next + 1, tree.node(node).mode, name);
        if record.len() > sink.room() {
            return if done > 0 { Ok((done, next)) } else { Err(Errno::EINVAL) };
        }
        if sink.put(record) < record.len() {
            // The record that is only partly there does not count.
            return if done > 0 { Ok((done, next)) } else { Err(Errno::EFAULT) };
        }
        done += record.len();
        next += 1;
    }
    Ok((done, next))
}

fn entry(tree: &Tree, directory: NodeId, index: u64) -> Option<(NodeId, &[u8])> {
    match index {
        0 => Some((directory, b".")),
        1 => Some((tree.node(directory).parent, b"..")),
        _ => {
            let child = *tree.children(directory).get(usize::try_from(index - 2).ok()?)?;
            Some((child, tree.node(child).name))
        }
    }
}

fn record<'b>(buffer: &'b mut [u8; RECORD_MAX], inode: u64, next: u64, mode: u32, name: &[u8]) -> &'b [u8] {
    let length = (HEADER + name.len() + 1).next_multiple_of(8);
    buffer[0..8].copy_from_slice(&inode.to_le_bytes());
    buffer[8..16].copy_from_slice(&next.to_le_bytes());
    buffer[16..18].copy_from_slice(&(length as u16).to_le_bytes());
    buffer[18] = ((mode & S_IFMT) >> 12) as u8; // DT_* is the type of st_mode
    buffer[HEADER..HEADER + name.len()].copy_from_slice(name);
    &buffer[..length]
}
