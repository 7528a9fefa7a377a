//! `sugarbush lint`: formatting, and clippy on everything.

use std::process::Command;

use anyhow::{Context as _, Result};

use crate::checkout::Checkout;
use crate::toolchain::host_cargo;
use crate::workspace;

/// Runs all checks, and returns whether all are content.
///
/// # Errors
/// When cargo cannot be started.
pub(crate) fn lint() -> Result<u8> {
    let checkout = Checkout::find()?;
    let mut commands = Vec::new();

    let mut format = host_cargo(&checkout, "fmt");
    format.args(["--all", "--", "--check"]);
    commands.push(format);

    let mut host = host_cargo(&checkout, "clippy");
    host.args(["--quiet", "--all-targets"]);
    for package in workspace::host_packages(&checkout)? {
        host.args(["--package", &package]);
    }
    host.args(["--", "--deny", "warnings"]);
    commands.push(host);

    // Clippy does not link, so the host's target serves for the bare-metal packages as well, without their
    // library. The release profile, because only there a panic aborts.
    for features in ["", "kernel/test"] {
        let mut bare_metal = host_cargo(&checkout, "clippy");
        bare_metal.args(["--quiet", "--release", "--features", features]);
        for package in workspace::BARE_METAL {
            bare_metal.args(["--package", package]);
        }
        bare_metal.args(["--", "--deny", "warnings"]);
        commands.push(bare_metal);
    }
    let mut status = 0;
    for command in commands {
        if !succeeds(command)? {
            status = 1;
        }
    }
    Ok(status)
}

fn succeeds(mut command: Command) -> Result<bool> {
    let status = command.status().with_context(|| format!("cannot start {:?}", command.get_program()))?;
    Ok(status.success())
}
