//! Requests of `ioctl(2)` and their structures: terminals, and `PROCMAP_QUERY` of `/proc/PID/maps`.

/// Reads a [`Termios`].
pub const TCGETS: u64 = 0x5401;
/// Writes a [`Termios`] at once.
pub const TCSETS: u64 = 0x5402;
/// Writes a [`Termios`] after the output has drained.
pub const TCSETSW: u64 = 0x5403;
/// Writes a [`Termios`] after the output has drained, and drops pending input.
pub const TCSETSF: u64 = 0x5404;
/// Makes the terminal the controlling one.
pub const TIOCSCTTY: u64 = 0x540e;
/// Reads the foreground process group.
pub const TIOCGPGRP: u64 = 0x540f;
/// Writes the foreground process group.
pub const TIOCSPGRP: u64 = 0x5410;
/// Reads a [`Winsize`].
pub const TIOCGWINSZ: u64 = 0x5413;
/// Writes a [`Winsize`].
pub const TIOCSWINSZ: u64 = 0x5414;
/// Reads the number of bytes that can be read, as an `i32`.
pub const FIONREAD: u64 = 0x541b;
/// Sets or clears non-blocking mode.
pub const FIONBIO: u64 = 0x5421;

/// Asks `/proc/PID/maps` about one mapping ([`ProcmapQuery`]).
pub const PROCMAP_QUERY: u64 = 0xc068_6611;

/// In a query: only a mapping that may be read. In an answer: it may.
pub const PROCMAP_QUERY_VMA_READABLE: u64 = 0x01;
/// As above, written.
pub const PROCMAP_QUERY_VMA_WRITABLE: u64 = 0x02;
/// As above, executed.
pub const PROCMAP_QUERY_VMA_EXECUTABLE: u64 = 0x04;
/// As above, shared.
pub const PROCMAP_QUERY_VMA_SHARED: u64 = 0x08;
/// In a query: the mapping at the address, or else the next one.
pub const PROCMAP_QUERY_COVERING_OR_NEXT_VMA: u64 = 0x10;
/// In a query: only mappings of files.
pub const PROCMAP_QUERY_FILE_BACKED_VMA: u64 = 0x20;

/// `struct procmap_query`.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct ProcmapQuery {
    /// Size of the structure as the program knows it.
    pub size: u64,
    /// What is asked for.
    pub query_flags: u64,
    /// The address.
    pub query_addr: u64,
    /// First byte.
    pub vma_start: u64,
    /// One past the last byte.
    pub vma_end: u64,
    /// What it permits, and whether it is shared.
    pub vma_flags: u64,
    /// Bytes of its pages.
    pub vma_page_size: u64,
    /// Where its file is mapped from, in bytes.
    pub vma_offset: u64,
    /// Inode of its file.
    pub inode: u64,
    /// Device of its file, major number.
    pub dev_major: u32,
    /// Minor number.
    pub dev_minor: u32,
    /// Room for a name, with its NUL; then what of it is used.
    pub vma_name_size: u32,
    /// Room for a build identifier; then what of it is used.
    pub build_id_size: u32,
    /// Where the name goes.
    pub vma_name_addr: u64,
    /// Where the build identifier goes.
    pub build_id_addr: u64,
}

/// Number of control characters in [`Termios`].
pub const NCCS: usize = 19;

/// `struct termios` as the kernel has it (glibc's is longer).
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Termios {
    /// Input modes.
    pub c_iflag: u32,
    /// Output modes.
    pub c_oflag: u32,
    /// Control modes.
    pub c_cflag: u32,
    /// Local modes.
    pub c_lflag: u32,
    /// Line discipline.
    pub c_line: u8,
    /// Control characters.
    pub c_cc: [u8; NCCS],
}

/// `struct winsize`.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Winsize {
    /// Rows in characters.
    pub ws_row: u16,
    /// Columns in characters.
    pub ws_col: u16,
    /// Width in pixels.
    pub ws_xpixel: u16,
    /// Height in pixels.
    pub ws_ypixel: u16,
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::mem::size_of;

    #[test]
    fn sizes_are_those_of_linux() {
        assert_eq!(size_of::<Termios>(), 36);
        assert_eq!(size_of::<Winsize>(), 8);
        assert_eq!(size_of::<ProcmapQuery>(), 104);
    }
}
