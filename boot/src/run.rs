//! `sugarbush run`: boots the kernel with one program and exits as that program does.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::args::RunArgs;
use crate::build::Kernel;
use crate::errors::usage;
use crate::fate::Fate;
use crate::guest::{self, LogLevel};
use crate::protocol::Message;
use crate::qemu::{Clock, Debugger, GDB_PORT, Machine, Medium};
use crate::session::{Ending, Report, Session};

/// Exit status when the time was up.
pub(crate) const STATUS_TIMEOUT: u8 = 124;
/// Exit status when the kernel panicked, or did not say how the program ended.
pub(crate) const STATUS_KERNEL: u8 = 125;

const SIGPIPE: u8 = 13;

/// Runs a program and returns the exit status for this tool.
///
/// # Errors
/// A mistake in the arguments, a build that fails, or QEMU cannot be started.
pub(crate) fn run(args: &RunArgs) -> Result<u8> {
    let (log, level): (Box<dyn Write + Send>, _) = match &args.log {
        None => (Box::new(io::stderr()), LogLevel::Warn),
        Some(path) => {
            let file = File::create(path).map_err(|error| usage(format!("{}: {error}", path.display())))?;
            (Box::new(file), LogLevel::Info)
        }
    };
    // First what can be the caller's mistake, then what takes time.
    let ramdisk = guest::ramdisk(&args.guest, level)?;
    let kernel = guest::kernel(args.machine.kernel.as_deref(), Kernel::Release)?;
    let directory = tempfile::tempdir().context("no temporary directory")?;
    let initramfs = directory.path().join("initramfs");
    guest::write(ramdisk, &kernel, &initramfs)?;

    let machine = Machine {
        medium: Medium::Kernel { elf: &kernel, initramfs: &initramfs },
        smp: args.machine.smp,
        memory: memory(args.machine.memory, &initramfs)?,
        clock: if args.icount { Clock::Instructions } else { Clock::Host },
        debugger: if args.gdb { Debugger::Gdb } else { Debugger::None },
    };
    if args.gdb {
        eprintln!("sugarbush: the machine waits; attach with");
        // A breakpoint of the processor: there is no kernel in memory yet to write another kind into.
        let commands = "-ex 'hbreak kernel_main' -ex continue";
        eprintln!("  gdb {} -ex 'target remote localhost:{GDB_PORT}' {commands}", kernel.display());
    }
    let session = Session {
        input: Box::new(io::stdin()),
        output: Box::new(io::stdout()),
        log,
        timeout: args.timeout.map(Duration::from_secs),
    };
    let mut fate = Fate::Unknown;
    let report = session.run(&machine, |message| {
        fate = fate.after(message);
        if let Message::Garbage(line) = message {
            eprintln!("sugarbush: the kernel's message {line:?} is not understood");
        }
    })?;
    if args.boot_time
        && let Some(time) = report.boot_time
    {
        eprintln!("sugarbush: first user instruction after {:.3} s", time.as_secs_f64());
    }
    explain(fate, &report);
    Ok(status(fate, report.ending))
}

/// The machine's memory in MiB: what is wanted, or if that is more what the kernel needs beside the files.
fn memory(wanted: u32, initramfs: &Path) -> Result<u32> {
    const BESIDE: u64 = 192;
    let files = std::fs::metadata(initramfs)?.len() >> 20;
    Ok(wanted.max(u32::try_from(files + BESIDE).unwrap_or(u32::MAX)))
}

/// The exit status of this tool.
fn status(fate: Fate, ending: Ending) -> u8 {
    match (ending, fate) {
        (Ending::TimedOut, _) => STATUS_TIMEOUT,
        (Ending::Unread, _) => 128 + SIGPIPE,
        (Ending::Interrupted(signal), _) => 128 + u8::try_from(signal).unwrap_or_default(),
        (Ending::Ended, Fate::Exited(status)) => status,
        (Ending::Ended, Fate::Killed(number)) => 128 + number,
        (Ending::Ended, Fate::Panicked | Fate::Unknown) => STATUS_KERNEL,
    }
}

/// Says on standard error what the exit status alone does not.
fn explain(fate: Fate, report: &Report) {
    match (report.ending, fate) {
        (Ending::TimedOut, _) => eprintln!("sugarbush: the time is up; the machine was ended"),
        (Ending::Ended, Fate::Panicked) => eprintln!("sugarbush: the kernel panicked"),
        (Ending::Ended, Fate::Unknown) => {
            eprintln!("sugarbush: the machine ended, and the kernel did not say how the program did");
            eprint!("{}", report.qemu);
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status_after(messages: &[Message]) -> u8 {
        status(messages.iter().fold(Fate::Unknown, |fate, message| fate.after(message)), Ending::Ended)
    }

    #[test]
    fn the_status_is_the_one_of_the_program() {
        assert_eq!(status_after(&[Message::User, Message::Exit(0), Message::Done]), 0);
        assert_eq!(status_after(&[Message::User, Message::Exit(255), Message::Done]), 255);
        assert_eq!(status_after(&[Message::Signal(11), Message::Done]), 139);
        assert_eq!(status_after(&[Message::Signal(64), Message::Done]), 192);
    }

    #[test]
    fn a_panic_is_125_even_after_the_exit() {
        assert_eq!(status_after(&[Message::User, Message::Panic]), 125);
        assert_eq!(status_after(&[Message::Exit(0), Message::Panic, Message::Exit(0)]), 125);
    }

    #[test]
    fn a_machine_that_says_nothing_is_125() {
        assert_eq!(status_after(&[]), 125);
        assert_eq!(status_after(&[Message::User, Message::Garbage("exit".into()), Message::Done]), 125);
    }

    #[test]
    fn an_end_from_outside_has_its_own_status() {
        assert_eq!(status(Fate::Exited(0), Ending::TimedOut), 124);
        assert_eq!(status(Fate::Unknown, Ending::Unread), 141);
        assert_eq!(status(Fate::Unknown, Ending::Interrupted(2)), 130);
    }
}
