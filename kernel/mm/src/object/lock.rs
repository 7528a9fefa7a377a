//! The lock of a file's object: a word of its root.
//!
//! Readers look pages up, and map them; a writer changes what pages there are. It is innermost but for the page-table lock and
//! what is inside of that; waits go through [`Platform::wait`].

use super::ObjectId;
use crate::pgtable::{Pte, Table};
use crate::platform::Platform;
use crate::schedule::Wait;

/// Word of a root: the number of readers, and the bits below.
const LOCK: usize = super::ENTRIES - 6;
/// A writer has it.
const WRITER: u64 = 1 << 63;
/// A writer waits: no new readers.
const WANTED: u64 = 1 << 62;

/// The object is locked for reading: its size and its pages stay.
pub(crate) struct Reading<'m, P: Platform> {
    machine: &'m P,
    object: ObjectId,
}

/// The object is locked for writing.
pub(super) struct Writing<'m, P: Platform> {
    machine: &'m P,
    object: ObjectId,
}

impl<'m, P: Platform> Reading<'m, P> {
    /// Waits for a writer.
    #[inline]
    pub(crate) fn lock(machine: &'m P, object: ObjectId) -> Self {
        let root = machine.table(object.root());
        acquire(machine, root, |word| if word & (WRITER | WANTED) == 0 { Some(word + 1) } else { None });
        Reading { machine, object }
    }
}

impl<P: Platform> Drop for Reading<'_, P> {
    fn drop(&mut self) {
        update(self.machine.table(self.object.root()), |word| Some(word - 1));
    }
}

impl<'m, P: Platform> Writing<'m, P> {
    /// Waits for readers and writers; new readers wait for it.
    pub(super) fn lock(machine: &'m P, object: ObjectId) -> Self {
        let root = machine.table(object.root());
        acquire(machine, root, |word| match word & !WANTED {
            0 => Some(WRITER),
            _ => {
                update(root, |word| Some(word | WANTED));
                None
            }
        });
        Writing { machine, object }
    }
}

impl<P: Platform> Drop for Writing<'_, P> {
    fn drop(&mut self) {
        update(self.machine.table(self.object.root()), |word| Some(word & WANTED));
    }
}

/// Changes the word by `change` as soon as that is possible.
fn acquire<P: Platform>(machine: &P, root: &Table, mut change: impl FnMut(u64) -> Option<u64>) {
    let mut round = 0;
    while !update(root, &mut change) {
        machine.wait(Wait::LockObject, round);
        round = round.saturating_add(1);
    }
}

/// Changes the word by `change`, unless that gives up; whether it did.
fn update(root: &Table, mut change: impl FnMut(u64) -> Option<u64>) -> bool {
    let mut word = root.get(LOCK);
    while let Some(new) = change(word.bits()) {
        match root.compare_exchange(LOCK, word, Pte::from_bits(new)) {
            Ok(()) => return true,
            Err(other) => word = other,
        }
    }
    false
}
