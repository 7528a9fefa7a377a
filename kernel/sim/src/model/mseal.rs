//! mseal.

use abi::Errno;

use super::{Model, PAGE};

impl Model {
    /// `mseal(address, length, flags)` with raw arguments. Areas that were sealed before an error stay sealed.
    ///
    /// # Errors
    /// `EINVAL` for wild arguments, `ENOMEM` for a range with a hole in it (nothing is sealed then) and when a split meets
    /// the map count limit.
    pub fn mseal(&mut self, address: u64, length: u64, flags: u64) -> Result<(), Errno> {
        if flags != 0 || !address.is_multiple_of(PAGE) {
            return Err(Errno::EINVAL);
        }
        if length == 0 {
            return Ok(());
        }
        let length = length.checked_next_multiple_of(PAGE).ok_or(Errno::EINVAL)?;
        let end = address.checked_add(length).ok_or(Errno::EINVAL)? / PAGE;
        let start = address / PAGE;
        let areas = self.overlapping(start, end);
        let covered: u64 = areas.iter().map(|area| area.end.min(end) - area.start.max(start)).sum();
        if covered < end - start {
            return Err(Errno::ENOMEM);
        }
        for area in areas.iter().filter(|area| !area.attributes.sealed) {
            let mut sealed = area.attributes;
            sealed.sealed = true;
            self.change(start.max(area.start), end.min(area.end), sealed)?;
        }
        Ok(())
    }
}
