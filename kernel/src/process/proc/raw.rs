//! `mem` and `pagemap`, which are read at positions, and the strings that a program was started with.

use alloc::vec::Vec;
use core::ops::Range;

use abi::Errno;
use mm::frame::FrameKind;
use mm::{PAGE_SIZE, Page, PageRange};

use super::space_of;
use crate::arch::shared::Shared;
use crate::arch::user::copy_from_user;
use crate::fs::Position;
use crate::fs::inode::Kind;
use crate::fs::open::OpenFile;
use crate::fs::procfs::{ProcFile, Subject};
use crate::fs::transfer::Sink;
use crate::process::about::Places;
use crate::process::{Process, Space, Thread, table};
use crate::sched;

/// Bytes of an entry of `pagemap`.
const ENTRY: u64 = 8;
/// Entries that are looked up at once.
const ENTRIES: u64 = 64;
/// Bits of an entry: in memory; of a file or shared; nobody else maps it. Frame numbers are not told.
const PRESENT: u64 = 1 << 63;
const FILE: u64 = 1 << 61;
const EXCLUSIVE: u64 = 1 << 56;
/// Longest text of strings.
const STRINGS_MAX: u64 = 1 << 20;

/// What is open, if it is `mem` or `pagemap`.
pub(in crate::process) fn raw_file(file: &OpenFile) -> Option<ProcFile> {
    match file.object.inode()?.kind {
        Kind::Proc(file @ ProcFile { subject: Subject::Memory | Subject::Pagemap, .. }) => Some(file),
        _ => None,
    }
}

/// Reads `mem` or `pagemap`. Errors: `ESRCH`, `EIO`, `EINVAL`, `EFAULT`.
pub(in crate::process) fn read_raw(
    reader: &Thread,
    number: i32,
    file: ProcFile,
    position: Position,
    sink: &mut dyn Sink,
) -> Result<usize, Errno> {
    let space = if file.pid == reader.pid() {
        Some(reader.space.clone())
    } else {
        table::process(file.pid).and_then(|process| space_of(&process))
    };
    let Some(space) = space else { return Ok(0) };
    let open = reader.files.get(number)?;
    open.check_readable()?;
    let mut cursor = open.cursor.lock();
    let offset = match position {
        Position::Current => cursor.offset,
        Position::At(offset) => offset,
    };
    let done = match file.subject {
        Subject::Pagemap => read_pagemap(&space, offset, sink)?,
        _ => read_memory(&space, offset, sink)?,
    };
    if position == Position::Current {
        cursor.offset += done as u64;
    }
    Ok(done)
}

fn read_pagemap(space: &Space, offset: u64, sink: &mut dyn Sink) -> Result<usize, Errno> {
    if !offset.is_multiple_of(ENTRY) || !(sink.room() as u64).is_multiple_of(ENTRY) {
        return Err(Errno::EINVAL);
    }
    let mut done = 0;
    let mut first = offset / ENTRY;
    while sink.room() > 0 && first < Page::USER_END.number() {
        let count = ENTRIES.min(sink.room() as u64 / ENTRY).min(Page::USER_END.number() - first);
        let mut entries = [0u64; ENTRIES as usize];
        let Some(range) = PageRange::from_start(Page::new(first), count) else { break };
        space.for_each_page(range, |page, _, kind, _| {
            let shared = matches!(kind, FrameKind::Cache | FrameKind::Shared);
            let kind = if shared { FILE } else { EXCLUSIVE };
            entries[(page.number() - first) as usize] = PRESENT | kind;
        });
        for entry in &entries[..count as usize] {
            if sink.put(&entry.to_le_bytes()) < ENTRY as usize {
                return if done > 0 { Ok(done) } else { Err(Errno::EFAULT) };
            }
            done += ENTRY as usize;
        }
        first += count;
    }
    Ok(done)
}

fn read_memory(space: &Shared<Space>, offset: u64, sink: &mut dyn Sink) -> Result<usize, Errno> {
    let mut done = 0;
    while sink.room() > 0 {
        let at = offset + done as u64;
        let mut chunk = [0; 512];
        let length = chunk.len().min(sink.room()).min((PAGE_SIZE - at % PAGE_SIZE) as usize);
        if !copy_from(space, at, &mut chunk[..length]) {
            return if done > 0 { Ok(done) } else { Err(Errno::EIO) };
        }
        let taken = sink.put(&chunk[..length]);
        done += taken;
        if taken < length {
            return if done > 0 { Ok(done) } else { Err(Errno::EFAULT) };
        }
    }
    Ok(done)
}

/// Copies from another address space; whether all was there.
fn copy_from(space: &Shared<Space>, address: u64, to: &mut [u8]) -> bool {
    let before = sched::enter_space(Some(space.clone()));
    let copied = copy_from_user(to, address);
    drop(sched::enter_space(before));
    copied.is_ok()
}

/// What a process was started with, as it is in its memory now. Errors: `ENOMEM`.
pub(super) fn strings(
    process: &Process,
    place: impl FnOnce(&Places) -> Range<u64>,
) -> Result<Vec<u8>, Errno> {
    let range = place(&process.about.lock().places);
    let Some(space) = space_of(process) else { return Ok(Vec::new()) };
    let length = (range.end - range.start).min(STRINGS_MAX) as usize;
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(length).map_err(|_| Errno::ENOMEM)?;
    bytes.resize(length, 0);
    if !copy_from(&space, range.start, &mut bytes) {
        bytes.clear();
    }
    Ok(bytes)
}
