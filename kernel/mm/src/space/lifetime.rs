//! VMA objects: what they cost to make, to lock, and what goes with them.

use crate::error::MmError;
use crate::object::{Attachment, ObjectId};
use crate::platform::{Fallible, Platform};
use crate::vma::{Backing, Locked, Vma, VmaFlags, VmaInfo, WriteSection};

/// A VMA object (E7), detached, with any content.
///
/// # Errors
/// [`MmError::NoMemory`].
#[inline(always)]
pub(super) fn allocate_vma<P: Platform>(machine: &P) -> Result<&Vma, MmError> {
    if !machine.admit(Fallible::Vma) {
        return Err(MmError::NoMemory);
    }
    let vma = machine.vmas().alloc(|| machine.slab_page()).ok_or(MmError::NoMemory)?;
    debug_assert!(!vma.is_attached());
    Ok(vma)
}

/// Write-locks `vma`, which is attached, until `section` ends; waits for its readers unless a fatal signal comes.
///
/// # Errors
/// [`MmError::Interrupted`] (E15): nothing has changed.
#[inline]
pub(super) fn lock_vma_killable<'g, 'm, P: Platform>(
    machine: &P,
    section: WriteSection<'g>,
    vma: &'m Vma,
) -> Result<Locked<'g, 'm>, MmError> {
    if !vma.is_write_locked(section) && !machine.admit(Fallible::VmaLock) {
        return Err(MmError::Interrupted);
    }
    vma.start_write_killable(section, machine)
}

/// Frees a VMA that was in a tree, and gives back what it held. Gathers that unmapped its pages are finished.
#[inline(always)]
pub(super) fn free_vma<P: Platform>(machine: &P, vma: &Vma) {
    if let Some(object) = object_of(vma.backing()) {
        let attached = vma.flags().contains(VmaFlags::ATTACHED);
        object.release(machine);
        if attached {
            machine.attachment(object, Attachment::Goes);
        }
    }
    machine.vmas().free(vma);
}

/// Takes the reference that a new VMA has, which `info` describes, to what it maps.
#[inline(always)]
pub(super) fn hold_object<P: Platform>(machine: &P, info: &VmaInfo) {
    if let Some(object) = object_of(info.backing) {
        object.hold(machine);
        if info.flags.contains(VmaFlags::ATTACHED) {
            machine.attachment(object, Attachment::Comes);
        }
    }
}

/// The object behind a VMA, which holds a reference to it.
#[inline]
pub(super) fn object_of(backing: Backing) -> Option<ObjectId> {
    match backing {
        Backing::SharedAnonymous { object } | Backing::File { object } => Some(object),
        Backing::Anonymous => None,
    }
}
