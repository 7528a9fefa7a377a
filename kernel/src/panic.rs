//! The end: a panic tells what and where on the log line, and the host tool that it happened.

use core::fmt::Write;
use core::panic::PanicInfo;
use core::sync::atomic::{AtomicU32, Ordering};

use crate::arch::port::{self, Exit};
#[cfg(feature = "test")]
use crate::arch::trial;
use crate::arch::{self, backtrace};
use crate::klog::Buffered;
use crate::{console, symbols};

/// Panics under way: a panic inside a panic says less, a third one nothing.
static DEPTH: AtomicU32 = AtomicU32::new(0);

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
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
    if depth < 2 {
        console::HOST.write_in_panic(b"panic\n");
    }
    port::exit(Exit::Panic)
}

/// Whether a test wants this panic.
fn is_expected(info: &PanicInfo<'_>) -> bool {
    #[cfg(feature = "test")]
    if trial::can_abandon() {
        return crate::test::note_panic(info.message()) == crate::test::Report::Quiet;
    }
    let _ = info;
    false
}

/// Goes back to the test runner if a test runs. Its panic is over then.
fn give_up_test() {
    #[cfg(feature = "test")]
    if trial::can_abandon() {
        DEPTH.store(0, Ordering::SeqCst);
        trial::abandon();
    }
}

fn write_backtrace(log: &mut impl Write) {
    let _ = writeln!(log, "backtrace, innermost first:");
    backtrace::walk(|address| {
        // A return address points behind the call, perhaps into the next function.
        let _ = match symbols::find(address - 1) {
            Some(symbol) => writeln!(log, "  {address:#018x} {symbol}"),
            None => writeln!(log, "  {address:#018x}"),
        };
    });
}
