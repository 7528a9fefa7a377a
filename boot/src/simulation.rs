//! `sugarbush museum`, `sugarbush soak` and `sugarbush replay`: programs of the simulation.

use std::process::Command;

use anyhow::{Context as _, Result};

use crate::args::{MuseumArgs, ReplayArgs, SoakArgs};
use crate::build::{self, Nodes};
use crate::checkout::Checkout;

/// Shows what catches which bug, and returns the program's exit status.
///
/// # Errors
/// When the simulation cannot be built.
pub(crate) fn museum(args: &MuseumArgs) -> Result<u8> {
    let mut museum = program("museum", Nodes::Small)?;
    museum.args(&args.word);
    status_of(museum)
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
    status_of(soak)
}

/// Runs one schedule, and returns the program's exit status.
///
/// # Errors
/// When the simulation cannot be built.
pub(crate) fn replay(args: &ReplayArgs) -> Result<u8> {
    let words = words(&args.line);
    let mut replay = program("replay", nodes(&words))?;
    replay.args(words);
    status_of(replay)
}

/// The words of a line that came as one argument or as several.
fn words(line: &[String]) -> Vec<&str> {
    line.iter().flat_map(|part| part.split_whitespace()).collect()
}

/// The nodes that a line to replay is of: it has a word for small ones.
fn nodes(words: &[&str]) -> Nodes {
    if words.contains(&"small") { Nodes::Small } else { Nodes::Ordinary }
}

fn program(name: &str, nodes: Nodes) -> Result<Command> {
    Ok(Command::new(build::simulation(&Checkout::find()?, name, nodes)?))
}

fn status_of(mut program: Command) -> Result<u8> {
    let status = program.status().with_context(|| format!("cannot start {:?}", program.get_program()))?;
    // Without a code a signal has killed it.
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
}
