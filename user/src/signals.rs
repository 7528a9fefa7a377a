//! Signal handlers and masks.

use crate::check_eq;
use crate::rt::memory::{read_word, write_word};
use crate::rt::syscall::{syscall2, syscall4};
use crate::rt::thread::restorer_address;
use abi::signal::{SIG_BLOCK, SIG_UNBLOCK};
use abi::{Errno, Signal, nr};

/// The handler gets information.
pub const SA_SIGINFO: u64 = 4;
/// The handler runs on the alternate stack.
pub const SA_ONSTACK: u64 = 0x0800_0000;
/// Interrupted calls are made again.
pub const SA_RESTART: u64 = 0x1000_0000;
/// The signal is not blocked meanwhile.
pub const SA_NODEFER: u64 = 0x4000_0000;
/// The handler is called once.
pub const SA_RESETHAND: u64 = 0x8000_0000;
const SA_RESTORER: u64 = 0x0400_0000;

/// A handler: number, address of `siginfo_t`, address of `ucontext_t`.
pub type Handler = extern "C" fn(u64, Info, Context);

/// Where a `siginfo_t` is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct Info(pub u64);

impl Info {
    /// `si_code`.
    pub fn code(self) -> i32 {
        read_word(self.0 + 8) as i32
    }

    /// `si_addr`.
    pub fn address(self) -> u64 {
        read_word(self.0 + 16)
    }

    /// `si_pid`.
    pub fn pid(self) -> u64 {
        read_word(self.0 + 16) & 0xffff_ffff
    }

    /// `si_status`.
    pub fn status(self) -> i32 {
        read_word(self.0 + 24) as i32
    }
}

/// Where a `ucontext_t` is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct Context(pub u64);

/// Words of `ucontext_t`: registers begin at 5.
const RIP: u64 = 5 + 16;
const ERROR: u64 = 5 + 19;
const TRAP: u64 = 5 + 20;
const CR2: u64 = 5 + 22;
const MASK: u64 = 37;

impl Context {
    fn word(self, index: u64) -> u64 {
        read_word(self.0 + 8 * index)
    }

    /// The instruction at which the handler came in.
    pub fn rip(self) -> u64 {
        self.word(RIP)
    }

    /// Goes on elsewhere after the handler.
    pub fn set_rip(self, rip: u64) {
        write_word(self.0 + 8 * RIP, rip);
    }

    /// Vector and error code of the exception, and the address of a page fault.
    pub fn trap(self) -> (u64, u64, u64) {
        (self.word(TRAP), self.word(ERROR), self.word(CR2))
    }

    /// The signals that were blocked.
    pub fn mask(self) -> u64 {
        self.word(MASK)
    }
}

/// `rt_sigaction` with a handler.
pub fn handle(signal: Signal, handler: Handler, flags: u64) {
    handle_with_mask(signal, handler, flags, 0);
}

/// As [`handle`], with signals that are blocked meanwhile.
pub fn handle_with_mask(signal: Signal, handler: Handler, flags: u64, mask: u64) {
    let flags = flags | SA_SIGINFO | SA_RESTORER;
    let action = [handler as *const () as u64, flags, restorer_address(), mask];
    check_eq!(syscall4(nr::RT_SIGACTION, signal.number().into(), action.as_ptr() as u64, 0, 8), Ok(0));
}

/// `rt_sigaction` with `SIG_DFL` or `SIG_IGN`.
pub fn set_default(signal: Signal, action: u64) {
    let action = [action, 0, 0, 0];
    check_eq!(syscall4(nr::RT_SIGACTION, signal.number().into(), action.as_ptr() as u64, 0, 8), Ok(0));
}

/// The set of one signal.
pub const fn set(signal: Signal) -> u64 {
    1 << (signal.number() - 1)
}

/// Blocks these signals, and returns which were blocked.
pub fn block(signals: u64) -> u64 {
    mask(SIG_BLOCK, signals)
}

/// Does not block these signals any more.
pub fn unblock(signals: u64) -> u64 {
    mask(SIG_UNBLOCK, signals)
}

fn mask(how: u32, signals: u64) -> u64 {
    let mut old = 0u64;
    let (new, to) = ((&raw const signals) as u64, (&raw mut old) as u64);
    check_eq!(syscall4(nr::RT_SIGPROCMASK, how.into(), new, to, 8), Ok(0));
    old
}

/// `rt_sigpending`.
pub fn pending() -> u64 {
    let mut signals = 0u64;
    check_eq!(syscall2(nr::RT_SIGPENDING, (&raw mut signals) as u64, 8), Ok(0));
    signals
}

/// `rt_sigsuspend`.
pub fn suspend(signals: u64) -> Result<u64, Errno> {
    syscall2(nr::RT_SIGSUSPEND, (&raw const signals) as u64, 8)
}
