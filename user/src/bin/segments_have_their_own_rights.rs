//! Constants are read only, code is executable and not writable, data is writable and not executable, as maps tells.
#![no_std]
#![no_main]

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
use user::prelude::*;

program!(main);

static CONSTANT: [u8; 8] = *b"constant";
static VARIABLE: AtomicU64 = AtomicU64::new(1);

fn main() {
    VARIABLE.store(2, Relaxed);
    let maps = Maps::read();
    let local = 0u8;
    for (address, permissions) in [
        (CONSTANT.as_ptr() as u64, "r--p"),
        (main as *const () as u64, "r-xp"),
        ((&raw const VARIABLE) as u64, "rw-p"),
        ((&raw const local) as u64, "rw-p"),
    ] {
        check_eq!(maps.at(address).map(|vma| vma.permissions()), Some(permissions));
    }
    // No page is both writable and executable.
    check!(maps.all().iter().all(|vma| vma.permissions[1..3] != *b"wx"));
}
