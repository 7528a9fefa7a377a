//! Signals: `signal(7)`, `sigaction(2)`.

use core::fmt;

macro_rules! signals {
    ($($name:ident = $number:literal, $text:literal;)*) => {
        /// A standard signal; the variants have Linux's names.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        #[repr(u8)]
        pub enum Signal {
            $(#[doc = $text] $name = $number,)*
        }

        impl Signal {
            /// Every standard signal, ascending.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The signal with this number; `None` for real-time signals and for what is no signal.
            pub const fn from_number(number: u8) -> Option<Self> {
                match number {
                    $($number => Some(Self::$name),)*
                    _ => None,
                }
            }

            /// The name, such as `"SIGSEGV"`.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)*
                }
            }
        }
    };
}

signals! {
    SIGHUP = 1, "Hang-up.";
    SIGINT = 2, "Interrupt from the keyboard.";
    SIGQUIT = 3, "Quit from the keyboard.";
    SIGILL = 4, "Illegal instruction.";
    SIGTRAP = 5, "Trap: breakpoint or single step.";
    SIGABRT = 6, "Abort.";
    SIGBUS = 7, "Bus error: an access to memory that has nothing behind it.";
    SIGFPE = 8, "Arithmetic error.";
    SIGKILL = 9, "Kill; cannot be caught.";
    SIGUSR1 = 10, "User-defined.";
    SIGSEGV = 11, "Invalid memory reference.";
    SIGUSR2 = 12, "User-defined.";
    SIGPIPE = 13, "Write to a pipe without readers.";
    SIGALRM = 14, "Timer of `alarm`.";
    SIGTERM = 15, "Termination.";
    SIGSTKFLT = 16, "Coprocessor stack fault; unused.";
    SIGCHLD = 17, "A child stopped or ended.";
    SIGCONT = 18, "Continue if stopped.";
    SIGSTOP = 19, "Stop; cannot be caught.";
    SIGTSTP = 20, "Stop from the terminal.";
    SIGTTIN = 21, "A background process reads from the terminal.";
    SIGTTOU = 22, "A background process writes to the terminal.";
    SIGURG = 23, "Urgent data on a socket.";
    SIGXCPU = 24, "Processor time limit exceeded.";
    SIGXFSZ = 25, "File size limit exceeded.";
    SIGVTALRM = 26, "Virtual timer.";
    SIGPROF = 27, "Profiling timer.";
    SIGWINCH = 28, "The terminal changed its size.";
    SIGIO = 29, "I/O is possible.";
    SIGPWR = 30, "Power failure.";
    SIGSYS = 31, "Bad system call.";
}

impl Signal {
    /// The number, `1..=31`.
    pub const fn number(self) -> u8 {
        self as u8
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Lowest real-time signal, as the kernel counts.
pub const SIGRTMIN: u8 = 32;
/// Highest signal number.
pub const NSIG: u8 = 64;

/// `SIGILL`: illegal opcode.
pub const ILL_ILLOPC: i32 = 1;
/// `SIGILL`: illegal operand.
pub const ILL_ILLOPN: i32 = 2;
/// `SIGILL`: privileged opcode.
pub const ILL_PRVOPC: i32 = 5;
/// `SIGFPE`: integer division by zero.
pub const FPE_INTDIV: i32 = 1;
/// `SIGFPE`: integer overflow.
pub const FPE_INTOVF: i32 = 2;
/// `SIGFPE`: floating-point division by zero.
pub const FPE_FLTDIV: i32 = 3;
/// `SIGFPE`: floating-point overflow.
pub const FPE_FLTOVF: i32 = 4;
/// `SIGFPE`: floating-point underflow.
pub const FPE_FLTUND: i32 = 5;
/// `SIGFPE`: inexact floating-point result.
pub const FPE_FLTRES: i32 = 6;
/// `SIGFPE`: invalid floating-point operation.
pub const FPE_FLTINV: i32 = 7;
/// `SIGSEGV`: nothing is mapped at the address.
pub const SEGV_MAPERR: i32 = 1;
/// `SIGSEGV`: the mapping does not permit the access.
pub const SEGV_ACCERR: i32 = 2;
/// `SIGSEGV`: protection key.
pub const SEGV_PKUERR: i32 = 4;
/// `SIGBUS`: misaligned address.
pub const BUS_ADRALN: i32 = 1;
/// `SIGBUS`: nothing behind the address.
pub const BUS_ADRERR: i32 = 2;
/// `SIGBUS`: hardware error of the object.
pub const BUS_OBJERR: i32 = 3;
/// `SIGTRAP`: breakpoint.
pub const TRAP_BRKPT: i32 = 1;
/// `SIGTRAP`: single step.
pub const TRAP_TRACE: i32 = 2;
/// Any signal: sent by the kernel, without more to say.
pub const SI_KERNEL: i32 = 0x80;
/// Any signal: sent by `kill`.
pub const SI_USER: i32 = 0;

/// `sigaction` handler: the default action.
pub const SIG_DFL: u64 = 0;
/// `sigaction` handler: ignore.
pub const SIG_IGN: u64 = 1;
/// `sigprocmask`: add to the blocked signals.
pub const SIG_BLOCK: u32 = 0;
/// `sigprocmask`: remove from the blocked signals.
pub const SIG_UNBLOCK: u32 = 1;
/// `sigprocmask`: replace the blocked signals.
pub const SIG_SETMASK: u32 = 2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_standard_signals_are_1_to_31_without_a_gap() {
        for number in 1..=31 {
            assert_eq!(Signal::from_number(number).map(Signal::number), Some(number));
        }
        assert_eq!(Signal::from_number(0), None);
        assert_eq!(Signal::from_number(32), None);
        assert_eq!(Signal::ALL.len(), 31);
    }

    #[test]
    fn names_belong_to_their_numbers() {
        assert_eq!(Signal::from_number(11), Some(Signal::SIGSEGV));
        assert_eq!(Signal::SIGBUS.name(), "SIGBUS");
    }
}
