//! Forgetting translations, on the CPU that runs this.

use x86_64::VirtAddr;

/// Forgets the translation of one page, and all that this CPU caches of the tables above any page.
#[inline]
pub(crate) fn flush_page(address: u64) {
    x86_64::instructions::tlb::flush(VirtAddr::new_truncate(address));
}

/// Forgets all translations of the user half.
#[inline]
pub(crate) fn flush_user() {
    // A load of CR3 keeps only global translations, which are the kernel's.
    x86_64::instructions::tlb::flush_all();
}
