//! A new program for a process (`execve(2)`): a static ELF file, or a script that names one.

use alloc::vec::Vec;

use abi::{Errno, Signal};

use super::elf::Program;
use super::signals::SYNCHRONOUS;
use super::stack::Arguments;
use super::thread::{AlternateStack, Thread};
use super::{Ending, Space, exit, launch, load, table};
use crate::arch::shared::Shared;
use crate::arch::switch::UserRegisters;
use crate::arch::user::Context;
use crate::fs::path::LastLink;
use crate::fs::tree::{Kind, NodeId};
use crate::memory::KERNEL;
use crate::sched;

/// Bytes of a script's first line that are looked at.
const LINE: usize = 256;
/// Scripts that may name another script as their interpreter, one after the other.
const SCRIPTS: usize = 5;

/// Strings for a program.
pub(crate) type Strings = Vec<Vec<u8>>;

/// A program file and what it is started with.
struct Image {
    exe: NodeId,
    file: &'static [u8],
    path: Vec<u8>,
    arguments: Strings,
}

/// Replaces the program of the thread's process. On success the thread is at its start, and alone.
/// Errors: those of path resolution, `EACCES`, `ENOEXEC`, `E2BIG`, `ENOMEM`, `ELOOP` for too many scripts. Nothing has changed
/// then.
pub(crate) fn exec(
    thread: &mut Thread,
    base: i32,
    path: Vec<u8>,
    arguments: Strings,
    environment: &Strings,
) -> Result<(), Errno> {
    let image = find(thread, base, path, arguments)?;
    let program = Program::parse(image.file).map_err(|problem| {
        log::info!("{}: {problem}", image.path.escape_ascii());
        Errno::ENOEXEC
    })?;
    let limits = thread.space.limits();
    let space = Shared::new(Space::new(&KERNEL, mm::space::Config { limits, ..launch::config() })?)?;
    let (strings, environment) = (references(&image.arguments)?, references(environment)?);
    let start = Arguments { path: &image.path, arguments: &strings, environment: &environment };
    let context = load::load_into(&space, &program, &start)?;
    let registers = UserRegisters::new()?;
    table::replace_threads(&thread.process, &thread.handle)?;
    // From here on it cannot go back.
    become_program(thread, image.exe, space, context, registers);
    Ok(())
}

fn become_program(
    thread: &mut Thread,
    exe: NodeId,
    space: Shared<Space>,
    context: Context,
    registers: UserRegisters,
) {
    exit::release_memory(thread);
    drop(sched::enter_space(Some(space.clone())));
    thread.space = space;
    thread.process.let_parent_go();
    if thread.files.exec(exe).is_err() {
        thread.end(Ending::Killed(Signal::SIGKILL.number()));
        return;
    }
    thread.name = Thread::name_of(thread.files.tree.node(exe).name);
    thread.process.signals.lock().actions.exec();
    thread.handle.signals.lock().pending.forget(SYNCHRONOUS);
    thread.process.exit_signal.store(Signal::SIGCHLD.number().into(), core::sync::atomic::Ordering::Relaxed);
    thread.alternate_stack = AlternateStack::default();
    sched::set_user_registers(Some(registers));
    thread.context = context;
}

/// The program file behind a path, through the scripts on the way.
fn find(thread: &Thread, base: i32, path: Vec<u8>, arguments: Strings) -> Result<Image, Errno> {
    let (exe, file) = open(thread, base, &path)?;
    let mut image = Image { exe, file, path, arguments };
    for _ in 0..SCRIPTS {
        let Some(line) = image.file.strip_prefix(b"#!") else { return Ok(image) };
        image = interpreter(thread, line, image)?;
    }
    Err(Errno::ELOOP)
}

fn open(thread: &Thread, base: i32, path: &[u8]) -> Result<(NodeId, &'static [u8]), Errno> {
    let tree = thread.files.tree;
    let node = thread.files.lookup(base, path, LastLink::Follow)?.found()?;
    match tree.node(node).kind {
        Kind::File(content) if tree.node(node).mode & 0o111 != 0 => Ok((node, content)),
        _ => Err(Errno::EACCES),
    }
}

/// The interpreter that a script's first line names, started with the script's path in place of its name. What follows the
/// interpreter in the line is one argument.
fn interpreter(thread: &Thread, line: &[u8], script: Image) -> Result<Image, Errno> {
    let line = line.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let line = line[..line.len().min(LINE)].trim_ascii();
    let end = line.iter().position(|byte| matches!(byte, b' ' | b'\t')).unwrap_or(line.len());
    let (name, argument) = (&line[..end], line[end..].trim_ascii());
    if name.is_empty() {
        return Err(Errno::ENOEXEC);
    }
    let (exe, file) = open(thread, abi::fs::AT_FDCWD, name)?;
    let mut arguments = Vec::new();
    arguments.try_reserve_exact(script.arguments.len() + 3).map_err(|_| Errno::ENOMEM)?;
    arguments.push(copy(name)?);
    if !argument.is_empty() {
        arguments.push(copy(argument)?);
    }
    arguments.push(script.path);
    arguments.extend(script.arguments.into_iter().skip(1));
    Ok(Image { exe, file, path: copy(name)?, arguments })
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
