//! Which VMAs are registered, and with which context.

use core::num::NonZeroU32;

use crate::error::MmError;
use crate::platform::Platform;
use crate::range::{Page, PageRange};
use crate::schedule::Point;
use crate::space::AddressSpace;
use crate::space::map::MapWriteGuard;
use crate::sync::atomic::Ordering;
use crate::tlb::Gather;
use crate::userfault::{Context, Registration};
use crate::vma::{Backing, Vma, VmaFlags};

impl<'m, P: Platform> AddressSpace<'m, P> {
    /// A new context.
    ///
    /// # Errors
    /// [`MmError::NoMemory`] when all numbers have been given.
    pub fn new_context(&self) -> Result<Context, MmError> {
        let next = |last: u32| last.checked_add(1);
        let last = self.contexts.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next);
        let number = last.ok().and_then(next).and_then(NonZeroU32::new).ok_or(MmError::NoMemory)?;
        Ok(Context(number))
    }

    /// Registers what is mapped in `[address, address + length)` (bytes, `UFFDIO_REGISTER`). What the context has registered for as
    /// much already stays so.
    ///
    /// # Errors
    /// [`MmError::Invalid`] for a wrong range, nothing mapped there, or something that is not private anonymous memory;
    /// [`MmError::Busy`] for a VMA of another context; nothing has changed then. [`MmError::NoMemory`] at the limit of VMAs or without
    /// memory for a split: the VMAs before that one are registered then.
    pub fn register_userfaults(
        &self,
        address: u64,
        length: u64,
        registration: &Registration,
    ) -> Result<(), MmError> {
        let range = self.userfault_range(address, length)?;
        let mut guard = self.write_unconditionally();
        self.check_parts(&guard, range, |vma| {
            may_register(vma)?;
            let other = vma.flags().context().is_some_and(|context| context != registration.context);
            if other { Err(MmError::Busy) } else { Ok(()) }
        })?;
        let mut at = range.start();
        while let Some((vma, part)) = self.next_part(&guard, range, at) {
            at = part.end();
            let flags = vma.flags();
            if flags.context().is_none() || !flags.contains(registration.modes) {
                self.change_registration(&mut guard, vma, part, flags.registered(registration))?;
            }
        }
        Ok(())
    }

    /// Ends that (`UFFDIO_UNREGISTER`). Threads that wait for a page there look again.
    ///
    /// # Errors
    /// [`MmError::Invalid`] for a wrong range, nothing mapped there, something that cannot be registered, or is with another context;
    /// nothing has changed then. [`MmError::NoMemory`] as for [`register_userfaults`](Self::register_userfaults).
    pub fn unregister_userfaults(&self, address: u64, length: u64, context: Context) -> Result<(), MmError> {
        let range = self.userfault_range(address, length)?;
        let result = self.unregister_parts(range, context);
        // After all that they will look at.
        self.wake_userfaults(context, Some(range));
        result
    }

    fn unregister_parts(&self, range: PageRange, context: Context) -> Result<(), MmError> {
        let mut guard = self.write_unconditionally();
        self.check_parts(&guard, range, |vma| {
            may_register(vma)?;
            let other = vma.flags().context().is_some_and(|found| found != context);
            if other { Err(MmError::Invalid) } else { Ok(()) }
        })?;
        let mut at = range.start();
        while let Some((vma, part)) = self.next_part(&guard, range, at) {
            at = part.end();
            let flags = vma.flags();
            if flags.context().is_some() {
                self.change_registration(&mut guard, vma, part, flags.unregistered())?;
            }
        }
        Ok(())
    }

    /// The context goes: nothing is registered with it any more, and all who wait look again.
    pub fn release_context(&self, context: Context) {
        let mut guard = self.write_unconditionally();
        let mut at = Page::ZERO;
        while let Some(vma) = self.vma_from(&guard, at) {
            let (range, flags) = (vma.range(), vma.flags());
            at = range.end();
            if flags.context() != Some(context) {
                continue;
            }
            if self.change_registration(&mut guard, vma, range, flags.unregistered()).is_err() {
                // Without memory it stays apart from its neighbours.
                self.edit(&mut guard, range.start()).lock(vma).set_flags(flags.unregistered());
            }
        }
        drop(guard);
        self.wake_userfaults(context, None);
    }

    /// The VMA at `page`, which has just moved there, is registered with nobody. (Linux: so it is with all of the VMA, even if it has
    /// merged with others.)
    pub(in crate::space) fn forget_userfaults_at(&self, guard: &mut MapWriteGuard<'_, 'm, P>, page: Page) {
        let Some(vma) = self.vma_at(guard, page) else { return };
        let (range, flags) = (vma.range(), vma.flags());
        self.edit(guard, page).lock(vma).set_flags(flags.unregistered());
        self.end_write_protection(range, flags);
    }

    /// Gives `part` of `vma` flags that differ in the registration only.
    fn change_registration(
        &self,
        guard: &mut MapWriteGuard<'_, 'm, P>,
        vma: &'m Vma,
        part: PageRange,
        flags: VmaFlags,
    ) -> Result<(), MmError> {
        let old = vma.flags();
        self.edit(guard, part.start()).modify(vma, part, flags)?;
        if !flags.contains(VmaFlags::UFFD_WP) {
            self.end_write_protection(part, old);
        }
        Ok(())
    }

    /// No page of `range` is write-protected any more. `flags` are what the VMA over it had so far.
    fn end_write_protection(&self, range: PageRange, flags: VmaFlags) {
        if flags.contains(VmaFlags::UFFD_WP) {
            self.machine.pause(Point::ChangeEntries(range));
            let mut gather = Gather::new(self.machine, &self.tlb);
            self.tables.write_unprotect(range, &mut gather);
            gather.finish();
        }
    }
}

/// Whether the faults of `vma` can be the program's.
fn may_register(vma: &Vma) -> Result<(), MmError> {
    if vma.backing() == Backing::Anonymous { Ok(()) } else { Err(MmError::Invalid) }
}
