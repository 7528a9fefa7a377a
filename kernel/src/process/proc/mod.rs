//! The texts of `/proc` (`proc(5)`).
//!
//! | module | what |
//! | --- | --- |
//! | [`maps`] | `maps`, `smaps` |
//! | [`status`] | `status`, `stat`, `statm` and what else there is of a process |
//! | [`machine`] | what there is of the machine |
//! | [`query`] | one mapping of `maps` without the text |
//! | [`raw`] | `mem`, `pagemap`, which are no texts |

mod machine;
pub(crate) mod maps;
pub(crate) mod query;
mod raw;
mod status;

use alloc::vec::Vec;
use core::fmt;

use abi::Errno;

use super::{Process, Space, Thread, table, trace};
use crate::arch::shared::Shared;
use crate::fs::procfs::{ProcFile, Subject};
use crate::fs::text::Text;
use crate::fs::written::{Part, Piece};
use crate::ipc;
use crate::memory::vmstat;

pub(super) use raw::{raw_file, read_raw};

/// A part of the text of a file of `/proc` for `reader`; of those that are short always all of it. Errors: `ENOMEM`; `ESRCH` for a
/// process that is gone.
pub(super) fn text(file: ProcFile, part: Part, reader: &Thread) -> Result<Piece, Errno> {
    let process = match file.pid {
        0 => reader.process.clone(),
        pid if pid == reader.pid() => reader.process.clone(),
        pid => table::process(pid).ok_or(Errno::ESRCH)?,
    };
    let mut text = Text::default();
    let next = match file.subject {
        Subject::Maps => with_space(&process, |space| maps::write(&mut text, space, part)),
        Subject::Smaps => with_space(&process, |space| maps::write_long(&mut text, space, part)),
        subject => return Ok(Piece { text: whole(subject, &process, reader)?, next: None }),
    };
    Ok(Piece { next: next.map_err(|_| Errno::ENOMEM)?, text: text.into_bytes() })
}

/// A text as a whole. Errors: `ENOMEM`.
fn whole(subject: Subject, process: &Process, reader: &Thread) -> Result<Vec<u8>, Errno> {
    let mut text = Text::default();
    let written = match subject {
        Subject::Trace => return trace::take(),
        Subject::CommandLine => return raw::strings(process, |places| places.arguments.clone()),
        Subject::Environment => return raw::strings(process, |places| places.environment.clone()),
        Subject::AuxiliaryVector => return raw::strings(process, |places| places.auxiliary.clone()),
        Subject::Maps | Subject::Smaps | Subject::Memory | Subject::Pagemap => return Err(Errno::EINVAL),
        Subject::Constant(constant) => text.push(constant.as_bytes()),
        Subject::Zero => text.push(b"0\n"),
        Subject::SmapsRollup => with_space(process, |space| maps::write_sum(&mut text, space)),
        Subject::Status => status::write_status(&mut text, process),
        Subject::Statm => status::write_statm(&mut text, process),
        Subject::Stat => status::write_stat(&mut text, process),
        Subject::Name => status::write_name(&mut text, process),
        Subject::Limits => status::write_limits(&mut text, process),
        Subject::Mounts => text.push(b"tmpfs / tmpfs rw 0 0\nproc /proc proc rw 0 0\n"),
        Subject::Vmstat => vmstat::write(&mut text),
        Subject::Meminfo => machine::write_meminfo(&mut text),
        Subject::Cpuinfo => machine::write_cpuinfo(&mut text),
        Subject::SharedMemory => ipc::text::write(&mut text),
        Subject::MachineStat => machine::write_stat(&mut text),
        Subject::Uptime => machine::write_uptime(&mut text),
        Subject::Load => machine::write_load(&mut text, reader.pid()),
        Subject::FileSystems => text.push(b"nodev\tproc\nnodev\ttmpfs\n"),
        Subject::Version => machine::write_version(&mut text),
        Subject::KernelCommandLine => text.push(b"\n"),
    };
    written.map_err(|_| Errno::ENOMEM)?;
    Ok(text.into_bytes())
}

/// The memory of a process; `None` when it has none any more.
fn space_of(process: &Process) -> Option<Shared<Space>> {
    process.about.lock().space.as_ref().and_then(|space| space.get())
}

/// Works on the memory of a process; nothing is written when it has none any more.
fn with_space<T: Default>(
    process: &Process,
    work: impl FnOnce(&Space) -> Result<T, fmt::Error>,
) -> Result<T, fmt::Error> {
    space_of(process).map_or(Ok(T::default()), |space| work(&space))
}
