//! `image KERNEL RAMDISK OUT`: puts the kernel and the ramdisk on a UEFI disk image.
//!
//! A program of its own because the `bootloader` crate builds a UEFI program in its build script: that takes
//! a minute and the bare-metal compiler, and only those who want an image should wait for it.
#![forbid(unsafe_code)]

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use bootloader::{BootConfig, DiskImageBuilder};

fn main() -> Result<()> {
    let mut args = std::env::args_os().skip(1).map(PathBuf::from);
    let (kernel, ramdisk, out) = (args.next(), args.next(), args.next());
    let usage = "usage: image KERNEL RAMDISK OUT";
    let (kernel, ramdisk, out) = (kernel.context(usage)?, ramdisk.context(usage)?, out.context(usage)?);

    // COM1 belongs to the program, and the loader would log there.
    let mut config = BootConfig::default();
    config.serial_logging = false;
    config.frame_buffer_logging = false;
    DiskImageBuilder::new(kernel).set_ramdisk(ramdisk).set_boot_config(&config).create_uefi_image(&out)
}
