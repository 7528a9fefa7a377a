//! The stack that a program starts with (System V ABI, x86-64 supplement, 3.4.1).
//!
//! ```text
//! top ─► 8 zero bytes
//!        path of the program                    AT_EXECFN
//!        strings of the environment, arguments  (first string lowest)
//!        "x86_64"                               AT_PLATFORM
//!        16 random bytes                        AT_RANDOM
//!        auxiliary vector, ends with AT_NULL
//!        environment pointers, 0
//!        argument pointers, 0
//!  sp ─► number of arguments                    (16-byte aligned)
//! ```

use abi::Errno;
use abi::auxv::{AT_EXECFN, AT_NULL, AT_PLATFORM, AT_RANDOM};

use super::about::Places;

/// Longest single string in bytes with its NUL (`MAX_ARG_STRLEN`).
const STRING_MAX: u64 = 128 * 1024;
/// The strings may always take this many bytes together, however low the stack limit (`ARG_MAX`).
const STRINGS_LEAST: u64 = 128 * 1024;
/// And never more than this: three quarters of the default stack limit.
const STRINGS_MOST: u64 = 6 * 1024 * 1024;
/// Name of the platform.
const PLATFORM: &[u8] = b"x86_64\0";
/// What lies above the strings.
const END_MARK: u64 = 8;

/// What a program is started with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arguments<'a> {
    /// Path by which it is started.
    pub(crate) path: &'a [u8],
    /// Arguments, the first one being its name.
    pub(crate) arguments: &'a [&'a [u8]],
    /// Environment, `NAME=value`.
    pub(crate) environment: &'a [&'a [u8]],
}

/// Where everything goes: computed first, so that the stack can be mapped large enough.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Layout {
    strings: u64,
    platform: u64,
    random: u64,
    /// The stack pointer at the start, 16-byte aligned.
    pub(crate) stack_pointer: u64,
}

/// Keys and values of the auxiliary vector, without those that name places on the stack.
pub(crate) type Auxiliary<'a> = &'a [(u64, u64)];

impl Layout {
    /// The layout below `top` (page aligned); `stack_limit` in bytes. Errors: `E2BIG` as on Linux: more than
    /// a quarter of the stack limit, or one string of more than 128 KiB.
    pub(crate) fn plan(
        top: u64,
        stack_limit: u64,
        arguments: &Arguments<'_>,
        auxiliary: Auxiliary<'_>,
    ) -> Result<Layout, Errno> {
        let limit = (stack_limit / 4).clamp(STRINGS_LEAST, STRINGS_MOST);
        let mut bytes = 0;
        for string in arguments.strings() {
            let length = string.len() as u64 + 1;
            bytes += length;
            if length > STRING_MAX || bytes > limit {
                return Err(Errno::E2BIG);
            }
        }
        let pointers = (arguments.arguments.len() + arguments.environment.len()) as u64;
        if bytes + 8 * pointers > limit {
            return Err(Errno::E2BIG);
        }
        let vector = 2 * (auxiliary.len() as u64 + 4); // three places on the stack and the end
        let words = 1 + pointers + 2 + vector;
        let strings = top - END_MARK - bytes;
        let platform = strings - PLATFORM.len() as u64;
        let random = (platform & !15) - 16;
        Ok(Layout { strings, platform, random, stack_pointer: (random - 8 * words) & !15 })
    }

    /// Writes the stack through `write`, which puts bytes at an address. Errors: those of `write`.
    pub(crate) fn write(
        &self,
        arguments: &Arguments<'_>,
        auxiliary: Auxiliary<'_>,
        random: [u8; 16],
        mut write: impl FnMut(u64, &[u8]) -> Result<(), Errno>,
    ) -> Result<(), Errno> {
        let mut string = self.strings;
        let mut word = self.stack_pointer;
        let mut push = |values: &[u64]| -> Result<(), Errno> {
            for value in values {
                write(word, &value.to_le_bytes())?;
                word += 8;
            }
            Ok(())
        };
        push(&[arguments.arguments.len() as u64])?;
        for list in [arguments.arguments, arguments.environment] {
            for text in list {
                push(&[string])?;
                string += text.len() as u64 + 1;
            }
            push(&[0])?;
        }
        let places =
            [(AT_RANDOM, self.random), (AT_EXECFN, string), (AT_PLATFORM, self.platform), (AT_NULL, 0)];
        for &(key, value) in auxiliary.iter().chain(&places) {
            push(&[key, value])?;
        }
        write(self.random, &random)?;
        write(self.platform, PLATFORM)?;
        string = self.strings;
        for text in arguments.strings() {
            write(string, text)?;
            write(string + text.len() as u64, b"\0")?;
            string += text.len() as u64 + 1;
        }
        Ok(())
    }
}

impl Layout {
    /// Where the strings are, for `/proc`.
    pub(crate) fn places(&self, arguments: &Arguments<'_>, auxiliary: Auxiliary<'_>) -> Places {
        let bytes = |list: &[&[u8]]| list.iter().map(|text| text.len() as u64 + 1).sum::<u64>();
        let middle = self.strings + bytes(arguments.arguments);
        let words = 1 + arguments.arguments.len() + arguments.environment.len() + 2;
        let vector = self.stack_pointer + 8 * words as u64;
        Places {
            arguments: self.strings..middle,
            environment: middle..middle + bytes(arguments.environment),
            auxiliary: vector..vector + 16 * (auxiliary.len() as u64 + 4),
            stack: self.stack_pointer,
        }
    }
}

impl<'a> Arguments<'a> {
    fn strings(&self) -> impl Iterator<Item = &'a [u8]> {
        self.arguments.iter().chain(self.environment).copied().chain([self.path])
    }
}
