//! Resolving faults: pages that come, and write protection that comes and goes.

use crate::error::MmError;
use crate::frame::Frame;
use crate::pgtable::Installed;
use crate::platform::Platform;
use crate::range::PageRange;
use crate::schedule::Point;
use crate::space::AddressSpace;
use crate::tlb::Gather;
use crate::vma::{Vma, VmaFlags};

/// What pages are filled with.
pub enum Fill<'a> {
    /// Zeroes (`UFFDIO_ZEROPAGE`).
    Zeroes,
    /// What `write` writes to a frame for the page of this number, counted from 0 (`UFFDIO_COPY`). It may sleep.
    Copy {
        /// Writes all of a frame, which is nobody else's yet.
        write: &'a mut dyn FnMut(u64, Frame) -> Result<(), MmError>,
        /// Whether the pages are write-protected.
        protected: bool,
    },
}

impl Fill<'_> {
    /// Whether pages of `range` can be filled so if `vma` is there.
    fn check(&self, vma: &Vma, range: PageRange) -> Result<(), MmError> {
        let flags = vma.flags();
        if !vma.range().covers(range) || flags.context().is_none() {
            return Err(MmError::NotRegistered);
        }
        let is_protected = matches!(self, Fill::Copy { protected: true, .. });
        if is_protected && !flags.contains(VmaFlags::UFFD_WP) { Err(MmError::Invalid) } else { Ok(()) }
    }
}

impl<'m, P: Platform> AddressSpace<'m, P> {
    /// Fills the pages of `[address, address + length)` (bytes), which lie in one registered VMA and are missing, in ascending order.
    /// How many it has filled, and the error that kept it from the next one. Nobody is woken.
    ///
    /// # Errors
    /// [`MmError::Invalid`] for a wrong range, or write protection where the VMA is not registered for it;
    /// [`MmError::NotRegistered`]; [`MmError::Exists`] for a page that is there, or a guard; [`MmError::NoMemory`]; those of the source.
    pub fn fill_userfaults(
        &self,
        address: u64,
        length: u64,
        mut fill: Fill<'_>,
    ) -> (u64, Result<(), MmError>) {
        let range = match self.userfault_range(address, length) {
            Ok(range) => range,
            Err(error) => return (0, Err(error)),
        };
        // Before anything is read from the source.
        let mut result = self.check_registered(range, &fill);
        let mut filled = 0;
        let mut rest = Some(range);
        while result.is_ok()
            && let Some(left) = rest
        {
            result = self.fill_first(left, filled, &mut fill);
            filled += u64::from(result.is_ok());
            rest = PageRange::new(left.start().up(1), left.end());
        }
        (filled, result)
    }

    /// Fills the first page of `range`, with page `number` of the source.
    fn fill_first(&self, range: PageRange, number: u64, fill: &mut Fill<'_>) -> Result<(), MmError> {
        let page = range.start();
        let frame = match fill {
            Fill::Zeroes => self.machine.zero_frame(),
            Fill::Copy { write, .. } => {
                let frame = self.data_frame()?;
                if let Err(error) = write(number, frame) {
                    self.machine.frames().put(frame);
                    return Err(error);
                }
                frame
            }
        };
        let installed = self.in_registered(range, fill, |vma| {
            self.machine.pause(Point::Install(page));
            let protection = vma.flags().protection();
            match fill {
                Fill::Zeroes => self.tables.install(page, frame, protection.without_write()),
                Fill::Copy { protected: true, .. } => {
                    self.tables.install_write_protected(page, frame, protection)
                }
                Fill::Copy { .. } => self.tables.install(page, frame, protection),
            }
        });
        if installed == Ok(Installed::New) {
            return Ok(());
        }
        self.machine.frames().put(frame);
        installed.and(Err(MmError::Exists))
    }

    /// Whether `range` can be filled, as it looks now.
    fn check_registered(&self, range: PageRange, fill: &Fill<'_>) -> Result<(), MmError> {
        if let Some(vma) = self.lock_vma_under_rcu(range.start()) {
            return fill.check(&vma, range);
        }
        let map = self.read();
        fill.check(self.vma_at(&map, range.start()).ok_or(MmError::NotRegistered)?, range)
    }

    /// Works on the VMA that has all of `range` and is registered for `fill`; it is stable meanwhile, and has an identity.
    fn in_registered<R>(
        &self,
        range: PageRange,
        fill: &Fill<'_>,
        work: impl FnOnce(&Vma) -> Result<R, MmError>,
    ) -> Result<R, MmError> {
        let locked = self.lock_vma_under_rcu(range.start()).filter(|vma| vma.anon().is_some());
        if let Some(vma) = locked {
            fill.check(&vma, range)?;
            return work(&vma);
        }
        let map = self.read();
        let vma = self.vma_at(&map, range.start()).ok_or(MmError::NotRegistered)?;
        fill.check(vma, range)?;
        self.prepare_anon(&map, vma);
        work(vma)
    }

    /// Write-protects the pages of `[address, address + length)` (bytes) that are there, or ends that (`UFFDIO_WRITEPROTECT`). Nobody is
    /// woken.
    ///
    /// # Errors
    /// [`MmError::Invalid`] for a wrong range, [`MmError::NotRegistered`] for nothing mapped there or a VMA that is not registered for it;
    /// what comes before that is done then.
    pub fn write_protect_userfaults(
        &self,
        address: u64,
        length: u64,
        protection: WriteProtection,
    ) -> Result<(), MmError> {
        let range = self.userfault_range(address, length)?;
        let map = self.read();
        let mut gather = Gather::new(self.machine, &self.tlb);
        let mut at = range.start();
        let mut result = Err(MmError::NotRegistered);
        while let Some((vma, part)) = self.next_part(&map, range, at) {
            if !vma.flags().contains(VmaFlags::UFFD_WP) {
                result = Err(MmError::NotRegistered);
                break;
            }
            self.machine.pause(Point::ChangeEntries(part));
            match protection {
                WriteProtection::Begin => self.tables.write_protect(part, &mut gather),
                WriteProtection::End => self.tables.write_unprotect(part, &mut gather),
            }
            (at, result) = (part.end(), Ok(()));
        }
        gather.finish();
        result
    }
}

/// What becomes of the write protection of pages.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WriteProtection {
    /// They get it.
    Begin,
    /// They lose it.
    End,
}
