//! Relocate: moving the leaves of a range, for mremap.
//!
//! ```text
//!   from    [ leaf table ][ leaf table ]          cut into pieces at the borders of the leaf tables at both ends
//!   to          [ leaf table ][ leaf table ]
//! ```
//!
//! Where the borders coincide, a leaf table or a huge leaf moves as a whole: the entry in the table above goes to another place
//! there. A huge leaf that does not fit is split.

use super::huge::Span;
use super::table::{ENTRIES, Entry, Table, entry_end, index_of, is_in_one_table};
use super::{PageTables, Pte, Slot};
use crate::error::MmError;
use crate::platform::Platform;
use crate::range::{Page, PageRange, PageSize};
use crate::tlb::{Gather, TlbState};

/// What [`PageTables::relocate`] has moved.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Relocated {
    /// Single leaves, huge ones included.
    pub pages: u64,
    /// Whole leaf tables.
    pub tables: u64,
}

/// What moves in one go.
enum Piece<'m> {
    /// Leaf entries, or their whole table.
    Entries(Entries<'m>),
    /// The huge leaf that maps the range; the first page of where it goes.
    Huge(PageRange, Page),
}

/// Leaf entries that go from one table to another.
struct Entries<'m> {
    /// The table with the entries.
    table: &'m Table,
    /// Their pages.
    pages: PageRange,
    /// First page of where they go; all of it belongs to one leaf table.
    to: Page,
}

impl<'m> Entries<'m> {
    /// The entries. Neither they nor those where they go leave their table.
    fn entries(&self) -> &'m [Entry] {
        self.table.entries(self.pages)
    }

    /// Whether there is no entry in it.
    fn is_empty(&self) -> bool {
        let entries = self.entries();
        Entry::next_used(entries, 0) == entries.len()
    }

    /// Whether it is all that its table spans, and all that a table spans where it goes.
    fn is_whole_table(&self) -> bool {
        self.pages.pages() == ENTRIES as u64
    }
}

impl<'m, P: Platform> PageTables<'m, P> {
    /// Makes the tables that are missing for [`relocate`](Self::relocate) of `from` to as many pages from `to` on, and splits the
    /// huge leaves that cannot move as a whole; TLBs whose state is `tlb` have forgotten those. Whether anything may have to move.
    ///
    /// # Errors
    /// `NoMemory`. Tables that were made before stay; the caller frees them, as no VMA spans them.
    #[inline]
    pub fn make_room(&self, from: PageRange, to: Page, tlb: &TlbState) -> Result<bool, MmError> {
        let slot = self.slot(from.start());
        if self.is_vacant(slot, from) {
            return Ok(false);
        }
        match self.only_piece(slot, from, to) {
            Some(piece) => self.make_room_for(&piece),
            None => self.make_room_for_pieces(from, to, tlb),
        }
    }

    /// As [`make_room`](Self::make_room), wherever the pages are.
    #[inline(never)]
    fn make_room_for_pieces(&self, from: PageRange, to: Page, tlb: &TlbState) -> Result<bool, MmError> {
        let mut any = false;
        self.for_each_piece(from, to, tlb, |piece| {
            any |= match piece {
                Piece::Entries(piece) => self.make_room_for(&piece)?,
                Piece::Huge(_, to) => {
                    self.make_level_one(to)?;
                    true
                }
            };
            Ok(())
        })?;
        Ok(any)
    }

    /// Makes the tables that are missing for `piece`, if there is anything in it; whether there is.
    #[inline]
    fn make_room_for(&self, piece: &Entries<'m>) -> Result<bool, MmError> {
        if piece.is_empty() {
            return Ok(false);
        }
        let lowest = piece.is_whole_table().into();
        if let Err(level) = self.table_of(piece.to, lowest) {
            self.make_tables(piece.to, level, lowest)?;
        }
        Ok(true)
    }

    /// The one piece that `from` is, whose first page has this slot, where neither it nor where it goes leaves a leaf table.
    #[inline]
    fn only_piece(&self, slot: Slot<'m>, from: PageRange, to: Page) -> Option<Entries<'m>> {
        let there = PageRange::from_start(to, from.pages())?;
        let piece = Entries { table: slot.table.ok()?, pages: from, to };
        (is_in_one_table(from) && is_in_one_table(there) && !piece.is_whole_table()).then_some(piece)
    }

    /// Moves the leaves of `from` to as many pages from `to` on, where there is [room](Self::make_room) and no leaf. TLBs may
    /// know them at their old places until `gather` is finished.
    #[inline]
    pub fn relocate(&self, from: PageRange, to: Page, gather: &mut Gather<'_, 'm, P>) -> Relocated {
        self.relocate_from(self.slot(from.start()), from, to, gather)
    }

    /// As [`relocate`](Self::relocate), with the slot of the first page of `from`.
    #[inline]
    pub fn relocate_from(
        &self,
        slot: Slot<'m>,
        from: PageRange,
        to: Page,
        gather: &mut Gather<'_, 'm, P>,
    ) -> Relocated {
        match self.only_piece(slot, from, to) {
            Some(piece) => Relocated { pages: self.move_leaves(&piece, gather), tables: 0 },
            None => self.relocate_pieces(from, to, gather),
        }
    }

    /// As [`relocate`](Self::relocate), wherever the pages are.
    #[inline(never)]
    fn relocate_pieces(&self, from: PageRange, to: Page, gather: &mut Gather<'_, 'm, P>) -> Relocated {
        let mut relocated = Relocated::default();
        let tlb = gather.tlb();
        let result = self.for_each_piece(from, to, tlb, |piece| {
            let piece = match piece {
                Piece::Entries(piece) => piece,
                Piece::Huge(pages, to) => {
                    self.move_huge(pages, to, gather);
                    relocated.pages += 1;
                    return Ok(());
                }
            };
            if piece.is_empty() {
                return Ok(());
            }
            if piece.is_whole_table() && self.move_table(&piece) {
                gather.touch_tables(piece.pages);
                relocated.tables += 1;
            } else {
                relocated.pages += self.move_leaves(&piece, gather);
            }
            Ok(())
        });
        debug_assert!(result.is_ok());
        relocated
    }

    /// Moves the huge leaf over `pages`.
    #[cold]
    #[inline(never)]
    fn move_huge(&self, pages: PageRange, to: Page, gather: &mut Gather<'_, 'm, P>) {
        // Nobody else has a VMA over it, so nobody has split it.
        let locked = self.lock_huge(pages, gather.tlb());
        debug_assert!(locked.is_some(), "the huge leaf over {pages} is gone");
        if let Some(locked) = locked {
            locked.relocate(self, to);
            gather.touch_huge(pages);
        }
    }

    /// Moves the leaf table of `piece`. Whether that was possible: whether there is none where it goes.
    fn move_table(&self, piece: &Entries<'m>) -> bool {
        let above = |page| self.table_of(page, 1);
        let (Ok(here), Ok(there)) = (above(piece.pages.start()), above(piece.to)) else { return false };
        let (index, target) = (index_of(piece.pages.start(), 1), index_of(piece.to, 1));
        let _entries = self.lock.lock();
        if !there.get(target).is_absent() {
            return false;
        }
        let entry = here.get(index);
        here.set(index, Pte::ABSENT);
        there.set(target, entry);
        true
    }

    /// Moves the leaves of `piece` one by one; how many. Not inlined, so that the loop has all registers.
    #[inline(never)]
    fn move_leaves(&self, piece: &Entries<'m>, gather: &mut Gather<'_, 'm, P>) -> u64 {
        let Some(there) = self.room_for(piece) else { return 0 };
        let from = piece.entries();
        let first = index_of(piece.to, 0);
        let to = there.part(first..first + from.len());
        let locked = self.lock.lock();
        let used = Entry::next_used(from, 0);
        let (mut moved, mut last, mut at) = (0, used, used);
        while let (Some(entry), Some(target)) = (from.get(at), to.get(at)) {
            let pte = entry.get();
            if pte.is_absent() {
                at = Entry::next_used(from, at);
                continue;
            }
            entry.set(Pte::ABSENT);
            target.set(pte);
            moved += 1;
            at += 1;
            last = at;
        }
        drop(locked);
        let page = |at: usize| Page::new(piece.pages.start().number() + at as u64);
        if let Some(touched) = PageRange::new(page(used), page(last)) {
            gather.touch(touched);
        }
        moved
    }

    /// The leaf table where `piece` goes; none if the piece is empty.
    fn room_for(&self, piece: &Entries<'m>) -> Option<&'m Table> {
        let there = self.leaf_table(piece.to).ok();
        debug_assert!(there.is_some() || piece.is_empty(), "no room for {} at {:?}", piece.pages, piece.to);
        there
    }

    /// Calls `f` for every piece of `from`, in order, as long as it succeeds.
    #[inline(never)]
    fn for_each_piece(
        &self,
        from: PageRange,
        to: Page,
        tlb: &TlbState,
        mut f: impl FnMut(Piece<'m>) -> Result<(), MmError>,
    ) -> Result<(), MmError> {
        let mut rest = Some(from);
        while let Some(span) = rest.and_then(|rest| self.next_span(rest)) {
            let (Span::Leaves(_, part) | Span::Huge(part)) = span;
            let there = to.up(part.start().number() - from.start().number());
            let room = entry_end(there, 1).number() - there.number();
            let pages = PageRange::from_start(part.start(), part.pages().min(room)).unwrap_or(part);
            let piece = match span {
                Span::Leaves(table, _) => Piece::Entries(Entries { table, pages, to: there }),
                Span::Huge(_) if pages.pages() == PageSize::Huge.pages() => Piece::Huge(pages, there),
                Span::Huge(_) => {
                    self.split(part.start(), tlb);
                    rest = PageRange::new(part.start(), from.end());
                    continue;
                }
            };
            f(piece)?;
            rest = PageRange::new(pages.end(), from.end());
        }
        Ok(())
    }
}
