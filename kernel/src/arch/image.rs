//! The kernel image in memory, as the linker script lays it out.

use core::ops::Range;

/// The link address of physical address 0: a PVH loader puts the image at its link address minus this.
pub(crate) const BASE: u64 = 0xffff_ffff_8000_0000;

unsafe extern "C" {
    static __image_start: u8;
    static __text_end: u8;
    static __rodata_end: u8;
    static __boot_start: u8;
    static __boot_end: u8;
    static __image_end: u8;
}

macro_rules! address_of {
    ($symbol:ident) => {
        (&raw const $symbol) as u64
    };
}

/// The whole image, in bytes of virtual address; page aligned.
pub(crate) fn range() -> Range<u64> {
    address_of!(__image_start)..address_of!(__image_end)
}

/// Code: read and execute.
pub(crate) fn text() -> Range<u64> {
    address_of!(__image_start)..address_of!(__text_end)
}

/// Constants: read only.
pub(crate) fn rodata() -> Range<u64> {
    address_of!(__text_end)..address_of!(__rodata_end)
}

/// Data: read and write, without the boot pages.
pub(crate) fn data() -> Range<u64> {
    address_of!(__rodata_end)..address_of!(__boot_start)
}

/// What only the PVH entry used: tables, stack and boot info. Not mapped by the kernel's own tables.
pub(crate) fn boot() -> Range<u64> {
    address_of!(__boot_start)..address_of!(__boot_end)
}
