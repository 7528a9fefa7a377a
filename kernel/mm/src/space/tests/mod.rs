//! The address space on a small machine. What random sequences find is the business of the `sim` crate; here is
//! what must be so by design: the order of the steps, Linux's addresses, and what a failure leaves behind.

mod files;
mod fork;
mod look;
mod mremap;
mod munmap;
mod operations;
mod userfaults;
mod vma_lock;

use abi::mman::{Map as Flags, Prot};

use crate::error::MmError;
use crate::frame::FrameKind;
use crate::range::{PAGE_SIZE, Page, PageRange};
use crate::space::{AddressSpace, Config, FaultOutcome, MmapRequest, MunmapOrder};
use crate::testing::Machine;
use crate::vma::Access;

/// Where the tests map.
const BASE: u64 = 0x10_0000_0000;

/// An address space on a machine, with short forms of its calls in pages from [`BASE`].
struct World<'m> {
    machine: &'m Machine,
    /// Boxed, because the machine knows it by its address.
    space: Box<AddressSpace<'m, Machine>>,
}

impl<'m> World<'m> {
    fn new(machine: &'m Machine, config: Config) -> Self {
        World { machine, space: Box::new(AddressSpace::new(machine, config).unwrap()) }
    }

    fn in_order(machine: &'m Machine, order: MunmapOrder) -> Self {
        World::new(machine, Config { order, ..Config::default() })
    }

    /// Maps pages `start..end` readable and writable.
    fn map(&self, start: u64, end: u64) {
        self.mmap(start, end, Prot::READ_WRITE, Flags::PRIVATE).unwrap();
    }

    fn mmap(&self, start: u64, end: u64, prot: Prot, flags: Flags) -> Result<u64, MmError> {
        let flags = (flags | Flags::FIXED | Flags::ANONYMOUS).bits();
        let request = MmapRequest::decode(address(start), (end - start) * PAGE_SIZE, prot.bits(), flags)?;
        self.space.mmap(request)
    }

    fn munmap(&self, start: u64, end: u64) -> Result<(), MmError> {
        self.space.munmap(address(start), (end - start) * PAGE_SIZE)
    }

    fn mprotect(&self, start: u64, end: u64, prot: Prot) -> Result<(), MmError> {
        self.space.mprotect(address(start), (end - start) * PAGE_SIZE, prot.bits())
    }

    fn write(&self, page: u64) -> FaultOutcome {
        self.space.fault(address(page), Access::Write)
    }

    fn write_all(&self, start: u64, end: u64) {
        (start..end).for_each(|page| assert_eq!(self.write(page), FaultOutcome::Resolved, "page {page}"));
    }

    /// The frame and rights that a load finds.
    fn load(&self, page: u64) -> Option<crate::frame::Frame> {
        let found = self.machine.access(self.space.root(), self.space.tlb(), Page::containing(address(page)));
        found.map(|(frame, _)| frame)
    }

    /// All VMAs, as page numbers from [`BASE`] and rights.
    fn vmas(&self) -> Vec<String> {
        let mut vmas = Vec::new();
        self.space.for_each_vma(|view| {
            let number = |page: Page| page.number().wrapping_sub(BASE / PAGE_SIZE) as i64;
            let range = view.vma.range;
            vmas.push(format!("{}..{} {}", number(range.start()), number(range.end()), view.vma.flags));
        });
        vmas
    }

    fn check(&self) {
        self.space.check().unwrap();
        self.machine.check();
    }
}

fn address(page: u64) -> u64 {
    BASE + page * PAGE_SIZE
}

fn range(start: u64, end: u64) -> PageRange {
    PageRange::new(Page::containing(address(start)), Page::containing(address(end))).unwrap()
}

/// Frames in use for data and tables.
fn frames_in_use(machine: &Machine) -> u64 {
    [FrameKind::Anonymous, FrameKind::Shared, FrameKind::Object, FrameKind::Table]
        .map(|kind| machine.allocated(kind))
        .iter()
        .sum()
}
