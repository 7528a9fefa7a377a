//! Holes: pages that an object loses while VMAs map them.
//!
//! It takes three steps, in which no lock of the object is held together with that of an address space:
//!
//! 1. Under the lock (write) the pages leave the object, which keeps its references in a chain. Faults hold it (read) from their
//!    look at the object until the page is mapped. So from now on none of these pages gets mapped any more, and all that are can be
//!    found; a fault finds new ones.
//! 2. Every address space unmaps what it has of the range ([`AddressSpace::unmap_object`](crate::space::AddressSpace)), under its mmap
//!    lock (write), so that no unmap is half done. The caller knows them all. New pages that are mapped already go, too, and come
//!    back with the next fault. A fork copies no pages of objects, so a child that is not known yet has none.
//! 3. The references go. Pages that the kernel still reads or writes go with the last one.

use super::lock::{Reading, Writing};
use super::{ORIGIN_BYTES, ObjectId, ROOT_ENTRIES, capacity, levels, new};
use crate::error::MmError;
use crate::frame::{FrameChain, FrameKind};
use crate::pgtable::{ENTRIES, INDEX_BITS, Protection, Pte, Table};
use crate::platform::{Fallible, Platform};
use crate::range::PAGE_SIZE;

impl ObjectId {
    /// Makes the whole pages `[from, to)` holes that read as zeroes; what comes from the machine's store would come again, so it
    /// gets pages of zeroes instead. `unmap` lets every address space unmap the pages given. The caller has a reference.
    ///
    /// # Errors
    /// [`MmError::NoMemory`]: nothing has changed.
    pub(super) fn punch<P: Platform>(
        self,
        machine: &P,
        from: u64,
        to: u64,
        unmap: impl FnOnce(u64, u64),
    ) -> Result<(), MmError> {
        let stored = machine.table(self.root()).get(ORIGIN_BYTES).bits().div_ceil(PAGE_SIZE).min(to);
        let mut frames = FrameChain::new();
        {
            let _lock = Writing::lock(machine, self);
            let mut zeroes = FrameChain::new();
            let result = (from..stored).try_for_each(|offset| {
                machine.frames().put(self.frame(machine, offset)?);
                let zero = new(machine, Fallible::DataFrame, FrameKind::Cache)?;
                machine.zero(zero);
                machine.frames().chain(zero, &mut zeroes);
                Ok(())
            });
            if result.is_err() {
                machine.frames().put_chain(&mut zeroes);
                return result;
            }
            self.walk(machine, from, to, &mut |_, table, index| {
                machine.frames().chain(table.get(index).frame(), &mut frames);
                let zero = machine.frames().unchain(&mut zeroes);
                table.set(index, zero.map_or(Pte::ABSENT, |zero| Pte::leaf(zero, Protection::None)));
            });
        }
        // What was not there was not mapped.
        if !frames.is_empty() {
            unmap(from, to);
            machine.frames().put_chain(&mut frames);
        }
        Ok(())
    }

    /// Takes the pages `[from, to)` out of the object; its references to them go into `frames`. Its lock is held for writing.
    pub(super) fn take_out<P: Platform>(self, machine: &P, from: u64, to: u64, frames: &mut FrameChain) {
        self.walk(machine, from, to, &mut |_, table, index| {
            machine.frames().chain(table.get(index).frame(), frames);
            table.set(index, Pte::ABSENT);
        });
    }

    /// Number of pages that there are, in `[from, to)`.
    pub(super) fn resident<P: Platform>(self, machine: &P, from: u64, to: u64) -> u64 {
        let _lock = Reading::lock(machine, self);
        let mut count = 0;
        self.walk(machine, from, to, &mut |_, _, _| count += 1);
        count
    }

    /// Calls `leaf` with offset, table and index of every page in `[from, to)`. The object is locked.
    pub(super) fn walk<P: Platform>(
        self,
        machine: &P,
        from: u64,
        to: u64,
        leaf: &mut dyn FnMut(u64, &Table, usize),
    ) {
        let root = machine.table(self.root());
        let level = levels(capacity(root)) - 1;
        Walk { machine, from, to, leaf }.below(root, ROOT_ENTRIES as usize, level, 0);
    }
}

/// A walk over the pages `[from, to)`.
struct Walk<'a, P> {
    machine: &'a P,
    from: u64,
    to: u64,
    /// Gets offset, table and index.
    leaf: &'a mut dyn FnMut(u64, &Table, usize),
}

impl<P: Platform> Walk<'_, P> {
    /// Visits what is below the first `entries` of a table of `level`, the first of which is for page `base`.
    fn below(&mut self, table: &Table, entries: usize, level: u32, base: u64) {
        let span = 1u64 << (INDEX_BITS * level);
        for at in 0..entries {
            let (start, entry) = (base + at as u64 * span, table.get(at));
            if entry.is_absent() || start >= self.to || start.saturating_add(span) <= self.from {
                continue;
            }
            if level == 0 {
                (self.leaf)(start, table, at);
            } else {
                self.below(self.machine.table(entry.frame()), ENTRIES, level - 1, start);
            }
        }
    }
}
