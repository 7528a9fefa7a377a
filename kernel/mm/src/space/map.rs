//! What the mmap lock guards: the right to the VMA tree of an address space, and its totals.

use core::convert::Infallible;
use core::ops::{ControlFlow, Range};

use maple::{Cursor, CursorMut, Position, Reservation, Store, Token, Tree};

use crate::error::MmError;
use crate::platform::{Fallible, Platform};
use crate::range::{Page, PageRange};
use crate::schedule::Point;
use crate::space::{AddressSpace, Limits};
use crate::sync::{ReadGuard, WriteGuard};
use crate::vma::{Backing, Locked, Vma, VmaFlags, VmaInfo};

/// The VMAs of an address space, by page number.
pub(super) type VmaTree<'m, P> = Tree<'m, Vma, <P as Platform>::Nodes>;
/// The right to use a [`VmaTree`].
pub(super) type VmaToken<'m, P> = Token<'m, Vma, <P as Platform>::Nodes>;
/// A reading cursor under the mmap lock.
pub(super) type MapCursor<'t, 'k, 'm, P> = Cursor<'t, 'k, 'm, Vma, <P as Platform>::Nodes, VmaToken<'m, P>>;
/// A cursor's place, kept while the mmap lock is downgraded.
pub(super) type VmaPosition<'t, 'm, P> = Position<'t, 'm, Vma, <P as Platform>::Nodes>;
/// Node memory for one store.
pub(super) type VmaReservation<'t, 'm, P> = Reservation<'t, 'm, Vma, <P as Platform>::Nodes>;
/// The mmap lock, held for reading.
pub(super) type MapReadGuard<'g, 'm, P> = ReadGuard<'g, Map<'m, P>, &'m P>;
/// The mmap lock, held for writing.
pub(super) type MapWriteGuard<'g, 'm, P> = WriteGuard<'g, Map<'m, P>, &'m P>;

/// Everything about an address space that the mmap lock guards.
pub(super) struct Map<'m, P: Platform> {
    /// The right to read the tree under the read lock, and to change it under the write lock.
    pub(super) token: VmaToken<'m, P>,
    /// Sums over the VMAs.
    pub(super) totals: Totals,
    /// Pages that the machine has promised: `totals.accounted`, and a few more.
    pub(super) committed: u64,
    /// Resource limits of the process.
    pub(super) limits: Limits,
    /// How the pages of new mappings are locked (`MCL_FUTURE`).
    pub(super) future: VmaFlags,
    /// First byte of the heap.
    pub(super) brk_start: u64,
    /// First byte above the heap.
    pub(super) brk: u64,
    /// An address in the VMA that maps calls `[stack]`.
    pub(super) stack_top: u64,
}

/// Sums over the VMAs of an address space (I8), in pages, and their number (I3).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Totals {
    /// Number of VMAs.
    pub vmas: usize,
    /// All pages.
    pub pages: u64,
    /// Pages of locked VMAs.
    pub locked: u64,
    /// Private writable pages, without stacks.
    pub data: u64,
    /// Pages of code.
    pub code: u64,
    /// Pages of stacks.
    pub stack: u64,
    /// Pages that count as committed memory.
    pub accounted: u64,
}

impl Totals {
    /// Adds or takes away `pages` pages with these properties. The number of VMAs is counted apart.
    #[inline(always)]
    pub(super) fn account(&mut self, flags: VmaFlags, pages: u64, change: Change) {
        let apply = |sum: &mut u64| match change {
            Change::Add => *sum += pages,
            Change::Remove => *sum -= pages,
        };
        apply(&mut self.pages);
        if flags.contains(VmaFlags::LOCKED) {
            apply(&mut self.locked);
        }
        if flags.contains(VmaFlags::ACCOUNT) {
            apply(&mut self.accounted);
        }
        if flags.is_code() {
            apply(&mut self.code);
        } else if flags.contains(VmaFlags::GROWSDOWN) {
            apply(&mut self.stack);
        } else if flags.is_data() {
            apply(&mut self.data);
        }
    }

    /// Whether `pages` more pages with `flags` stay within `RLIMIT_AS` and `RLIMIT_DATA` (M1), when `leaving` pages go.
    pub(super) fn may_expand(&self, limits: &Limits, flags: VmaFlags, pages: u64, leaving: u64) -> bool {
        let total = (self.pages - leaving).saturating_add(pages);
        // Linux takes what leaves off what comes, whatever its kind.
        let data = self.data.saturating_add(pages.saturating_sub(leaving));
        total <= Limits::pages(limits.address_space)
            && (!flags.is_data() || data <= Limits::pages(limits.data))
    }

    /// Takes away all that `other` sums up.
    pub(super) fn subtract(&mut self, other: &Totals) {
        self.vmas -= other.vmas;
        self.pages -= other.pages;
        self.locked -= other.locked;
        self.data -= other.data;
        self.code -= other.code;
        self.stack -= other.stack;
        self.accounted -= other.accounted;
    }
}

/// Whether pages come or go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Change {
    Add,
    Remove,
}

impl<P: Platform> Map<'_, P> {
    /// Whether `pages` more pages may be locked (`RLIMIT_MEMLOCK`).
    pub(super) fn may_lock(&self, pages: u64) -> bool {
        self.totals.locked.saturating_add(pages) <= Limits::pages(self.limits.memlock)
    }
}

/// Bounds for page tables that go: what lies between the neighbours of an unmapped range (I22).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Neighbours {
    /// End of the VMA below, or the first user page.
    pub(super) floor: Page,
    /// Start of the VMA above, or the end of the user half.
    pub(super) ceiling: Page,
}

impl Neighbours {
    /// The bounds between these two.
    pub(super) fn between(prev: Option<&Vma>, next: Option<&Vma>) -> Self {
        Neighbours {
            floor: prev.map_or(Page::ZERO, Vma::end),
            ceiling: next.map_or(Page::USER_END, Vma::start),
        }
    }

    /// The bounds of the gap that the cursor stands on: its ends are the neighbours.
    pub(super) fn of_gap<P: Platform>(cursor: &MapCursor<'_, '_, '_, P>) -> Self {
        debug_assert!(cursor.entry().is_none());
        Neighbours::at_ends_of(cursor.range())
    }

    fn at_ends_of(gap: Range<u64>) -> Self {
        Neighbours { floor: Page::new(gap.start), ceiling: Page::new(gap.end).min(Page::USER_END) }
    }
}

impl<'m, P: Platform> AddressSpace<'m, P> {
    /// The VMA that contains `page`.
    pub(super) fn vma_at(&self, map: &Map<'m, P>, page: Page) -> Option<&'m Vma> {
        self.vmas.get(&map.token, page.number()).map(|(_, vma)| vma)
    }

    /// Whether the tree has VMAs over all of `range`, as somebody sees it who walks the tree under RCU without any lock. May be
    /// out of date on return; pages that are mapped throughout, by whatever VMAs, are always found (M1).
    pub fn peek(&self, range: PageRange) -> bool {
        self.machine.pause(Point::FindVma(range.start()));
        self.machine.rcu_read(|section| {
            let mut cursor = self.vmas.cursor(section, range.start().number());
            let mut at = range.start().number();
            let mut next = cursor.find(range.end().number());
            while let Some((found, _)) = next.filter(|(found, _)| found.start <= at) {
                if found.end >= range.end().number() {
                    return true;
                }
                at = at.max(found.end);
                next = cursor.next();
            }
            false
        })
    }

    /// The first VMA that ends above `page`.
    pub(super) fn vma_from(&self, map: &Map<'m, P>, page: Page) -> Option<&'m Vma> {
        self.cursor(map, page).find(Page::USER_END.number()).map(|(_, vma)| vma)
    }

    /// The VMAs below and above the gap or VMA at `page`.
    pub(super) fn around(&self, map: &Map<'m, P>, page: Page) -> [Option<&'m Vma>; 2] {
        self.cursor(map, page).beside()
    }

    /// A cursor on the slot that contains `page`.
    pub(super) fn cursor<'t, 'k>(&'t self, map: &'k Map<'m, P>, page: Page) -> MapCursor<'t, 'k, 'm, P> {
        self.vmas.cursor(&map.token, page.number())
    }

    /// Visits all VMAs with their ranges in the tree, in ascending order.
    pub(super) fn each_vma(&self, map: &Map<'m, P>, mut visit: impl FnMut(PageRange, &'m Vma)) {
        let ControlFlow::Continue(()) = self.each_vma_from(map, Page::ZERO, |range, vma| {
            visit(range, vma);
            ControlFlow::<Infallible>::Continue(())
        });
    }

    /// Visits the VMAs that end above `from` with their ranges in the tree, in ascending order, until `visit` breaks off.
    pub(super) fn each_vma_from<B>(
        &self,
        map: &Map<'m, P>,
        from: Page,
        mut visit: impl FnMut(PageRange, &'m Vma) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        let mut cursor = self.cursor(map, from);
        let mut next = cursor.find(Page::USER_END.number());
        while let Some((range, vma)) = next {
            let (start, end) = (Page::new(range.start), Page::new(range.end));
            visit(PageRange::new(start, end).unwrap_or(PageRange::single(start)), vma)?;
            next = cursor.next();
        }
        ControlFlow::Continue(())
    }
}

/// A writing cursor over VMAs. Only what is write-locked can be stored (I12).
pub(super) struct VmaCursor<'t, 'g, 'm, P: Platform> {
    cursor: CursorMut<'t, 'g, 'm, Vma, P::Nodes>,
}

impl<'t, 'g, 'm, P: Platform> VmaCursor<'t, 'g, 'm, P> {
    /// A cursor on the slot that contains `page`.
    pub(super) fn new(tree: &'t VmaTree<'m, P>, token: &'g mut VmaToken<'m, P>, page: Page) -> Self {
        VmaCursor { cursor: tree.cursor_mut(token, page.number()) }
    }

    /// A cursor where `position` is.
    pub(super) fn resume(
        tree: &'t VmaTree<'m, P>,
        token: &'g mut VmaToken<'m, P>,
        position: VmaPosition<'t, 'm, P>,
    ) -> Self {
        VmaCursor { cursor: tree.resume_mut(token, position) }
    }

    /// Goes to the slot that contains `page`, from the root.
    pub(super) fn walk(&mut self, page: Page) {
        self.cursor.walk(page.number());
    }

    /// Goes to the slot that contains `page`, inside the leaf at hand if that holds it.
    pub(super) fn seek(&mut self, page: Page) {
        self.cursor.seek(page.number());
    }

    /// The bounds between the neighbours of the gap here; `None` on a VMA.
    pub(super) fn gap(&mut self) -> Option<Neighbours> {
        self.cursor.gap().map(Neighbours::at_ends_of)
    }

    /// The VMA here, if there is one, and the bounds of the gap here or right behind it.
    pub(super) fn here_and_free(&mut self) -> (Option<&'m Vma>, Neighbours) {
        let (here, free) = self.cursor.here_and_free();
        (here, Neighbours::at_ends_of(free))
    }

    /// First page of the slot.
    pub(super) fn start(&self) -> Page {
        Page::new(self.cursor.range().start)
    }

    /// The VMA here.
    pub(super) fn vma(&self) -> Option<&'m Vma> {
        self.cursor.entry()
    }

    /// The VMA here, where the slot has not been looked at yet.
    pub(super) fn arrive(&mut self) -> Option<&'m Vma> {
        self.cursor.here()
    }

    /// The VMAs below and above the slot.
    pub(super) fn beside(&mut self) -> [Option<&'m Vma>; 2] {
        self.cursor.beside()
    }

    /// The VMA here, or the next one that starts below `limit`.
    pub(super) fn find(&mut self, limit: Page) -> Option<&'m Vma> {
        self.cursor.find(limit.number()).map(|(_, vma)| vma)
    }

    /// Steps to the next VMA that starts below `limit`.
    pub(super) fn next(&mut self, limit: Page) -> Option<&'m Vma> {
        self.cursor.next_below(limit.number()).map(|(_, vma)| vma)
    }

    /// Steps to the previous VMA.
    pub(super) fn prev(&mut self) -> Option<&'m Vma> {
        self.cursor.prev().map(|(_, vma)| vma)
    }

    /// Calls `visit` for each VMA behind the slot here that starts below `limit`, until it fails. Then the cursor stands on the
    /// last VMA that starts there, or where `visit` failed, or behind.
    pub(super) fn visit_below<E>(
        &mut self,
        limit: Page,
        mut visit: impl FnMut(&'m Vma) -> Result<(), E>,
    ) -> Result<(), E> {
        let flow = self.cursor.visit_below(limit.number(), |vmas| {
            vmas.iter().try_for_each(|vma| visit(vma)).map_or_else(ControlFlow::Break, ControlFlow::Continue)
        });
        flow.break_value().map_or(Ok(()), Err)
    }

    /// Goes back to the slot that contains `page`; gives how many leaves of the tree that was.
    pub(super) fn walk_back(&mut self, page: Page) -> u64 {
        self.cursor.walk_back(page.number())
    }

    /// Whether the leaf at hand holds `page`.
    pub(super) fn holds(&self, page: Page) -> bool {
        self.cursor.holds(page.number())
    }

    /// Takes the memory that one store of `what` over `range` can need (E8, E14).
    #[inline(always)]
    pub(super) fn reserve(
        &mut self,
        machine: &P,
        range: PageRange,
        what: Store,
    ) -> Result<VmaReservation<'t, 'm, P>, MmError> {
        if !machine.admit(Fallible::TreeNodes) {
            return Err(MmError::NoMemory);
        }
        self.reserve_admitted(range, what)
    }

    /// The same, for who has asked the machine.
    #[inline(always)]
    pub(super) fn reserve_admitted(
        &mut self,
        range: PageRange,
        what: Store,
    ) -> Result<VmaReservation<'t, 'm, P>, MmError> {
        self.cursor.reserve(range.numbers(), what).map_err(|_| MmError::NoMemory)
    }

    /// Gives the VMA here `range` in the tree, if that needs no memory; what the range has more must be free. Whether it has.
    pub(super) fn resize(&mut self, range: PageRange) -> bool {
        self.cursor.resize(range.numbers())
    }

    /// Takes the VMA here out of the tree, if that needs no memory. Whether it has.
    pub(super) fn remove(&mut self) -> bool {
        self.cursor.remove()
    }

    /// Lets the tree have `vma` over its range, which was reserved.
    pub(super) fn store(&mut self, reservation: VmaReservation<'t, 'm, P>, vma: Locked<'_, 'm>) {
        self.cursor.store(reservation, Some(vma.vma()));
    }

    /// Clears the range that was reserved.
    pub(super) fn clear(&mut self, reservation: VmaReservation<'t, 'm, P>) {
        self.cursor.store(reservation, None);
    }

    /// The place, for another cursor to go on from. `page` is in the slot here.
    pub(super) fn position_at(&self, page: Page) -> VmaPosition<'t, 'm, P> {
        self.cursor.position_at(page.number())
    }
}

/// The kind of memory that maps and messages name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum VmaKind {
    /// Private anonymous memory.
    Anonymous,
    /// Holds the program break.
    Heap,
    /// Holds the first thread's stack.
    Stack,
    /// Pages of the file with this number.
    File(u64),
    /// Shared anonymous memory; the number of its object.
    Shared(u64),
}

/// A VMA as shown to the outside.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct VmaView {
    /// The VMA.
    pub vma: VmaInfo,
    /// What to call it.
    pub kind: VmaKind,
}

impl VmaView {
    /// What of it lies at `from` and above; all of it if nothing does.
    pub(super) fn from(mut self, from: Page) -> VmaView {
        let whole = self.vma.range;
        if let Some(part) = PageRange::new(whole.start().max(from), whole.end()) {
            self.vma.range = part;
            self.vma.pgoff += whole.pages() - part.pages();
        }
        self
    }
}

impl<P: Platform> Map<'_, P> {
    /// `vma` as shown to the outside.
    pub(super) fn view(&self, machine: &P, vma: &Vma) -> VmaView {
        let info = vma.info();
        let (start, end) = (info.range.start().address(), info.range.end().address());
        let kind = match info.backing {
            Backing::File { object } => VmaKind::File(object.number(machine)),
            Backing::SharedAnonymous { object } => VmaKind::Shared(object.number(machine)),
            Backing::Anonymous if self.brk_start != 0 && start < self.brk && end > self.brk_start => {
                VmaKind::Heap
            }
            Backing::Anonymous if start <= self.stack_top && self.stack_top <= end => VmaKind::Stack,
            Backing::Anonymous => VmaKind::Anonymous,
        };
        VmaView { vma: info, kind }
    }
}
