//! madvise with `MADV_REMOVE`: shared VMAs lose their pages, and so does the object behind, for all that map it.

use core::ops::Range;

use crate::error::MmError;
use crate::object::SharedObject;
use crate::platform::Platform;
use crate::range::PageRange;
use crate::space::AddressSpace;
use crate::space::advice::Advice;
use crate::space::lifetime::object_of;
use crate::space::madvise::advised;
use crate::vma::{Backing, Vma, VmaFlags};

/// Pages that an object shall lose.
pub struct Hole<'m, P: Platform> {
    /// The object.
    pub object: SharedObject<'m, P>,
    /// The pages.
    pub offsets: Range<u64>,
    /// Whether it is the content of a file, or shared anonymous memory.
    pub is_file: bool,
}

impl<'m, P: Platform> AddressSpace<'m, P> {
    /// Has `punch` make holes in what is mapped shared and may be written, over the pages that `[address, address + length)`
    /// (bytes) touches, VMA by VMA; no lock is held meanwhile, as all address spaces lose the pages. Length 0 is no error.
    ///
    /// # Errors
    /// As [`madvise`](Self::madvise): [`MmError::Invalid`] for a wrong range, and for a VMA that is locked or private anonymous
    /// memory; [`MmError::Access`] for one that is private, or can never be written; [`MmError::NotPermitted`] for one that is
    /// sealed; that of `punch`. What comes before is done then. [`MmError::NoMemory`] for holes, when all else is done.
    pub fn remove<E: From<MmError>>(
        &self,
        address: u64,
        length: u64,
        mut punch: impl FnMut(&Hole<'m, P>) -> Result<(), E>,
    ) -> Result<(), E> {
        let Some(range) = advised(address, length)? else { return Ok(()) };
        let mut throughout = Ok(());
        let mut at = range.start();
        while at < range.end() {
            let map = self.read();
            let vma = self.vma_from(&map, at).ok_or(MmError::NoMemory)?;
            if vma.start() > at {
                throughout = Err(MmError::NoMemory);
            }
            let Some(part) = PageRange::new(at.max(vma.start()), range.end().min(vma.end())) else { break };
            let hole = self.hole(vma, part)?;
            drop(map);
            punch(&hole)?;
            at = part.end();
        }
        Ok(throughout?)
    }

    /// The pages behind `part` of `vma`, which is stable, if they may go.
    fn hole(&self, vma: &Vma, part: PageRange) -> Result<Hole<'m, P>, MmError> {
        vma.may_follow(Advice::Punch)?;
        let object = object_of(vma.backing()).ok_or(MmError::Invalid)?;
        if vma.flags() & (VmaFlags::SHARED | VmaFlags::NEVER_WRITE) != VmaFlags::SHARED {
            return Err(MmError::Access);
        }
        let first = vma.offset_of(part.start());
        Ok(Hole {
            object: SharedObject::of(self.machine, object),
            offsets: first..first.saturating_add(part.pages()),
            is_file: matches!(vma.backing(), Backing::File { .. }),
        })
    }
}
