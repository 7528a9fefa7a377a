//! brk.

use abi::mman::Prot;

use super::area::{
    Advice, Area, Attributes, Backing, Growth, Locking, Registered, STACK_GUARD_PAGES, Sharing,
};
use super::{Model, PAGE, USER_END};

impl Model {
    /// Where the heap begins: `address` in bytes, page aligned.
    pub fn set_brk_start(&mut self, address: u64) {
        self.brk_start = address;
        self.brk = address;
    }

    /// `brk(address)`: the break afterwards.
    pub fn brk(&mut self, address: u64) -> u64 {
        if self.try_brk(address).is_some() {
            self.brk = address;
        }
        self.brk
    }

    fn try_brk(&mut self, address: u64) -> Option<()> {
        if address < self.brk_start || over(address - self.brk_start, self.settings.data) {
            return None;
        }
        let new = address.checked_next_multiple_of(PAGE)? / PAGE;
        let old = self.brk.div_ceil(PAGE);
        if new == old {
            return Some(());
        }
        if address <= self.brk {
            self.find(new).filter(|area| area.start < old)?;
            self.check_removal(new, old).ok()?;
            self.remove(new, old);
            return Some(());
        }
        if new > USER_END || old * PAGE < self.settings.mmap_min_addr {
            return None;
        }
        // A page of distance to what follows, more to a stack.
        if self
            .find(old)
            .is_some_and(|next| next.start < new + 1 + STACK_GUARD_PAGES && new + 1 > next.guarded_start())
        {
            return None;
        }
        let attributes = Attributes {
            prot: Prot::READ_WRITE,
            sharing: Sharing::Private,
            backing: Backing::Anonymous,
            growth: Growth::Fixed,
            locking: self.future,
            noreserve: false,
            account: true,
            sealed: false,
            attached: false,
            advice: Advice::empty(),
            registered: Registered::default(),
        };
        self.check_expand(&attributes, new - old).ok()?;
        if self.areas.len() > self.settings.max_map_count {
            return None;
        }
        if self.future.is_locked() {
            self.check_lock(new - old).ok()?;
        }
        self.check_commit(new - old).ok()?;
        let area = Area { start: old, end: new, attributes, pgoff: old, group: None };
        // Grows the area below if that belongs to the heap, and never joins the one above.
        if self.before(old).is_some_and(|area| area.end > self.brk_start / PAGE) {
            self.put_merged_left(area);
        } else {
            self.put(area);
        }
        if self.future == Locking::Now {
            self.join_group(old);
        }
        Some(())
    }
}

fn over(bytes: u64, limit: u64) -> bool {
    limit != u64::MAX && bytes > limit
}
