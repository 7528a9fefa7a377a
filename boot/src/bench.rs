//! `sugarbush bench`: the benchmarks of the host crates.

use anyhow::{Context as _, Result};

use crate::checkout::Checkout;
use crate::toolchain::host_cargo;
use crate::workspace;

/// Runs all benchmarks, and returns cargo's verdict.
///
/// # Errors
/// When cargo cannot be started.
pub(crate) fn bench() -> Result<u8> {
    let checkout = Checkout::find()?;
    let packages = workspace::packages_with_benches(&checkout)?;
    if packages.is_empty() {
        println!("there are no benchmarks yet");
        return Ok(0);
    }
    let mut cargo = host_cargo(&checkout, "bench");
    cargo.args(["--benches"]);
    for package in packages {
        cargo.args(["--package", &package]);
    }
    Ok(u8::from(!cargo.status().context("cannot start cargo")?.success()))
}
