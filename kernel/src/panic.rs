//! The end: a panic stops the other CPUs, tells what and where on the log line, and the host tool that it happened.

use core::fmt::Write;
use core::panic::PanicInfo;
use core::sync::atomic::{AtomicU32, Ordering};

use crate::arch::port::{self, Exit};
use crate::arch::stop;
#[cfg(feature = "test")]
use crate::arch::trial;
use crate::arch::{self, backtrace};
use crate::klog::Buffered;
use crate::{console, symbols};

/// Panics under way: a panic inside a panic says less, a third one nothing.
static DEPTH: AtomicU32 = AtomicU32::new(0);
/// The CPU that panics; others that do at the same time wait for their end.
static PANICKING: AtomicU32 = AtomicU32::new(NOBODY);
const NOBODY: u32 = u32::MAX;

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    let own = arch::cpu_number();
    let first = PANICKING.compare_exchange(NOBODY, own, Ordering::SeqCst, Ordering::SeqCst);
    if first.is_err_and(|first| first != own) {
        stop::halt();
    }
    let depth = DEPTH.fetch_add(1, Ordering::SeqCst);
    let details = depth < 2 && !is_expected(info);
    if details {
        let mut log = Buffered::new(|bytes| console::LOG.write_in_panic(bytes));
        // A `Buffered` never fails.
        let _ = match info.location() {
            Some(at) => writeln!(log, "panic on CPU {} at {at}: {}", arch::cpu_number(), info.message()),
            None => writeln!(log, "panic on CPU {}: {}", arch::cpu_number(), info.message()),
        };
        log.flush();
        if depth == 0 {
            write_backtrace(&mut log);
        }
        log.flush();
    }
    give_up_test();
    if depth == 0 {
        stop_others();
    }
    if depth < 2 {
        console::HOST.write_in_panic(b"panic\n");
    }
    port::exit(Exit::Panic)
}

/// Whether a test wants this panic.
fn is_expected(info: &PanicInfo<'_>) -> bool {
    #[cfg(feature = "test")]
    if trial::hold() {
        return crate::test::note_panic(info.message()) == crate::test::Report::Quiet;
    }
    let _ = info;
    false
}

/// Goes back to the test runner if a test runs. Its panic is over then.
fn give_up_test() {
    #[cfg(feature = "test")]
    if trial::hold() {
        DEPTH.store(0, Ordering::SeqCst);
        PANICKING.store(NOBODY, Ordering::SeqCst);
        trial::abandon();
    }
}

fn write_backtrace(log: &mut impl Write) {
    let _ = writeln!(log, "backtrace, innermost first:");
    // A return address points behind the call, perhaps into the next function.
    backtrace::walk(|address| write_place(log, address, address - 1));
}

/// Writes `address` with the name of the function around `inside`.
fn write_place(log: &mut impl Write, address: u64, inside: u64) {
    let _ = match symbols::find(inside) {
        Some(symbol) => writeln!(log, "  {address:#018x} {symbol}"),
        None => writeln!(log, "  {address:#018x}"),
    };
}

/// Stops the other CPUs; each tells where it was.
fn stop_others() {
    let silent = stop::stop_others();
    if silent != 0 {
        let mut log = Buffered::new(|bytes| console::LOG.write_in_panic(bytes));
        let _ = writeln!(log, "these CPUs do not answer (bit n for CPU n): {silent:#b}");
        log.flush();
    }
}

/// Tells where this CPU was when another one's panic stopped it: at `rip`, with the frame pointer `rbp`; 0 for ring 3.
pub(crate) fn tell(number: u32, rip: u64, rbp: u64) {
    let mut log = Buffered::new(|bytes| console::LOG.write_in_panic(bytes));
    if rip == 0 {
        let _ = writeln!(log, "CPU {number} was in ring 3");
    } else {
        let _ = writeln!(log, "CPU {number} was here, innermost first:");
        write_place(&mut log, rip, rip);
        backtrace::walk_from(rbp, |address| write_place(&mut log, address, address - 1));
    }
    log.flush();
}
