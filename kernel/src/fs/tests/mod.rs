//! Tests of the name space, descriptors, open files, pipes, settings and texts that are written piece by piece.

mod files;
mod pipes;
mod settings;
mod written;

use alloc::boxed::Box;
use alloc::vec::Vec;

use abi::Errno;
use abi::fs::{AT_FDCWD, S_IFDIR, S_IFLNK, S_IFREG};

use super::path::{LastLink, Lookup};
use super::transfer::{Sink, Source};
use super::written::Piece;
use super::{Files, Member, Position, Tree};

/// A buffer in the kernel; `good` bytes of it are there, the rest is bad memory.
struct Buffer {
    bytes: Vec<u8>,
    size: usize,
    good: usize,
}

impl Buffer {
    fn new(size: usize) -> Self {
        Buffer { bytes: Vec::new(), size, good: size }
    }

    fn with_bad_end(size: usize, good: usize) -> Self {
        Buffer { good, ..Buffer::new(size) }
    }
}

impl Sink for Buffer {
    fn room(&self) -> usize {
        self.size - self.bytes.len()
    }

    fn put(&mut self, bytes: &[u8]) -> usize {
        let taken = bytes.len().min(self.good - self.bytes.len());
        self.bytes.extend_from_slice(&bytes[..taken]);
        taken
    }
}

/// Bytes in the kernel.
struct Bytes<'a>(&'a [u8]);

impl Source for Bytes<'_> {
    fn left(&self) -> usize {
        self.0.len()
    }

    fn take(&mut self, into: &mut [u8]) -> usize {
        let taken = into.len().min(self.0.len());
        into[..taken].copy_from_slice(&self.0[..taken]);
        self.0 = &self.0[taken..];
        taken
    }
}

fn member(path: &'static str, mode: u32, content: &'static [u8]) -> Member {
    Member { path: path.as_bytes(), mode, modified: 0, content }
}

fn tree() -> Tree {
    let members = [
        member("bin", S_IFDIR | 0o755, b""),
        member("bin/tool", S_IFREG | 0o755, b"\x7fELF"),
        member("deep/er/file", S_IFREG | 0o644, b"0123456789"),
        member("deep/link", S_IFLNK | 0o777, b"er/file"),
        member("deep/up", S_IFLNK | 0o777, b"../bin"),
        member("absolute", S_IFLNK | 0o777, b"/bin/tool"),
        member("loop", S_IFLNK | 0o777, b"loop"),
        member("dangling", S_IFLNK | 0o777, b"nowhere"),
        member("twice", S_IFREG | 0o600, b"first"),
        member("twice", S_IFREG | 0o644, b"second"),
    ];
    Tree::build(members.into_iter()).expect("a good tree")
}

fn resolve(tree: &Tree, path: &[u8]) -> Result<Lookup, Errno> {
    tree.resolve(tree.root.clone(), None, path, LastLink::Follow)
}

#[track_caller]
fn assert_names(tree: &Tree, path: &str, expected: &[u8]) {
    let node = resolve(tree, path.as_bytes()).expect(path).found().expect(path);
    assert_eq!(node.path().expect("memory"), expected, "{path}");
}

#[track_caller]
fn assert_refused(tree: &Tree, path: &[u8], errno: Errno) {
    let found = resolve(tree, path).and_then(Lookup::found);
    assert_eq!(found.err(), Some(errno), "{}", path.escape_ascii());
}

fn files() -> Files {
    let tree = Box::leak(Box::new(tree()));
    let exe = resolve(tree, b"/bin/tool").expect("a path").found().expect("a node");
    Files::new(tree, exe, 1, 16).expect("memory")
}

fn open(files: &mut Files, path: &str, flags: u32) -> Result<i32, Errno> {
    files.open_at(AT_FDCWD, path.as_bytes(), flags, 0o666)
}

fn read(files: &mut Files, number: i32, size: usize) -> Result<Vec<u8>, Errno> {
    let mut buffer = Buffer::new(size);
    files.read(number, Position::Current, &mut buffer, &|_, _| Ok(Piece::default()))?;
    Ok(buffer.bytes)
}

fn write(files: &mut Files, number: i32, bytes: &[u8]) -> Result<usize, Errno> {
    files.write(number, Position::Current, &mut Bytes(bytes))
}
