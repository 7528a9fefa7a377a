//! The content of a file: an object that grows and shrinks.
//!
//! ```text
//! 0            origin             size
//! |== store ====|-- zeroes, written ---|        pages come into being when they are touched
//! ```
//!
//! The first bytes may come from a store of the machine (the ramdisk), so that nothing is copied before somebody looks. Where a
//! file was cut they never come back.
//!
//! **Cutting** takes three steps, in which no lock is held together with that of an address space:
//!
//! 1. Under the lock (write) the size changes. Faults hold it (read) from their look at the size until the page is mapped, so
//!    from now on no page beyond the end gets mapped any more, and all that are can be found.
//! 2. Every address space unmaps what it has of the pages ([`AddressSpace::unmap_object`](crate::space::AddressSpace)). The
//!    caller knows them all. A fork copies no pages of files, so a child that is not known yet has none.
//! 3. Under the lock (write) the pages leave the object. Those that the kernel still reads or writes go with the last reference.

use super::lock::{Reading, Writing};
use super::{
    CAPACITY, KIND, NUMBER, ORIGIN, ORIGIN_BYTES, ObjectId, ROOT_ENTRIES, SIZE, capacity, collect_frame,
    levels, new, new_node, new_root,
};
use crate::error::MmError;
use crate::frame::{Frame, FrameBatch, FrameKind};
use crate::pgtable::{ENTRIES, INDEX_BITS, Pte, Table};
use crate::platform::{Fallible, Platform};
use crate::range::{PAGE_SHIFT, PAGE_SIZE};

/// Where the first bytes of a file come from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Origin {
    /// Place of the first byte in the machine's store ([`Platform::fill`]).
    pub place: u64,
    /// How many.
    pub bytes: u64,
}

/// The content of a file, as long as the file is there. VMAs that map it keep the content, too.
///
/// Callers make sure that only one of them at a time changes the size or takes pages away.
pub struct FileObject<'m, P: Platform> {
    machine: &'m P,
    id: ObjectId,
}

/// A page with a reference to its frame, which stays allocated meanwhile.
pub struct Pinned<'m, P: Platform> {
    machine: &'m P,
    frame: Frame,
}

impl<P: Platform> Pinned<'_, P> {
    /// The frame.
    pub fn frame(&self) -> Frame {
        self.frame
    }
}

impl<P: Platform> Drop for Pinned<'_, P> {
    fn drop(&mut self) {
        self.machine.frames().put(self.frame);
    }
}

impl<'m, P: Platform> FileObject<'m, P> {
    /// The content of file `number`: that of `origin`, or nothing.
    ///
    /// # Errors
    /// [`MmError::NoMemory`].
    pub fn new(machine: &'m P, number: u64, origin: Option<Origin>) -> Result<Self, MmError> {
        let origin = origin.unwrap_or(Origin { place: 0, bytes: 0 });
        let capacity = origin.bytes.div_ceil(PAGE_SIZE).max(ROOT_ENTRIES);
        let id = new_root(machine, capacity, origin.bytes, number)?;
        let root = machine.table(id.root());
        root.set(KIND, Pte::from_bits(FrameKind::Cache as u64));
        root.set(ORIGIN, Pte::from_bits(origin.place));
        root.set(ORIGIN_BYTES, Pte::from_bits(origin.bytes));
        Ok(FileObject { machine, id })
    }

    /// Its name.
    pub fn object_id(&self) -> ObjectId {
        self.id
    }

    fn root(&self) -> &'m Table {
        self.machine.table(self.id.root())
    }

    /// Its number.
    pub fn number(&self) -> u64 {
        self.root().get(NUMBER).bits()
    }

    /// Its size in bytes.
    pub fn size(&self) -> u64 {
        self.root().get(SIZE).bits()
    }

    /// Whether VMAs map it.
    pub fn is_mapped(&self) -> bool {
        self.machine.frames().reference_count(self.id.root()) > 1
    }

    /// The page at `offset` (pages); `None` for a hole, and beyond the end.
    ///
    /// # Errors
    /// [`MmError::NoMemory`].
    pub fn page(&self, offset: u64) -> Result<Option<Pinned<'m, P>>, MmError> {
        let _lock = Reading::lock(self.machine, self.id);
        if offset >= super::pages(self.root()) {
            return Ok(None);
        }
        let from_store = offset < self.root().get(ORIGIN_BYTES).bits().div_ceil(PAGE_SIZE);
        if !from_store && self.id.find(self.machine, offset).is_none() {
            return Ok(None);
        }
        self.pin(offset).map(Some)
    }

    /// The page at `offset` (pages), to be written; beyond the end, too, where it is not seen before the file
    /// [grows](Self::extend).
    ///
    /// # Errors
    /// [`MmError::NoMemory`].
    pub fn page_to_write(&self, offset: u64) -> Result<Pinned<'m, P>, MmError> {
        if offset >= capacity(self.root()) {
            let _lock = Writing::lock(self.machine, self.id);
            self.deepen(offset + 1)?;
        }
        let _lock = Reading::lock(self.machine, self.id);
        self.pin(offset)
    }

    fn pin(&self, offset: u64) -> Result<Pinned<'m, P>, MmError> {
        Ok(Pinned { machine: self.machine, frame: self.id.make(self.machine, offset)? })
    }

    /// Makes the file at least `size` bytes long.
    ///
    /// # Errors
    /// [`MmError::NoMemory`].
    pub fn extend(&self, size: u64) -> Result<(), MmError> {
        if size > self.size() {
            let _lock = Writing::lock(self.machine, self.id);
            self.deepen(size.div_ceil(PAGE_SIZE))?;
            self.root().set(SIZE, Pte::from_bits(size));
        }
        Ok(())
    }

    /// Makes the file `size` bytes long, which is less than it is. `unmap` lets every address space unmap the pages that go,
    /// from the one given on.
    pub fn cut(&self, size: u64, unmap: impl FnOnce(u64)) {
        let kept = size.div_ceil(PAGE_SIZE);
        {
            let _lock = Writing::lock(self.machine, self.id);
            let root = self.root();
            root.set(SIZE, Pte::from_bits(size));
            root.set(ORIGIN_BYTES, Pte::from_bits(root.get(ORIGIN_BYTES).bits().min(size)));
            if !size.is_multiple_of(PAGE_SIZE)
                && let Some(last) = self.id.find(self.machine, size >> PAGE_SHIFT)
            {
                self.machine.zero_from(last, (size % PAGE_SIZE) as usize);
            }
        }
        unmap(kept);
        self.remove(kept, u64::MAX);
    }

    /// Makes the whole pages `[from, to)` holes that read as zeroes. `unmap` lets every address space unmap them.
    ///
    /// # Errors
    /// [`MmError::NoMemory`]: some of them are zeroed.
    pub fn punch(&self, from: u64, to: u64, unmap: impl FnOnce(u64, u64)) -> Result<(), MmError> {
        // What came from the store would come again.
        let stored = self.root().get(ORIGIN_BYTES).bits().div_ceil(PAGE_SIZE).min(to);
        for offset in from..stored {
            if let Some(page) = self.page(offset)? {
                self.machine.zero(page.frame);
            }
        }
        let from = from.max(stored);
        if from < to {
            unmap(from, to);
            self.remove(from, to);
        }
        Ok(())
    }

    /// Number of pages that there are, in `[from, to)`.
    pub fn resident(&self, from: u64, to: u64) -> u64 {
        let _lock = Reading::lock(self.machine, self.id);
        let mut count = 0;
        self.walk(from, to, &mut |_, _, _| count += 1);
        count
    }

    /// The first page from `from` on that is there (`Some`), below the end of the file.
    pub fn next_resident(&self, from: u64) -> Option<u64> {
        let _lock = Reading::lock(self.machine, self.id);
        let root = self.root();
        let stored = root.get(ORIGIN_BYTES).bits().div_ceil(PAGE_SIZE);
        if from < stored {
            return Some(from);
        }
        let mut first = None;
        self.walk(from, u64::MAX, &mut |offset, _, _| {
            first.get_or_insert(offset);
        });
        first.filter(|&first| first < super::pages(root))
    }

    /// Lets the pages `[from, to)` go. None of them is mapped.
    fn remove(&self, from: u64, to: u64) {
        let _lock = Writing::lock(self.machine, self.id);
        let mut batch = FrameBatch::new();
        self.walk(from, to, &mut |_, table, index| {
            let frame = table.get(index).frame();
            table.set(index, Pte::ABSENT);
            collect_frame(self.machine, frame, &mut batch);
        });
        self.machine.frames().put_batch(&mut batch);
    }

    /// Calls `leaf` with offset, table and index of every page in `[from, to)`. The object is locked.
    fn walk(&self, from: u64, to: u64, leaf: &mut dyn FnMut(u64, &Table, usize)) {
        let root = self.root();
        let level = levels(capacity(root)) - 1;
        Walk { machine: self.machine, from, to, leaf }.below(root, ROOT_ENTRIES as usize, level, 0);
    }

    /// Gives the object levels for `pages` pages. Nobody looks pages up meanwhile.
    fn deepen(&self, pages: u64) -> Result<(), MmError> {
        let root = self.root();
        while levels(capacity(root)) < levels(pages) {
            let entries = || root.iter().take(ROOT_ENTRIES as usize).enumerate();
            if entries().any(|(_, entry)| !entry.is_absent()) {
                let node = new_node(self.machine)?;
                let table = self.machine.table(node);
                entries().for_each(|(index, entry)| table.set(index, entry));
                (1..ROOT_ENTRIES as usize).for_each(|index| root.set(index, Pte::ABSENT));
                root.set(0, Pte::table(node));
            }
            let deeper = ROOT_ENTRIES << (INDEX_BITS * levels(capacity(root)));
            root.set(CAPACITY, Pte::from_bits(deeper));
        }
        root.set(CAPACITY, Pte::from_bits(capacity(root).max(pages)));
        Ok(())
    }
}

impl<P: Platform> Drop for FileObject<'_, P> {
    fn drop(&mut self) {
        self.id.release(self.machine);
    }
}

/// A new page of an object for `offset`, which is not hooked yet.
pub(super) fn new_page<P: Platform>(machine: &P, root: &Table, offset: u64) -> Result<Frame, MmError> {
    let start = offset << PAGE_SHIFT;
    let stored = root.get(ORIGIN_BYTES).bits().saturating_sub(start).min(PAGE_SIZE);
    let is_file = root.get(KIND).bits() == FrameKind::Cache as u64;
    let kind = if is_file { FrameKind::Cache } else { FrameKind::Shared };
    let frame = new(machine, Fallible::DataFrame, kind)?;
    if stored == 0 {
        machine.zero(frame);
    } else {
        machine.fill(frame, root.get(ORIGIN).bits() + start, stored as usize);
        machine.zero_from(frame, stored as usize);
    }
    Ok(frame)
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
