//! Random programs of memory calls: runs them on both systems, and shows the smallest that differs.

use anyhow::{Context as _, Result};

use super::batch::{Bench, Detail};
use super::calls::{Line, Program};
use super::explain::explain;
use super::generate;
use super::shrink::shrink;
use crate::args::DiffArgs;

/// Programs that run in one boot.
const BATCH: u64 = 50;

/// Runs `args.random` programs; stops at the first batch with a difference.
///
/// # Errors
/// When one of the systems does not come to the end of a batch.
pub(super) fn diff(args: &DiffArgs) -> Result<u8> {
    let bench = Bench::new(args)?;
    let count = args.random.unwrap_or(1);
    let seed = args.seed.unwrap_or_else(|| fastrand::u64(..1 << 32));
    println!("programs {seed} to {}, {} calls each", seed + count - 1, args.calls);
    for start in (0..count).step_by(usize::try_from(BATCH)?) {
        let numbers = seed + start..seed + (start + BATCH).min(count);
        let programs: Vec<Program> =
            numbers.map(|number| generate::program(number, args.calls, &args.only)).collect();
        let both = bench.run(&programs, Detail::Brief)?;
        if let Some(program) = programs.into_iter().find(|program| both.differ(program.number)) {
            report(&bench, program)?;
            return Ok(1);
        }
    }
    println!("{count} programs of {} calls: identical on Linux and here", args.calls);
    Ok(0)
}

/// Shrinks a program that differs, and shows what is left.
fn report(bench: &Bench, program: Program) -> Result<()> {
    let number = program.number;
    println!("program {number} differs; making it smaller ...");
    let lines = shrink(program.lines, |attempts| {
        let programs: Vec<Program> =
            (0..).zip(attempts).map(|(number, lines)| Program { number, lines: lines.clone() }).collect();
        let both = bench.run(&programs, Detail::Full)?;
        let found = programs.iter().position(|program| both.differ(program.number));
        Ok::<_, anyhow::Error>(found)
    })?;
    let both = bench.run(&[Program { number, lines: lines.clone() }], Detail::Full)?;
    let of = |reports: &super::batch::Reports| reports.get(&number).cloned().unwrap_or_default();
    let (linux, ours) = (of(&both.linux), of(&both.ours));
    print!("{}", explain(&lines, &linux, &ours));
    let text: Vec<String> = lines.iter().map(Line::to_string).collect();
    println!("as a list of calls (see user/src/bin/x_calls.rs):\np {number:x}\n{}", text.join("\n"));
    let different = linux.iter().zip(&ours).any(|(linux, ours)| linux != ours) || linux.len() != ours.len();
    different
        .then_some(())
        .context("the difference does not come again: it depends on something else than the calls")
}
