//! What a load, a store or a fetch of a user program answers.

use abi::mman::Prot;

use super::area::{Area, Growth, STACK_GUARD_PAGES, Sharing};
use super::{Home, Model, PAGE, USER_END};

/// A kind of access.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Touch {
    /// A load.
    Read,
    /// A store.
    Write,
    /// An instruction fetch.
    Execute,
}

/// Why an access kills the program (`si_code` of SIGSEGV).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// Nothing is mapped there (`SEGV_MAPERR`).
    Unmapped,
    /// The mapping does not allow it (`SEGV_ACCERR`).
    Denied,
    /// The page is beyond the end of the object that is mapped (SIGBUS).
    BeyondEnd,
}

impl Model {
    /// The word at `address` (a multiple of 8), as a load or fetch finds it.
    ///
    /// # Errors
    /// The fault that kills the program.
    pub fn load(&mut self, address: u64, touch: Touch) -> Result<u64, Fault> {
        let (home, index) = self.resolve(address, touch)?;
        Ok(self.contents.get(&home).and_then(|words| words.get(&index)).copied().unwrap_or(0))
    }

    /// Stores `value` at `address` (a multiple of 8).
    ///
    /// # Errors
    /// The fault that kills the program.
    pub fn store(&mut self, address: u64, value: u64) -> Result<(), Fault> {
        let (home, index) = self.resolve(address, Touch::Write)?;
        self.join_group(address / PAGE);
        self.contents.entry(home).or_default().insert(index, value);
        Ok(())
    }

    /// What an access changes besides contents: a stack grows to it.
    ///
    /// # Errors
    /// The fault that kills the program.
    pub fn reach(&mut self, address: u64, touch: Touch) -> Result<(), Fault> {
        self.resolve(address, touch).map(drop)
    }

    /// The word at `address` without any fault, for checks: `None` where nothing is mapped.
    pub fn peek(&self, address: u64) -> Option<u64> {
        let area = self.area_at(address / PAGE)?;
        let home = home(area, address / PAGE);
        let index = (address % PAGE / 8) as usize;
        Some(self.contents.get(&home).and_then(|words| words.get(&index)).copied().unwrap_or(0))
    }

    /// Addresses of all words that were written, are mapped, and can be read.
    pub fn written(&self) -> Vec<u64> {
        let mut written = Vec::new();
        for area in self.areas().filter(|area| !area.attributes.prot.is_empty()) {
            let (low, high) = (home(area, area.start), home(area, area.end - 1));
            for (home, words) in self.contents.range(low..=high) {
                let page = match *home {
                    Home::Private(page) => page,
                    Home::Shared(_, offset) => area.start + (offset - area.pgoff),
                };
                written.extend(words.keys().map(|index| page * PAGE + *index as u64 * 8));
            }
        }
        written
    }

    fn resolve(&mut self, address: u64, touch: Touch) -> Result<(Home, usize), Fault> {
        let page = address / PAGE;
        if page >= USER_END {
            return Err(Fault::Unmapped);
        }
        let mut area = *self.find(page).ok_or(Fault::Unmapped)?;
        if page < area.start {
            area = self.grow(area, page)?;
        }
        let prot = area.attributes.prot;
        let allowed = match touch {
            // On x86-64 whatever is mapped with any right at all can be read.
            Touch::Read => !prot.is_empty(),
            Touch::Write => prot.contains(Prot::WRITE),
            Touch::Execute => prot.contains(Prot::EXEC),
        };
        if !allowed {
            return Err(Fault::Denied);
        }
        Ok((home(&area, page), (address % PAGE / 8) as usize))
    }

    /// Grows the stack `area` down to `page` (Linux: `expand_downwards`).
    fn grow(&mut self, area: Area, page: u64) -> Result<Area, Fault> {
        if area.attributes.growth != Growth::Down || page * PAGE < self.settings.mmap_min_addr {
            return Err(Fault::Unmapped);
        }
        let too_near = |below: &Area| {
            below.attributes.growth == Growth::Fixed
                && !below.attributes.prot.is_empty()
                && page - below.end < STACK_GUARD_PAGES
        };
        if self.before(page).is_some_and(too_near) {
            return Err(Fault::Unmapped);
        }
        // Linux prepares the group before it looks at the limits.
        self.join_group(area.start);
        let area = self.areas[&area.start];
        let pages = area.start - page;
        if pages > area.pgoff
            || (area.end - page) * PAGE > self.settings.stack
            || self.check_expand(&area.attributes, pages).is_err()
            || (area.attributes.locked && self.check_lock(pages).is_err())
        {
            return Err(Fault::Unmapped);
        }
        self.areas.remove(&area.start);
        let grown = Area { start: page, pgoff: area.pgoff - pages, ..area };
        self.put(grown);
        Ok(grown)
    }
}

fn home(area: &Area, page: u64) -> Home {
    match area.attributes.sharing {
        Sharing::Private => Home::Private(page),
        Sharing::Shared(object) => Home::Shared(object, area.offset_of(page)),
    }
}
