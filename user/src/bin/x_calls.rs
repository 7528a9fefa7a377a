//! Makes the calls of a list and says what each did, for `sugarbush diff`: the same on Linux and here.
//!
//! `x_calls FILE brief|full [maps]`. FILE holds programs, each in a process of its own. A line is a letter and hexadecimal
//! numbers:
//!
//! | line | what is done | result |
//! | --- | --- | --- |
//! | `p NUMBER` | a program begins | - |
//! | `c NUMBER A B C D E F` | a system call | what it returns |
//! | `r ADDRESS` | reads a byte | the byte, or the signal |
//! | `w ADDRESS BYTE` | writes a byte | 0, or the signal |
//! | `i ADDRESS LENGTH` | mincore | what it returns, and the vector |
//! | `a ADDRESS LENGTH FLAGS` | a new segment of shared memory is attached; it goes when it is detached | how often the segment before is attached; the address |
//! | `f BYTE` | a child looks at the pages in the arena's middle, and writes to them | a digest of what it saw |
//! | `m` | - | a digest of `/proc/self/maps`, and with `full` its lines |
//!
//! Addresses that the kernel chose are given as their distance below the first such, which each program maps at its start.
//! `full` prints every result, `brief` a digest of the results so far after every [`BLOCK`] lines. With `maps` each line does what `m`
//! does as well, behind its own.
#![no_std]
#![no_main]

use core::sync::atomic::{AtomicU64, Ordering};

use abi::ipc::{IPC_CREAT, IPC_PRIVATE};
use abi::rlimit::RLIMIT_MEMLOCK;
use abi::{Errno, Signal};
use user::io::for_each_line;
use user::prelude::*;
use user::processes::{exited, fork, wait};
use user::rt::memory::{try_read_byte, try_write_byte};
use user::rt::start::argument;
use user::rt::syscall::{raw, syscall2, syscall3};
use user::shm::{remove, shmat, shmget, status};
use user::signals::{Context, Info, SA_NODEFER, handle};

program!(main);

/// The addresses of the calls: a table's border and a directory's in the middle.
const ARENA: u64 = 0x1000_3fe0_0000;
const ARENA_PAGES: u64 = 1024;
/// The pages in its middle that a child looks at.
const LOOKED_AT: u64 = 64;
/// Kernels place mappings above this.
const CHOSEN: u64 = 0x7000_0000_0000;
/// How far below the first chosen address others may be.
const NEAR: u64 = 1 << 34;
/// Lines between two digests.
const BLOCK: u64 = 50;
/// What a process may lock, in bytes.
const LOCK_LIMIT: u64 = 48 * PAGE;

/// The signal of the last access that failed.
static FAULT: AtomicU64 = AtomicU64::new(0);

/// FNV-1a over 64-bit words.
#[derive(Clone, Copy)]
struct Digest(u64);

impl Digest {
    const NEW: Self = Self(0xcbf2_9ce4_8422_2325);

    fn add(&mut self, value: u64) {
        for byte in value.to_le_bytes() {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
        }
    }
}

/// Notes the signal and goes on behind the access, an instruction of two bytes.
extern "C" fn step_over(number: u64, _: Info, context: Context) {
    FAULT.store(number, Ordering::SeqCst);
    context.set_rip(context.rip() + 2);
}

/// The signal of `access`, or what it gives.
fn attempt(access: impl FnOnce() -> u64) -> u64 {
    FAULT.store(0, Ordering::SeqCst);
    let value = access();
    match FAULT.load(Ordering::SeqCst) {
        0 => value,
        signal => 0x1000 + signal,
    }
}

/// How much is said.
#[derive(Clone, Copy)]
struct Mode {
    full: bool,
    maps: bool,
}

/// One program at work.
struct Machine {
    full: bool,
    /// Whether mappings are looked at after every line.
    maps: bool,
    /// The first address that the kernel chose.
    top: u64,
    number: u64,
    line: u64,
    digest: Digest,
    /// The segment of shared memory that was made last; -1 before.
    segment: i32,
}

impl Machine {
    fn new(number: u64, Mode { full, maps }: Mode) -> Self {
        let top = mmap(0, PAGE, Prot::NONE, Map::PRIVATE | Map::NORESERVE).expect("the first mapping");
        Self { full, maps, top, number, line: 0, digest: Digest::NEW, segment: -1 }
    }

    /// An address as it is in the arena, and as a distance where the kernel chose.
    fn relative(&self, address: u64) -> u64 {
        if address > CHOSEN && address < 1 << 47 {
            (1 << 63) | self.top.wrapping_sub(address)
        } else {
            address
        }
    }

    fn note(&mut self, value: u64) {
        self.digest.add(value);
        if self.full {
            println!("{:x} {} {:x}", self.number, self.line, value);
        }
    }

    fn done(&mut self) {
        self.line += 1;
        if !self.full && self.line.is_multiple_of(BLOCK) {
            println!("{:x} {} {:x}", self.number, self.line, self.digest.0);
        }
    }

    fn run(&mut self, letter: u8, words: &[u64; 7]) {
        let [a, b, rest @ ..] = *words;
        match letter {
            b'c' => {
                let result = raw(a, [b, rest[0], rest[1], rest[2], rest[3], rest[4]]);
                self.note(self.relative(result));
            }
            b'r' => self.note(attempt(|| try_read_byte(a).into())),
            b'w' => self.note(attempt(|| {
                try_write_byte(a, b as u8);
                0
            })),
            b'i' => self.residency(a, b),
            b'a' => {
                self.note(status(self.segment).map_or_else(Errno::to_return_value, |status| status.nattch));
                let attached = shmget(IPC_PRIVATE, b, IPC_CREAT | 0o700).and_then(|segment| {
                    self.segment = segment;
                    let attached = shmat(segment, a, rest[0] as u32);
                    check_eq!(remove(segment), Ok(0));
                    attached
                });
                self.note(self.relative(attached.unwrap_or_else(Errno::to_return_value)));
            }
            b'f' => {
                let digest = fork_and_look(b as u8);
                self.note(digest);
            }
            b'm' => self.note_maps(),
            _ => user::fail(format_args!("line {} is not understood", self.line)),
        }
        if self.maps && letter != b'm' {
            self.note_maps();
        }
        self.done();
    }

    fn residency(&mut self, address: u64, length: u64) {
        let mut vector = [0u8; ARENA_PAGES as usize];
        // A longer answer would not fit; the generator keeps to the arena.
        if length > ARENA_PAGES * PAGE {
            return self.note(Errno::EINVAL.to_return_value());
        }
        let result = syscall3(nr::MINCORE, address, length, vector.as_mut_ptr() as u64);
        self.note(result.unwrap_or_else(Errno::to_return_value));
        let mut digest = Digest::NEW;
        for byte in vector {
            digest.add((byte & 1).into());
        }
        self.note(digest.0);
    }

    fn note_maps(&mut self) {
        let mut digest = Digest::NEW;
        for_each_line(c"/proc/self/maps", |line| {
            let Some((start, end, permissions, offset)) = parse_mapping(line) else { return };
            let in_arena = start >= ARENA - (1 << 30) && end <= ARENA + (1 << 30);
            // The kernel chooses from the first mapping downwards.
            let chosen = start <= self.top && start > self.top - NEAR;
            if in_arena || chosen {
                let (start, end) = (self.relative(start), self.relative(end));
                digest.add(start);
                digest.add(end);
                digest.add(offset);
                for letter in permissions {
                    digest.add(letter.into());
                }
                if self.full {
                    let permissions = str::from_utf8(&permissions).unwrap_or("?");
                    println!("{:x} {} {start:x}-{end:x} {permissions} {offset:x}", self.number, self.line);
                }
            }
        });
        self.note(digest.0);
    }
}

/// A child reads and writes a byte of every page in the arena's middle that it can; the low bits of a digest of what it read.
fn fork_and_look(value: u8) -> u64 {
    let child = fork(|| {
        let mut digest = Digest::NEW;
        for page in ARENA_PAGES / 2 - LOOKED_AT / 2..ARENA_PAGES / 2 + LOOKED_AT / 2 {
            let address = ARENA + page * PAGE;
            digest.add(attempt(|| try_read_byte(address).into()));
            digest.add(attempt(|| {
                try_write_byte(address, value);
                0
            }));
        }
        (digest.0 >> 8) as i32 & 0xff
    });
    wait(child).into()
}

fn number(digits: &[u8]) -> Option<u64> {
    u64::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()
}

/// Start, end, permissions and offset of a line of maps.
fn parse_mapping(line: &[u8]) -> Option<(u64, u64, [u8; 4], u64)> {
    let mut words = line.split(|&byte| byte == b' ');
    let mut range = words.next()?.split(|&byte| byte == b'-');
    let (start, end) = (number(range.next()?)?, number(range.next()?)?);
    Some((start, end, words.next()?.try_into().ok()?, number(words.next()?)?))
}

/// The letter and the numbers of a line; numbers that are not there are 0.
fn parse(line: &[u8]) -> Option<(u8, [u64; 7])> {
    let mut words = line.split(|&byte| byte == b' ');
    let [letter] = *words.next()? else { return None };
    let mut numbers = [0; 7];
    for (place, word) in numbers.iter_mut().zip(words) {
        *place = number(word)?;
    }
    Some((letter, numbers))
}

/// As a process without privileges, with a small limit on locked memory, and deaf to faults.
fn prepare() {
    // Ours has no privileges to give up, and then no such call.
    let header = [0x2008_0522u32, 0];
    let none = [0u32; 6];
    let _ = syscall2(nr::CAPSET, header.as_ptr() as u64, none.as_ptr() as u64);
    let limit = [LOCK_LIMIT, LOCK_LIMIT];
    check_eq!(syscall2(nr::SETRLIMIT, RLIMIT_MEMLOCK.into(), limit.as_ptr() as u64), Ok(0));
    handle(Signal::SIGSEGV, step_over, SA_NODEFER);
    handle(Signal::SIGBUS, step_over, SA_NODEFER);
}

fn main() {
    let (Some(file), Some(mode)) = (argument(1), argument(2)) else {
        user::fail(format_args!("usage: x_calls FILE brief|full [maps]"));
    };
    let mode = Mode { full: mode == c"full", maps: argument(3).is_some() };
    prepare();
    let mut program = Text { bytes: [0; LONGEST], length: 0 };
    for_each_line(file, |line| {
        if line.starts_with(b"p ") {
            program.run(mode);
            program.length = 0;
        }
        program.push(line);
    });
    program.run(mode);
}

/// Longest program in bytes.
const LONGEST: usize = 1 << 18;

/// The lines of one program.
struct Text {
    bytes: [u8; LONGEST],
    length: usize,
}

impl Text {
    fn push(&mut self, line: &[u8]) {
        let end = self.length + line.len() + 1;
        check!(end <= LONGEST, "a program is longer than {LONGEST} bytes");
        self.bytes[self.length..end - 1].copy_from_slice(line);
        self.bytes[end - 1] = b'\n';
        self.length = end;
    }

    /// Runs the program in a process of its own, if there is one.
    fn run(&self, mode: Mode) {
        let mut lines =
            self.bytes[..self.length].split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
        let Some(first) = lines.next() else { return };
        let Some((b'p', [number, ..])) = parse(first) else {
            user::fail(format_args!("no program begins the file"))
        };
        let child = fork(|| {
            let mut machine = Machine::new(number, mode);
            for line in lines {
                let Some((letter, words)) = parse(line) else {
                    user::fail(format_args!("a line is malformed"))
                };
                machine.run(letter, &words);
            }
            println!("{number:x} end {:x}", machine.digest.0);
            0
        });
        let status = wait(child);
        if status != exited(0) {
            println!("{number:x} ended with status {status:x}");
        }
    }
}
