//! The packages of the workspace: which run on the host, which on bare metal.

use anyhow::{Context as _, Result};
use cargo_metadata::{Metadata, Package, TargetKind};

use crate::checkout::Checkout;
use crate::toolchain;

/// The packages that run on bare metal.
pub(crate) const BARE_METAL: [&str; 2] = ["kernel", "user"];

/// A host package that is built on demand only: its build takes minutes and the bare-metal compiler.
const ON_DEMAND: &str = "image";

/// The packages that run on the host, in the order of their names.
///
/// # Errors
/// When cargo does not understand the workspace.
pub(crate) fn host_packages(checkout: &Checkout) -> Result<Vec<String>> {
    packages(checkout, |_| true)
}

/// The host packages that have benchmarks.
///
/// # Errors
/// When cargo does not understand the workspace.
pub(crate) fn packages_with_benches(checkout: &Checkout) -> Result<Vec<String>> {
    packages(checkout, |package| {
        package.targets.iter().any(|target| target.kind.contains(&TargetKind::Bench))
    })
}

fn packages(checkout: &Checkout, wanted: impl Fn(&Package) -> bool) -> Result<Vec<String>> {
    let mut cargo = toolchain::host_cargo(checkout, "metadata");
    cargo.args(["--no-deps", "--format-version=1"]);
    let metadata = toolchain::quietly(cargo, "reading the workspace")?;
    let metadata: Metadata = cargo_metadata::MetadataCommand::parse(std::str::from_utf8(&metadata)?)
        .context("cargo's metadata are not understood")?;
    let mut names: Vec<String> = metadata
        .packages
        .iter()
        .filter(|package| wanted(package))
        .map(|package| package.name.to_string())
        .filter(|name| name != ON_DEMAND && !BARE_METAL.contains(&name.as_str()))
        .collect();
    names.sort();
    Ok(names)
}
