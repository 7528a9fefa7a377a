//! `sugarbush diff`: the same static program on the host's Linux and on our kernel, compared.
//!
//! ```text
//! a program ──► twin: host, capture ─► verdict: output and end, line by line; layout of memory
//! random ─────► generate ─► batch: x_calls with many programs at a time, on both ─► shrink ─► explain
//! ```

mod batch;
mod calls;
mod explain;
mod generate;
mod layout;
mod random;
mod shrink;
mod twin;

use anyhow::Result;

use crate::args::DiffArgs;

/// Compares one program, or random ones, and returns the exit status: 1 for a difference.
///
/// # Errors
/// A mistake in the arguments, or one of the two cannot be run.
pub(crate) fn diff(args: &DiffArgs) -> Result<u8> {
    match &args.program {
        Some(program) => twin::diff(program, args),
        None => random::diff(args),
    }
}
