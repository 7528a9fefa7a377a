//! The format of `/proc/self/maps` (`proc_pid_maps(5)`).
//!
//! `start-end perms offset dev inode`, and from column 73 on a name, if there is one.

use core::fmt;

use mm::vma::VmaFlags;

use super::text::Text;

/// Column, from 0, where the name begins.
const NAME_COLUMN: usize = 73;

/// One line.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MapsLine<'a> {
    /// First byte.
    pub(crate) start: u64,
    /// One past the last byte.
    pub(crate) end: u64,
    /// Permissions.
    pub(crate) flags: VmaFlags,
    /// Offset in the file in bytes.
    pub(crate) offset: u64,
    /// Device as major and minor number; 0 without a file.
    pub(crate) device: (u32, u32),
    /// Inode; 0 without a file.
    pub(crate) inode: u64,
    /// File or region; empty without one.
    pub(crate) name: &'a [u8],
}

impl MapsLine<'_> {
    /// Appends the line. Errors: memory is short.
    pub(crate) fn write(&self, text: &mut Text) -> fmt::Result {
        let begin = text.len();
        let (major, minor) = self.device;
        text.push_hexadecimal(self.start, 8)?;
        text.push(b"-")?;
        text.push_hexadecimal(self.end, 8)?;
        let [r, w, x, s] = self.flags.letters();
        text.push(&[b' ', r, w, x, s, b' '])?;
        text.push_hexadecimal(self.offset, 8)?;
        text.push(b" ")?;
        text.push_hexadecimal(major.into(), 2)?;
        text.push(b":")?;
        text.push_hexadecimal(minor.into(), 2)?;
        text.push(b" ")?;
        text.push_decimal(self.inode, 0)?;
        text.push(b" ")?;
        if !self.name.is_empty() {
            let missing = NAME_COLUMN.saturating_sub(text.len() - begin);
            text.push(&[b' '; NAME_COLUMN][..missing])?;
            text.push(self.name)?;
        }
        text.push(b"\n")
    }
}
