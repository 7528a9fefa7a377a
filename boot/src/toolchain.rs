//! Which compiler builds the bare-metal code. Nothing else in the project decides this.
//!
//! The compiler of rust-toolchain.toml does it where rustup has brought the library of the bare-metal
//! target. Where rustup cannot download, Debian's compiler (packages rustc-web, cargo-web, rust-web-src,
//! lld) builds the library from its source; `boot/setup.sh` has installed it then.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use crate::checkout::Checkout;

/// The target of kernel and user programs.
pub(crate) const TARGET: &str = "x86_64-unknown-none";

const DEBIAN_CARGO: &str = "/usr/bin/cargo";
const DEBIAN_LIBRARY_SOURCE: &str = "/usr/lib/rustlib/src/rust/library/core";

/// Variables by which an outer cargo or rustup would choose another compiler or other flags.
const FOREIGN_CHOICES: [&str; 8] = [
    "CARGO",
    "CARGO_BUILD_TARGET",
    "CARGO_ENCODED_RUSTFLAGS",
    "RUSTC",
    "RUSTC_WRAPPER",
    "RUSTC_WORKSPACE_WRAPPER",
    "RUSTDOC",
    "RUSTFLAGS",
];

/// A compiler for bare-metal code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Toolchain {
    /// The one that the checkout names, with the target's library.
    Named,
    /// Debian's, with the library built from source.
    Debian,
}

impl Toolchain {
    /// Chooses the compiler.
    ///
    /// # Errors
    /// When there is none; the message says how to get one.
    pub(crate) fn find(checkout: &Checkout) -> Result<Self> {
        if named_has_library(checkout) {
            Ok(Self::Named)
        } else if Path::new(DEBIAN_CARGO).exists() && Path::new(DEBIAN_LIBRARY_SOURCE).exists() {
            Ok(Self::Debian)
        } else {
            bail!("no Rust library for {TARGET}: run boot/setup.sh, or `rustup target add {TARGET}`")
        }
    }

    /// `cargo SUBCOMMAND` for bare-metal packages, run in the checkout.
    pub(crate) fn cargo(self, checkout: &Checkout, subcommand: &str) -> Command {
        let mut command = self.cargo_for_host(checkout, subcommand);
        command.args(["--target", TARGET]);
        if self == Self::Debian {
            command
                .args([
                    "-Zbuild-std=core,alloc,compiler_builtins",
                    "-Zbuild-std-features=compiler-builtins-mem",
                ])
                .env("CARGO_TARGET_X86_64_UNKNOWN_NONE_LINKER", "ld.lld");
        }
        command
    }

    /// `cargo SUBCOMMAND` with the same compiler for host packages that build bare-metal code themselves
    /// (the disk image).
    pub(crate) fn cargo_for_host(self, checkout: &Checkout, subcommand: &str) -> Command {
        let mut command = match self {
            Self::Named => Command::new("cargo"),
            Self::Debian => {
                let mut command = Command::new(DEBIAN_CARGO);
                command
                    .env("PATH", usr_bin_first())
                    .env("RUSTC_BOOTSTRAP", "1")
                    .env_remove("RUSTUP_TOOLCHAIN");
                command
            }
        };
        for name in FOREIGN_CHOICES {
            command.env_remove(name);
        }
        command.current_dir(checkout.root()).arg(subcommand);
        command
    }
}

fn named_has_library(checkout: &Checkout) -> bool {
    Command::new("rustc")
        .args(["--print", "target-libdir", "--target", TARGET])
        .current_dir(checkout.root())
        .stderr(Stdio::null())
        .output()
        .is_ok_and(|output| Path::new(String::from_utf8_lossy(&output.stdout).trim_end()).is_dir())
}

fn usr_bin_first() -> OsString {
    let mut path = OsString::from("/usr/bin");
    if let Some(rest) = std::env::var_os("PATH") {
        path.push(":");
        path.push(rest);
    }
    path
}

/// `cargo SUBCOMMAND` for host packages, run in the checkout.
pub(crate) fn host_cargo(checkout: &Checkout, subcommand: &str) -> Command {
    let mut command = Command::new("cargo");
    command.current_dir(checkout.root()).arg(subcommand);
    command
}

/// Runs a command to its end and returns its standard output.
///
/// # Errors
/// When it cannot be started or fails.
pub(crate) fn openly(mut command: Command, what: &str) -> Result<Vec<u8>> {
    command.stderr(Stdio::inherit());
    quietly(command, what)
}

/// Runs a command to its end and returns its standard output; its standard error is shown on failure only.
///
/// # Errors
/// When it cannot be started or fails.
pub(crate) fn quietly(mut command: Command, what: &str) -> Result<Vec<u8>> {
    let output = command.output().with_context(|| format!("cannot start {:?}", command.get_program()))?;
    if !output.status.success() {
        eprint!("{}", String::from_utf8_lossy(&output.stderr));
        bail!("{what} failed");
    }
    Ok(output.stdout)
}
