//! `sugarbush bench`: what memory calls cost beside Linux, and the benchmarks of the host crates.
//!
//! ```text
//! calls ──► capture: mmbench on our kernel ─► figures: rows, ratios ─► table on standard output, chart (SVG)
//!      └──► linux: mmbench on Linux in the same emulator, if asked for
//! threads ─► x_threads on our kernel, with several processors
//! host ───► cargo bench
//! ```

mod calls;
mod chart;
mod figures;
mod host;
mod linux;
mod threads;

use anyhow::Result;

use crate::args::{BenchArgs, BenchPart};
use crate::checkout::Checkout;

/// Runs all benchmarks, or the part that was asked for, and returns the exit status.
///
/// # Errors
/// When something cannot be built or started, or gives no figures.
pub(crate) fn bench(args: &BenchArgs) -> Result<u8> {
    let checkout = Checkout::find()?;
    let wanted = |part| args.part.is_none_or(|only| only == part);
    let mut status = 0;
    if wanted(BenchPart::Calls) {
        calls::bench(&checkout, args)?;
    }
    if wanted(BenchPart::Threads) {
        threads::bench(&checkout)?;
    }
    if wanted(BenchPart::Host) {
        status = host::bench(&checkout)?;
    }
    Ok(status)
}
