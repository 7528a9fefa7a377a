//! The ramdisk: a cpio archive in the new ASCII format (`newc`, see cpio(5)), read in place.
//!
//! A damaged archive never panics: iteration ends with an error that says where.

use core::fmt;
use core::ops::Range;
use core::str;

use spin::Once;

use crate::arch::direct_map;

static ARCHIVE: Once<Range<u64>> = Once::new();

const HEADER: usize = 110;
/// Plain archives and those with checksums, which nobody fills in.
const MAGICS: [&[u8]; 2] = [b"070701", b"070702"];
const TRAILER: &[u8] = b"TRAILER!!!";

/// A file, directory or link of the ramdisk.
#[derive(Clone, Copy, Debug)]
pub(crate) struct File {
    /// Path without a leading `/` or `./`.
    pub(crate) path: &'static [u8],
    /// File type and permissions, as in `st_mode`.
    pub(crate) mode: u32,
    /// Modification time in seconds since 1970.
    pub(crate) modified: u32,
    /// Content; the target of a symbolic link.
    pub(crate) data: &'static [u8],
}

/// The archive is damaged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Damaged {
    /// Where in the archive, in bytes.
    offset: usize,
    /// What is wrong there.
    what: &'static str,
}

impl fmt::Display for Damaged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the initramfs is damaged at byte {}: {}", self.offset, self.what)
    }
}

/// Tells where the archive is, as a range of physical addresses; empty when there is none.
pub(crate) fn locate(physical: Range<u64>) {
    ARCHIVE.call_once(|| physical);
}

/// The archive as it is; empty when there is none.
pub(crate) fn archive() -> &'static [u8] {
    ARCHIVE.get().map_or(&[], direct_map::ramdisk)
}

/// Where in the archive `bytes` are; `None` if they are elsewhere.
pub(crate) fn offset_of(bytes: &[u8]) -> Option<u64> {
    let archive = archive().as_ptr_range();
    let part = bytes.as_ptr_range();
    let inside = archive.start <= part.start && part.end <= archive.end;
    inside.then(|| part.start as u64 - archive.start as u64)
}

/// All files in the order of the archive. Ends after the first error.
pub(crate) fn files() -> Files {
    parse(archive())
}

/// All files of an archive. Ends after the first error.
pub(crate) fn parse(archive: &'static [u8]) -> Files {
    Files { archive, offset: 0, ended: archive.is_empty() }
}

/// The content of the file at `path` (without a leading `/`); `None` when there is none before a damage.
pub(crate) fn find(path: &[u8]) -> Option<&'static [u8]> {
    files().map_while(Result::ok).find(|file| file.path == path).map(|file| file.data)
}

/// Iterator over the files of an archive.
pub(crate) struct Files {
    archive: &'static [u8],
    offset: usize,
    ended: bool,
}

impl Iterator for Files {
    type Item = Result<File, Damaged>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let file = self.file();
        self.ended = !matches!(file, Ok(Some(_)));
        file.transpose()
    }
}

impl Files {
    fn file(&mut self) -> Result<Option<File>, Damaged> {
        let header = self.take(HEADER, "the header is cut off")?;
        if !MAGICS.contains(&&header[..6]) {
            return Err(self.damaged(HEADER, "no cpio header (newc) here"));
        }
        let field = |index: usize| {
            str::from_utf8(&header[6 + index * 8..14 + index * 8])
                .ok()
                .and_then(|digits| u32::from_str_radix(digits, 16).ok())
                .ok_or(Damaged { offset: self.offset - HEADER, what: "a header field is not hexadecimal" })
        };
        let (mode, modified, size, name_size) = (field(1)?, field(5)?, field(6)?, field(11)?);
        let name = self.take(name_size as usize, "the name is cut off")?;
        let name =
            name.strip_suffix(b"\0").ok_or(self.damaged(name.len(), "the name does not end with NUL"))?;
        self.align();
        if name == TRAILER {
            return Ok(None);
        }
        let data = self.take(size as usize, "the content is cut off")?;
        self.align();
        let mut path = name.strip_prefix(b".").filter(|rest| rest.starts_with(b"/")).unwrap_or(name);
        while let Some(rest) = path.strip_prefix(b"/") {
            path = rest;
        }
        Ok(Some(File { path, mode, modified, data }))
    }

    fn take(&mut self, len: usize, what: &'static str) -> Result<&'static [u8], Damaged> {
        let rest = self.archive.get(self.offset..).unwrap_or(&[]);
        let taken = rest.get(..len).ok_or(self.damaged(0, what))?;
        self.offset += len;
        Ok(taken)
    }

    fn align(&mut self) {
        self.offset = self.offset.next_multiple_of(4);
    }

    fn damaged(&self, back: usize, what: &'static str) -> Damaged {
        Damaged { offset: self.offset - back, what }
    }
}
