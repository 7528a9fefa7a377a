//! Messages for the host tool, one line each on COM3; the table is in docs/ARCHITECTURE.md.

use core::fmt::{self, Write};

use crate::arch::heap;
use crate::arch::port::{self, Exit};
use crate::klog::Buffered;
use crate::{console, time};

/// Sends one message, such as `exit 0`, without a line end.
pub(crate) fn send(message: fmt::Arguments<'_>) {
    let mut line = Buffered::new(|bytes| {
        console::HOST.write(bytes);
    });
    // A `Buffered` never fails.
    let _ = writeln!(line, "{message}");
    line.flush();
}

/// Sends one message; formats like `print!`.
macro_rules! message {
    ($($argument:tt)*) => {
        $crate::host::send(format_args!($($argument)*))
    };
}
pub(crate) use message;

/// Says that all is done and ends the machine.
pub(crate) fn finish() -> ! {
    let (used, size) = heap::usage();
    log::debug!("{} timer interrupts; {used} of {size} bytes of the heap in use", time::timer_ticks());
    message!("done");
    port::exit(Exit::Done)
}
