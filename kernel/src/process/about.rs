//! What is known of a process's program, for `/proc`.

use core::ops::Range;
use core::time::Duration;

use super::{NAME_SIZE, Space};
use crate::arch::shared::{Shared, Watch};
use crate::fs::inode::Inode;
use crate::time;

/// Where a program finds what it was started with, as ranges of addresses.
#[derive(Clone, Debug, Default)]
pub(crate) struct Places {
    /// The strings of the arguments.
    pub(crate) arguments: Range<u64>,
    /// The strings of the environment.
    pub(crate) environment: Range<u64>,
    /// The auxiliary vector.
    pub(crate) auxiliary: Range<u64>,
    /// The first stack pointer.
    pub(crate) stack: u64,
}

/// What others may want to know of a process.
#[derive(Default)]
pub(crate) struct About {
    /// Its memory, while it has any.
    pub(crate) space: Option<Watch<Space>>,
    /// Its program.
    pub(crate) exe: Option<Shared<Inode>>,
    /// The name of its first thread.
    pub(crate) name: [u8; NAME_SIZE],
    /// Where its arguments are.
    pub(crate) places: Places,
    /// When it began, since boot.
    pub(crate) start: Duration,
}

impl About {
    /// A process that begins now.
    pub(crate) fn new() -> About {
        About { start: time::since_boot(), ..About::default() }
    }

    /// As it is for a child made by fork.
    pub(crate) fn for_child(&self) -> About {
        About { exe: self.exe.clone(), name: self.name, places: self.places.clone(), ..About::new() }
    }
}
