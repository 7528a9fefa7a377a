//! Which memory is mapped in blocks of 2 MiB: transparent huge pages.
//!
//! The first write to private anonymous memory maps a huge leaf if the VMA covers all of its 2 MiB, the machine, the program and the
//! VMA want it, and there is a block; else it maps a page, silently. A first read maps the small page of zeroes, and what is
//! written there later is small: memory that is only read needs no block, be it one of zeroes.

use crate::vma::VmaFlags;

/// Which VMAs get huge pages, where all else permits it: `transparent_hugepage/enabled`, or the limit of a program
/// (`PR_SET_THP_DISABLE`). Ordered: each has those before it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Debug)]
#[repr(u8)]
pub enum HugePages {
    /// All but those that are advised against it (`MADV_NOHUGEPAGE`).
    Always = 0,
    /// Those that are advised to use them (`MADV_HUGEPAGE`).
    #[default]
    Advised = 1,
    /// None.
    Never = 2,
}

impl HugePages {
    /// All values, in the order of their numbers.
    pub const ALL: [HugePages; 3] = [HugePages::Always, HugePages::Advised, HugePages::Never];

    /// The name in `transparent_hugepage/enabled`.
    pub const fn name(self) -> &'static str {
        match self {
            HugePages::Always => "always",
            HugePages::Advised => "madvise",
            HugePages::Never => "never",
        }
    }

    /// The value with this number; `Never` for any other.
    #[inline]
    pub const fn from_number(number: u8) -> Self {
        match number {
            0 => HugePages::Always,
            1 => HugePages::Advised,
            _ => HugePages::Never,
        }
    }

    /// Whether private anonymous memory with `flags` gets them.
    #[inline]
    pub fn suit(self, flags: VmaFlags) -> bool {
        match self {
            HugePages::Never => false,
            HugePages::Advised => flags.contains(VmaFlags::HUGEPAGE),
            HugePages::Always => !flags.contains(VmaFlags::NOHUGEPAGE),
        }
    }
}
