//! fork: a copy of an address space, copy-on-write.
//!
//! ```text
//! parent                               child
//! lock (W, killable)                   root table; lock (W)
//! every vma: write-lock                a vma: describe, write-lock, attach       | may fail; what is made so far
//! ...                                  tree, node by node, visible as a whole    | goes with the child
//! written pages: read-only, one        the same entries                          |
//!   reference more each
//! flush
//! unlock                               unlock
//! ```
//!
//! - All of the parent's VMAs are write-locked before the first page is copied: a fault under the VMA lock alone could
//!   otherwise make a page writable again behind the copy (Linux fb49c455323f).
//! - The child is nobody's until it is complete: no reader ever sees it half made.
//! - VMAs that are marked so are left out (`MADV_DONTFORK`), or begin empty (`MADV_WIPEONFORK`).
//! - Pages that a fault brings again are left out, as on Linux: those of shared objects, and pages of zeroes in VMAs that were
//!   never written to. Those of files, too, in all VMAs: whoever cuts a file need not know a child that is not complete.
//! - A fork that fails leaves the parent as it was, but that written pages may be read-only: the next write finds the frame its
//!   own and makes it writable again.

use maple::DuplicateError;

use crate::error::MmError;
use crate::frame::FrameKind;
use crate::museum::Bug;
use crate::pgtable::Pte;
use crate::platform::{Fallible, Platform};
use crate::range::PAGE_SIZE;
use crate::schedule::Point;
use crate::space::lifetime::{allocate_vma, free_vma, hold_object, lock_vma_killable};
use crate::space::map::{Change, Map, MapWriteGuard, Totals};
use crate::space::{AddressSpace, Config};
use crate::sync::List;
use crate::tlb::Gather;
use crate::vma::{Backing, Vma, VmaFlags, VmaInfo, WriteSection};

impl<'m, P: Platform> AddressSpace<'m, P> {
    /// A copy of the address space. Both have the same contents; stores to private memory are seen by one only, stores to
    /// shared memory by both. Limits, break and stack are the same, and nothing is locked in memory (`VM_LOCKED`).
    ///
    /// # Errors
    /// [`MmError::Interrupted`] (E1, E15) and [`MmError::NoMemory`]. Nothing has changed then that a program could see.
    pub fn fork(&self) -> Result<Self, MmError> {
        let guard = self.write()?;
        let child = AddressSpace::new(self.machine, self.config(&guard))?;
        let copied = self.copy_to(&child, &guard);
        drop(guard);
        // A child that is not complete goes here, and all that it has.
        copied.map(|()| child)
    }

    /// What an address space like this one starts with.
    fn config(&self, map: &Map<'m, P>) -> Config {
        Config {
            limits: map.limits,
            order: self.order,
            mmap_min_addr: self.min_page.number() * PAGE_SIZE,
            huge_pages: self.huge_pages(),
        }
    }

    /// Copies everything to `child`, which is empty. On failure `child` has some of it.
    fn copy_to(&self, child: &Self, parent: &MapWriteGuard<'_, 'm, P>) -> Result<(), MmError> {
        // Nobody else has the child, so this waits for nobody.
        let mut map = child.write_unconditionally();
        // Nothing is locked.
        let mut copied = Totals { locked: 0, ..parent.totals };
        let mut vmas = self.copy_vmas(child, parent, &mut map, &mut copied)?;
        map.totals = copied;
        let promised = self.commit_copy(&mut map);
        map.brk_start = parent.brk_start;
        map.brk = parent.brk;
        map.stack_top = parent.stack_top;
        self.copy_pages(child, &mut vmas, promised)
    }

    /// Makes sure of the committed memory of a child, whose totals are known.
    ///
    /// # Errors
    /// [`MmError::NoMemory`] if the machine does not promise so much.
    fn commit_copy(&self, child: &mut Map<'m, P>) -> Result<(), MmError> {
        let (commitment, pages) = (self.machine.commitment(), child.totals.accounted);
        // Only together may the VMAs be too much: each of them was promised once.
        if !commitment.is_strict() {
            commitment.take(pages);
        } else if !commitment.promise(pages, pages, child.totals.pages) {
            return Err(MmError::NoMemory);
        }
        child.committed = pages;
        Ok(())
    }

    /// Gives `child` a VMA for each of the parent's that a fork does not leave out; all of these are write-locked then. All
    /// VMAs made, in a list. What is left out is taken off `totals`, which are the parent's without what is locked.
    ///
    /// # Errors
    /// [`MmError::NoMemory`] (E7, E8) or [`MmError::Interrupted`] (E15): `child` has none.
    fn copy_vmas(
        &self,
        child: &Self,
        parent: &MapWriteGuard<'_, 'm, P>,
        map: &mut MapWriteGuard<'_, 'm, P>,
        totals: &mut Totals,
    ) -> Result<List<'m, Vma>, MmError> {
        let section = WriteSection::new(parent.sequence());
        let child_section = WriteSection::new(map.sequence());
        let owner = child.owner();
        let mut made = List::new();
        if !self.machine.admit(Fallible::TreeNodes) {
            return Err(MmError::NoMemory);
        }
        let copied = self.vmas.duplicate(&parent.token, &child.vmas, &mut map.token, |_, vma| {
            let flags = vma.flags();
            if flags.contains(VmaFlags::DONTFORK) {
                totals.vmas -= 1;
                totals.account(flags - VmaFlags::LOCKING, vma.pages(), Change::Remove);
                return Ok(None);
            }
            let parent = if self.machine.has(Bug::ForkWithoutLock) {
                vma.pretend_locked()
            } else {
                lock_vma_killable(self.machine, section, vma)?
            };
            let fresh = allocate_vma(self.machine)?;
            let info = child.inherit(parent.info());
            let locked = fresh.start_write_detached(child_section, owner);
            locked.describe(&info);
            hold_object(self.machine, &info);
            locked.attach();
            made.push(fresh);
            Ok(Some(fresh))
        });
        if let Err(error) = copied {
            while let Some(vma) = made.pop() {
                vma.still_locked(child_section).detach(self.machine);
                free_vma(self.machine, vma);
            }
            return Err(match error {
                DuplicateError::NoMemory => MmError::NoMemory,
                DuplicateError::Value(error) => error,
            });
        }
        Ok(made)
    }

    /// What the copy of a parent's VMA is. One that is to be wiped begins as if it had never been written to.
    fn inherit(&self, vma: VmaInfo) -> VmaInfo {
        let kept = vma.anon.filter(|_| !vma.flags.contains(VmaFlags::WIPEONFORK));
        let anon = kept.map(|_| self.new_anon_id().inherited());
        VmaInfo { flags: vma.flags.unregistered() - VmaFlags::LOCKING, anon, ..vma }
    }

    /// Copies the page-table entries of `vmas`, the child's, all the parent's counterparts of which are write-locked; the
    /// parent's TLBs have forgotten the rights to write that are lost, whatever the result. `vmas` is empty then.
    /// Nothing is copied if `result` is an error already.
    fn copy_pages(
        &self,
        child: &Self,
        vmas: &mut List<'m, Vma>,
        mut result: Result<(), MmError>,
    ) -> Result<(), MmError> {
        let mut gather = Gather::new(self.machine, &self.tlb);
        let mut copy = self.tables.copy_to(&child.tables);
        while let Some(vma) = vmas.pop() {
            if result.is_ok() && vma.anon().is_some() {
                vma.pause(self.machine, Point::ChangeEntries);
                result = match vma.backing() {
                    Backing::File { .. } => {
                        let frames = self.machine.frames();
                        let is_own =
                            |pte: Pte| !pte.is_leaf() || frames.kind(pte.frame()) == FrameKind::Anonymous;
                        copy.leaves_where(vma.range(), is_own, &mut gather)
                    }
                    _ => copy.leaves(vma.range(), &mut gather),
                };
            }
        }
        gather.finish();
        result
    }
}
