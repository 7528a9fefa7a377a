//! munmap.

use abi::Errno;

use super::{Model, PAGE, USER_END};

impl Model {
    /// `munmap(address, length)` with raw arguments.
    ///
    /// # Errors
    /// `EINVAL` for wild arguments (E2), `ENOMEM` for a hole inside one area at the map count limit (E4), `EPERM` if any of
    /// it is sealed (E5, E12).
    pub fn munmap(&mut self, address: u64, length: u64) -> Result<(), Errno> {
        let limit = USER_END * PAGE;
        if !address.is_multiple_of(PAGE) || address > limit || length > limit - address {
            return Err(Errno::EINVAL);
        }
        let pages = length.div_ceil(PAGE);
        if pages == 0 {
            return Err(Errno::EINVAL);
        }
        let start = address / PAGE;
        self.check_removal(start, start + pages)?;
        self.remove(start, start + pages);
        Ok(())
    }

    /// Whether `[start, end)` may go: E4, then E5 and E12.
    pub(crate) fn check_removal(&self, start: u64, end: u64) -> Result<(), Errno> {
        self.check_hole(start, end)?;
        if self.overlapping(start, end).iter().any(|area| area.attributes.sealed) {
            return Err(Errno::EPERM);
        }
        Ok(())
    }

    /// E4: a hole inside one area makes two of it, and is refused at the limit.
    fn check_hole(&self, start: u64, end: u64) -> Result<(), Errno> {
        match self.area_at(start) {
            Some(area)
                if area.start < start
                    && end < area.end
                    && self.areas.len() >= self.settings.max_map_count =>
            {
                Err(Errno::ENOMEM)
            }
            _ => Ok(()),
        }
    }
}
