//! `uname(2)`.

/// Size in bytes of one field of [`Utsname`], with its NUL.
pub const FIELD_SIZE: usize = 65;

/// `struct utsname`: six strings, each ended by a NUL byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Utsname {
    /// Name of the system, `Linux`.
    pub sysname: [u8; FIELD_SIZE],
    /// Name of the machine in its network.
    pub nodename: [u8; FIELD_SIZE],
    /// Release, such as `6.6.0`.
    pub release: [u8; FIELD_SIZE],
    /// Version: when and how it was built.
    pub version: [u8; FIELD_SIZE],
    /// Hardware, `x86_64`.
    pub machine: [u8; FIELD_SIZE],
    /// NIS domain.
    pub domainname: [u8; FIELD_SIZE],
}

impl Utsname {
    /// All fields empty.
    pub const EMPTY: Self = Self {
        sysname: [0; FIELD_SIZE],
        nodename: [0; FIELD_SIZE],
        release: [0; FIELD_SIZE],
        version: [0; FIELD_SIZE],
        machine: [0; FIELD_SIZE],
        domainname: [0; FIELD_SIZE],
    };

    /// A field with this text, cut to 64 bytes.
    pub const fn field(text: &str) -> [u8; FIELD_SIZE] {
        let text = text.as_bytes();
        let mut field = [0; FIELD_SIZE];
        let mut i = 0;
        while i < text.len() && i < FIELD_SIZE - 1 {
            field[i] = text[i];
            i += 1;
        }
        field
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn size_is_that_of_linux() {
        assert_eq!(core::mem::size_of::<Utsname>(), 390);
    }

    #[test]
    fn a_field_always_ends_with_nul() {
        assert_eq!(&Utsname::field("abc")[..4], b"abc\0");
        let long = [b'x'; 70];
        assert_eq!(Utsname::field(core::str::from_utf8(&long).unwrap())[63..], [b'x', 0]);
    }
}
