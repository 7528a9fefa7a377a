//! `sugarbush image`: a UEFI disk image with the kernel and one program.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::args::ImageArgs;
use crate::build::{self, Kernel};
use crate::checkout::Checkout;
use crate::errors::usage;
use crate::guest::{self, LogLevel};
use crate::qemu::in_path;
use crate::toolchain::{self, Toolchain};

/// Makes the image.
///
/// # Errors
/// A mistake in the arguments, a build that fails, or the image cannot be written.
pub(crate) fn image(args: &ImageArgs) -> Result<()> {
    let ramdisk = guest::ramdisk(&args.guest, LogLevel::Warn)?;
    let kernel = guest::kernel(args.kernel.as_deref(), Kernel::Release)?;
    let directory = tempfile::tempdir().context("no temporary directory")?;
    let initramfs = directory.path().join("initramfs");
    guest::write(ramdisk, &kernel, &initramfs)?;
    make(&kernel, &initramfs, &args.out)
}

/// Why no image can be made here, if so.
pub(crate) fn obstacle(checkout: &Checkout) -> Option<String> {
    match Toolchain::find(checkout) {
        Err(error) => Some(error.to_string()),
        Ok(Toolchain::Debian) if in_path("lld-link").is_none() => {
            Some("lld-link is not installed; apt-get install lld".to_owned())
        }
        Ok(_) => None,
    }
}

fn make(kernel: &Path, initramfs: &Path, out: &Path) -> Result<()> {
    let builder = builder()?;
    let output = Command::new(builder).args([kernel, initramfs, out]).output();
    let output = output.context("the image builder cannot be started")?;
    if output.status.success() {
        return Ok(());
    }
    let message = String::from_utf8_lossy(&output.stderr);
    Err(usage(format!("{}: no image written: {}", out.display(), message.trim_end())))
}

/// Builds the program that makes images; the first time takes a minute or two.
fn builder() -> Result<PathBuf> {
    let checkout = Checkout::find()?;
    let mut cargo = Toolchain::find(&checkout)?.cargo_for_host(&checkout, "build");
    cargo.args(["--quiet", "--release", "--package", "image"]);
    // The crate's build script calls cargo again, which must not wait for this one's target directory.
    cargo.arg("--target-dir").arg(checkout.target()).env_remove("CARGO_TARGET_DIR");
    cargo.env("RUSTC_BOOTSTRAP", "1");
    if in_path("lld-link").is_some() {
        cargo.env("CARGO_TARGET_X86_64_UNKNOWN_UEFI_LINKER", OsStr::new("lld-link"));
    }
    let line = "building the image builder (takes a minute or two the first time) ...";
    build::announcing(line, || toolchain::quietly(cargo, "building the image builder"))?;
    Ok(checkout.target().join("release/image"))
}
