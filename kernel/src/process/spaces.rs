//! All address spaces, for what concerns a file wherever it is mapped.

use alloc::vec::Vec;
use core::ops::Range;

use abi::Errno;
use mm::MmError;
use mm::object::ObjectId;
use mm::space::Copies;
use spin::Mutex;

use super::Space;
use crate::arch::shared::{Shared, Watch};

/// Every address space, and some that have gone, whose places are taken again. Nobody changes places.
static SPACES: Mutex<Vec<Watch<Space>>> = Mutex::new(Vec::new());

/// Notes a new address space, before it maps anything. Errors: `ENOMEM`, that of its making.
pub(crate) fn register(space: Result<Space, MmError>) -> Result<Shared<Space>, Errno> {
    let space = Shared::new(space?)?;
    let mut spaces = SPACES.lock();
    if let Some(free) = spaces.iter().position(|watch| !watch.is_alive()) {
        spaces[free] = space.watch();
    } else {
        spaces.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        spaces.push(space.watch());
    }
    Ok(space)
}

/// Unmaps the pages at `offsets` of a file wherever they are mapped.
pub(crate) fn unmap(object: ObjectId, offsets: &Range<u64>, copies: Copies) {
    for_each(|space| space.unmap_object(object, offsets.clone(), copies));
}

/// Whether a file is mapped somewhere so that it can be written through the mapping.
pub(crate) fn may_write(object: ObjectId) -> bool {
    let mut found = false;
    for_each(|space| found |= space.may_write_object(object));
    found
}

/// Works on all address spaces that there were at the beginning. No lock is held meanwhile.
fn for_each(mut work: impl FnMut(&Space)) {
    let mut index = 0;
    loop {
        let space = match SPACES.lock().get(index) {
            Some(watch) => watch.get(),
            None => return,
        };
        if let Some(space) = space {
            work(&space);
        }
        index += 1;
    }
}
