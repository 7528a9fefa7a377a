//! Initialised data has its values and the rest is zero, from within the last page that the file fills; both take writes.
#![no_std]
#![no_main]

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
use user::prelude::*;

program!(main);

static DATA: AtomicU64 = AtomicU64::new(0x1234_5678_9abc_def0);
static BSS: [AtomicU64; 2048] = [const { AtomicU64::new(0) }; 2048];

fn main() {
    check_eq!(DATA.load(Relaxed), 0x1234_5678_9abc_def0);
    check!(BSS.iter().all(|word| word.load(Relaxed) == 0));

    for word in &BSS {
        word.store(7, Relaxed);
    }
    DATA.fetch_add(1, Relaxed);
    check_eq!(DATA.load(Relaxed), 0x1234_5678_9abc_def1);
    check!(BSS.iter().all(|word| word.load(Relaxed) == 7));
}
