//! Terminal requests of `ioctl(2)` and their structures.

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
    }
}
