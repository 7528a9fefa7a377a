//! The ramdisk of a run: the program, the user's files, and the words for the kernel.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::args::{GuestArgs, Order};
use crate::build::{self, Kernel, Output};
use crate::checkout::Checkout;
use crate::errors::usage;
use crate::initramfs::{self, Initramfs};
use crate::toolchain::Toolchain;
use crate::{program, symbols};

/// The user program that runs when none is named.
pub(crate) const DEMO: &str = "demo";

/// How much the kernel logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogLevel {
    /// Beside the program's own output: what is wrong.
    Warn,
    /// In a file of its own: what happens, too.
    Info,
}

impl LogLevel {
    fn word(self) -> &'static str {
        match self {
            Self::Warn => "log=warn",
            Self::Info => "log=info",
        }
    }
}

/// The words on every kernel command line.
pub(crate) fn words(munmap: Order, log: LogLevel, mode: &str) -> Vec<String> {
    vec![format!("munmap={munmap}"), log.word().to_owned(), format!("mode={mode}")]
}

/// The kernel: the one named, or the release kernel, built if need be.
///
/// # Errors
/// When the file is missing or the build fails.
pub(crate) fn kernel(named: Option<&Path>, kernel: Kernel) -> Result<PathBuf> {
    match named {
        Some(path) if path.is_file() => Ok(path.to_owned()),
        Some(path) => Err(usage(format!("{}: no such file", path.display()))),
        None => {
            let checkout = Checkout::find()?;
            build::kernel(&checkout, Toolchain::find(&checkout)?, kernel, Output::OnFailure)
        }
    }
}

/// The ramdisk that has the kernel run the program (or the demo); the kernel's symbols are still missing.
///
/// # Errors
/// A mistake in the arguments, or the demo cannot be built.
pub(crate) fn ramdisk(guest: &GuestArgs, log: LogLevel) -> Result<Initramfs> {
    let mut ramdisk = Initramfs::default();
    if let Some(directory) = &guest.initramfs {
        ramdisk.directory(directory)?;
    }
    match (&guest.program, &guest.initramfs, guest.args.split_first()) {
        (None, Some(_), Some((program, args))) => {
            let program = program.to_str().ok_or_else(|| usage("the program's name is not UTF-8"))?;
            ramdisk.first_process(&find(&ramdisk, program), args);
        }
        (program, files, _) => {
            let (name, content) = match program {
                Some(path) => (base_name(path)?, program::read(path, files.is_some())?),
                None => (DEMO.to_owned(), demo()?),
            };
            let path = format!("bin/{name}");
            ramdisk.file(&path, 0o755, content);
            ramdisk.first_process(&format!("/{path}"), &guest.args);
        }
    }
    ramdisk.command_line(&initramfs::command_line(&words(guest.munmap, log, "run"), guest.append.as_deref()));
    Ok(ramdisk)
}

/// The path of a program on the ramdisk: as it is named, or if that is a mere name, in the first of the usual places.
fn find(ramdisk: &Initramfs, program: &str) -> String {
    if program.contains('/') {
        return program.to_owned();
    }
    let places = ["usr/local/bin", "usr/bin", "bin", "usr/sbin", "sbin"];
    let place = places.into_iter().find(|place| ramdisk.has(&format!("{place}/{program}")));
    format!("/{}/{program}", place.unwrap_or("bin"))
}

/// Completes a ramdisk with the symbols of `kernel`, and writes it to `file`.
///
/// # Errors
/// When one of the files cannot be read or written, or the kernel is not an ELF file.
pub(crate) fn write(mut ramdisk: Initramfs, kernel: &Path, file: &Path) -> Result<()> {
    ramdisk.symbols(symbols::of_kernel(&fs::read(kernel)?)?);
    fs::write(file, ramdisk.pack()?).context("the ramdisk cannot be written")
}

fn base_name(path: &Path) -> Result<String> {
    let name = path.file_name().and_then(|name| name.to_str());
    name.map(str::to_owned).ok_or_else(|| usage(format!("{}: the name is not UTF-8", path.display())))
}

fn demo() -> Result<Vec<u8>> {
    let checkout = Checkout::find()?;
    let programs = build::user_programs(&checkout, Toolchain::find(&checkout)?, Output::OnFailure)?;
    let demo = programs.into_iter().find(|program| program.name == DEMO);
    let demo = demo.context("package `user` has no program `demo`; name one with --program")?;
    Ok(fs::read(demo.path)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_found_where_it_usually_is_or_as_it_is_named() {
        let mut ramdisk = Initramfs::default();
        ramdisk.file("bin/both", 0o755, Vec::new());
        ramdisk.file("usr/bin/both", 0o755, Vec::new());
        ramdisk.file("sbin/only", 0o755, Vec::new());
        assert_eq!(find(&ramdisk, "both"), "/usr/bin/both");
        assert_eq!(find(&ramdisk, "only"), "/sbin/only");
        assert_eq!(find(&ramdisk, "none"), "/bin/none");
        assert_eq!(find(&ramdisk, "./here/only"), "./here/only");
    }
}
