//! Many programs of calls at a time, on both systems.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use super::calls::Program;
use super::twin::{End, Run, Subject};
use crate::args::{DiffArgs, Order};
use crate::build::{self, Kernel, Output};
use crate::capture::Shape;
use crate::checkout::Checkout;
use crate::guest;
use crate::qemu::Clock;
use crate::toolchain::Toolchain;

/// The user program that makes the calls.
const INTERPRETER: &str = "x_calls";

/// How much the interpreter says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Detail {
    /// A digest now and then.
    Brief,
    /// Every result.
    Full,
}

/// What was said of each program, by its number: lines without the number.
pub(super) type Reports = BTreeMap<u64, Vec<String>>;

/// The reports of both systems.
#[derive(Debug, Default)]
pub(super) struct Both {
    pub(super) linux: Reports,
    pub(super) ours: Reports,
}

impl Both {
    /// Whether the systems differ on this program.
    pub(super) fn differ(&self, number: u64) -> bool {
        self.linux.get(&number) != self.ours.get(&number)
    }
}

/// What runs batches.
pub(super) struct Bench {
    kernel: PathBuf,
    interpreter: PathBuf,
    shape: Shape,
    munmap: Order,
    /// Whether mappings are looked at after every call.
    maps: bool,
    timeout: Duration,
}

impl Bench {
    /// Builds what is needed.
    ///
    /// # Errors
    /// When a build fails.
    pub(super) fn new(args: &DiffArgs) -> Result<Self> {
        let checkout = Checkout::find()?;
        let programs = build::user_programs(&checkout, Toolchain::find(&checkout)?, Output::OnFailure)?;
        let interpreter = programs.into_iter().find(|program| program.name == INTERPRETER);
        Ok(Self {
            kernel: guest::kernel(args.machine.kernel.as_deref(), Kernel::Release)?,
            interpreter: interpreter
                .with_context(|| format!("package `user` has no program {INTERPRETER}"))?
                .path,
            shape: Shape { smp: args.machine.smp, memory: args.machine.memory, clock: Clock::Host },
            munmap: args.munmap,
            maps: args.maps,
            timeout: Duration::from_secs(args.timeout),
        })
    }

    /// Runs all programs on both systems, at the same time.
    ///
    /// # Errors
    /// When one of the systems cannot be started, or does not come to the end.
    pub(super) fn run(&self, programs: &[Program], detail: Detail) -> Result<Both> {
        let directory = tempfile::tempdir().context("no temporary directory")?;
        let mut text = String::new();
        for program in programs {
            write!(text, "{program}")?;
        }
        fs::write(directory.path().join("calls"), text)?;
        let mode = match detail {
            Detail::Brief => "brief",
            Detail::Full => "full",
        };
        // Both find the file in the directory that they start in.
        let mut args = vec![OsString::from("calls"), OsString::from(mode)];
        args.extend(self.maps.then(|| OsString::from("maps")));
        let subject = Subject {
            program: &self.interpreter,
            args: &args,
            tracer: None,
            directory: Some(directory.path()),
            timeout: self.timeout,
        };
        let (linux, ours) = thread::scope(|scope| {
            let linux = scope.spawn(|| subject.on_linux());
            let ours = subject.on_ours(&self.kernel, self.shape, self.munmap);
            (linux.join(), ours)
        });
        let Ok(linux) = linux else { bail!("the thread of the run on Linux panicked") };
        Ok(Both { linux: reports("Linux", &linux?)?, ours: reports("our kernel", &ours?)? })
    }
}

fn reports(system: &str, run: &Run) -> Result<Reports> {
    let output = String::from_utf8_lossy(&run.output);
    if run.end != End::Exited(0) {
        let last = output.lines().last().unwrap_or_default();
        bail!("{INTERPRETER} on {system}: {}; its last line: {last}", run.end);
    }
    let mut reports = Reports::new();
    for line in output.lines() {
        let (number, rest) = line.split_once(' ').with_context(|| format!("{system} said {line:?}"))?;
        let number = u64::from_str_radix(number, 16).with_context(|| format!("{system} said {line:?}"))?;
        reports.entry(number).or_default().push(rest.to_owned());
    }
    Ok(reports)
}
