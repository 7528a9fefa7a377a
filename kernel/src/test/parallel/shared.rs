//! An address space that all CPUs use.

use abi::mman::{Map, Prot};
use mm::frame::FrameKind;
use mm::space::{AddressSpace, MmapRequest};
use mm::vma::Access;
use mm::{MmError, PAGE_SIZE};

use crate::arch::user::{Fault, Resolution, UserAccess, copy_from_user, copy_to_user, with_fault_handler};
use crate::cmdline;
use crate::memory::{KERNEL, Kernel, frames};

/// Where tests map their pages: page 0.
const BASE: u64 = 0x1000_0000;

/// The address space. Its calls take pages from [`BASE`] on.
pub(super) struct Shared {
    pub(super) space: AddressSpace<'static, Kernel>,
}

impl Shared {
    /// Runs `test` with a new one, and checks that it gives all memory back.
    pub(super) fn with(test: impl FnOnce(&Shared)) {
        let kinds = [FrameKind::Anonymous, FrameKind::Huge, FrameKind::Table];
        let in_use = || kinds.map(|kind| frames().statistics().allocated(kind));
        let before = in_use();
        let space = AddressSpace::new(&KERNEL, cmdline::memory_config()).expect("a root table");
        let shared = Shared { space };
        test(&shared);
        assert_eq!((shared.space.tlb().cpus(), shared.space.tlb().gathers()), (0, 0));
        drop(shared);
        assert_eq!(in_use(), before, "frames of data and of tables are left");
        frames().check();
    }

    /// Runs `body` with the address space loaded on this CPU, and its faults handled.
    pub(super) fn loaded<R>(&self, body: impl FnOnce() -> R) -> R {
        KERNEL.load(self.space.root(), self.space.tlb());
        let result = with_fault_handler(
            &|fault| {
                let access = match fault.access {
                    UserAccess::Read => Access::Read,
                    UserAccess::Write => Access::Write,
                    UserAccess::Execute => Access::Execute,
                };
                if self.space.fault(fault.address, access).is_resolved() {
                    Resolution::Resolved
                } else {
                    Resolution::Failed
                }
            },
            body,
        );
        KERNEL.leave(self.space.tlb());
        result
    }

    /// The address of a page.
    pub(super) fn address(&self, page: u64) -> u64 {
        address(page)
    }

    /// Maps new pages there, in the place of what is there.
    pub(super) fn map(&self, first: u64, pages: u64) {
        let flags = Map::PRIVATE | Map::FIXED | Map::ANONYMOUS;
        let (prot, length) = (Prot::READ_WRITE.bits(), pages * PAGE_SIZE);
        let request =
            MmapRequest::decode(address(first), length, prot, flags.bits()).expect("a good request");
        assert_eq!(self.space.mmap(request), Ok(address(first)));
    }

    pub(super) fn unmap(&self, first: u64, pages: u64) {
        assert_eq!(self.space.munmap(address(first), pages * PAGE_SIZE), Ok(()));
    }

    pub(super) fn protect(&self, first: u64, pages: u64, prot: Prot) -> Result<(), MmError> {
        self.space.mprotect(address(first), pages * PAGE_SIZE, prot.bits())
    }
}

fn address(page: u64) -> u64 {
    BASE + page * PAGE_SIZE
}

/// Writes word `index` of a page of the address space that is loaded.
pub(super) fn store(page: u64, index: u64, value: u64) -> Result<(), Fault> {
    copy_to_user(address(page) + 8 * index, &value.to_le_bytes())
}

/// Reads word `index` of a page of the address space that is loaded.
pub(super) fn load(page: u64, index: u64) -> Result<u64, Fault> {
    let mut bytes = [0; 8];
    copy_from_user(&mut bytes, address(page) + 8 * index)?;
    Ok(u64::from_le_bytes(bytes))
}
