//! What the boot loader's addresses mean physically.

use core::ops::Range;

use bootloader_api::BootInfo;

use super::paging::{self, DIRECT_MAP};
use super::processors;

/// Physical range of the ramdisk, empty without one.
///
/// # Panics
/// When the loader did not map physical memory where the kernel asked for it, or scattered the ramdisk.
pub(crate) fn ramdisk(boot_info: &BootInfo) -> Range<u64> {
    let offset = boot_info.physical_memory_offset.into_option();
    assert!(offset == Some(DIRECT_MAP), "the boot loader maps physical memory at {offset:x?}");
    let Some(address) = boot_info.ramdisk_addr.into_option() else { return 0..0 };
    let len = boot_info.ramdisk_len;
    if len == 0 {
        return 0..0;
    }
    let physical = |address| paging::translate(address).expect("the ramdisk is mapped");
    let start = physical(address);
    assert!(physical(address + len - 1) == start + len - 1, "the ramdisk is not contiguous");
    start..start + len
}

/// Finds out which processors there are. Only while the boot loader's tables are loaded, which map the firmware's tables.
pub(crate) fn find_processors(boot_info: &BootInfo) {
    if let Some(rsdp) = boot_info.rsdp_addr.into_option() {
        processors::find(rsdp);
    }
}
