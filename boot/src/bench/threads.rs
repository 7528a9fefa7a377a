//! What memory calls cost threads on several processors that have nothing to do with each other: `x_threads` on our kernel.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};

use super::calls::{MEMORY, TIMEOUT};
use crate::args::Order;
use crate::build::{self, Kernel, Output};
use crate::capture::{self, Shape};
use crate::checkout::Checkout;
use crate::guest::{self, LogLevel};
use crate::initramfs::{self, Initramfs};
use crate::qemu::Clock;
use crate::toolchain::Toolchain;

const PROGRAM: &str = "x_threads";
/// Processors where instructions are counted. They take turns on one of the host.
const PROCESSORS: u8 = 8;
/// The instructions of one operation may grow by this part.
const GROWTH_BAR: f64 = 0.05;
/// Two threads that fault should gain at least this part of what two threads gain that need nothing but their processors.
const GAIN_BAR: f64 = 0.85;
/// At least this part of the faults should run under the VMA lock alone.
const VMA_LOCK_BAR: f64 = 0.99;

/// Lines of a name, a number of threads and a figure.
struct Lines(Vec<(String, usize, u64)>);

impl Lines {
    fn parse(output: &str) -> Self {
        let line = |line: &str| {
            let mut words = line.split_whitespace();
            Some((words.next()?.to_owned(), words.next()?.parse().ok()?, words.next()?.parse().ok()?))
        };
        Self(output.lines().filter_map(line).collect())
    }

    fn all(&self, name: &str, threads: usize) -> Vec<u64> {
        let wanted = |line: &&(String, usize, u64)| line.0 == name && line.1 == threads;
        self.0.iter().filter(wanted).map(|line| line.2).collect()
    }

    fn one(&self, name: &str, threads: usize) -> Result<f64> {
        let figure = self.all(name, threads).first().copied();
        Ok(figure.with_context(|| format!("no figure {name} for {threads} threads"))? as f64)
    }
}

/// Measures and prints.
///
/// # Errors
/// When something cannot be built or started, or gives no figures.
pub(super) fn bench(checkout: &Checkout) -> Result<()> {
    let programs = build::user_programs(checkout, Toolchain::find(checkout)?, Output::OnFailure)?;
    let program = programs.into_iter().find(|program| program.name == PROGRAM);
    let program = program.with_context(|| format!("package `user` has no program {PROGRAM}"))?.path;
    let kernel = guest::kernel(None, Kernel::Release)?;
    print!("{}", instructions(&measure(&kernel, &program, PROCESSORS, Clock::Instructions)?)?);
    print!("{}", rates(&measure(&kernel, &program, 2, Clock::Host)?)?);
    Ok(())
}

fn measure(kernel: &Path, program: &Path, smp: u8, clock: Clock) -> Result<Lines> {
    let mut ramdisk = Initramfs::default();
    ramdisk.file("bin/x_threads", 0o755, fs::read(program)?);
    let mode = if clock == Clock::Instructions { "instructions" } else { "time" };
    ramdisk.first_process("/bin/x_threads", &[mode.into()]);
    let words = guest::words(Order::Reordered, LogLevel::Warn, "run");
    ramdisk.command_line(&initramfs::command_line(&words, None));
    let captured = capture::run(kernel, ramdisk, Shape { smp, memory: MEMORY, clock }, TIMEOUT)?;
    let lines = Lines::parse(&String::from_utf8_lossy(&captured.output));
    if lines.one("done", 0).is_err() {
        eprint!("{}{}", String::from_utf8_lossy(&captured.output), String::from_utf8_lossy(&captured.log));
        bail!("{PROGRAM} did not come to its end ({:?}, {:?})", captured.fate, captured.ending);
    }
    Ok(lines)
}

/// Instructions of one operation, by threads that are each on a processor of their own.
fn instructions(lines: &Lines) -> Result<String> {
    let mut text = format!("instructions of one operation, all processors together\n{:12}", "threads");
    for threads in 1..=PROCESSORS {
        write!(text, "{threads:>8}")?;
    }
    writeln!(text, "   growth (bar {:.0} %)", 100.0 * GROWTH_BAR)?;
    for name in ["fault", "mmap+munmap"] {
        let figures: Vec<f64> =
            (1..=PROCESSORS).map(|threads| lines.one(name, threads.into())).collect::<Result<_>>()?;
        write!(text, "{name:12}")?;
        for figure in &figures {
            write!(text, "{figure:>8}")?;
        }
        let growth = figures.iter().copied().fold(0.0, f64::max) / figures[0] - 1.0;
        writeln!(text, "   {:+.1} %{}", 100.0 * growth, verdict(growth <= GROWTH_BAR))?;
    }
    Ok(text)
}

/// How much two threads on two processors gain over one.
fn rates(lines: &Lines) -> Result<String> {
    let mut text = String::new();
    let gains = ["loop", "fault"].map(|name| gain(lines, name));
    let [of_loop, of_fault] = gains;
    let (of_loop, of_fault) = (of_loop?, of_fault?);
    let part = of_fault / of_loop;
    writeln!(
        text,
        "two threads on two processors, speed-up over one: {of_loop:.2} of a loop, {of_fault:.2} of faults"
    )?;
    writeln!(text, "faults reach {part:.2} of the loop (bar {GAIN_BAR}){}", verdict(part >= GAIN_BAR))?;
    let [faults, alone] = ["pgfault", "vma_lock_success"].map(|name| lines.one(name, 0));
    let (faults, alone) = (faults?, alone?);
    let part = alone / faults;
    writeln!(
        text,
        "{:.2} % of {faults} faults ran under the VMA lock alone (bar {:.0} %){}",
        100.0 * part,
        100.0 * VMA_LOCK_BAR,
        verdict(part >= VMA_LOCK_BAR)
    )?;
    Ok(text)
}

/// The median over the rounds of what two threads gain over one.
fn gain(lines: &Lines, name: &str) -> Result<f64> {
    let [one, two] = [1, 2].map(|threads| lines.all(name, threads));
    let mut gains: Vec<f64> =
        one.iter().zip(&two).map(|(&one, &two)| 2.0 * one as f64 / two as f64).collect();
    gains.sort_by(f64::total_cmp);
    gains.get(gains.len() / 2).copied().with_context(|| format!("no figures for {name}"))
}

fn verdict(is_met: bool) -> &'static str {
    if is_met { "" } else { "  MISSED" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gain_is_the_median_of_the_rounds() {
        let lines = Lines::parse(
            "loop 1 10 0\nloop 2 10 0\nloop 1 10 1\nloop 2 20 1\nnoise\nloop 1 10 2\nloop 2 11 2\n",
        );
        assert_eq!(gain(&lines, "loop").unwrap(), 20.0 / 11.0);
        assert!(gain(&lines, "fault").is_err());
    }

    #[test]
    fn growth_is_told_beside_its_bar() {
        let figures = (1..=PROCESSORS).map(|n| format!("fault {n} 100\nmmap+munmap {n} {}\n", 100 + n));
        let text = instructions(&Lines::parse(&figures.collect::<String>())).unwrap();
        let rows: Vec<&str> = text.lines().skip(2).collect();
        assert!(rows[0].starts_with("fault") && rows[0].ends_with("+0.0 %"), "{text}");
        assert!(rows[1].ends_with("+6.9 %  MISSED"), "{text}");
    }
}
