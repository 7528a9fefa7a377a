//! One program on our kernel, with what it wrote kept instead of shown: for benchmarks and comparisons.

use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::fate::Fate;
use crate::guest;
use crate::initramfs::Initramfs;
use crate::protocol::Message;
use crate::qemu::{Clock, Debugger, Machine, Medium};
use crate::session::{Ending, Session};

/// What a program did.
#[derive(Debug)]
pub(crate) struct Captured {
    /// What it wrote on its standard output and error.
    pub(crate) output: Vec<u8>,
    /// The lines of its `/proc/self/maps` at its end, if the kernel was to tell (`maps=end`).
    pub(crate) maps: String,
    /// What the kernel logged.
    pub(crate) log: Vec<u8>,
    /// How it ended.
    pub(crate) fate: Fate,
    /// How the machine ended.
    pub(crate) ending: Ending,
}

/// Bytes that several hands hold: a session's thread writes them, we take them afterwards.
#[derive(Clone, Default)]
pub(crate) struct Kept(Arc<Mutex<Vec<u8>>>);

impl Kept {
    /// What has been written until now.
    pub(crate) fn take(&self) -> Vec<u8> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The machine for a program.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    /// Number of processors.
    pub(crate) smp: u8,
    /// Memory in MiB.
    pub(crate) memory: u32,
    /// What its time-stamp counter counts.
    pub(crate) clock: Clock,
}

/// Boots `kernel` with `ramdisk`; the program's standard input is empty.
///
/// # Errors
/// When the machine cannot be started.
pub(crate) fn run(kernel: &Path, ramdisk: Initramfs, shape: Shape, timeout: Duration) -> Result<Captured> {
    let directory = tempfile::tempdir().context("no temporary directory")?;
    let initramfs = directory.path().join("initramfs");
    guest::write(ramdisk, kernel, &initramfs)?;
    let machine = Machine {
        medium: Medium::Kernel { elf: kernel, initramfs: &initramfs },
        smp: shape.smp,
        memory: shape.memory,
        clock: shape.clock,
        debugger: Debugger::None,
    };
    let (output, log) = (Kept::default(), Kept::default());
    let session = Session {
        input: Box::new(io::empty()),
        output: Box::new(output.clone()),
        log: Box::new(log.clone()),
        timeout: Some(timeout),
    };
    let (mut fate, mut maps) = (Fate::Unknown, String::new());
    let report = session.run(&machine, |message| {
        fate = fate.after(message);
        if let Message::Map(line) = message {
            maps.push_str(line);
            maps.push('\n');
        }
    })?;
    Ok(Captured { output: output.take(), maps, log: log.take(), fate, ending: report.ending })
}
