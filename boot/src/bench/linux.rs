//! mmbench as the first process of a Linux kernel, in the same emulator.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use wait_timeout::ChildExt as _;

use super::calls::{MEMORY, TIMEOUT};
use super::figures::{Figures, Peers};
use crate::checkout::Checkout;
use crate::errors::usage;
use crate::initramfs::Initramfs;
use crate::qemu;
use crate::toolchain;

/// The word for Debian's own kernel.
const DEBIAN: &str = "debian";

/// A Linux that does as little beside the call as it can, as the figures on file were measured.
const COMMAND_LINE: &str = "console=ttyS0 quiet panic=-1 mitigations=off nokaslr norandmaps cryptomgr.notests init_on_alloc=0 audit=0 \
     lsm= cgroup_disable=memory psi=0 transparent_hugepage=never numa_balancing=disable no5lvl rdinit=/init";

/// The kernel image of this name; `debian` is fetched and kept beside the build results.
///
/// # Errors
/// When there is none.
pub(super) fn image(checkout: &Checkout, named: &Path) -> Result<PathBuf> {
    if named.is_file() {
        return Ok(named.to_owned());
    }
    if named != Path::new(DEBIAN) {
        return Err(usage(format!(
            "{}: no such file; name a Linux kernel image (vmlinuz), or {DEBIAN}",
            named.display()
        )));
    }
    let directory = checkout.target().join("linux");
    fs::create_dir_all(&directory)?;
    if let Some(image) = fetched(&directory)? {
        return Ok(image);
    }
    let mut setup = Command::new(checkout.root().join("boot/setup.sh"));
    setup.arg("linux").arg(&directory);
    toolchain::openly(setup, "fetching Debian's kernel")?;
    fetched(&directory)?.context("Debian's package has no kernel image")
}

fn fetched(directory: &Path) -> Result<Option<PathBuf>> {
    let boot = directory.join("boot");
    if !boot.is_dir() {
        return Ok(None);
    }
    for entry in fs::read_dir(boot)? {
        let path = entry?.path();
        if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("vmlinuz")) {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

/// Boots `image` with `program` as its first process, and reads the figures from its console.
///
/// # Errors
/// When QEMU cannot be started, or there are no figures.
pub(super) fn measure(image: &Path, program: &Path) -> Result<Peers> {
    let directory = tempfile::tempdir().context("no temporary directory")?;
    let initramfs = directory.path().join("initramfs");
    let mut ramdisk = Initramfs::default();
    ramdisk.file("init", 0o755, fs::read(program)?);
    fs::write(&initramfs, ramdisk.pack()?)?;
    let console = directory.path().join("console");
    let mut command = Command::new(qemu::installed()?);
    command
        .args(["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-machine", "q35"])
        .args(["-cpu", "max,-erms,-cx16", "-icount", "shift=0,sleep=off", "-m", &MEMORY.to_string()])
        .arg("-kernel")
        .arg(image)
        .arg("-initrd")
        .arg(&initramfs)
        .args(["-append", COMMAND_LINE, "-serial"])
        .arg(format!("file:{}", console.display()))
        .stdin(Stdio::null());
    let mut child = command.spawn().context("cannot start QEMU")?;
    if child.wait_timeout(TIMEOUT)?.is_none() {
        child.kill()?;
        child.wait()?;
    }
    let output = String::from_utf8_lossy(&fs::read(&console)?).into_owned();
    let figures = Figures::parse(&output);
    if !figures.is_complete() {
        bail!(
            "mmbench did not come to its end on {}; its console ends with: {}",
            image.display(),
            tail(&output)
        );
    }
    Ok(Peers::of_run(&figures, format!("{} in the same emulator", image.display())))
}

fn tail(output: &str) -> &str {
    let start = output.char_indices().rev().nth(600).map_or(0, |(index, _)| index);
    &output[start..]
}
