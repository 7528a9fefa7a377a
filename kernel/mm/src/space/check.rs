//! Re-derives what must hold of an address space: for tests, after every operation.

use core::fmt;

use crate::commit::KEPT;
use crate::frame::FrameKind;
use crate::object::ObjectId;
use crate::pgtable::{Leaf, Protection};
use crate::platform::Platform;
use crate::range::{Page, PageRange};
use crate::space::AddressSpace;
use crate::space::map::{Change, Map, Totals};
use crate::vma::{Backing, Vma, VmaFlags};

/// What does not hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CheckError {
    /// The tree has a VMA at another range than the VMA itself (I2).
    RangeDiffers {
        /// In the tree.
        tree: PageRange,
        /// Of the VMA.
        vma: PageRange,
    },
    /// A VMA lies outside of what can be mapped (I1).
    OutOfBounds(PageRange),
    /// A VMA in the tree is detached (I7).
    Detached(PageRange),
    /// The totals are not the sums over the VMAs (I3, I8).
    TotalsDiffer {
        /// As kept.
        kept: Totals,
        /// As summed up.
        summed: Totals,
    },
    /// The committed memory is not what the VMAs need, and a few pages at most.
    CommittedDiffers {
        /// As kept.
        kept: u64,
        /// As summed up.
        summed: u64,
    },
    /// A page is mapped, and no VMA is there.
    PageWithoutVma(Page),
    /// A page permits more than its VMA.
    PagePermitsMore(Page),
    /// A page of a shared VMA or of a file is not the one of the object, or a private page belongs to one.
    PageOfOther(Page),
    /// A page is write-protected by the program, and its VMA is not registered for that; or it can be written to all the same.
    WriteProtection(Page),
    /// A VMA is registered for nothing, or with nobody, or is not private anonymous memory.
    Registration(PageRange),
    /// A VMA has anonymous pages without an identity for them.
    NoIdentity(Page),
    /// The number of page tables is not what the tables say.
    TablesDiffer {
        /// As kept.
        kept: u64,
        /// As counted.
        counted: u64,
    },
}

impl fmt::Display for CheckError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the address space is inconsistent: {self:?}")
    }
}

impl core::error::Error for CheckError {}

impl<'m, P: Platform> AddressSpace<'m, P> {
    /// Checks everything that can be checked from inside, under the mmap lock (write).
    ///
    /// # Errors
    /// The first thing that does not hold.
    pub fn check(&self) -> Result<(), CheckError> {
        let map = self.write_unconditionally();
        self.check_vmas(&map)?;
        let (kept, counted) = (self.tables.tables(), self.check_pages(&map)?);
        if kept != counted {
            return Err(CheckError::TablesDiffer { kept, counted });
        }
        Ok(())
    }

    fn check_vmas(&self, map: &Map<'m, P>) -> Result<(), CheckError> {
        let mut summed = Totals::default();
        let mut result = Ok(());
        self.each_vma(map, |tree, vma| {
            result = result.and_then(|()| self.check_vma(tree, vma));
            summed.account(vma.flags(), vma.pages(), Change::Add);
            summed.vmas += 1;
        });
        result?;
        if summed != map.totals {
            return Err(CheckError::TotalsDiffer { kept: map.totals, summed });
        }
        if !(summed.accounted..=summed.accounted + KEPT).contains(&map.committed) {
            return Err(CheckError::CommittedDiffers { kept: map.committed, summed: summed.accounted });
        }
        Ok(())
    }

    fn check_vma(&self, tree: PageRange, vma: &Vma) -> Result<(), CheckError> {
        if tree != vma.range() {
            return Err(CheckError::RangeDiffers { tree, vma: vma.range() });
        }
        if tree.start() < self.min_page || tree.end() > Page::USER_END {
            return Err(CheckError::OutOfBounds(tree));
        }
        if !vma.is_attached() {
            return Err(CheckError::Detached(tree));
        }
        let flags = vma.flags();
        let is_registered = flags.intersects(VmaFlags::UFFD_MISSING | VmaFlags::UFFD_WP);
        if is_registered != flags.context().is_some()
            || flags.intersects(VmaFlags::USERFAULTS)
                && (!is_registered || vma.backing() != Backing::Anonymous)
        {
            return Err(CheckError::Registration(tree));
        }
        Ok(())
    }

    /// The number of page tables.
    fn check_pages(&self, map: &Map<'m, P>) -> Result<u64, CheckError> {
        let mut result = Ok(());
        let tables = self.tables.survey(|leaf| {
            let found = self.check_leaf(map, leaf);
            if result.is_ok() {
                result = found;
            }
        });
        result.map(|()| tables)
    }

    /// Checks a leaf in each of the VMAs over its pages.
    fn check_leaf(&self, map: &Map<'m, P>, leaf: Leaf) -> Result<(), CheckError> {
        let mut rest = Some(leaf.pages);
        while let Some(pages) = rest {
            let page = pages.start();
            match self.vma_at(map, page) {
                None => return Err(CheckError::PageWithoutVma(page)),
                Some(vma) if !covers(vma.flags(), leaf.protection) => {
                    return Err(CheckError::PagePermitsMore(page));
                }
                Some(vma)
                    if leaf.is_write_protected
                        && (leaf.protection.is_writable() || !vma.flags().contains(VmaFlags::UFFD_WP)) =>
                {
                    return Err(CheckError::WriteProtection(page));
                }
                Some(vma) => {
                    self.check_frame(vma, page, leaf)?;
                    rest = PageRange::new(vma.end(), pages.end());
                }
            }
        }
        Ok(())
    }

    fn check_frame(&self, vma: &Vma, page: Page, leaf: Leaf) -> Result<(), CheckError> {
        let Leaf { frame, protection, .. } = leaf;
        let kind = self.machine.frames().kind(frame);
        let is_of = |object: ObjectId| object.find(self.machine, vma.offset_of(page)) == Some(frame);
        let same = match vma.backing() {
            Backing::Anonymous => !matches!(kind, FrameKind::Shared | FrameKind::Cache),
            Backing::SharedAnonymous { object } => is_of(object),
            Backing::File { object } if kind == FrameKind::Anonymous => {
                is_private(vma) && object.root() != frame
            }
            Backing::File { object } => is_of(object) && !(is_private(vma) && protection.is_writable()),
        };
        if !same {
            return Err(CheckError::PageOfOther(page));
        }
        if matches!(kind, FrameKind::Anonymous | FrameKind::Huge) && vma.anon().is_none() {
            return Err(CheckError::NoIdentity(page));
        }
        Ok(())
    }
}

fn is_private(vma: &Vma) -> bool {
    !vma.flags().contains(VmaFlags::SHARED)
}

/// Whether `flags` permit all that `protection` does.
fn covers(flags: VmaFlags, protection: Protection) -> bool {
    (!protection.is_writable() || flags.contains(VmaFlags::WRITE))
        && (!protection.is_executable() || flags.contains(VmaFlags::EXEC))
        && (protection == Protection::None || flags.intersects(VmaFlags::ACCESS))
}
