//! From a name to an ending.

use core::fmt;
use core::time::Duration;

use abi::{Errno, Signal};
use mm::Platform;
use mm::frame::{FrameKind, FrameStatistics};
use mm::space::{CheckError, Config};
use spin::Mutex;

use super::about::{About, Places};
use super::elf::BadElf;
use super::exec::{self, Unfit};
use super::load::{self, Image};
use super::signals::action::Actions;
use super::stack::Arguments;
use super::{Ending, Handle, Process, ResourceLimits, Space, Thread, clone, spaces, table};
use crate::arch::shared::{Shared, try_box};
use crate::arch::switch::UserRegisters;
use crate::arch::user::Context;
use crate::fs::inode::Inode;
use crate::fs::mapped;
use crate::fs::path::LastLink;
use crate::fs::{Files, Tree};
use crate::host::message;
use crate::input;
use crate::memory::KERNEL;
use crate::sched::{self, Task};
use crate::time;

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
    let announce = || {
        // The host tool holds the input back until it reads this.
        input::open();
        message!("user");
    };
    let result = run_program(tree, path, arguments, config, None, announce);
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
        Ending::Killed(number) => message!("signal {number}"),
        Ending::TimedOut => message!("signal {}", Signal::SIGKILL.number()),
        Ending::PowerOff | Ending::Restart | Ending::Halt => message!("exit 0"),
    }
    ending
}

/// Runs a program as the first process, at most for `time`, and waits until all processes are gone. The result is how it ended,
/// and in checked builds what was wrong with memory. `announce` is called right before it runs.
pub(super) fn run_program(
    tree: &'static Tree,
    path: &[u8],
    arguments: &[&[u8]],
    config: Config,
    time: Option<Duration>,
    announce: impl FnOnce(),
) -> Result<(Ending, Option<Damage>), LaunchError> {
    table::begin();
    set_config(config);
    let before = KERNEL.frames().statistics();
    let exe = find(tree, path).map_err(LaunchError::Path)?;
    let arguments = Arguments { path, arguments, environment: &ENVIRONMENT };
    let task = first_task(tree, exe, &arguments)?;
    let deadline = time.map(|time| time::since_boot() + time);
    announce();
    sched::start(&task);
    drop(task);
    let (ending, inconsistent) = table::wait_for_all(deadline);
    let damage = inconsistent.map(Damage::Inconsistent).or_else(|| leak_since(&before));
    Ok((ending, damage))
}

/// The task of the first process, which has not run yet.
fn first_task(
    tree: &'static Tree,
    exe: Shared<Inode>,
    arguments: &Arguments<'_>,
) -> Result<Shared<Task>, LaunchError> {
    let (exe, prefix) = exec::open(exe).map_err(LaunchError::Path)?;
    let unfit = |problem| match problem {
        Unfit::File(errno) => LaunchError::Load(errno),
        Unfit::Elf(problem) => LaunchError::Elf(problem),
    };
    let image = exec::image(exe.clone(), &prefix).map_err(unfit)?;
    let files = Files::new(tree, exe.clone(), table::INIT, 3).map_err(LaunchError::Load)?;
    let interpreter = exec::interpreter_of(&files, &image).map_err(unfit)?;
    start_image(tree, exe, &image, interpreter, arguments).map_err(LaunchError::Load)
}

fn start_image(
    tree: &'static Tree,
    exe: Shared<Inode>,
    image: &Image,
    mut interpreter: Option<Image>,
    arguments: &Arguments<'_>,
) -> Result<Shared<Task>, Errno> {
    let space = spaces::register(Space::new(&KERNEL, config()))?;
    let (context, places) = load::load_into(&space, image, interpreter.as_mut(), arguments)?;
    let thread = first_thread(tree, exe, space.clone(), context, places)?;
    let (process, handle) = (thread.process.clone(), thread.handle.clone());
    let body = try_box(move || clone::live(thread, None))?;
    let task = Task::new(Some(UserRegisters::new()?), Some(space), body)?;
    table::add_process(&process, 0, &handle, &task)?;
    Ok(task)
}

/// The thread of the first process. Errors: `ENOMEM`.
pub(super) fn first_thread(
    tree: &'static Tree,
    exe: Shared<Inode>,
    space: Shared<Space>,
    context: Context,
    places: Places,
) -> Result<Thread, Errno> {
    let limits = ResourceLimits::default();
    let pid = table::new_id();
    let process = Process::new(pid, limits, Actions::new(), 0)?;
    let handle = Handle::new(pid, 0)?;
    let about = About { space: Some(space.watch()), exe: Some(exe.clone()), places, ..About::new() };
    *process.about.lock() = About { name: exe.with_name(Thread::name_of), ..about };
    let files = Files::new(tree, exe, pid, limits.descriptors())?;
    Ok(Thread::new(process, handle, space, files, context))
}

/// What address spaces start with.
static CONFIG: Mutex<Option<Config>> = Mutex::new(None);

pub(super) fn set_config(config: Config) {
    *CONFIG.lock() = Some(config);
}

/// What a new address space starts with.
pub(super) fn config() -> Config {
    CONFIG.lock().unwrap_or_default()
}

/// Frames of processes that are more, or fewer, than before. Looked for in checked builds.
fn leak_since(before: &FrameStatistics) -> Option<Damage> {
    if !cfg!(debug_assertions) {
        return None;
    }
    mapped::sweep();
    let now = KERNEL.frames().statistics();
    let changed = |kind: &FrameKind| before.allocated(*kind) != now.allocated(*kind);
    // Files keep their objects.
    let kind = [FrameKind::Anonymous, FrameKind::Huge, FrameKind::Shared, FrameKind::Table]
        .into_iter()
        .find(changed)?;
    Some(Damage::Leak { kind, before: before.allocated(kind), after: now.allocated(kind) })
}

/// The program file behind a path: `EACCES` for what is no file.
fn find(tree: &'static Tree, path: &[u8]) -> Result<Shared<Inode>, Errno> {
    tree.resolve(tree.root.clone(), None, path, LastLink::Follow)?.found()
}
