//! The serial lines: the program's console, the kernel log and the line to the host tool.
//!
//! Locks are taken with interrupts off, so nothing can stop a holder half-way but a panic, and a panic opens its
//! own line.

use core::hint;
use core::time::Duration;

use spin::Mutex;

use crate::arch::interrupts;
use crate::arch::serial::{Port, Uart};
use crate::time;

/// How long a line may refuse bytes before the rest is dropped. A line to a pipe is as slow as its reader.
const PATIENCE: Duration = Duration::from_secs(60);
/// Polls between two looks at the clock.
const POLLS: u32 = 1000;

/// One serial line.
pub(crate) struct Line {
    port: Port,
    uart: Mutex<State>,
}

enum State {
    /// Not opened yet.
    Closed,
    /// The machine does not have it, or it refused bytes for too long.
    Absent,
    Open(Uart),
}

/// Standard input and output of user programs (COM1).
pub(crate) static USER: Line = Line::new(Port::Com1);
/// The kernel log (COM2).
pub(crate) static LOG: Line = Line::new(Port::Com2);
/// Messages for the host tool (COM3).
pub(crate) static HOST: Line = Line::new(Port::Com3);

/// Writes to the console of user programs; see [`Line::write`].
pub(crate) fn write(bytes: &[u8]) -> usize {
    USER.write(bytes)
}

impl Line {
    const fn new(port: Port) -> Self {
        Line { port, uart: Mutex::new(State::Closed) }
    }

    /// Writes all of `bytes`, waiting as long as the line takes some. Returns how many were written: fewer only
    /// when the line is absent or stuck.
    pub(crate) fn write(&self, bytes: &[u8]) -> usize {
        let mut done = 0;
        // In parts, so that interrupts are not off for long.
        for part in bytes.chunks(64) {
            let written = self.with(|uart| send(uart, part));
            done += written.unwrap_or(0);
            if written != Some(part.len()) {
                break;
            }
        }
        done
    }

    /// Reads what has arrived, at most `buffer.len()` bytes; 0 when nothing has.
    pub(crate) fn read(&self, buffer: &mut [u8]) -> usize {
        self.with(|uart| uart.receive(buffer)).unwrap_or(0)
    }

    fn with<R>(&self, f: impl FnOnce(&mut Uart) -> R) -> Option<R> {
        interrupts::without(|| {
            let mut state = self.uart.lock();
            if matches!(*state, State::Closed) {
                *state = Uart::open(self.port).map_or(State::Absent, State::Open);
            }
            match &mut *state {
                State::Open(uart) => Some(f(uart)),
                _ => None,
            }
        })
    }

    /// Writes in a panic: on a fresh handle, because the lock may be held by the code that panicked.
    pub(crate) fn write_in_panic(&self, bytes: &[u8]) {
        if let Some(mut state) = self.uart.try_lock()
            && let State::Open(uart) = &mut *state
        {
            send(uart, bytes);
            return;
        }
        if let Some(mut uart) = Uart::open(self.port) {
            send(&mut uart, bytes);
        }
    }
}

/// Sends bytes until all are sent or the line was stuck for [`PATIENCE`]; returns how many were.
fn send(uart: &mut Uart, bytes: &[u8]) -> usize {
    let mut done = 0;
    while done < bytes.len() {
        let sent = uart.send(&bytes[done..]);
        done += sent;
        if sent == 0 && !wait_until_ready(uart) {
            break;
        }
    }
    done
}

fn wait_until_ready(uart: &mut Uart) -> bool {
    let start = time::since_boot();
    loop {
        for _ in 0..POLLS {
            if uart.is_ready() {
                return true;
            }
            hint::spin_loop();
        }
        // Before the clock is set up there is no time; then a thousand polls are enough.
        if time::since_boot() - start > PATIENCE || start.is_zero() {
            return false;
        }
    }
}
