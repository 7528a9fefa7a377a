//! From a name to an ending.

use core::fmt;

use abi::{Errno, Signal};
use mm::Platform;
use mm::frame::{FrameKind, FrameStatistics};
use mm::space::{CheckError, Config};

use super::elf::{BadElf, Program};
use super::run::{resolve, run};
use super::stack::Arguments;
use super::{Ending, Process, Space, load};
use crate::arch::fpu;
use crate::arch::user::with_fault_handler;
use crate::fs::Tree;
use crate::fs::path::LastLink;
use crate::fs::tree::{Kind, NodeId};
use crate::host::message;
use crate::input;
use crate::memory::KERNEL;

/// The environment of every program.
const ENVIRONMENT: [&[u8]; 3] = [b"PATH=/bin:/sbin:/usr/bin:/usr/sbin", b"HOME=/", b"TERM=linux"];
/// Exit status of a program that cannot be started, as shells have it: found but not executable, not found.
const CANNOT_EXECUTE: u8 = 126;
const NOT_FOUND: u8 = 127;

/// Why a program could not be started.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum LaunchError {
    /// No such file, or no file.
    Path(Errno),
    /// It is no program (`ENOEXEC`).
    Elf(BadElf),
    /// The address space could not be set up: `ENOMEM`, `E2BIG`, ...
    Load(Errno),
}

impl fmt::Display for LaunchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LaunchError::Path(errno) => write!(f, "cannot be opened: {errno}"),
            LaunchError::Elf(problem) => write!(f, "cannot be executed: {problem} (ENOEXEC)"),
            LaunchError::Load(errno) => write!(f, "cannot be loaded: {errno}"),
        }
    }
}

/// What was wrong with memory at the end of a process. Looked for in checked builds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Damage {
    /// The address space was not what it should be.
    Inconsistent(CheckError),
    /// The process left frames behind.
    Leak {
        /// What they are.
        kind: FrameKind,
        /// How many there were before.
        before: u64,
        /// How many there are now.
        after: u64,
    },
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Damage::Inconsistent(error) => error.fmt(f),
            Damage::Leak { kind, before, after } => {
                write!(f, "memory leak: {before} {kind:?} frames before the process, {after} after it")
            }
        }
    }
}

/// Runs the first process: `arguments[0]` is its path and its name. Tells the host tool how it ended. A
/// program that cannot be started counts as one that exited with 127 (not there) or 126, as in shells.
pub(crate) fn run_init(tree: &'static Tree, arguments: &[&[u8]], config: Config) -> Ending {
    let path = arguments.first().copied().unwrap_or_default();
    let result = run_program(tree, path, arguments, config, |process| {
        // The host tool holds the input back until it reads this.
        input::open();
        message!("user");
        run(process)
    });
    let (ending, damage) = result.unwrap_or_else(|error| {
        log::error!("{} {error}", path.escape_ascii());
        let status = if error == LaunchError::Path(Errno::ENOENT) { NOT_FOUND } else { CANNOT_EXECUTE };
        (Ending::Exited(status), None)
    });
    if let Some(damage) = damage {
        log::error!("{damage}");
    }
    log::info!("{} {ending}", path.escape_ascii());
    match ending {
        Ending::Exited(status) => message!("exit {status}"),
        Ending::Killed(signal) => message!("signal {}", signal.number()),
        Ending::TimedOut => message!("signal {}", Signal::SIGKILL.number()),
        Ending::PowerOff | Ending::Restart | Ending::Halt => message!("exit 0"),
    }
    ending
}

/// Sets a program up, lets `body` run it, and takes everything down again. The result is that of `body`, and
/// in checked builds what was wrong with memory.
pub(super) fn run_program(
    tree: &'static Tree,
    path: &[u8],
    arguments: &[&[u8]],
    config: Config,
    body: impl FnOnce(&mut Process<'_>) -> Ending,
) -> Result<(Ending, Option<Damage>), LaunchError> {
    let before = KERNEL.frames().statistics();
    let (exe, file) = find(tree, path).map_err(LaunchError::Path)?;
    let program = Program::parse(file).map_err(LaunchError::Elf)?;
    let arguments = Arguments { path, arguments, environment: &ENVIRONMENT };
    let space = Space::new(&KERNEL, config).map_err(|error| LaunchError::Load(error.into()))?;
    let ending = in_space(&space, || {
        let context = load::load(&space, &program, &arguments)?;
        let mut process = Process::new(&space, tree, exe, context)?;
        fpu::State::new().map_err(|_| Errno::ENOMEM)?.restore();
        let ending = body(&mut process);
        process.files.close_all();
        Ok(ending)
    });
    let inconsistent = if cfg!(debug_assertions) { space.check().err() } else { None };
    drop(space);
    let damage = inconsistent.map(Damage::Inconsistent).or_else(|| leak_since(&before));
    Ok((ending.map_err(LaunchError::Load)?, damage))
}

/// Calls `body` while the CPU uses `space`.
pub(super) fn in_space<R>(space: &Space, body: impl FnOnce() -> R) -> R {
    KERNEL.load(space.root(), space.tlb());
    let result = with_fault_handler(&|fault| resolve(space, fault), body);
    KERNEL.leave(space.tlb());
    result
}

/// Frames of processes that are more, or fewer, than before. Looked for in checked builds.
fn leak_since(before: &FrameStatistics) -> Option<Damage> {
    if !cfg!(debug_assertions) {
        return None;
    }
    let now = KERNEL.frames().statistics();
    let changed = |kind: &FrameKind| before.allocated(*kind) != now.allocated(*kind);
    let kind = [FrameKind::Anonymous, FrameKind::Shared, FrameKind::Object, FrameKind::Table]
        .into_iter()
        .find(changed)?;
    Some(Damage::Leak { kind, before: before.allocated(kind), after: now.allocated(kind) })
}

/// The program file behind a path: `EACCES` for what is no file.
fn find(tree: &'static Tree, path: &[u8]) -> Result<(NodeId, &'static [u8]), Errno> {
    let node = tree.resolve(NodeId::ROOT, NodeId::ROOT, path, LastLink::Follow)?.found()?;
    match tree.node(node).kind {
        Kind::File(content) => Ok((node, content)),
        _ => Err(Errno::EACCES),
    }
}
