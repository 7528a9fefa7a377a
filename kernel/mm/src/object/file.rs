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
//! A file is cut as a [hole](super::hole) is made. Together with its pages it loses its size, so that no fault makes new ones.

use super::lock::{Reading, Writing};
use super::{
    CAPACITY, KIND, NUMBER, ORIGIN, ORIGIN_BYTES, ObjectId, ROOT_ENTRIES, SIZE, capacity, levels, new,
    new_node, new_root,
};
use crate::error::MmError;
use crate::frame::{Frame, FrameChain, FrameKind};
use crate::pgtable::{INDEX_BITS, Pte, Table};
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
        let mut frames = FrameChain::new();
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
            self.id.take_out(self.machine, kept, u64::MAX, &mut frames);
        }
        unmap(kept);
        self.machine.frames().put_chain(&mut frames);
    }

    /// Makes the whole pages `[from, to)` holes that read as zeroes. `unmap` lets every address space unmap them.
    ///
    /// # Errors
    /// [`MmError::NoMemory`]: nothing has changed.
    pub fn punch(&self, from: u64, to: u64, unmap: impl FnOnce(u64, u64)) -> Result<(), MmError> {
        self.id.punch(self.machine, from, to, unmap)
    }

    /// Number of pages that there are, in `[from, to)`.
    pub fn resident(&self, from: u64, to: u64) -> u64 {
        self.id.resident(self.machine, from, to)
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
        self.id.walk(self.machine, from, u64::MAX, &mut |offset, _, _| {
            first.get_or_insert(offset);
        });
        first.filter(|&first| first < super::pages(root))
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
