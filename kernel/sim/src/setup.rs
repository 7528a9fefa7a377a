//! What a simulated run begins with.

use std::fmt;

use mm::huge::HugePages;
use mm::space::{Config, Limits, MunmapOrder};

use crate::machine::Bug;
use crate::model::Settings;

/// Machine, limits and order of a run. Prints as the Rust that makes it.
#[derive(Clone, Copy, Debug)]
pub struct Setup {
    /// Order of the munmap steps.
    pub order: MunmapOrder,
    /// Limits of the address space.
    pub settings: Settings,
    /// Frames of memory.
    pub frames: u32,
    /// Which private memory gets huge pages.
    pub huge_pages: HugePages,
    /// Where the heap begins.
    pub brk_start: u64,
    /// Words that are loaded and compared after every operation.
    pub samples: u32,
    /// A bug of the museum that is put back.
    pub bug: Option<Bug>,
}

impl Setup {
    /// 4 MiB of memory, Linux's limits, the heap at 1 GiB.
    pub fn new(order: MunmapOrder) -> Self {
        Setup {
            order,
            settings: Settings::default(),
            frames: 1024,
            huge_pages: HugePages::default(),
            brk_start: 0x4000_0000,
            samples: 4,
            bug: None,
        }
    }

    /// With so many frames of memory.
    pub fn frames(self, frames: u32) -> Self {
        Setup { frames, ..self }
    }

    /// With huge pages for this private memory.
    pub fn huge_pages(self, huge_pages: HugePages) -> Self {
        Setup { huge_pages, ..self }
    }

    /// With the heap at this page-aligned address.
    pub fn brk_start(self, brk_start: u64) -> Self {
        Setup { brk_start, ..self }
    }

    /// With so many words loaded and compared after every operation; each load may fault a page of zeroes in.
    pub fn samples(self, samples: u32) -> Self {
        Setup { samples, ..self }
    }

    /// With this bug put back.
    pub fn bug(self, bug: Option<Bug>) -> Self {
        Setup { bug, ..self }
    }

    /// With this `vm.max_map_count`.
    pub fn max_map_count(self, max_map_count: usize) -> Self {
        Setup { settings: Settings { max_map_count, ..self.settings }, ..self }
    }

    /// With this `RLIMIT_AS` in bytes.
    pub fn address_space(self, address_space: u64) -> Self {
        Setup { settings: Settings { address_space, ..self.settings }, ..self }
    }

    /// With this `RLIMIT_DATA` in bytes.
    pub fn data(self, data: u64) -> Self {
        Setup { settings: Settings { data, ..self.settings }, ..self }
    }

    /// With this `RLIMIT_STACK` in bytes.
    pub fn stack(self, stack: u64) -> Self {
        Setup { settings: Settings { stack, ..self.settings }, ..self }
    }

    /// With this `RLIMIT_MEMLOCK` in bytes.
    pub fn memlock(self, memlock: u64) -> Self {
        Setup { settings: Settings { memlock, ..self.settings }, ..self }
    }

    /// With at most so many pages in one promise of memory (`vm.overcommit_memory` 0).
    pub fn promise(self, promise: u64) -> Self {
        Setup { settings: Settings { promise, ..self.settings }, ..self }
    }

    /// With all promises of memory below so many pages (`vm.overcommit_memory` 2).
    pub fn promises(self, promises: u64) -> Self {
        Setup { settings: Settings { promises, ..self.settings }, ..self }
    }

    /// The configuration of the address space.
    pub(crate) fn config(&self) -> Config {
        let Settings { address_space, data, stack, memlock, mmap_min_addr, .. } = self.settings;
        let limits = Limits { address_space, data, stack, memlock };
        Config { limits, order: self.order, mmap_min_addr, huge_pages: HugePages::Always }
    }
}

impl fmt::Display for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = Setup::new(self.order);
        write!(f, "Setup::new(MunmapOrder::{:?})", self.order)?;
        if self.huge_pages != plain.huge_pages {
            write!(f, ".huge_pages(HugePages::{:?})", self.huge_pages)?;
        }
        let mut part = |name: &str, value: u64, plain: u64| {
            if value == plain { Ok(()) } else { write!(f, ".{name}({value:#x})") }
        };
        part("frames", u64::from(self.frames), u64::from(plain.frames))?;
        part("brk_start", self.brk_start, plain.brk_start)?;
        part("samples", u64::from(self.samples), u64::from(plain.samples))?;
        let (mine, plain) = (&self.settings, &plain.settings);
        part("max_map_count", mine.max_map_count as u64, plain.max_map_count as u64)?;
        part("address_space", mine.address_space, plain.address_space)?;
        part("data", mine.data, plain.data)?;
        part("stack", mine.stack, plain.stack)?;
        part("memlock", mine.memlock, plain.memlock)?;
        part("promise", mine.promise, plain.promise)?;
        part("promises", mine.promises, plain.promises)
    }
}
