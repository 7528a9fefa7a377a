//! One program on both systems: how it ended and what it wrote.

use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::io::{Read as _, Seek as _};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use similar::{ChangeTag, TextDiff};
use wait_timeout::ChildExt as _;

use super::layout::layout;
use crate::args::DiffArgs;
use crate::args::Order;
use crate::build::{self, Kernel, Output};
use crate::capture::{self, Shape};
use crate::checkout::Checkout;
use crate::errors::usage;
use crate::fate::Fate;
use crate::guest::{self, LogLevel};
use crate::initramfs::{self, Initramfs};
use crate::program;
use crate::qemu::Clock;
use crate::session::Ending;
use crate::toolchain::Toolchain;

/// The user program that notes what another has mapped at its end.
const TRACER: &str = "x_maps";
/// Lines of the same on each side of a difference that are shown.
const CONTEXT: usize = 3;

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Exited(u8),
    Killed(u8),
    TimedOut,
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            End::Exited(status) => write!(f, "exit status {status}"),
            End::Killed(signal) => write!(f, "killed by signal {signal}"),
            End::TimedOut => f.write_str("did not end in time"),
        }
    }
}

/// What one system made of a program.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) output: Vec<u8>,
    pub(super) end: End,
    /// The layout of its memory at its end, where asked.
    pub(super) layout: Option<String>,
}

/// A program to run: a static ELF file, its arguments, and the files that it finds.
pub(super) struct Subject<'s> {
    pub(super) program: &'s Path,
    pub(super) args: &'s [OsString],
    /// The program that runs it on the host and notes its mappings, where these are asked for.
    pub(super) tracer: Option<&'s Path>,
    /// The working directory on the host; `/` on ours.
    pub(super) directory: Option<&'s Path>,
    pub(super) timeout: Duration,
}

impl Subject<'_> {
    /// Its name as the program sees it.
    fn name(&self) -> Result<String> {
        let name = self.program.file_name().and_then(|name| name.to_str());
        name.map(|name| format!("/bin/{name}"))
            .ok_or_else(|| usage(format!("{}: the name is not UTF-8", self.program.display())))
    }

    /// Runs it on the host, with no standard input and no environment.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(super) fn on_linux(&self) -> Result<Run> {
        let mut output = tempfile::tempfile()?;
        let program = fs::canonicalize(self.program)?;
        let maps = tempfile::NamedTempFile::new()?;
        let mut command = match self.tracer {
            Some(tracer) => {
                let mut command = Command::new(tracer);
                command.arg(maps.path()).arg(program).arg(self.name()?);
                command
            }
            None => {
                let mut command = Command::new(program);
                command.arg0(self.name()?);
                command
            }
        };
        command
            .args(self.args)
            .env_clear()
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output.try_clone()?);
        if let Some(directory) = self.directory {
            command.current_dir(directory);
        }
        let mut child =
            command.spawn().with_context(|| format!("cannot start {}", self.program.display()))?;
        let end = match child.wait_timeout(self.timeout)? {
            Some(status) => {
                let number = |number: i32| u8::try_from(number).unwrap_or_default();
                match status.signal() {
                    Some(signal) => End::Killed(number(signal)),
                    None => End::Exited(number(status.code().unwrap_or_default())),
                }
            }
            None => {
                end_group(&child)?;
                child.wait()?;
                End::TimedOut
            }
        };
        let mut bytes = Vec::new();
        output.rewind()?;
        output.read_to_end(&mut bytes)?;
        let layout = match self.tracer {
            Some(_) => Some(layout(&fs::read_to_string(maps.path())?)),
            None => None,
        };
        Ok(Run { output: bytes, end, layout })
    }

    /// Runs it on our kernel.
    ///
    /// # Errors
    /// When the machine cannot be started, or the kernel panics.
    pub(super) fn on_ours(&self, kernel: &Path, shape: Shape, munmap: Order) -> Result<Run> {
        let mut ramdisk = Initramfs::default();
        if let Some(directory) = self.directory {
            ramdisk.directory(directory)?;
        }
        let name = self.name()?;
        ramdisk.file(name.trim_start_matches('/'), 0o755, fs::read(self.program)?);
        ramdisk.first_process(&name, self.args);
        let mut words = guest::words(munmap, LogLevel::Warn, "run");
        words.extend(self.tracer.map(|_| "maps=end".to_owned()));
        ramdisk.command_line(&initramfs::command_line(&words, None));
        let captured = capture::run(kernel, ramdisk, shape, self.timeout)?;
        let end = match (captured.ending, captured.fate) {
            (Ending::TimedOut, _) => End::TimedOut,
            (Ending::Ended, Fate::Exited(status)) => End::Exited(status),
            (Ending::Ended, Fate::Killed(signal)) => End::Killed(signal),
            (ending, fate) => {
                eprint!("{}", String::from_utf8_lossy(&captured.log));
                bail!("our kernel did not come to the program's end: {ending:?}, {fate:?}");
            }
        };
        let layout = self.tracer.map(|_| layout(&captured.maps));
        Ok(Run { output: captured.output, end, layout })
    }
}

/// Kills a child that leads a process group, and all that it has started.
fn end_group(child: &Child) -> Result<()> {
    let mut kill = Command::new("kill");
    kill.args(["-KILL", "--"]).arg(format!("-{}", child.id()));
    kill.status().context("cannot start kill")?;
    Ok(())
}

/// Runs the program on both and shows where they differ.
///
/// # Errors
/// A mistake in the arguments, or one of the two cannot be run.
pub(super) fn diff(path: &Path, args: &DiffArgs) -> Result<u8> {
    program::read(path, false)?;
    let kernel = guest::kernel(args.machine.kernel.as_deref(), Kernel::Release)?;
    let tracer = if args.maps { Some(tracer()?) } else { None };
    let subject = Subject {
        program: path,
        args: &args.args,
        tracer: tracer.as_deref(),
        directory: args.initramfs.as_deref(),
        timeout: Duration::from_secs(args.timeout),
    };
    let linux = subject.on_linux()?;
    let shape = Shape { smp: args.machine.smp, memory: args.machine.memory, clock: Clock::Host };
    let ours = subject.on_ours(&kernel, shape, args.munmap)?;
    let Some(difference) = difference(&linux, &ours) else {
        let vmas = ours.layout.map(|layout| format!(", {} mappings", layout.lines().count()));
        let (end, bytes) = (ours.end, ours.output.len());
        println!("the same on Linux and here: {end}, {bytes} bytes of output{}", vmas.unwrap_or_default());
        return Ok(0);
    };
    print!("{difference}");
    Ok(1)
}

/// How two runs differ, for people; none if they do not.
fn difference(linux: &Run, ours: &Run) -> Option<String> {
    if linux == ours {
        return None;
    }
    let mut text = String::from("- Linux\n+ here\n");
    let (left, right) = (String::from_utf8_lossy(&linux.output), String::from_utf8_lossy(&ours.output));
    add_lines(&mut text, &left, &right);
    if linux.end != ours.end {
        text.push_str(&format!("- {}\n+ {}\n", linux.end, ours.end));
    }
    if let (Some(linux), Some(ours)) = (&linux.layout, &ours.layout)
        && linux != ours
    {
        text.push_str("mappings at the end:\n");
        add_lines(&mut text, linux, ours);
    }
    Some(text)
}

/// Adds the lines that differ, and some around them.
fn add_lines(text: &mut String, left: &str, right: &str) {
    let lines = TextDiff::from_lines(left, right);
    for group in lines.grouped_ops(CONTEXT) {
        for change in group.iter().flat_map(|part| lines.iter_changes(part)) {
            let sign = match change.tag() {
                ChangeTag::Delete => '-',
                ChangeTag::Insert => '+',
                ChangeTag::Equal => ' ',
            };
            text.push_str(&format!("{sign} {}", change.to_string_lossy()));
            if change.missing_newline() {
                text.push('\n');
            }
        }
    }
}

/// The program that notes mappings.
fn tracer() -> Result<PathBuf> {
    let checkout = Checkout::find()?;
    let programs = build::user_programs(&checkout, Toolchain::find(&checkout)?, Output::OnFailure)?;
    let found = programs.into_iter().find(|program| program.name == TRACER);
    Ok(found.with_context(|| format!("package `user` has no program {TRACER}"))?.path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(output: &str, end: End) -> Run {
        Run { output: output.as_bytes().to_vec(), end, layout: None }
    }

    #[test]
    fn equal_runs_have_no_difference() {
        assert_eq!(difference(&run("a\n", End::Exited(0)), &run("a\n", End::Exited(0))), None);
    }

    #[test]
    fn lines_and_ends_that_differ_are_shown() {
        let (linux, ours) = (run("a\nb\nc\n", End::Exited(0)), run("a\nx\nc\n", End::Killed(11)));
        let text = difference(&linux, &ours).expect("they differ");
        assert!(text.contains("- b\n+ x\n  c\n"), "{text}");
        assert!(text.contains("- exit status 0\n+ killed by signal 11\n"), "{text}");
    }

    #[test]
    fn layouts_that_differ_are_shown() {
        let with = |layout: &str| Run { layout: Some(layout.to_owned()), ..run("a\n", End::Exited(0)) };
        assert_eq!(difference(&with("one\n"), &with("one\n")), None);
        let text = difference(&with("one\ntwo\n"), &with("one\n")).expect("they differ");
        assert!(text.contains("mappings at the end:\n  one\n- two\n"), "{text}");
    }

    #[test]
    fn a_program_runs_on_the_host_with_its_end_and_both_outputs() {
        let (shell, args) =
            (Path::new("/bin/sh"), ["-c", "echo $0; echo error >&2; exit 7"].map(OsString::from));
        let subject = Subject {
            program: shell,
            args: &args,
            tracer: None,
            directory: None,
            timeout: Duration::from_secs(600),
        };
        let run = subject.on_linux().expect("there is a shell");
        assert_eq!(run.end, End::Exited(7));
        assert_eq!(String::from_utf8_lossy(&run.output), "/bin/sh\nerror\n");
    }
}
