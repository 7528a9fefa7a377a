//! The address space: VMAs, page tables and TLB state of one process. One file an operation.
//!
//! Locks: the mmap lock guards the [`Map`](map::Map), and with its write half the VMAs; page tables have a lock of
//! their own inside. Every operation takes what it needs; callers hold nothing.

mod advice;
mod brk;
mod check;
mod cut;
mod edit;
mod exit;
mod fault;
mod fork;
mod gather;
mod lifetime;
mod look;
mod madvise;
mod map;
mod mincore;
mod mlock;
mod mmap;
mod mprotect;
mod mremap;
mod msync;
mod munmap;
mod order;
mod placement;
mod release;
mod relocate;
mod remove;
mod request;
mod seal;
mod stack;
#[cfg(test)]
mod tests;
mod userfault;

pub use check::CheckError;
pub use cut::Copies;
pub use fault::{FaultOutcome, Segv};
pub use look::Residence;
pub use map::{Totals, VmaKind, VmaView};
pub use order::{MunmapOrder, UnknownOrder};
pub use remove::Hole;
pub use request::{MmapOptions, MmapRequest, Placement, Sharing, Source};
pub use userfault::{Fill, WriteProtection};

use maple::Tree;

use crate::error::MmError;
use crate::frame::{Frame, FrameKind};
use crate::huge::HugePages;
use crate::pgtable::PageTables;
use crate::platform::{Fallible, Platform};
use crate::range::{PAGE_SHIFT, PAGE_SIZE, Page};
use crate::schedule::Point;
use crate::space::edit::Edit;
use crate::space::map::{Map, MapReadGuard, MapWriteGuard, VmaCursor, VmaPosition, VmaTree};
use crate::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};
use crate::sync::{Line, RwSem};
use crate::tlb::TlbState;
use crate::userfault::Waiting;
use crate::vma::{AnonId, Owner, VmaFlags, WriteSection};

/// Resource limits that concern memory, in bytes; `u64::MAX` stands for no limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// `RLIMIT_AS`: the whole address space.
    pub address_space: u64,
    /// `RLIMIT_DATA`: private writable memory and the heap.
    pub data: u64,
    /// `RLIMIT_STACK`: how far a stack grows.
    pub stack: u64,
    /// `RLIMIT_MEMLOCK`: locked memory.
    pub memlock: u64,
}

impl Limits {
    fn pages(bytes: u64) -> u64 {
        bytes >> PAGE_SHIFT
    }
}

impl Default for Limits {
    fn default() -> Self {
        Limits { address_space: u64::MAX, data: u64::MAX, stack: 8 << 20, memlock: 8 << 20 }
    }
}

/// What an address space has in memory, in pages. What it shares with others counts for each.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Footprint {
    /// Pages of data that are mapped, without those of zeroes that all share.
    pub pages: u64,
    /// Page tables, the root included.
    pub tables: u64,
}

impl Footprint {
    /// All of it.
    pub fn total(self) -> u64 {
        self.pages + self.tables
    }
}

/// What an address space starts with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Config {
    /// Resource limits.
    pub limits: Limits,
    /// Order of the munmap steps.
    pub order: MunmapOrder,
    /// Lowest address that can be mapped, in bytes, page aligned (`vm.mmap_min_addr`).
    pub mmap_min_addr: u64,
    /// A limit of its own to what the machine says of huge pages.
    pub huge_pages: HugePages,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            limits: Limits::default(),
            order: MunmapOrder::default(),
            mmap_min_addr: 65_536,
            huge_pages: HugePages::Always,
        }
    }
}

/// The address space of a process.
pub struct AddressSpace<'m, P: Platform> {
    machine: &'m P,
    /// Locks itself.
    tables: PageTables<'m, P>,
    /// Which CPUs may cache translations; locks itself.
    tlb: TlbState,
    /// Guarded by the mmap lock, which this is.
    map: RwSem<Map<'m, P>, &'m P>,
    /// The VMAs. Read and written with the token in `map`.
    vmas: VmaTree<'m, P>,
    /// The last identity given to anonymous memory.
    anon_ids: AtomicU64,
    /// A limit of its own to what the machine says of huge pages, by number.
    huge_pages: AtomicU8,
    /// Threads that wait for the program to resolve their faults; locks itself.
    userfaults: Line<Waiting>,
    /// The last number given to a context of such faults.
    contexts: AtomicU32,
    /// Never changes.
    order: MunmapOrder,
    /// Never changes.
    min_page: Page,
}

impl<'m, P: Platform> AddressSpace<'m, P> {
    /// An empty address space: nothing mapped but the kernel half.
    ///
    /// # Errors
    /// [`MmError::NoMemory`].
    pub fn new(machine: &'m P, config: Config) -> Result<Self, MmError> {
        let (vmas, token) = Tree::new(machine.rcu());
        Ok(AddressSpace {
            machine,
            vmas,
            tables: PageTables::new(machine)?,
            tlb: TlbState::new(),
            map: RwSem::with_parker(
                Map {
                    token,
                    totals: Totals::default(),
                    committed: 0,
                    limits: config.limits,
                    future: VmaFlags::empty(),
                    brk_start: 0,
                    brk: 0,
                    stack_top: 0,
                },
                machine,
            ),
            anon_ids: AtomicU64::new(0),
            huge_pages: AtomicU8::new(config.huge_pages as u8),
            userfaults: Line::new(),
            contexts: AtomicU32::new(0),
            order: config.order,
            min_page: Page::containing(config.mmap_min_addr + PAGE_SIZE - 1),
        })
    }

    /// The root page table, for the CPU.
    pub fn root(&self) -> Frame {
        self.tables.root()
    }

    /// Which CPUs may cache translations.
    pub fn tlb(&self) -> &TlbState {
        &self.tlb
    }

    /// Sums over the VMAs.
    pub fn totals(&self) -> Totals {
        self.read().totals
    }

    /// Number of page tables, the root included.
    pub fn page_tables(&self) -> u64 {
        self.tables.tables()
    }

    /// What the address space has in memory, by a look at all of its page tables under the mmap lock (write).
    pub fn footprint(&self) -> Footprint {
        let _map = self.write_unconditionally();
        let (frames, mut pages) = (self.machine.frames(), 0);
        let tables = self.tables.survey(|leaf| match frames.kind(leaf.frame) {
            FrameKind::Zero => {}
            _ => pages += leaf.pages.pages(),
        });
        Footprint { pages, tables }
    }

    /// Its limit to what the machine says of huge pages.
    pub fn huge_pages(&self) -> HugePages {
        HugePages::from_number(self.huge_pages.load(Ordering::Relaxed))
    }

    /// Sets that limit (`PR_SET_THP_DISABLE`). What is mapped stays as it is.
    pub fn limit_huge_pages(&self, limit: HugePages) {
        self.huge_pages.store(limit as u8, Ordering::Relaxed);
    }

    /// The resource limits.
    pub fn limits(&self) -> Limits {
        self.read().limits
    }

    /// Sets the resource limits. What is over a limit already stays.
    pub fn set_limits(&self, limits: Limits) {
        self.write_unconditionally().limits = limits;
    }

    /// Notes where the stack begins, an address just inside or at the end of the stack VMA; maps shows it so.
    pub fn set_stack_top(&self, address: u64) {
        self.write_unconditionally().stack_top = address;
    }

    /// Visits all VMAs in ascending order, under the mmap lock (read).
    pub fn for_each_vma(&self, mut visit: impl FnMut(&VmaView)) {
        let map = self.read();
        self.each_vma(&map, |_, vma| visit(&map.view(self.machine, vma)));
    }

    /// The VMA that contains `page`, if any, and the ones below and above it: for messages about faults.
    pub fn vmas_around(&self, page: Page) -> [Option<VmaView>; 3] {
        let map = self.read();
        let [below, above] = self.around(&map, page);
        [below, self.vma_at(&map, page), above].map(|vma| vma.map(|vma| map.view(self.machine, vma)))
    }

    /// The mmap lock for writing, unless a fatal signal comes while it is waited for (E1).
    fn write(&self) -> Result<MapWriteGuard<'_, 'm, P>, MmError> {
        if !self.machine.admit(Fallible::MmapLock) {
            return Err(MmError::Interrupted);
        }
        self.machine.pause(Point::WriteLockMmap);
        self.map.write_killable().ok_or(MmError::Interrupted)
    }

    /// The mmap lock for writing.
    fn write_unconditionally(&self) -> MapWriteGuard<'_, 'm, P> {
        self.machine.pause(Point::WriteLockMmap);
        self.map.write()
    }

    /// The mmap lock for reading.
    fn read(&self) -> MapReadGuard<'_, 'm, P> {
        self.machine.pause(Point::ReadLockMmap);
        self.map.read()
    }

    /// Opens the map behind `guard` for changes, with the cursor on the slot of `page`.
    fn edit<'t, 'g>(&'t self, guard: &'g mut MapWriteGuard<'_, 'm, P>, page: Page) -> Edit<'t, 'g, 'm, P> {
        let section = WriteSection::new(guard.sequence());
        Edit::new(self.machine, section, &self.vmas, guard, |token| VmaCursor::new(&self.vmas, token, page))
    }

    /// As [`edit`](Self::edit), with the cursor where it was found to belong.
    fn edit_in<'t, 'g>(
        &'t self,
        guard: &'g mut MapWriteGuard<'_, 'm, P>,
        position: VmaPosition<'t, 'm, P>,
    ) -> Edit<'t, 'g, 'm, P> {
        let section = WriteSection::new(guard.sequence());
        let resume = |token| VmaCursor::resume(&self.vmas, token, position);
        Edit::new(self.machine, section, &self.vmas, guard, resume)
    }

    /// Who owns the VMAs of this space.
    fn owner(&self) -> Owner {
        Owner(self.vmas.name())
    }

    /// A new identity for anonymous memory.
    fn new_anon_id(&self) -> AnonId {
        AnonId(self.anon_ids.fetch_add(1, Ordering::Relaxed) + 1)
    }
}

/// Number of pages that `bytes` bytes take; 0 for 0 and where rounding up wraps, as on Linux.
fn pages_for(bytes: u64) -> u64 {
    bytes.wrapping_add(PAGE_SIZE - 1) >> PAGE_SHIFT
}
