//! Changing the VMAs of an address space: split, insert, modify. Every method does all that can fail before
//! anything visible changes.

use maple::Store;

use crate::commit::KEPT;
use crate::error::MmError;
use crate::museum::{self, Bug};
use crate::platform::Platform;
use crate::range::{Page, PageRange};
use crate::schedule::Point;
use crate::space::Limits;
use crate::space::lifetime::{allocate_vma, free_vma, hold_object, lock_vma_killable};
use crate::space::map::{Change, Map, Neighbours, Totals, VmaCursor, VmaReservation, VmaToken, VmaTree};
use crate::space::placement::{STACK_GUARD_PAGES, start_with_guard};
use crate::trace::Step;
use crate::vma::{Locked, Owner, Reach, Vma, VmaFlags, VmaInfo, WriteSection};

/// An open mmap write section of an address space, with a cursor in its tree.
pub(super) struct Edit<'t, 'g, 'm, P: Platform> {
    pub(super) machine: &'m P,
    pub(super) section: WriteSection<'g>,
    pub(super) owner: Owner,
    pub(super) cursor: VmaCursor<'t, 'g, 'm, P>,
    pub(super) totals: &'g mut Totals,
    /// As [`Map::committed`]; follows the totals at the end.
    committed: &'g mut u64,
    limits: &'g Limits,
}

/// Which part of a split the new VMA object takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum NewHalf {
    /// Below the split; the old object keeps what is above (`new_below = 1`).
    Lower,
    /// Above the split; the old object keeps what is below.
    Upper,
}

impl<'t, 'g, 'm, P: Platform> Edit<'t, 'g, 'm, P> {
    /// Opens `map` for changes, with the cursor that `cursor_of` makes.
    #[inline(always)]
    pub(super) fn new(
        machine: &'m P,
        section: WriteSection<'g>,
        tree: &'t VmaTree<'m, P>,
        map: &'g mut Map<'m, P>,
        cursor_of: impl FnOnce(&'g mut VmaToken<'m, P>) -> VmaCursor<'t, 'g, 'm, P>,
    ) -> Self {
        let cursor = cursor_of(&mut map.token);
        let (totals, committed, limits) = (&mut map.totals, &mut map.committed, &map.limits);
        Edit { machine, section, owner: Owner(tree.name()), cursor, totals, committed, limits }
    }

    /// As [`Totals::may_expand`], within the limits here.
    #[inline(always)]
    pub(super) fn may_expand(&self, flags: VmaFlags, pages: u64, leaving: u64) -> bool {
        self.totals.may_expand(self.limits, flags, pages, leaving)
    }

    /// Makes sure of `pages` more pages of committed memory, for VMAs that will be here at the end of the edit.
    ///
    /// # Errors
    /// [`MmError::NoMemory`] if the machine does not promise so much (M1).
    #[inline(always)]
    pub(super) fn commit(&mut self, pages: u64) -> Result<(), MmError> {
        let need = (self.totals.accounted + pages).saturating_sub(*self.committed);
        if pages != 0 && !self.machine.commitment().promise(pages, need, self.totals.pages) {
            return Err(MmError::NoMemory);
        }
        *self.committed += if pages == 0 { 0 } else { need };
        Ok(())
    }

    /// Whether one more VMA would pass `max_map_count` (E4).
    pub(super) fn at_map_count_limit(&self) -> bool {
        self.totals.vmas >= self.machine.max_map_count()
    }

    /// Write-locks `vma`, which is attached, until the write section ends; waits for its readers.
    pub(super) fn lock(&self, vma: &'m Vma) -> Locked<'g, 'm> {
        vma.start_write(self.section, self.machine)
    }

    /// As [`lock`](Self::lock), unless a fatal signal comes while it waits.
    ///
    /// # Errors
    /// [`MmError::Interrupted`] (E15): nothing has changed.
    pub(super) fn lock_killable(&self, vma: &'m Vma) -> Result<Locked<'g, 'm>, MmError> {
        lock_vma_killable(self.machine, self.section, vma)
    }

    /// Splits `vma` at `at`, a page inside it. Both halves are write-locked before the new one enters the
    /// tree (I12, I13); nothing changes before the last allocation (I15). The cursor stands on the upper half then.
    ///
    /// # Errors
    /// [`MmError::NoMemory`] (E7, E8) or [`MmError::Interrupted`] (E15): nothing has changed.
    pub(super) fn split(&mut self, vma: &'m Vma, at: Page, new: NewHalf) -> Result<&'m Vma, MmError> {
        let whole = vma.info();
        let (Some(lower), Some(upper)) =
            (PageRange::new(whole.range.start(), at), PageRange::new(at, whole.range.end()))
        else {
            debug_assert!(false, "split of {whole} at {at:?}");
            return Err(MmError::Invalid);
        };
        let (new_range, kept_range) = match new {
            NewHalf::Lower => (lower, upper),
            NewHalf::Upper => (upper, lower),
        };
        let (fresh, reservation) = self.prepare(new_range)?;
        let locked = if self.machine.has(Bug::SplitWithoutLock) {
            Ok(vma.pretend_locked())
        } else {
            self.lock_killable(vma)
        };
        match locked {
            Ok(locked) => locked.set_range(kept_range),
            Err(error) => {
                self.machine.vmas().free(fresh);
                return Err(error);
            }
        }
        self.enter(fresh, reservation, &whole.part(new_range));
        if new == NewHalf::Lower {
            self.cursor.next(Page::USER_END);
        }
        Ok(fresh)
    }

    /// Maps `info`: merges it with its neighbours where possible, otherwise makes a new VMA. What the tree holds in
    /// the range is overwritten in one store, so that no reader ever sees it empty.
    /// Neighbours that may not take part are passed as `None`. On return the totals include the new pages.
    ///
    /// # Errors
    /// [`MmError::NoMemory`] (M1): nothing has changed.
    #[inline(always)]
    pub(super) fn insert(
        &mut self,
        info: &VmaInfo,
        prev: Option<&'m Vma>,
        next: Option<&'m Vma>,
    ) -> Result<&'m Vma, MmError> {
        let vma = match info.reach(prev, next) {
            Reach::Alone => self.insert_alone(info)?,
            Reach::Prev(into) => self.annex(into, info)?,
            Reach::Next(into) => {
                self.cursor.next(Page::USER_END);
                self.annex(into, info)?
            }
            Reach::Both(into, beyond) => self.absorb(into, None, Some(beyond), info)?,
        };
        self.totals.account(info.flags, info.range.pages(), Change::Add);
        Ok(vma)
    }

    /// Lets `into`, a neighbour of `part`, reach over it.
    #[inline(always)]
    fn annex(&mut self, into: &'m Vma, part: &VmaInfo) -> Result<&'m Vma, MmError> {
        self.widen(into, into.range().joined(part.range))?;
        if let Some(id) = part.anon {
            into.set_anon_once(id);
        }
        Ok(into)
    }

    /// Gives `vma` a `range` that has its own as a part: in place if the cursor stands on it and what is new is free.
    #[inline(always)]
    fn widen(&mut self, vma: &'m Vma, range: PageRange) -> Result<(), MmError> {
        if self.cursor.vma().is_some_and(|here| core::ptr::eq(here, vma)) && self.resize(vma, range) {
            return Ok(());
        }
        let reservation = self.cursor.reserve(self.machine, range, Store::Entry)?;
        let locked = self.lock(vma);
        locked.set_range(range);
        self.store(reservation, locked);
        Ok(())
    }

    /// Gives `vma`, on which the cursor stands, `range`, if the tree can do that in place and what is new in it is free.
    fn resize(&mut self, vma: &'m Vma, range: PageRange) -> bool {
        let locked = self.lock(vma);
        self.machine.pause(Point::StoreVma(range));
        let done = self.cursor.resize(range);
        if done {
            locked.set_range(range);
        }
        done
    }

    #[inline(always)]
    fn insert_alone(&mut self, info: &VmaInfo) -> Result<&'m Vma, MmError> {
        let (fresh, reservation) = self.prepare(info.range)?;
        self.enter(fresh, reservation, info);
        Ok(fresh)
    }

    /// All that a new VMA over `range` can fail at: the object, and the node memory for its store (E7, E8).
    #[inline(always)]
    fn prepare(&mut self, range: PageRange) -> Result<(&'m Vma, VmaReservation<'t, 'm, P>), MmError> {
        let fresh = allocate_vma(self.machine)?;
        match self.cursor.reserve(self.machine, range, Store::Entry) {
            Ok(reservation) => Ok((fresh, reservation)),
            Err(error) => {
                self.machine.vmas().free(fresh);
                Err(error)
            }
        }
    }

    /// Lets `fresh`, which was prepared over the range of `info`, enter the tree as `info` says; locked first (I12).
    #[inline(always)]
    fn enter(&mut self, fresh: &'m Vma, reservation: VmaReservation<'t, 'm, P>, info: &VmaInfo) {
        let section = museum::section_of_new_vma(self.machine, self.section);
        let locked = fresh.start_write_detached(section, self.owner);
        locked.describe(info);
        hold_object(self.machine, info);
        self.store(reservation, locked);
        self.machine.pause(Point::AttachVma(info.range));
        locked.attach();
        if museum::locks_new_vmas_late(self.machine) {
            self.lock(fresh);
        }
        self.totals.vmas += 1;
    }

    /// Lets the tree have `vma` over its range, which was reserved. It is write-locked (I12): its type says so, and the
    /// assertion, that nobody has pretended.
    #[inline(always)]
    fn store(&mut self, reservation: VmaReservation<'t, 'm, P>, vma: Locked<'g, 'm>) {
        let unlocked_before = self.machine.has(Bug::NewVmaLockedUnnoticed);
        assert!(vma.is_write_locked(self.section) || unlocked_before, "{:?} is stored unlocked (I12)", *vma);
        vma.pause(self.machine, Point::StoreVma);
        self.cursor.store(reservation, vma);
    }

    /// Gives `range` new `flags`: (part of) the range of `vma`, on which the cursor stands. Merges with the neighbours or splits, as
    /// needed, and accounts for the change.
    ///
    /// # Errors
    /// [`MmError::NoMemory`]: the properties are as before; a completed split may remain.
    pub(super) fn modify(&mut self, vma: &'m Vma, range: PageRange, flags: VmaFlags) -> Result<(), MmError> {
        let old = vma.info();
        let target = VmaInfo { flags, ..old.part(range) };
        let at_start = range.start() == old.range.start();
        let at_end = range.end() == old.range.end();
        let [below, above] = if at_start || at_end { self.cursor.beside() } else { [None, None] };
        let prev = below.filter(|vma| at_start && vma.end() == range.start());
        let next = above.filter(|vma| at_end && vma.start() == range.end());
        let whole = if at_start && at_end { Some(vma) } else { None };
        if !self.machine.has(Bug::ProtectWithoutLock) {
            self.lock(vma);
        }
        let stays = whole.is_some() && flags.contains(VmaFlags::ATTACHED);
        match if stays { Reach::Alone } else { target.reach(prev, next) } {
            Reach::Alone => self.isolate(vma, range, flags)?,
            Reach::Both(into, beyond) => {
                self.absorb(into, whole, Some(beyond), &target)?;
            }
            Reach::Prev(into) => {
                self.absorb(into, whole, None, &target)?;
                self.shrink(vma, whole, range.end(), old.range.end());
            }
            Reach::Next(into) => {
                self.absorb(into, whole, None, &target)?;
                self.shrink(vma, whole, old.range.start(), range.start());
            }
        }
        self.totals.account(old.flags, range.pages(), Change::Remove);
        self.totals.account(flags, range.pages(), Change::Add);
        Ok(())
    }

    /// Splits `vma` so that it is exactly `range`, and gives it `flags`.
    fn isolate(&mut self, vma: &'m Vma, range: PageRange, flags: VmaFlags) -> Result<(), MmError> {
        if vma.start() < range.start() {
            if self.at_map_count_limit() {
                return Err(MmError::NoMemory);
            }
            self.split(vma, range.start(), NewHalf::Lower)?;
        }
        if vma.end() > range.end() {
            if self.at_map_count_limit() {
                return Err(MmError::NoMemory);
            }
            self.split(vma, range.end(), NewHalf::Upper)?;
        }
        let locked =
            if self.machine.has(Bug::ProtectWithoutLock) { vma.pretend_locked() } else { self.lock(vma) };
        locked.set_flags(flags);
        Ok(())
    }

    /// Lets `into`, a neighbour of `part`, reach over `part` and over `beyond`, the neighbour on the other side. The VMAs
    /// `covered` (which was `part`) and `beyond` go. The tree changes in one store.
    #[inline(always)]
    fn absorb(
        &mut self,
        into: &'m Vma,
        covered: Option<&'m Vma>,
        beyond: Option<&'m Vma>,
        part: &VmaInfo,
    ) -> Result<&'m Vma, MmError> {
        let start = into.start().min(part.range.start());
        let end = into.end().max(part.range.end()).max(beyond.map_or(Page::ZERO, Vma::end));
        let Some(range) = PageRange::new(start, end) else { return Err(MmError::Invalid) };
        let reservation = self.cursor.reserve(self.machine, range, Store::Entry)?;
        let locked = self.lock(into);
        for vma in covered.into_iter().chain(beyond) {
            self.lock(vma).detach(self.machine);
        }
        if let Some(id) = part.anon.or(beyond.and_then(Vma::anon)) {
            into.set_anon_once(id);
        }
        locked.set_range(range);
        self.store(reservation, locked);
        for vma in covered.into_iter().chain(beyond) {
            self.totals.vmas -= 1;
            free_vma(self.machine, vma);
        }
        Ok(into)
    }

    /// After a neighbour took a part of `vma`: the rest is `[start, end)`. Nothing to do if the whole of it went.
    fn shrink(&mut self, vma: &'m Vma, whole: Option<&'m Vma>, start: Page, end: Page) {
        if let (None, Some(rest)) = (whole, PageRange::new(start, end)) {
            self.lock(vma).set_range(rest);
        }
    }

    /// Whether `range` is free. The cursor stands on the slot of its start or on the VMA below, then and afterwards.
    pub(super) fn is_free(&mut self, range: PageRange) -> bool {
        self.reaches(range, range.end(), Vma::start)
    }

    /// The same, and clear of guard gaps.
    pub(super) fn is_clear(&mut self, range: PageRange) -> bool {
        self.reaches(range, range.end().up(STACK_GUARD_PAGES), start_with_guard)
    }

    /// Whether `range` is free and ends below the `limit` that the next VMA sets. One that starts at or above `enough` is far enough.
    fn reaches(&mut self, range: PageRange, enough: Page, limit: impl Fn(&Vma) -> Page) -> bool {
        let (here, Neighbours { floor, ceiling }) = self.cursor.here_and_free();
        if floor > range.start() {
            return false;
        }
        ceiling >= enough || self.next_from(here, range).is_none_or(|next| range.end() <= limit(next))
    }

    /// The next VMA behind the slot of the cursor, which is that of `range`'s start or of `here`. The cursor stays.
    fn next_from(&mut self, here: Option<&'m Vma>, range: PageRange) -> Option<&'m Vma> {
        let next = self.cursor.next(Page::USER_END);
        self.cursor.seek(here.map_or(range.start(), Vma::start));
        next
    }

    /// The VMAs that end where `range` starts and start where it ends: those it could merge with. `range` is free, and the cursor
    /// stands on the gap there or on the VMA below; if that ends where `range` starts, it stands there afterwards.
    #[inline(always)]
    pub(super) fn touching(&mut self, range: PageRange) -> (Option<&'m Vma>, Option<&'m Vma>) {
        let (here, free) = self.cursor.here_and_free();
        self.touching_in(range, here, free)
    }

    /// As [`touching`](Self::touching), for who knows what the cursor stands on and the free pages there or behind.
    #[inline(always)]
    pub(super) fn touching_in(
        &mut self,
        range: PageRange,
        here: Option<&'m Vma>,
        Neighbours { floor, ceiling }: Neighbours,
    ) -> (Option<&'m Vma>, Option<&'m Vma>) {
        let next = if ceiling <= range.end() { self.next_from(here, range) } else { None };
        let prev = here.or_else(|| if floor >= range.start() { self.vma_below() } else { None });
        (prev, next)
    }

    /// The VMA below the slot of the cursor, which goes there.
    pub(super) fn vma_below(&mut self) -> Option<&'m Vma> {
        self.cursor.prev()
    }

    /// Extends `vma`, on which the cursor stands, to `range`, of which it is a part; the rest is free. The totals follow.
    pub(super) fn extend(&mut self, vma: &'m Vma, range: PageRange) -> Result<(), MmError> {
        let more = range.pages() - vma.pages();
        self.widen(vma, range)?;
        self.totals.account(vma.flags(), more, Change::Add);
        Ok(())
    }

    pub(super) fn trace(&self, step: Step) {
        self.machine.trace(step);
    }
}

impl<P: Platform> Drop for Edit<'_, '_, '_, P> {
    /// What the VMAs do not need of the committed memory goes back, but for a little.
    #[inline]
    fn drop(&mut self) {
        let (needed, had) = (self.totals.accounted, *self.committed);
        if needed == had {
            return;
        }
        let commitment = self.machine.commitment();
        if needed > had {
            commitment.take(needed - had);
        } else if had - needed > KEPT || commitment.is_strict() {
            commitment.give_back(had - needed);
        } else {
            return;
        }
        *self.committed = needed;
    }
}
