//! Runs a program and notes its mappings at its end, for `sugarbush diff --maps`; on Linux only.
//!
//! `x_maps FILE PROGRAM NAME ARGUMENT...` executes PROGRAM as NAME, without randomized addresses. FILE gets its `/proc/PID/maps` as
//! it is when the program ends. The exit status is the program's, or the same signal ends this one.
#![no_std]
#![no_main]

use abi::fs::{O_CREAT, O_TRUNC, O_WRONLY};
use abi::{Signal, nr};
use user::files::create;
use user::prelude::*;
use user::processes::{fork, kill, wait4};
use user::rt::start::{argument, argument_count};
use user::rt::syscall::{syscall1, syscall3, syscall4};
use user::sys::{close, exit, getpid, open, read, write};

program!(main);

const PTRACE_TRACEME: u64 = 0;
const PTRACE_CONT: u64 = 7;
const PTRACE_SETOPTIONS: u64 = 0x4200;
const PTRACE_O_TRACEEXIT: u64 = 1 << 6;
const PTRACE_O_EXITKILL: u64 = 1 << 20;
const PTRACE_EVENT_EXIT: u32 = 6;
const ADDR_NO_RANDOMIZE: u64 = 0x004_0000;
/// Most arguments of the program.
const ARGUMENTS: usize = 64;

fn ptrace(request: u64, pid: u64, data: u64) {
    check_eq!(syscall4(nr::PTRACE, request, pid, 0, data), Ok(0));
}

/// Becomes the program, which its parent traces.
fn execute() -> i32 {
    let mut arguments = [0; ARGUMENTS + 1];
    check!(argument_count() - 3 <= ARGUMENTS, "more than {ARGUMENTS} arguments");
    for (place, number) in arguments.iter_mut().zip(3..argument_count()) {
        *place = argument(number).map_or(0, |text| text.as_ptr() as u64);
    }
    let path = argument(2).map_or(0, |text| text.as_ptr() as u64);
    check!(syscall1(nr::PERSONALITY, ADDR_NO_RANDOMIZE).is_ok());
    ptrace(PTRACE_TRACEME, 0, 0);
    let none = [0u64; 1];
    let result = syscall3(nr::EXECVE, path, arguments.as_ptr() as u64, none.as_ptr() as u64);
    user::fail(format_args!("execve: {result:?}"))
}

/// Copies the mappings of a process to the file.
fn note_maps(pid: u64) {
    let mut path = *b"/proc/0000000000/maps\0";
    let mut rest = pid;
    for digit in path[6..16].iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    // Leading zeroes are no part of the name.
    let zeroes = path[6..15].iter().take_while(|&&digit| digit == b'0').count();
    path.copy_within(6 + zeroes.., 6);
    let from = core::ffi::CStr::from_bytes_until_nul(&path).expect("a path");
    let from = open(from, 0).expect("open");
    let file = argument(1).expect("a file");
    let to = create(file, O_CREAT | O_TRUNC | O_WRONLY, 0o600).expect("create");
    let mut bytes = [0; 4096];
    loop {
        let length = read(from, &mut bytes).expect("read");
        if length == 0 {
            break;
        }
        check_eq!(write(to, &bytes[..length]), Ok(length));
    }
    check!(close(from).is_ok() && close(to).is_ok());
}

fn main() {
    check!(argument_count() > 3, "usage: x_maps FILE PROGRAM NAME ARGUMENT...");
    let child = fork(execute);
    let mut executed = false;
    loop {
        let status = wait4(child as i64, 0).expect("wait4").status;
        if status & 0x7f == 0 {
            exit((status >> 8) as i32);
        }
        if status & 0xff != 0x7f {
            let number = (status & 0x7f) as u8;
            let own = getpid().expect("getpid");
            check!(kill(own, number).is_ok());
            exit(128 + i32::from(number));
        }
        let (signal, event) = (status >> 8 & 0xff, status >> 16);
        let mut pass_on = 0;
        if event == PTRACE_EVENT_EXIT {
            note_maps(child);
        } else if !executed {
            // The program is there, and has not begun.
            executed = true;
            ptrace(PTRACE_SETOPTIONS, child, PTRACE_O_TRACEEXIT | PTRACE_O_EXITKILL);
        } else if event == 0 && signal != Signal::SIGSTOP.number().into() {
            pass_on = signal.into();
        }
        ptrace(PTRACE_CONT, child, pass_on);
    }
}
