//! Tests of system calls, made as a program makes them: by number, with raw arguments, in an address space of
//! their own.

mod arguments;
mod rules;

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

use abi::fs::O_RDONLY;
use abi::mman::{Map, Prot};
use abi::{Errno, nr};

use super::user::UserPtr;
use super::{Arguments, dispatch};
use crate::arch::user::{copy_from_user, copy_to_user};
use crate::fs::path::LastLink;
use crate::fs::{Member, Tree};
use crate::process::{Thread, with_thread};

/// Two pages that can be read and written, with nothing around them.
const MEMORY: u64 = 0x10_0000;
const MEMORY_END: u64 = MEMORY + 0x2000;
/// Addresses that no pointer may have: null, the hole behind the memory, the last page of the user half, the
/// kernel.
const BAD: [u64; 6] =
    [0, MEMORY_END, 0x7fff_ffff_f000, 0x8000_0000_0000, 0xffff_8000_0000_0000, u64::MAX - 3];

fn test_process(body: impl FnOnce(&mut Thread)) {
    let file = |path, content| Member { path, mode: 0o100_755, modified: 0, content };
    let members = [file(&b"bin/program"[..], &b"content"[..]), file(b"other", b"0123456789")];
    let tree = Box::leak(Box::new(Tree::build(members.into_iter()).expect("a tree")));
    let exe = tree.resolve(tree.root.clone(), None, b"/bin/program", LastLink::Follow).expect("a path");
    let exe = exe.found().expect("a program");
    let run = with_thread(tree, exe, |thread| {
        let flags = Map::PRIVATE | Map::ANONYMOUS | Map::FIXED;
        let arguments = [MEMORY, 0x2000, Prot::READ_WRITE.bits(), flags.bits(), u64::MAX, 0];
        assert_eq!(call(thread, nr::MMAP, &arguments), Ok(MEMORY));
        body(thread);
    });
    run.expect("memory for a process");
}

fn call(thread: &mut Thread, number: u64, arguments: &[u64]) -> Result<u64, Errno> {
    let mut all = [0; 6];
    all[..arguments.len()].copy_from_slice(arguments);
    Errno::from_return_value(dispatch(thread, number, &Arguments(all)))
}

fn poke(address: u64, bytes: &[u8]) {
    copy_to_user(address, bytes).expect("user memory");
}

fn peek(address: u64, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    copy_from_user(&mut bytes, address).expect("user memory");
    bytes
}

fn peek_word(address: u64) -> u64 {
    UserPtr::new(address).read().expect("user memory")
}

/// Opens a file whose path is put at the start of the memory.
fn open(thread: &mut Thread, path: &str) -> u64 {
    poke(MEMORY, path.as_bytes());
    poke(MEMORY + path.len() as u64, b"\0");
    call(thread, nr::OPEN, &[MEMORY, O_RDONLY.into()]).expect(path)
}
