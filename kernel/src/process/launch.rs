//! From a name to an ending.

use core::fmt;
use core::time::Duration;

use abi::{Errno, Signal};
use mm::Platform;
use mm::frame::FrameKind;
use mm::space::Config;

use super::elf::{BadElf, Program};
use super::stack::Arguments;
use super::{Ending, Process, Space, load, run};
use crate::arch::fpu;
use crate::arch::user::with_fault_handler;
use crate::fs::Tree;
use crate::fs::path::LastLink;
use crate::fs::tree::{Kind, NodeId};
use crate::host;
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

/// Memory that a process left behind.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Leak {
    kind: FrameKind,
    before: u64,
    after: u64,
}

impl fmt::Display for Leak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Leak { kind, before, after } = self;
        write!(f, "{before} {kind:?} frames before the process, {after} after it")
    }
}

/// Runs the first process: `arguments[0]` is its path and its name. Tells the host tool how it ended. A
/// program that cannot be started counts as one that exited with 127 (not there) or 126, as in shells.
pub(crate) fn run_init(tree: &'static Tree, arguments: &[&[u8]], config: Config) -> Ending {
    let path = arguments.first().copied().unwrap_or_default();
    let (ending, leak) = match run_program(tree, path, arguments, config, None) {
        Ok(result) => result,
        Err(error) => {
            log::error!("{} {error}", path.escape_ascii());
            let status = if error == LaunchError::Path(Errno::ENOENT) { NOT_FOUND } else { CANNOT_EXECUTE };
            (Ending::Exited(status), None)
        }
    };
    if let Some(leak) = leak {
        log::error!("memory leak: {leak}");
    }
    log::info!("{} {ending}", path.escape_ascii());
    match ending {
        Ending::Exited(status) => host::send(format_args!("exit {status}")),
        Ending::Killed(signal) => host::send(format_args!("signal {}", signal.number())),
        Ending::TimedOut => host::send(format_args!("signal {}", Signal::SIGKILL.number())),
        Ending::PowerOff | Ending::Restart | Ending::Halt => host::send(format_args!("exit 0")),
    }
    ending
}

/// Runs a program to its end, at most as long as `time_limit`. In checked builds also says what it left
/// behind.
pub(super) fn run_program(
    tree: &'static Tree,
    path: &[u8],
    arguments: &[&[u8]],
    config: Config,
    time_limit: Option<Duration>,
) -> Result<(Ending, Option<Leak>), LaunchError> {
    let before = KERNEL.frames().statistics();
    let (exe, file) = find(tree, path).map_err(LaunchError::Path)?;
    let program = Program::parse(file).map_err(LaunchError::Elf)?;
    let arguments = Arguments { path, arguments, environment: &ENVIRONMENT };
    let space = Space::new(&KERNEL, config).map_err(|error| LaunchError::Load(error.into()))?;
    KERNEL.load(space.root(), space.tlb());
    let result = with_fault_handler(&|fault| run::resolve(&space, fault), || {
        start(&space, tree, exe, &program, &arguments, time_limit)
    });
    KERNEL.leave(space.tlb());
    drop(space);
    let after = KERNEL.frames().statistics();
    let leak = [FrameKind::Anonymous, FrameKind::Shared, FrameKind::Table].into_iter().find_map(|kind| {
        let (before, after) = (before.allocated(kind), after.allocated(kind));
        (cfg!(debug_assertions) && before != after).then_some(Leak { kind, before, after })
    });
    Ok((result.map_err(LaunchError::Load)?, leak))
}

/// The program file behind a path: `EACCES` for what is no file.
fn find(tree: &'static Tree, path: &[u8]) -> Result<(NodeId, &'static [u8]), Errno> {
    let node = tree.resolve(NodeId::ROOT, NodeId::ROOT, path, LastLink::Follow)?.found()?;
    match tree.node(node).kind {
        Kind::File(content) => Ok((node, content)),
        _ => Err(Errno::EACCES),
    }
}

/// Makes the process and runs it.
fn start(
    space: &Space,
    tree: &'static Tree,
    exe: NodeId,
    program: &Program<'_>,
    arguments: &Arguments<'_>,
    time_limit: Option<Duration>,
) -> Result<Ending, Errno> {
    let context = load::load(space, program, arguments)?;
    let mut process = Process::new(space, tree, exe, context)?;
    process.deadline = time_limit.map(|limit| process.started + limit);
    fpu::State::new().map_err(|_| Errno::ENOMEM)?.restore();
    host::send(format_args!("user"));
    let ending = run::run(&mut process);
    process.files.close_all();
    Ok(ending)
}
