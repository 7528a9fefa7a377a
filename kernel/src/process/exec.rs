//! A new program for a process (`execve(2)`): an ELF file, with its dynamic linker, or a script that names one.

use alloc::vec::Vec;
use core::fmt;

use abi::{Errno, Signal};

use super::elf::{BadElf, Program};
use super::load::{self, Image};
use super::signals::SYNCHRONOUS;
use super::stack::Arguments;
use super::thread::{AlternateStack, Thread};
use super::{Ending, Space, exit, launch, spaces, table};
use crate::arch::shared::Shared;
use crate::arch::switch::UserRegisters;
use crate::arch::user::Context;
use crate::fs::Files;
use crate::fs::content::Content;
use crate::fs::inode::Inode;
use crate::fs::mapped;
use crate::fs::path::{LastLink, Lookup};
use crate::memory::KERNEL;
use crate::sched;

/// Bytes of a program file that are read at first.
const PREFIX: usize = 4096;
/// Bytes of a script's first line that are looked at.
const LINE: usize = 256;
/// Scripts that may name another script as their interpreter, one after the other.
const SCRIPTS: usize = 5;

/// Strings for a program.
pub(crate) type Strings = Vec<Vec<u8>>;

/// A program file and what it is started with.
struct Started {
    exe: Shared<Inode>,
    /// How it begins.
    prefix: Vec<u8>,
    path: Vec<u8>,
    arguments: Strings,
}

/// Replaces the program of the thread's process by `exe`, which is called `path`. On success the thread is at its start, and alone.
/// Errors: those of path resolution, `EACCES`, `ENOEXEC`, `E2BIG`, `ENOMEM`, `ELOOP` for too many scripts. Nothing has changed
/// then.
pub(crate) fn exec(
    thread: &mut Thread,
    exe: Shared<Inode>,
    path: Vec<u8>,
    arguments: Strings,
    environment: &Strings,
) -> Result<(), Errno> {
    let started = find(&thread.files, exe, path, arguments)?;
    let image = image(started.exe.clone(), &started.prefix).map_err(|problem| {
        log::info!("{}: {problem}", started.path.escape_ascii());
        problem.errno()
    })?;
    let mut interpreter = interpreter_of(&thread.files, &image).map_err(|problem| problem.errno())?;
    let (limits, huge_pages) = (thread.space.limits(), thread.space.huge_pages());
    let config = mm::space::Config { limits, huge_pages, ..launch::config() };
    let space = spaces::register(Space::new(&KERNEL, config))?;
    let (strings, environment) = (references(&started.arguments)?, references(environment)?);
    let start = Arguments { path: &started.path, arguments: &strings, environment: &environment };
    let (context, places) = load::load_into(&space, &image, interpreter.as_mut(), &start)?;
    let registers = UserRegisters::new()?;
    table::replace_threads(&thread.process, &thread.handle)?;
    // From here on it cannot go back.
    let name = started.path.rsplit(|&byte| byte == b'/').next().map(Thread::name_of);
    become_program(thread, image.inode, space, context, registers);
    let mut about = thread.process.about.lock();
    about.places = places;
    drop(about);
    if let Some(name) = name {
        thread.rename(name);
    }
    Ok(())
}

fn become_program(
    thread: &mut Thread,
    exe: Shared<Inode>,
    space: Shared<Space>,
    context: Context,
    registers: UserRegisters,
) {
    exit::release_memory(thread);
    drop(sched::enter_space(Some(space.clone())));
    let old = {
        let mut about = thread.process.about.lock();
        (about.space.replace(space.watch()), about.exe.replace(exe.clone()))
    };
    drop(old);
    thread.space = space;
    thread.process.let_parent_go();
    let unshared = thread.process.signals.lock().actions.unshare();
    if thread.files.exec(exe).and(unshared).is_err() {
        thread.end(Ending::Killed(Signal::SIGKILL.number()));
        return;
    }
    thread.process.signals.lock().actions.exec();
    thread.handle.signals.lock().pending.forget(SYNCHRONOUS);
    thread.process.exit_signal.store(Signal::SIGCHLD.number().into(), core::sync::atomic::Ordering::Relaxed);
    thread.alternate_stack = AlternateStack::default();
    sched::set_user_registers(Some(registers));
    thread.context = context;
}

/// Why a file does not run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Unfit {
    /// It cannot be opened or read.
    File(Errno),
    /// It is no program.
    Elf(BadElf),
}

impl Unfit {
    fn errno(self) -> Errno {
        match self {
            Unfit::File(errno) => errno,
            Unfit::Elf(_) => Errno::ENOEXEC,
        }
    }
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unfit::File(errno) => errno.fmt(f),
            Unfit::Elf(problem) => problem.fmt(f),
        }
    }
}

/// The program in `inode`, which begins with `prefix`.
pub(super) fn image(inode: Shared<Inode>, prefix: &[u8]) -> Result<Image, Unfit> {
    let content = inode.content().ok_or(Unfit::File(Errno::EACCES))?;
    let wanted = Program::prefix(prefix).min(content.size());
    let longer = if wanted > prefix.len() as u64 && prefix.len() == PREFIX {
        Some(read(content, wanted as usize).map_err(Unfit::File)?)
    } else {
        None
    };
    let program = Program::parse(longer.as_deref().unwrap_or(prefix), content.size()).map_err(Unfit::Elf)?;
    let file = mapped::object_of(&inode).map_err(Unfit::File)?;
    Ok(Image { inode, file, program })
}

/// The dynamic linker that a program wants.
pub(super) fn interpreter_of(files: &Files, image: &Image) -> Result<Option<Image>, Unfit> {
    let Some((offset, length)) = image.program.interpreter else { return Ok(None) };
    let mut name = zeroes(length).map_err(Unfit::File)?;
    let content = image.inode.content().ok_or(Unfit::File(Errno::EACCES))?;
    let read = content.read_at(offset, &mut name).map_err(Unfit::File)?;
    let name = name[..read].strip_suffix(b"\0").ok_or(Unfit::Elf(BadElf::Interpreter))?;
    let inode = files.lookup(abi::fs::AT_FDCWD, name, LastLink::Follow).and_then(Lookup::found);
    let (inode, prefix) = inode.and_then(open).map_err(Unfit::File)?;
    self::image(inode, &prefix).map(Some)
}

/// The program file behind a path, through the scripts on the way.
fn find(files: &Files, exe: Shared<Inode>, path: Vec<u8>, arguments: Strings) -> Result<Started, Errno> {
    let (exe, prefix) = open(exe)?;
    let mut started = Started { exe, prefix, path, arguments };
    for _ in 0..SCRIPTS {
        if !started.prefix.starts_with(b"#!") {
            return Ok(started);
        }
        started = interpreter(files, started)?;
    }
    Err(Errno::ELOOP)
}

/// A file that can be executed, and how it begins. Errors: `EACCES`, `ENOMEM`.
pub(super) fn open(inode: Shared<Inode>) -> Result<(Shared<Inode>, Vec<u8>), Errno> {
    let content = inode.content().filter(|_| inode.mode() & 0o111 != 0).ok_or(Errno::EACCES)?;
    let prefix = read(content, PREFIX)?;
    Ok((inode, prefix))
}

fn read(content: &Content, length: usize) -> Result<Vec<u8>, Errno> {
    let mut bytes = zeroes(length)?;
    let done = content.read_at(0, &mut bytes)?;
    bytes.truncate(done);
    Ok(bytes)
}

fn zeroes(length: usize) -> Result<Vec<u8>, Errno> {
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(length).map_err(|_| Errno::ENOMEM)?;
    bytes.resize(length, 0);
    Ok(bytes)
}

/// The interpreter that a script's first line names, started with the script's path in place of its name. What follows the
/// interpreter in the line is one argument.
fn interpreter(files: &Files, script: Started) -> Result<Started, Errno> {
    let line = script.prefix.strip_prefix(b"#!").unwrap_or_default();
    let line = line.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let line = line[..line.len().min(LINE)].trim_ascii();
    let end = line.iter().position(|byte| matches!(byte, b' ' | b'\t')).unwrap_or(line.len());
    let (name, argument) = (&line[..end], line[end..].trim_ascii());
    if name.is_empty() {
        return Err(Errno::ENOEXEC);
    }
    let (exe, prefix) = open(files.lookup(abi::fs::AT_FDCWD, name, LastLink::Follow)?.found()?)?;
    let mut arguments = Vec::new();
    arguments.try_reserve_exact(script.arguments.len() + 3).map_err(|_| Errno::ENOMEM)?;
    arguments.push(copy(name)?);
    if !argument.is_empty() {
        arguments.push(copy(argument)?);
    }
    let path = copy(name)?;
    arguments.push(script.path);
    arguments.extend(script.arguments.into_iter().skip(1));
    Ok(Started { exe, prefix, path, arguments })
}

fn copy(text: &[u8]) -> Result<Vec<u8>, Errno> {
    let mut copy = Vec::new();
    copy.try_reserve_exact(text.len()).map_err(|_| Errno::ENOMEM)?;
    copy.extend_from_slice(text);
    Ok(copy)
}

fn references(strings: &Strings) -> Result<Vec<&[u8]>, Errno> {
    let mut list = Vec::new();
    list.try_reserve_exact(strings.len()).map_err(|_| Errno::ENOMEM)?;
    list.extend(strings.iter().map(Vec::as_slice));
    Ok(list)
}
