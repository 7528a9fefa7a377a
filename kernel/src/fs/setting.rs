//! Settings of the kernel: the files of `/proc/sys`, one number each (`proc_sys(5)`), and one of `/sys`, which is one of several
//! words.
//!
//! ```text
//! write: blanks, number (decimal, 0x hexadecimal, 0 octal), blanks; the rest is not taken
//! ```
//!
//! ```text
//! of words   read: all, the chosen one in brackets; write: one of them, and at most one end of a line
//! ```
//!
//! As on Linux a number is read and written in one piece: away from offset 0 there is nothing to read, and what
//! is written there is taken and ignored.

use alloc::vec::Vec;
use core::fmt::{self, Write};
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use abi::Errno;
use mm::HugePages;

use super::text::Text;
use super::transfer::{Sink, Source};
use crate::ipc::limits;
use crate::memory::{COMMITMENT, HUGE_PAGES, MAX_MAP_COUNT};

/// Requests of this size in bytes and above are refused: Linux buffers them whole.
const TOO_LARGE: usize = 4 << 20;
/// What lies beyond so many bytes of a write is not looked at.
const LOOKED_AT: usize = 4095;
/// Longest number in bytes, with its sign and its base.
const NUMBER_MAX: usize = 20;

/// All settings.
pub(crate) static SETTINGS: [Setting; 8] = [
    Setting::new(b"proc/sys/vm/max_map_count", &MAX_MAP_COUNT),
    Setting::new(b"proc/sys/vm/overcommit_memory", &COMMITMENT.mode).at_most(2),
    Setting::new(b"proc/sys/vm/overcommit_ratio", &COMMITMENT.ratio).instead_of(&COMMITMENT.kbytes),
    Setting::new(b"proc/sys/vm/overcommit_kbytes", &COMMITMENT.kbytes).instead_of(&COMMITMENT.ratio),
    Setting::new(b"proc/sys/kernel/shmmni", &limits::COUNT_MAX).at_most(limits::INDICES),
    Setting::long(b"proc/sys/kernel/shmmax", &limits::SIZE_MAX),
    Setting::long(b"proc/sys/kernel/shmall", &limits::PAGES_MAX),
    Setting::words(b"sys/kernel/mm/transparent_hugepage/enabled", &HUGE_PAGES, &HUGE_PAGES_WORDS),
];

/// The words for who gets huge pages, by number.
static HUGE_PAGES_WORDS: [&str; 3] =
    [HugePages::ALL[0].name(), HugePages::ALL[1].name(), HugePages::ALL[2].name()];

/// Where a number is kept.
#[derive(Clone, Copy, Debug)]
enum Value {
    Int(&'static AtomicU32),
    Long(&'static AtomicU64),
    /// The number of one of these words.
    Word(&'static AtomicU32, &'static [&'static str]),
}

/// A number from 0 to `i32::MAX`, or of 64 bits, that user programs may set.
#[derive(Debug)]
pub(crate) struct Setting {
    /// Its file, from the root, without the first slash.
    pub(crate) path: &'static [u8],
    value: Value,
    /// The greatest that it may be.
    maximum: u64,
    /// Another one that is 0 once this one is set.
    other: Option<&'static AtomicU32>,
}

impl Setting {
    /// The file `path` for `value`.
    pub(crate) const fn new(path: &'static [u8], value: &'static AtomicU32) -> Setting {
        Setting { path, value: Value::Int(value), maximum: i32::MAX as u64, other: None }
    }

    /// The same, for any number of 64 bits.
    const fn long(path: &'static [u8], value: &'static AtomicU64) -> Setting {
        Setting { path, value: Value::Long(value), maximum: u64::MAX, other: None }
    }

    /// The file `path` for `value`, which is told and set by the name of its number.
    const fn words(
        path: &'static [u8],
        value: &'static AtomicU32,
        words: &'static [&'static str],
    ) -> Setting {
        Setting { path, value: Value::Word(value, words), maximum: words.len() as u64 - 1, other: None }
    }

    /// The same, for numbers up to `maximum`.
    const fn at_most(self, maximum: u32) -> Setting {
        Setting { maximum: maximum as u64, ..self }
    }

    /// The same, which makes `other` 0 when it is set.
    const fn instead_of(self, other: &'static AtomicU32) -> Setting {
        Setting { other: Some(other), ..self }
    }

    /// Moves the text to `sink`, that of a number if `offset` is 0; returns how many bytes, 0 at the end. All that is wanted
    /// must arrive.
    ///
    /// Errors: `EFAULT`, `ENOMEM`.
    pub(crate) fn read(&self, offset: u64, sink: &mut dyn Sink) -> Result<usize, Errno> {
        if sink.room() >= TOO_LARGE {
            return Err(Errno::ENOMEM);
        }
        if offset != 0 && !matches!(self.value, Value::Word(..)) {
            return Ok(0);
        }
        let mut text = Text::default();
        self.write_value(&mut text).map_err(|_| Errno::ENOMEM)?;
        let text = text.into_bytes();
        let text = &text[text.len().min(offset as usize)..];
        let wanted = text.len().min(sink.room());
        if sink.put(&text[..wanted]) < wanted { Err(Errno::EFAULT) } else { Ok(wanted) }
    }

    fn write_value(&self, text: &mut Text) -> fmt::Result {
        match self.value {
            Value::Int(value) => writeln!(text, "{}", value.load(Ordering::Relaxed)),
            Value::Long(value) => writeln!(text, "{}", value.load(Ordering::Relaxed)),
            Value::Word(value, words) => {
                let value = value.load(Ordering::Relaxed) as usize;
                for (number, word) in words.iter().enumerate() {
                    let blank = if number == 0 { "" } else { " " };
                    let (open, close) = if number == value { ("[", "]") } else { ("", "") };
                    write!(text, "{blank}{open}{word}{close}")?;
                }
                writeln!(text)
            }
        }
    }

    /// Sets the number to the one that `source` begins with, or is the name of; returns how many bytes were taken.
    ///
    /// Errors: `EFAULT`, `ENOMEM`; `EINVAL` for what is no number, or one out of range. Nothing has changed then.
    pub(crate) fn write(&self, offset: u64, source: &mut dyn Source) -> Result<usize, Errno> {
        let bytes = take_all(source)?;
        if let Value::Word(value, words) = self.value
            && !bytes.is_empty()
        {
            let word = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
            let number = words.iter().position(|known| known.as_bytes() == word).ok_or(Errno::EINVAL)?;
            value.store(number as u32, Ordering::Relaxed);
            return Ok(bytes.len());
        }
        if offset != 0 || bytes.is_empty() {
            return Ok(bytes.len());
        }
        let looked_at = &bytes[..bytes.len().min(LOOKED_AT)];
        let (value, rest) =
            parse(looked_at).filter(|(value, _)| *value <= self.maximum).ok_or(Errno::EINVAL)?;
        match self.value {
            Value::Int(place) | Value::Word(place, _) => place.store(value as u32, Ordering::Relaxed),
            Value::Long(place) => place.store(value, Ordering::Relaxed),
        }
        if let Some(other) = self.other {
            other.store(0, Ordering::Relaxed);
        }
        Ok(bytes.len() - rest.len())
    }
}

fn take_all(source: &mut dyn Source) -> Result<Vec<u8>, Errno> {
    let length = source.left();
    let mut bytes = Vec::new();
    if length >= TOO_LARGE {
        return Err(Errno::ENOMEM);
    }
    bytes.try_reserve_exact(length).map_err(|_| Errno::ENOMEM)?;
    bytes.resize(length, 0);
    if source.take(&mut bytes) < length { Err(Errno::EFAULT) } else { Ok(bytes) }
}

/// The number that `text` begins with, and what follows it and the blanks behind it.
fn parse(text: &[u8]) -> Option<(u64, &[u8])> {
    let text = skip_blanks(text);
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    let (radix, digits) = match digits {
        [b'0', b'x' | b'X', rest @ ..] if rest.first().is_some_and(u8::is_ascii_hexdigit) => (16, rest),
        [b'0', ..] => (8, digits),
        _ => (10, digits),
    };
    let length = digits.iter().take_while(|byte| (**byte as char).is_digit(radix)).count();
    let (number, rest) = digits.split_at(length);
    if text.len() - rest.len() > NUMBER_MAX || !matches!(rest, [] | [b' ' | b'\t' | b'\n', ..]) {
        return None;
    }
    let value = u64::from_str_radix(str::from_utf8(number).ok()?, radix).ok()?;
    if negative && value != 0 {
        return None;
    }
    Some((value, skip_blanks(rest)))
}

/// Blanks are all that Linux's character table has for them, the no-break space of Latin-1 included.
fn skip_blanks(text: &[u8]) -> &[u8] {
    let blank = |byte: &u8| matches!(byte, b'\t'..=b'\r' | b' ' | 0xa0);
    &text[text.iter().take_while(|byte| blank(byte)).count()..]
}
