//! The kernel log: `log`'s macros, written to COM2 as `[   0.012345] info  text`.

use core::fmt::{self, Write};

use log::{Level, LevelFilter, Log, Metadata, Record};

use crate::{console, time};

struct KernelLog;

impl Log for KernelLog {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= log::max_level()
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            let now = time::since_boot();
            let level = match record.level() {
                Level::Error => "error",
                Level::Warn => "warn",
                Level::Info => "info",
                Level::Debug => "debug",
                Level::Trace => "trace",
            };
            let mut line = Buffered::new(|bytes| {
                console::LOG.write(bytes);
            });
            // A `Buffered` never fails.
            let _ = writeln!(
                line,
                "[{:4}.{:06}] {level:<5} {}",
                now.as_secs(),
                now.subsec_micros(),
                record.args()
            );
            line.flush();
        }
    }

    fn flush(&self) {}
}

/// Routes the `log` macros here; until [`set_level`], only warnings and errors are written.
pub(crate) fn init() {
    // Fails only when there is a logger already: this runs once.
    let _ = log::set_logger(&KernelLog);
    log::set_max_level(LevelFilter::Warn);
}

/// Sets the least important level that is written.
pub(crate) fn set_level(level: LevelFilter) {
    log::set_max_level(level);
}

/// Collects text and hands it on in large pieces: one call to the line per log line, not one per fragment.
pub(crate) struct Buffered<F: FnMut(&[u8])> {
    buffer: [u8; 256],
    len: usize,
    sink: F,
}

impl<F: FnMut(&[u8])> Buffered<F> {
    /// An empty buffer before `sink`.
    pub(crate) fn new(sink: F) -> Self {
        Buffered { buffer: [0; 256], len: 0, sink }
    }

    /// Hands on what is there.
    pub(crate) fn flush(&mut self) {
        (self.sink)(&self.buffer[..self.len]);
        self.len = 0;
    }
}

impl<F: FnMut(&[u8])> Write for Buffered<F> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for part in text.as_bytes().chunks(self.buffer.len()) {
            if part.len() > self.buffer.len() - self.len {
                self.flush();
            }
            self.buffer[self.len..self.len + part.len()].copy_from_slice(part);
            self.len += part.len();
        }
        Ok(())
    }
}
