//! Objects: pages that every VMA that maps them sees. Shared anonymous memory, and the contents of files.
//!
//! ```text
//! root        header: size, number         an object is known by its root frame, and lives as long as that has references
//!  [0..256] ──► node [0..512] ──► frame    as many levels as the size needs; the root is the only one if it is small
//! ```
//!
//! References:
//! - A root has one reference for each VMA that maps the object, and one for its maker: a file as long as it is there, an mmap
//!   until a VMA has it. The last one that goes takes all of the object along.
//! - A frame of the object has one reference for the object, and one for each page-table entry. A zap leaves it in the object.
//!
//! Pages are looked up, made and mapped under the object's lock for reading ([`lock`]): an entry goes from absent to present by
//! compare-and-exchange. They go under that for writing ([`hole`]), for a hole or with the end of a file, and with the object.
//!
//! **Shared anonymous memory** ([`shared`]) never changes its size. Gathers are finished before the VMAs that they unmap are freed,
//! so no TLB knows a frame any more that goes with its object (I23); one that goes for a hole does so when every address space has
//! been looked at under its mmap lock (write). Therefore a gather gives references of entries back at once, see
//! [`FrameBatch`].
//!
//! **Files** ([`file`]) grow and shrink. Their frames are of a kind of their own, `Cache`, whose references a gather keeps until
//! its flush.

pub mod file;
#[cfg(test)]
mod file_tests;
mod hole;
mod lock;
mod shared;
#[cfg(test)]
mod tests;

pub use file::{FileObject, Origin, Pinned};
pub(crate) use lock::Reading;
pub use shared::{Attachment, SharedObject};

use crate::error::MmError;
use crate::frame::{Frame, FrameBatch, FrameKind};
use crate::pgtable::{ENTRIES, INDEX_BITS, Protection, Pte, PteView, Table};
use crate::platform::{Fallible, Platform};
use crate::range::PAGE_SIZE;
use crate::schedule::Point;
use crate::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// Entries of a root.
const ROOT_ENTRIES: u64 = 256;
/// Words of a root behind its entries: pages that it has levels for (never changes but under the lock), the number that people
/// see (never changes), and the size in bytes.
const CAPACITY: usize = ENTRIES - 1;
const NUMBER: usize = ENTRIES - 2;
const SIZE: usize = ENTRIES - 3;
/// Words of the root of a file: where in the machine's store its first bytes are, and how many come from there.
const ORIGIN: usize = ENTRIES - 4;
const ORIGIN_BYTES: usize = ENTRIES - 5;
/// What its frames are: `Cache` for a file, else `Shared`.
const KIND: usize = ENTRIES - 7;
/// Roots are below this frame, so that a VMA can keep one in a word with other things. (8 TiB less a page.)
const ROOT_END: u32 = u32::MAX / 2 - 1;

/// What a machine keeps of its shared objects.
#[derive(Default, Debug)]
pub struct Objects {
    /// The last number given.
    numbers: AtomicU32,
    live: AtomicU64,
}

impl Objects {
    /// No objects yet.
    pub const fn new() -> Self {
        Objects { numbers: AtomicU32::new(0), live: AtomicU64::new(0) }
    }

    /// How many there are. Their memory is counted by frames of the kinds `Shared` and `Object`.
    pub fn live(&self) -> u64 {
        self.live.load(Ordering::Relaxed)
    }
}

/// A shared object, by its root. Names it for as long as a VMA maps it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ObjectId(Frame);

impl ObjectId {
    /// The object with this root.
    pub(crate) const fn new(root: Frame) -> Self {
        ObjectId(root)
    }

    /// The frame of the root.
    pub const fn root(self) -> Frame {
        self.0
    }

    /// The number that people see (an inode number in maps). The caller has a stable VMA that maps the object.
    pub fn number<P: Platform>(self, machine: &P) -> u64 {
        machine.table(self.0).get(NUMBER).bits()
    }

    /// One more VMA maps the object. The caller has a reference, or the mmap lock (write) and a VMA that maps it.
    pub(crate) fn hold<P: Platform>(self, machine: &P) {
        machine.frames().get(self.0);
    }

    /// The caller's reference goes; with the last one the object and its frames. No gather is under way that unhooked
    /// pages of a VMA on whose behalf the reference is.
    pub(crate) fn release<P: Platform>(self, machine: &P) {
        if machine.frames().put_unless_last(self.0) {
            return;
        }
        let root = machine.table(self.0);
        let mut batch = FrameBatch::new();
        collect(machine, root, levels(capacity(root)), ROOT_ENTRIES as usize, &mut batch);
        machine.frames().collect(self.0, &mut batch);
        machine.frames().put_batch(&mut batch);
        machine.objects().live.fetch_sub(1, Ordering::Relaxed);
    }

    /// The frame at `offset` (pages) with a reference for the caller, made if there is none yet: zeroed, or with what the
    /// object has of the machine's store. The caller has a stable VMA that maps the object, or another reference to it, and
    /// the object's lock until the page is mapped.
    ///
    /// # Errors
    /// [`MmError::BeyondEnd`], [`MmError::NoMemory`]. Nothing has changed but for nodes, which stay.
    pub(crate) fn frame<P: Platform>(self, machine: &P, offset: u64) -> Result<Frame, MmError> {
        if offset >= pages(machine.table(self.0)) {
            return Err(MmError::BeyondEnd);
        }
        self.make(machine, offset)
    }

    /// As [`frame`](Self::frame), for any page that there are levels for.
    fn make<P: Platform>(self, machine: &P, offset: u64) -> Result<Frame, MmError> {
        let root = machine.table(self.0);
        let mut table = root;
        for level in (1..levels(capacity(root))).rev() {
            let node = match view(table, offset, level) {
                PteView::Table(node) => node,
                _ => hook(machine, table, offset, level, Pte::table(new_node(machine)?)),
            };
            table = machine.table(node);
        }
        let frame = match view(table, offset, 0) {
            PteView::Leaf { frame, .. } => frame,
            _ => {
                let frame = file::new_page(machine, root, offset)?;
                hook(machine, table, offset, 0, Pte::leaf(frame, Protection::None))
            }
        };
        machine.frames().get(frame);
        Ok(frame)
    }

    /// The frame at `offset` (pages), if there is one. The caller has a stable VMA that maps the object. Only while the object's
    /// lock is held it is certain to stay.
    pub fn find<P: Platform>(self, machine: &P, offset: u64) -> Option<Frame> {
        let mut table = machine.table(self.0);
        if offset >= capacity(table) {
            return None;
        }
        for level in (1..levels(capacity(table))).rev() {
            let PteView::Table(node) = view(table, offset, level) else { return None };
            table = machine.table(node);
        }
        match view(table, offset, 0) {
            PteView::Leaf { frame, .. } => Some(frame),
            _ => None,
        }
    }
}

/// An empty object with levels for `capacity` pages, and its first reference.
fn new_root<P: Platform>(machine: &P, capacity: u64, size: u64, number: u64) -> Result<ObjectId, MmError> {
    let frame = new_node(machine)?;
    if frame.number() >= ROOT_END {
        machine.frames().put(frame);
        return Err(MmError::NoMemory);
    }
    machine.objects().live.fetch_add(1, Ordering::Relaxed);
    let root = machine.table(frame);
    root.set(CAPACITY, Pte::from_bits(capacity));
    root.set(SIZE, Pte::from_bits(size));
    root.set(NUMBER, Pte::from_bits(number));
    Ok(ObjectId(frame))
}

/// Pages that the object with the root `root` has levels for.
fn capacity(root: &Table) -> u64 {
    root.get(CAPACITY).bits()
}

/// Pages that the object with the root `root` holds.
fn pages(root: &Table) -> u64 {
    root.get(SIZE).bits().div_ceil(PAGE_SIZE)
}

/// Levels of tables of an object of `pages` pages, the root included.
fn levels(pages: u64) -> u32 {
    let mut levels = 1;
    while ROOT_ENTRIES << (INDEX_BITS * (levels - 1)) < pages {
        levels += 1;
    }
    levels
}

/// The index of the entry for the page at `offset` in a table of `level`; inside a root, as offsets are below the size.
fn index(offset: u64, level: u32) -> usize {
    (offset >> (INDEX_BITS * level)) as usize % ENTRIES
}

fn view(table: &Table, offset: u64, level: u32) -> PteView {
    table.get(index(offset, level)).view()
}

/// Hooks `entry`, which owns a reference to its frame, unless another was first. The frame that is hooked then.
#[cold]
fn hook<P: Platform>(machine: &P, table: &Table, offset: u64, level: u32, entry: Pte) -> Frame {
    machine.pause(Point::FillObject(offset));
    match table.compare_exchange(index(offset, level), Pte::ABSENT, entry) {
        Ok(()) => entry.frame(),
        Err(other) => {
            machine.frames().put(entry.frame());
            other.frame()
        }
    }
}

/// A node without entries.
fn new_node<P: Platform>(machine: &P) -> Result<Frame, MmError> {
    let frame = new(machine, Fallible::ObjectNode, FrameKind::Object)?;
    machine.zero(frame);
    Ok(frame)
}

/// A frame with any content.
fn new<P: Platform>(machine: &P, point: Fallible, kind: FrameKind) -> Result<Frame, MmError> {
    if !machine.admit(point) {
        return Err(MmError::NoMemory);
    }
    machine.frames().alloc_frame(kind).ok_or(MmError::NoMemory)
}

/// Moves the references that the first `entries` of `table` own into `batch`, and those of the tables below, of which there are
/// `levels` less one.
fn collect<P: Platform>(machine: &P, table: &Table, levels: u32, entries: usize, batch: &mut FrameBatch) {
    for entry in (0..entries).map(|index| table.get(index)).filter(|entry| !entry.is_absent()) {
        if levels > 1 {
            collect(machine, machine.table(entry.frame()), levels - 1, ENTRIES, batch);
        }
        collect_frame(machine, entry.frame(), batch);
    }
}

/// Moves the reference of an entry that is gone into `batch`; makes room first.
fn collect_frame<P: Platform>(machine: &P, frame: Frame, batch: &mut FrameBatch) {
    if batch.is_full() {
        machine.frames().put_batch(batch);
    }
    machine.frames().collect(frame, batch);
}
