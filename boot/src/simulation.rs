//! Programs of the simulation: `sugarbush museum` and `sugarbush soak`.

use std::process::Command;

use anyhow::{Context as _, Result};

use crate::args::{MuseumArgs, SoakArgs};
use crate::build::{self, Nodes};
use crate::checkout::Checkout;

/// Shows what catches which bug, and returns the program's exit status.
///
/// # Errors
/// When the simulation cannot be built.
pub(crate) fn museum(args: &MuseumArgs) -> Result<u8> {
    let mut museum = program("museum", Nodes::Small)?;
    museum.args(&args.word);
    status_of(&mut museum)
}

/// Runs random programs, and returns the program's exit status.
///
/// # Errors
/// When the simulation cannot be built.
pub(crate) fn soak(args: &SoakArgs) -> Result<u8> {
    let mut soak = program("soak", Nodes::Small)?;
    let options = [("--minutes", args.minutes), ("--operations", args.operations), ("--seed", args.seed)];
    for (name, value) in options.iter().filter_map(|(name, value)| Some((name, (*value)?))) {
        soak.arg(name).arg(value.to_string());
    }
    status_of(&mut soak)
}

/// The program `name` of the simulation, built.
///
/// # Errors
/// When the build fails.
pub(crate) fn program(name: &str, nodes: Nodes) -> Result<Command> {
    Ok(Command::new(build::simulation(&Checkout::find()?, name, nodes)?))
}

/// Runs a program of the simulation, and returns its exit status.
///
/// # Errors
/// When it cannot be started.
pub(crate) fn status_of(program: &mut Command) -> Result<u8> {
    let status = program.status().with_context(|| format!("cannot start {:?}", program.get_program()))?;
    // Without a code a signal has killed it.
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
}
