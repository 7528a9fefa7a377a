//! The benchmarks of the host crates.

use anyhow::{Context as _, Result};

use crate::checkout::Checkout;
use crate::toolchain::host_cargo;
use crate::workspace;

/// Runs them all, and returns cargo's verdict.
///
/// # Errors
/// When cargo cannot be started.
pub(super) fn bench(checkout: &Checkout) -> Result<u8> {
    let mut cargo = host_cargo(checkout, "bench");
    cargo.args(["--benches"]);
    for package in workspace::packages_with_benches(checkout)? {
        cargo.args(["--package", &package]);
    }
    Ok(u8::from(!cargo.status().context("cannot start cargo")?.success()))
}
