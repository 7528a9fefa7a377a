//! User memory at the edge: addresses become these types, which promise that the range is in the user half
//! and nothing else. Whether memory is behind it shows only when it is touched; a bad page is `EFAULT`.

use alloc::vec::Vec;
use core::marker::PhantomData;
use core::ops::Range;

use abi::Errno;
use abi::fs::PATH_MAX;
use mm::{PAGE_SIZE, USER_END};

use crate::arch::user::{Fault, copy_from_user, copy_to_user, strncpy_from_user};
use crate::fs::transfer::{Sink, Source};

/// Most bytes that one read or write moves (`MAX_RW_COUNT`); longer requests are cut to it.
pub(crate) const TRANSFER_MAX: u64 = 0x7fff_f000;
/// Longest argument of a program in bytes, with its NUL (`MAX_ARG_STRLEN`).
const ARGUMENT_MAX: usize = 128 * 1024;
/// Largest [`UserValue`] in bytes.
const VALUE_MAX: usize = 512;

/// A range of user memory that is read or written from its start on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct UserSlice {
    address: u64,
    length: usize,
    /// Bytes already moved, at most `length`.
    done: usize,
}

impl UserSlice {
    /// `length` bytes from `address` on; `EFAULT` if that is not in the user half.
    pub(crate) fn new(address: u64, length: u64) -> Result<UserSlice, Errno> {
        match address.checked_add(length) {
            Some(end) if end <= USER_END => Ok(UserSlice { address, length: length as usize, done: 0 }),
            _ => Err(Errno::EFAULT),
        }
    }

    /// As [`new`](Self::new), cut to what one transfer moves.
    pub(crate) fn for_transfer(address: u64, length: u64) -> Result<UserSlice, Errno> {
        let slice = UserSlice::new(address, length)?;
        Ok(UserSlice { length: length.min(TRANSFER_MAX) as usize, ..slice })
    }

    /// First byte and length.
    pub(crate) fn range(&self) -> (u64, u64) {
        (self.address, self.length as u64)
    }

    /// Writes all of `bytes`; `EFAULT` if not all arrive, of which some may have.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), Errno> {
        if self.put(bytes) == bytes.len() { Ok(()) } else { Err(Errno::EFAULT) }
    }

    /// Fills `bytes`; `EFAULT` if not all are there.
    pub(crate) fn read(&mut self, bytes: &mut [u8]) -> Result<(), Errno> {
        if self.take(bytes) == bytes.len() { Ok(()) } else { Err(Errno::EFAULT) }
    }
}

impl Sink for UserSlice {
    fn room(&self) -> usize {
        self.length - self.done
    }

    fn put(&mut self, bytes: &[u8]) -> usize {
        let address = self.address + self.done as u64;
        let wanted = bytes.len().min(self.room());
        let copied = by_pages(address, wanted, |at, part| copy_to_user(at, &bytes[part]));
        self.done += copied;
        copied
    }
}

impl Source for UserSlice {
    fn left(&self) -> usize {
        self.length - self.done
    }

    fn take(&mut self, into: &mut [u8]) -> usize {
        let address = self.address + self.done as u64;
        let wanted = into.len().min(self.left());
        let copied = by_pages(address, wanted, |at, part| copy_from_user(&mut into[part], at));
        self.done += copied;
        copied
    }
}

/// Copies `length` bytes at `address` in one go, or if that fails page by page as far as it goes; returns how
/// far that was. `copy` gets a user address and the part of the kernel's buffer.
fn by_pages(
    address: u64,
    length: usize,
    mut copy: impl FnMut(u64, Range<usize>) -> Result<(), Fault>,
) -> usize {
    if copy(address, 0..length).is_ok() {
        return length;
    }
    let mut done = 0;
    while done < length {
        let at = address + done as u64;
        let part = (PAGE_SIZE - at % PAGE_SIZE).min((length - done) as u64) as usize;
        if copy(at, done..done + part).is_err() {
            break;
        }
        done += part;
    }
    done
}

/// A value that crosses the user boundary: a fixed number of bytes, little endian.
pub(crate) trait UserValue: Sized {
    /// Its size in bytes, at most 512.
    const SIZE: usize;

    /// Puts its bytes at the start of `to` and returns what follows.
    fn encode<'b>(&self, to: &'b mut [u8]) -> &'b mut [u8];

    /// Takes it from the start of `from` and moves `from` on.
    fn decode(from: &mut &[u8]) -> Self;
}

macro_rules! integers {
    ($($integer:ty)*) => {$(
        impl UserValue for $integer {
            const SIZE: usize = size_of::<$integer>();

            fn encode<'b>(&self, to: &'b mut [u8]) -> &'b mut [u8] {
                let (head, tail) = to.split_at_mut(Self::SIZE);
                head.copy_from_slice(&self.to_le_bytes());
                tail
            }

            fn decode(from: &mut &[u8]) -> Self {
                let (head, tail) = from.split_at(Self::SIZE);
                *from = tail;
                let mut bytes = [0; Self::SIZE];
                bytes.copy_from_slice(head);
                Self::from_le_bytes(bytes)
            }
        }
    )*};
}

integers! { u8 i16 u16 i32 u32 i64 u64 }

impl<T: UserValue + Copy + Default, const N: usize> UserValue for [T; N] {
    const SIZE: usize = T::SIZE * N;

    fn encode<'b>(&self, mut to: &'b mut [u8]) -> &'b mut [u8] {
        for value in self {
            to = value.encode(to);
        }
        to
    }

    fn decode(from: &mut &[u8]) -> Self {
        let mut values = [T::default(); N];
        for value in &mut values {
            *value = T::decode(from);
        }
        values
    }
}

/// Makes a `repr(C)` structure without padding a [`UserValue`]: its fields in order. That none is missing
/// shows in `decode`, that there is no padding in the size.
macro_rules! user_struct {
    ($name:ty { $($field:ident),* $(,)? }) => {
        impl $crate::syscall::user::UserValue for $name {
            const SIZE: usize = size_of::<$name>();

            fn encode<'b>(&self, mut to: &'b mut [u8]) -> &'b mut [u8] {
                $(to = $crate::syscall::user::UserValue::encode(&self.$field, to);)*
                to
            }

            fn decode(from: &mut &[u8]) -> Self {
                $(let $field = $crate::syscall::user::UserValue::decode(from);)*
                Self { $($field),* }
            }
        }
    };
}
pub(crate) use user_struct;

user_struct!(abi::IoVec { base, len });
user_struct!(abi::time::Timespec { seconds, nanoseconds });
user_struct!(abi::rlimit::Rlimit { current, maximum });
user_struct!(abi::ioctl::Winsize { ws_row, ws_col, ws_xpixel, ws_ypixel });
user_struct!(abi::ioctl::Termios { c_iflag, c_oflag, c_cflag, c_lflag, c_line, c_cc });
user_struct!(abi::uts::Utsname { sysname, nodename, release, version, machine, domainname });
user_struct!(abi::fs::Stat {
    st_dev,
    st_ino,
    st_nlink,
    st_mode,
    st_uid,
    st_gid,
    pad0,
    st_rdev,
    st_size,
    st_blksize,
    st_blocks,
    st_atime,
    st_atime_nsec,
    st_mtime,
    st_mtime_nsec,
    st_ctime,
    st_ctime_nsec,
    reserved,
});

/// The address of a `T` in user memory.
#[derive(Debug)]
pub(crate) struct UserPtr<T> {
    address: u64,
    value: PhantomData<T>,
}

impl<T: UserValue> UserPtr<T> {
    /// The `T` at this address.
    pub(crate) const fn new(address: u64) -> Self {
        const { assert!(T::SIZE <= VALUE_MAX) };
        UserPtr { address, value: PhantomData }
    }

    /// As [`new`](Self::new), where a null pointer means that there is nothing.
    pub(crate) const fn optional(address: u64) -> Option<Self> {
        if address == 0 { None } else { Some(UserPtr::new(address)) }
    }

    /// Reads it; `EFAULT`.
    pub(crate) fn read(&self) -> Result<T, Errno> {
        with_buffer::<T, _>(|bytes| {
            if UserSlice::new(self.address, T::SIZE as u64)?.take(bytes) < T::SIZE {
                return Err(Errno::EFAULT);
            }
            Ok(T::decode(&mut &*bytes))
        })
    }

    /// Writes it; `EFAULT`.
    pub(crate) fn write(&self, value: &T) -> Result<(), Errno> {
        with_buffer::<T, _>(|bytes| {
            value.encode(bytes);
            UserSlice::new(self.address, T::SIZE as u64)?.write(bytes)
        })
    }
}

/// Gives `user` the bytes of a `T`, zeroes. Most are short, so not all of the largest is filled for each.
#[inline(always)]
fn with_buffer<T: UserValue, R>(user: impl FnOnce(&mut [u8]) -> R) -> R {
    const SHORT: usize = 16;
    const MIDDLE: usize = 144;
    if T::SIZE <= SHORT {
        user(&mut [0; SHORT][..T::SIZE])
    } else if T::SIZE <= MIDDLE {
        user(&mut [0; MIDDLE][..T::SIZE])
    } else {
        user(&mut [0; VALUE_MAX][..T::SIZE])
    }
}

/// A string from user memory, without its NUL.
#[derive(Debug)]
pub(crate) struct UserString(Vec<u8>);

impl UserString {
    /// Reads the path at `address`. Errors: `EFAULT`, `ENAMETOOLONG`, `ENOMEM`.
    pub(crate) fn read(address: u64) -> Result<UserString, Errno> {
        UserString::read_up_to(address, PATH_MAX)?.ok_or(Errno::ENAMETOOLONG)
    }

    /// Reads a string for a program, at `address`. Errors: `EFAULT`, `E2BIG`, `ENOMEM`.
    pub(crate) fn read_long(address: u64) -> Result<UserString, Errno> {
        // Most are short.
        for size in [256, PATH_MAX, ARGUMENT_MAX] {
            if let Some(string) = UserString::read_up_to(address, size)? {
                return Ok(string);
            }
        }
        Err(Errno::E2BIG)
    }

    /// Reads the string at `address`; `None` if it has not ended after `size` bytes.
    fn read_up_to(address: u64, size: usize) -> Result<Option<UserString>, Errno> {
        let mut text = Vec::new();
        text.try_reserve_exact(size).map_err(|_| Errno::ENOMEM)?;
        text.resize(size, 0);
        let Some(string) = strncpy_from_user(&mut text, address)? else { return Ok(None) };
        let length = string.len();
        text.truncate(length);
        text.shrink_to_fit();
        Ok(Some(UserString(text)))
    }

    /// Its bytes, as a value.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// Its bytes.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}
