//! What a load, a store or a fetch of a user program answers.

use abi::mman::Prot;

use super::area::{Area, Backing, Growth, STACK_GUARD_PAGES, Sharing};
use super::{FILE, Model, PAGE, USER_END};

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
    /// The program resolves it, and nobody does (`userfaultfd`).
    ForProgram,
}

/// Where a page's content lives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Home {
    /// A private page, by page number.
    Private(u64),
    /// A page of a shared object, by object and offset.
    Shared(u64, u64),
    /// A private page that is to be made of a page of the file, by page number and offset.
    Copied(u64, u64),
}

impl Model {
    /// What an access changes besides contents: a stack grows to it.
    ///
    /// # Errors
    /// The fault that kills the program.
    pub fn reach(&mut self, address: u64, touch: Touch) -> Result<(), Fault> {
        self.resolve(address, touch).map(drop)
    }

    /// Where the content of `page` lives, if it is mapped.
    pub(super) fn home_of(&self, page: u64) -> Option<Home> {
        let area = self.area_at(page).filter(|_| !self.guards.contains(&page));
        area.and_then(|area| self.home(area, page, Touch::Read))
    }

    /// Pages of `[start, end)`, a part of an area, are faulted in to be written, up to the first that cannot be.
    pub(super) fn copy_from_file(&mut self, start: u64, end: u64) {
        let there = (start..end).take_while(|page| self.home_of(*page).is_some());
        let there: Vec<u64> = there.collect();
        self.to_copy.extend(there);
    }

    /// Where an access finds its page; a stack may grow to it.
    pub(super) fn resolve(&mut self, address: u64, touch: Touch) -> Result<Home, Fault> {
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
        if self.guards.contains(&page) {
            return Err(Fault::Unmapped);
        }
        if !self.is_there(page) || (touch == Touch::Write && self.protected.contains(&page)) {
            return Err(Fault::ForProgram);
        }
        self.home(&area, page, touch).ok_or(Fault::BeyondEnd)
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
            || (area.attributes.account && self.check_commit(pages).is_err())
            || (area.attributes.locking.is_locked() && self.check_lock(pages).is_err())
        {
            return Err(Fault::Unmapped);
        }
        self.areas.remove(&area.start);
        let grown = Area { start: page, pgoff: area.pgoff - pages, ..area };
        self.put(grown);
        Ok(grown)
    }

    /// Where the content of `page` of `area` lives; none beyond the end of an object.
    fn home(&self, area: &Area, page: u64, touch: Touch) -> Option<Home> {
        let offset = area.offset_of(page);
        let is_in = |object| offset < self.sizes[&object];
        match (area.attributes.sharing, area.attributes.backing) {
            (Sharing::Private, Backing::Anonymous) => Some(Home::Private(page)),
            (Sharing::Private, Backing::File) if self.contents.contains_key(&page) => {
                Some(Home::Private(page))
            }
            (Sharing::Private, Backing::File) if touch == Touch::Write => {
                is_in(FILE).then_some(Home::Copied(page, offset))
            }
            (Sharing::Private, Backing::File) => is_in(FILE).then_some(Home::Shared(FILE, offset)),
            (Sharing::Shared(object), _) => is_in(object).then_some(Home::Shared(object, offset)),
        }
    }
}
