//! One boot of the checked kernel with the tests.

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::args::Order;
use crate::build::Executable;
use crate::guest::{self, LogLevel};
use crate::initramfs::{self, Initramfs};
use crate::qemu::{Clock, Debugger, Machine, Medium};
use crate::session::Session;
use crate::test::tally::Tally;
use crate::test::watch::Watch;

/// So many of the log's last lines are shown when something failed.
const TAIL: usize = 40;

/// What is booted.
#[derive(Clone, Debug)]
pub(crate) struct Configuration {
    /// The order of the steps of munmap.
    pub(crate) munmap: Order,
    /// Memory in MiB.
    pub(crate) memory: u32,
    /// Number of processors.
    pub(crate) smp: u8,
    /// Part of the names of the tests to run.
    pub(crate) filter: Option<String>,
    /// More words for the kernel command line.
    pub(crate) append: Option<String>,
}

impl fmt::Display for Configuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "munmap={}, {} MiB, {} CPU", self.munmap, self.memory, self.smp)?;
        self.filter.as_ref().map_or(Ok(()), |filter| write!(f, ", only {filter:?}"))
    }
}

/// Boots `kernel` with the tests and adds their results to `tally`.
///
/// # Errors
/// When the machine cannot be started.
pub(crate) fn run(
    configuration: &Configuration,
    kernel: &Path,
    programs: &[&Executable],
    timeout: Duration,
    tally: &mut Tally,
) -> Result<()> {
    println!("== {configuration}");
    let directory =
        tempfile::Builder::new().prefix("sugarbush-").tempdir().context("no temporary directory")?;
    let initramfs = directory.path().join("initramfs");
    guest::write(ramdisk(configuration, programs)?, kernel, &initramfs)?;
    let log = directory.path().join("log");
    let appending = || OpenOptions::new().create(true).append(true).open(&log);

    let machine = Machine {
        medium: Medium::Kernel { elf: kernel, initramfs: &initramfs },
        smp: configuration.smp,
        memory: configuration.memory,
        clock: Clock::Host,
        debugger: Debugger::None,
    };
    // What the programs print stands in the log beside what the kernel says of them.
    let session = Session {
        input: Box::new(io::empty()),
        output: Box::new(Lines::new(appending()?)),
        log: Box::new(Lines::new(appending()?)),
        timeout: Some(timeout),
    };
    let before = tally.failures();
    let mut watch = Watch::default();
    let report = session.run(&machine, |message| watch.see(message, tally))?;
    watch.finish(report.ending, tally);
    if tally.failures() > before {
        show_tail(&log, &report.qemu, directory.keep())?;
    }
    Ok(())
}

fn ramdisk(configuration: &Configuration, programs: &[&Executable]) -> Result<Initramfs> {
    let mut ramdisk = Initramfs::default();
    for program in programs {
        let content = fs::read(&program.path)?;
        ramdisk.file(&format!("tests/{}", program.name), 0o755, content);
    }
    let mut words = guest::words(configuration.munmap, LogLevel::Info, "test");
    words.extend(configuration.filter.as_ref().map(|filter| format!("filter={filter}")));
    ramdisk.command_line(&initramfs::command_line(&words, configuration.append.as_deref()));
    Ok(ramdisk)
}

fn show_tail(log: &Path, qemu: &str, directory: PathBuf) -> Result<()> {
    let text = fs::read(log)?;
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    println!("-- the end of {}", directory.join("log").display());
    for line in &lines[lines.len().saturating_sub(TAIL)..] {
        println!("   {line}");
    }
    for line in qemu.lines() {
        println!("   QEMU: {line}");
    }
    fs::remove_file(directory.join("initramfs"))?;
    Ok(())
}

/// Passes on whole lines only, so that two writers of one file do not cut each other's lines.
struct Lines<W: Write> {
    to: W,
    line: Vec<u8>,
}

impl<W: Write> Lines<W> {
    fn new(to: W) -> Self {
        Self { to, line: Vec::new() }
    }
}

impl<W: Write> Write for Lines<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.line.extend_from_slice(bytes);
        if let Some(end) = self.line.iter().rposition(|&byte| byte == b'\n') {
            self.to.write_all(&self.line[..=end])?;
            self.line.drain(..=end);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<W: Write> Drop for Lines<W> {
    fn drop(&mut self) {
        // A last line without an end; there is no one left to tell of an error.
        let _ = self.to.write_all(&self.line);
    }
}
