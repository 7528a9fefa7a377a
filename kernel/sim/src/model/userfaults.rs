//! userfaultfd: which areas are registered, and pages that come and are protected by request.

use abi::Errno;

use super::area::{Area, Backing, Registered, Sharing};
use super::{Model, PAGE, USER_END, Words};
use crate::op::{Filling, Modes, WriteProtection, copied_word};

impl Model {
    /// First page and end of a range, as all requests want it.
    fn userfault_range(&self, address: u64, length: u64) -> Result<(u64, u64), Errno> {
        let end = address.checked_add(length).ok_or(Errno::EINVAL)?;
        let aligned = address.is_multiple_of(PAGE) && length.is_multiple_of(PAGE);
        let inside = address >= self.settings.mmap_min_addr && end / PAGE <= USER_END;
        if aligned && inside && length > 0 { Ok((address / PAGE, end / PAGE)) } else { Err(Errno::EINVAL) }
    }

    /// `UFFDIO_REGISTER`.
    ///
    /// # Errors
    /// `EINVAL` and `EBUSY` as on Linux, and `EINVAL` for shared memory; `ENOMEM` when a split meets the map count limit: what comes
    /// before is registered.
    pub fn register(&mut self, address: u64, length: u64, modes: Modes, context: u32) -> Result<(), Errno> {
        let (start, end) = self.userfault_range(address, length)?;
        let wanted =
            Registered { context, missing: modes != Modes::Protected, protected: modes != Modes::Missing };
        let of_others = |found: Registered| found.context != 0 && found.context != context;
        self.check_registrable(start, end, Errno::EBUSY, of_others)?;
        for area in self.overlapping(start, end) {
            let found = area.attributes.registered;
            let has = |wanted: bool, found: bool| found || !wanted;
            let enough = has(wanted.missing, found.missing) && has(wanted.protected, found.protected);
            if found.context == 0 || !enough {
                self.set_registered(start.max(area.start), end.min(area.end), wanted)?;
            }
        }
        Ok(())
    }

    /// `UFFDIO_UNREGISTER`.
    ///
    /// # Errors
    /// As for [`register`](Self::register), and `EINVAL` for an area of another context.
    pub fn unregister(&mut self, address: u64, length: u64, context: u32) -> Result<(), Errno> {
        let (start, end) = self.userfault_range(address, length)?;
        let of_others = |found: Registered| found.context != 0 && found.context != context;
        self.check_registrable(start, end, Errno::EINVAL, of_others)?;
        for area in self.overlapping(start, end) {
            if area.attributes.registered.context != 0 {
                self.set_registered(start.max(area.start), end.min(area.end), Registered::default())?;
            }
        }
        Ok(())
    }

    /// The descriptor of a context is closed.
    pub fn release(&mut self, context: u32) {
        let areas: Vec<_> = self.areas().copied().collect();
        for area in areas.iter().filter(|area| area.attributes.registered.context == context) {
            // A whole area is never split.
            let _ = self.set_registered(area.start, area.end, Registered::default());
        }
    }

    /// The area at `page` has just been moved there, and is registered with nobody.
    pub(super) fn forget_registration(&mut self, page: u64) {
        if let Some(mut area) = self.area_at(page).copied() {
            area.attributes.registered = Registered::default();
            self.put(area);
            self.end_protection(area.start, area.end);
        }
    }

    fn check_registrable(
        &self,
        start: u64,
        end: u64,
        busy: Errno,
        of_others: impl Fn(Registered) -> bool,
    ) -> Result<(), Errno> {
        let areas = self.overlapping(start, end);
        for area in &areas {
            let attributes = &area.attributes;
            if (attributes.sharing, attributes.backing) != (Sharing::Private, Backing::Anonymous) {
                return Err(Errno::EINVAL);
            }
            if of_others(attributes.registered) {
                return Err(busy);
            }
        }
        if areas.is_empty() { Err(Errno::EINVAL) } else { Ok(()) }
    }

    fn set_registered(&mut self, start: u64, end: u64, registered: Registered) -> Result<(), Errno> {
        let Some(area) = self.area_at(start).copied() else { return Err(Errno::EINVAL) };
        let mut changed = area.attributes;
        changed.registered = registered;
        self.change(start, end, changed)?;
        if !registered.protected {
            self.end_protection(start, end);
        }
        Ok(())
    }

    fn end_protection(&mut self, start: u64, end: u64) {
        self.protected.retain(|page| !(start..end).contains(page));
    }

    /// `UFFDIO_COPY` and `UFFDIO_ZEROPAGE`: how many pages have come.
    ///
    /// # Errors
    /// Those of Linux, if it is none.
    pub fn fill(&mut self, address: u64, length: u64, filling: Filling) -> Result<u64, Errno> {
        let (start, end) = self.userfault_range(address, length)?;
        let area = self.area_at(start).filter(|area| end <= area.end).copied().ok_or(Errno::ENOENT)?;
        let registered = area.attributes.registered;
        if registered.context == 0 {
            return Err(Errno::ENOENT);
        }
        if filling == Filling::ProtectedCopies && !registered.protected {
            return Err(Errno::EINVAL);
        }
        self.found_group(start);
        for page in start..end {
            if self.contents.contains_key(&page)
                || self.resident.contains(&page)
                || self.guards.contains(&page)
            {
                return if page > start { Ok(page - start) } else { Err(Errno::EEXIST) };
            }
            self.resident.insert(page);
            if filling != Filling::Zeroes {
                self.contents.insert(page, Words::from([(0, copied_word(page))]));
            }
            if filling == Filling::ProtectedCopies {
                self.protected.insert(page);
            }
        }
        Ok(end - start)
    }

    /// `UFFDIO_WRITEPROTECT`.
    ///
    /// # Errors
    /// `EINVAL`; `ENOENT` at the first area that is not registered for it.
    pub fn write_protect(
        &mut self,
        address: u64,
        length: u64,
        protection: WriteProtection,
    ) -> Result<(), Errno> {
        let (start, end) = self.userfault_range(address, length)?;
        let areas = self.overlapping(start, end);
        for area in &areas {
            if !area.attributes.registered.protected {
                return Err(Errno::ENOENT);
            }
            let (first, last) = (start.max(area.start), end.min(area.end));
            match protection {
                WriteProtection::Begin => {
                    let pages = (first..last).filter(|page| self.is_present(*page));
                    let pages: Vec<u64> = pages.collect();
                    self.protected.extend(pages);
                }
                WriteProtection::End => self.end_protection(first, last),
            }
        }
        if areas.is_empty() { Err(Errno::ENOENT) } else { Ok(()) }
    }

    /// `UFFDIO_WAKE`.
    ///
    /// # Errors
    /// `EINVAL`.
    pub fn wake(&self, address: u64, length: u64) -> Result<(), Errno> {
        self.userfault_range(address, length).map(drop)
    }

    /// `page` has been loaded from, so it is there.
    pub(crate) fn note_load(&mut self, page: u64) {
        let is_private = |area: &Area| area.attributes.sharing == Sharing::Private;
        if self.area_at(page).is_some_and(is_private) {
            self.resident.insert(page);
        }
    }

    fn is_present(&self, page: u64) -> bool {
        self.contents.contains_key(&page) || self.resident.contains(&page)
    }

    /// Whether an access to `page`, which is mapped, finds it or brings it without the program.
    pub(crate) fn is_there(&self, page: u64) -> bool {
        let missing = self.area_at(page).is_some_and(|area| area.attributes.registered.missing);
        !missing || self.is_present(page)
    }
}
