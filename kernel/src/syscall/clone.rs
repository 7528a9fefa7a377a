//! New threads, processes and programs: clone, clone3, fork, vfork, execve, execveat.

use alloc::vec::Vec;

use abi::Errno;
use abi::clone::{
    CLONE_CLEAR_SIGHAND, CLONE_DETACHED, CLONE_KNOWN, CLONE_PARENT, CLONE_SIGHAND, CLONE_THREAD,
};
use abi::clone::{CLONE_VFORK, CLONE_VM, CSIGNAL};
use abi::fs::{AT_EMPTY_PATH, AT_FDCWD, AT_SYMLINK_NOFOLLOW};
use mm::PAGE_SIZE;

use super::Arguments;
use super::user::{UserPtr, UserString, user_struct};
use crate::fs::names::Empty;
use crate::fs::path::LastLink;
use crate::process::Thread;
use crate::process::clone::{FORK, Request, clone as clone_thread};
use crate::process::exec::{Strings, exec};

/// Most bytes that arguments and environment take, as Linux has it for the default stack limit.
const STRINGS_MAX: usize = 6 << 20;

/// `clone(2)`.
pub(super) fn clone(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    let Arguments([flags, stack, parent_tid, child_tid, tls, _]) = *arguments;
    // The upper half does not count.
    let flags = u64::from(flags as u32);
    let request = Request {
        flags: flags & !CSIGNAL,
        exit_signal: (flags & CSIGNAL) as u32,
        stack,
        parent_tid,
        child_tid,
        tls,
    };
    Ok(clone_thread(thread, request)? as u64)
}

/// `fork(2)`.
pub(super) fn fork(thread: &mut Thread, _: &Arguments) -> Result<u64, Errno> {
    Ok(clone_thread(thread, FORK)? as u64)
}

/// `vfork(2)`.
pub(super) fn vfork(thread: &mut Thread, _: &Arguments) -> Result<u64, Errno> {
    Ok(clone_thread(thread, Request { flags: CLONE_VFORK | CLONE_VM, ..FORK })? as u64)
}

/// `struct clone_args`.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
struct CloneArguments {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
    set_tid: u64,
    set_tid_size: u64,
    cgroup: u64,
}

user_struct!(CloneArguments {
    flags,
    pidfd,
    child_tid,
    parent_tid,
    exit_signal,
    stack,
    stack_size,
    tls,
    set_tid,
    set_tid_size,
    cgroup,
});

/// Size of the first version of the structure.
const LEAST: u64 = 64;

/// `clone3(2)`.
pub(super) fn clone3(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    let wanted = read_arguments(arguments.u64(0), arguments.u64(1))?;
    let bad = wanted.flags & !CLONE_KNOWN != 0
        || wanted.flags & (CSIGNAL | CLONE_DETACHED) != 0
        || wanted.flags & (CLONE_SIGHAND | CLONE_CLEAR_SIGHAND) == CLONE_SIGHAND | CLONE_CLEAR_SIGHAND
        || (wanted.flags & (CLONE_THREAD | CLONE_PARENT) != 0 && wanted.exit_signal != 0)
        || wanted.exit_signal > 64
        || (wanted.stack == 0) != (wanted.stack_size == 0)
        || wanted.set_tid != 0
        || wanted.set_tid_size != 0;
    if bad {
        return Err(Errno::EINVAL);
    }
    let request = Request {
        flags: wanted.flags,
        exit_signal: wanted.exit_signal as u32,
        stack: wanted.stack.wrapping_add(wanted.stack_size),
        parent_tid: wanted.parent_tid,
        child_tid: wanted.child_tid,
        tls: wanted.tls,
    };
    Ok(clone_thread(thread, request)? as u64)
}

/// The structure of `size` bytes at `address`: what it lacks is 0, and what we do not know must be. Errors: `EINVAL` if it is too
/// short, `E2BIG`, `EFAULT`.
fn read_arguments(address: u64, size: u64) -> Result<CloneArguments, Errno> {
    const SIZE: u64 = size_of::<CloneArguments>() as u64;
    if size > PAGE_SIZE {
        return Err(Errno::E2BIG);
    }
    if size < LEAST {
        return Err(Errno::EINVAL);
    }
    let mut words = [0u64; SIZE as usize / 8];
    for offset in (0..size).step_by(8) {
        let at = address.checked_add(offset).ok_or(Errno::EFAULT)?;
        // A last piece of less than a word can only be unknown, and zero.
        let word = if size - offset >= 8 { UserPtr::<u64>::new(at).read()? } else { 0 };
        match words.get_mut(offset as usize / 8) {
            Some(place) => *place = word,
            None if word != 0 => return Err(Errno::E2BIG),
            None => {}
        }
    }
    let [
        flags,
        pidfd,
        child_tid,
        parent_tid,
        exit_signal,
        stack,
        stack_size,
        tls,
        set_tid,
        set_tid_size,
        cgroup,
    ] = words;
    Ok(CloneArguments {
        flags,
        pidfd,
        child_tid,
        parent_tid,
        exit_signal,
        stack,
        stack_size,
        tls,
        set_tid,
        set_tid_size,
        cgroup,
    })
}

/// `execve(2)`.
pub(super) fn execve(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    let path = arguments.path(0)?.into_bytes();
    let (list, environment) = (strings(arguments.u64(1))?, strings(arguments.u64(2))?);
    start(thread, AT_FDCWD, path, Empty::Nothing, list, &environment)
}

/// `execveat(2)`.
pub(super) fn execveat(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    let (base, flags) = (arguments.i32(0), arguments.u32(4));
    if flags & !(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) != 0 {
        return Err(Errno::EINVAL);
    }
    let path = arguments.path(1)?.into_bytes();
    let (list, environment) = (strings(arguments.u64(2))?, strings(arguments.u64(3))?);
    let empty = if flags & AT_EMPTY_PATH != 0 { Empty::Descriptor } else { Empty::Nothing };
    start(thread, base, path, empty, list, &environment)
}

fn start(
    thread: &mut Thread,
    base: i32,
    path: Vec<u8>,
    empty: Empty,
    mut arguments: Strings,
    environment: &Strings,
) -> Result<u64, Errno> {
    let exe = thread.files.inode_at(base, &path, LastLink::Follow, empty)?;
    let path = if path.is_empty() { exe.path()? } else { path };
    if arguments.is_empty() {
        // A program always has a name, as on Linux.
        arguments.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        arguments.push(Vec::new());
    }
    exec(thread, exe, path, arguments, environment)?;
    Ok(0)
}

/// The strings that a table of pointers names, which ends with 0; none for a null pointer. Errors: `EFAULT`, `E2BIG`, `ENOMEM`.
fn strings(table: u64) -> Result<Strings, Errno> {
    let mut strings = Strings::new();
    if table == 0 {
        return Ok(strings);
    }
    let mut bytes = 0;
    let mut at = table;
    loop {
        let pointer = UserPtr::<u64>::new(at).read()?;
        if pointer == 0 {
            return Ok(strings);
        }
        let string = UserString::read_long(pointer)?.into_bytes();
        bytes += string.len() + 9;
        if bytes > STRINGS_MAX {
            return Err(Errno::E2BIG);
        }
        strings.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        strings.push(string);
        at = at.checked_add(8).ok_or(Errno::EFAULT)?;
    }
}
