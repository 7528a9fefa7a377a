//! Shared anonymous memory: an object whose size never changes.

use core::ops::Range;

use super::{ObjectId, new_root};
use crate::error::MmError;
use crate::platform::Platform;
use crate::range::PAGE_SIZE;
use crate::sync::atomic::Ordering;

/// What happens to an attachment of an object that its maker knows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Attachment {
    /// A VMA maps the object.
    Comes,
    /// The VMA is gone.
    Goes,
}

/// A reference to an object that is not a VMA's; goes when dropped. The object lives as long as there is any.
pub struct SharedObject<'m, P: Platform> {
    machine: &'m P,
    id: ObjectId,
}

impl<'m, P: Platform> SharedObject<'m, P> {
    /// An empty object of `pages` pages, which is all that it will ever hold, with the next number.
    ///
    /// # Errors
    /// [`MmError::NoMemory`].
    pub fn new(machine: &'m P, pages: u64) -> Result<Self, MmError> {
        let number = machine.objects().numbers.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        Ok(SharedObject { machine, id: new_root(machine, pages, pages * PAGE_SIZE, number.into())? })
    }

    /// One more reference to an object. The caller has a stable VMA that maps it.
    pub(crate) fn of(machine: &'m P, id: ObjectId) -> Self {
        id.hold(machine);
        SharedObject { machine, id }
    }

    /// Its name.
    pub fn object_id(&self) -> ObjectId {
        self.id
    }

    /// Its number.
    pub fn number(&self) -> u64 {
        self.id.number(self.machine)
    }

    /// Number of pages that there are.
    pub fn resident(&self) -> u64 {
        self.id.resident(self.machine, 0, u64::MAX)
    }

    /// Makes the pages `offsets` holes that read as zeroes. `unmap` lets every address space unmap those that it is given.
    ///
    /// # Errors
    /// [`MmError::NoMemory`], for a file: nothing has changed.
    pub fn punch(&self, offsets: Range<u64>, unmap: impl FnOnce(Range<u64>)) -> Result<(), MmError> {
        self.id.punch(self.machine, offsets.start, offsets.end, |from, to| unmap(from..to))
    }
}

impl<P: Platform> Drop for SharedObject<'_, P> {
    fn drop(&mut self) {
        self.id.release(self.machine);
    }
}
