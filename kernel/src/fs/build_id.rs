//! The build identifier of an ELF file: a note that its linker left there.

use super::content::Content;

/// Longest identifier in bytes.
pub(crate) const LENGTH_MAX: usize = 20;
/// Bytes of a file's notes that are looked at.
const NOTES_MAX: usize = 1024;
/// Program headers that are looked at.
const HEADERS_MAX: u16 = 64;
/// Bytes of a program header.
const HEADER_SIZE: usize = 56;
/// `PT_NOTE`.
const NOTES: u32 = 4;
/// `NT_GNU_BUILD_ID`.
const BUILD_ID: u32 = 3;

/// An identifier and its length.
pub(crate) type BuildId = ([u8; LENGTH_MAX], usize);

/// The build identifier of a file, if it has one.
pub(crate) fn of(file: &Content) -> Option<BuildId> {
    let mut header = [0; 64];
    read(file, 0, &mut header)?;
    if header[..5] != *b"\x7fELF\x02" {
        return None;
    }
    let (table, count) = (u64_at(&header, 32)?, u16_at(&header, 56)?.min(HEADERS_MAX));
    (0..u64::from(count)).find_map(|index| {
        let mut header = [0; HEADER_SIZE];
        read(file, table.checked_add(index * HEADER_SIZE as u64)?, &mut header)?;
        if u32_at(&header, 0)? != NOTES {
            return None;
        }
        let mut notes = [0; NOTES_MAX];
        let length = (u64_at(&header, 32)?.min(NOTES_MAX as u64)) as usize;
        read(file, u64_at(&header, 8)?, &mut notes[..length])?;
        in_notes(&notes[..length])
    })
}

/// The identifier among notes: each is three numbers, a name and a content, padded to words.
fn in_notes(mut notes: &[u8]) -> Option<BuildId> {
    loop {
        let (name_length, length) = (u32_at(notes, 0)? as usize, u32_at(notes, 4)? as usize);
        let content = 12usize.checked_add(name_length.checked_next_multiple_of(4)?)?;
        if u32_at(notes, 8)? == BUILD_ID
            && notes.get(12..12 + name_length) == Some(b"GNU\0")
            && (1..=LENGTH_MAX).contains(&length)
        {
            let mut id = [0; LENGTH_MAX];
            id[..length].copy_from_slice(notes.get(content..content + length)?);
            return Some((id, length));
        }
        notes = notes.get(content.checked_add(length.checked_next_multiple_of(4)?)?..)?;
    }
}

/// Fills `bytes` from `offset` on.
fn read(file: &Content, offset: u64, bytes: &mut [u8]) -> Option<()> {
    let length = bytes.len();
    (file.read_at(offset, bytes).ok()? == length).then_some(())
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}
