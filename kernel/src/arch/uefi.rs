//! The entry for the `bootloader` crate's UEFI loader, which passes the same [`BootInfo`] as the PVH entry.

use bootloader_api::config::{Mapping, Mappings};
use bootloader_api::{BootloaderConfig, entry_point};

use super::paging::DIRECT_MAP;

/// What the loader is asked for: all memory at the fixed address of the direct map, and a stack for start-up.
static CONFIG: BootloaderConfig = {
    let mut mappings = Mappings::new_default();
    mappings.physical_memory = Some(Mapping::FixedAddress(DIRECT_MAP));
    // What the loader places itself goes where the kernel has nothing.
    mappings.dynamic_range_start = Some(0xffff_e000_0000_0000);
    mappings.dynamic_range_end = Some(0xffff_efff_ffff_f000);
    let mut config = BootloaderConfig::new_default();
    config.mappings = mappings;
    config.kernel_stack_size = 128 << 10;
    config
};

entry_point!(crate::kernel_main, config = &CONFIG);
