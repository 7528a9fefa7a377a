//! `/proc`: what there is, and what it leads to. The texts are written by [`crate::process::proc`].
//!
//! ```text
//! /proc            a directory of the tree, with files about the machine
//! /proc/PID        made when it is looked for, as all below: Process ─ files and links; fd; task ─ TID ─ as PID
//! ```

use alloc::vec::Vec;
use core::fmt::Write;

use abi::Errno;
use abi::fs::{S_IFDIR, S_IFLNK, S_IFREG};

use super::Files;
use super::inode::{Bytes, Inode, Kind, Place, now};
use super::open::OpenFile;
use super::text::Text;
use crate::arch::shared::Shared;
use crate::process::table;

/// What a file of `/proc` tells.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Subject {
    /// `maps`.
    Maps,
    /// `smaps`.
    Smaps,
    /// `smaps_rollup`.
    SmapsRollup,
    /// `status`.
    Status,
    /// `statm`.
    Statm,
    /// `stat` of a process.
    Stat,
    /// `cmdline` of a process.
    CommandLine,
    /// `environ`.
    Environment,
    /// `auxv`.
    AuxiliaryVector,
    /// `comm`.
    Name,
    /// `limits`.
    Limits,
    /// `mem`: not a text.
    Memory,
    /// `pagemap`: not a text.
    Pagemap,
    /// `oom_score` and its kin: 0.
    Zero,
    /// `mounts`.
    Mounts,
    /// `/proc/vmstat`.
    Vmstat,
    /// `/proc/meminfo`.
    Meminfo,
    /// `/proc/cpuinfo`.
    Cpuinfo,
    /// `/proc/stat`.
    MachineStat,
    /// `/proc/uptime`.
    Uptime,
    /// `/proc/loadavg`.
    Load,
    /// `/proc/filesystems`.
    FileSystems,
    /// `/proc/version`.
    Version,
    /// `/proc/cmdline`.
    KernelCommandLine,
    /// `/proc/sysvipc/shm`.
    SharedMemory,
    /// A text that never changes.
    Constant(&'static str),
    /// `/proc/sugarbush/trace`: the steps since the last read; tracing is on while it is open.
    Trace,
}

/// A file of `/proc`, of a process where that has a number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct ProcFile {
    /// What it tells.
    pub(crate) subject: Subject,
    /// The process; 0 for the machine.
    pub(crate) pid: i32,
}

const fn of_machine(subject: Subject) -> ProcFile {
    ProcFile { subject, pid: 0 }
}

/// The files about the machine.
pub(crate) const FILES: [(&[u8], ProcFile); 26] = [
    (b"proc/vmstat", of_machine(Subject::Vmstat)),
    (b"proc/meminfo", of_machine(Subject::Meminfo)),
    (b"proc/cpuinfo", of_machine(Subject::Cpuinfo)),
    (b"proc/stat", of_machine(Subject::MachineStat)),
    (b"proc/uptime", of_machine(Subject::Uptime)),
    (b"proc/loadavg", of_machine(Subject::Load)),
    (b"proc/filesystems", of_machine(Subject::FileSystems)),
    (b"proc/version", of_machine(Subject::Version)),
    (b"proc/cmdline", of_machine(Subject::KernelCommandLine)),
    (b"proc/sugarbush/trace", of_machine(Subject::Trace)),
    (b"proc/sysvipc/shm", of_machine(Subject::SharedMemory)),
    (b"proc/sys/kernel/shm_rmid_forced", of_machine(Subject::Constant("0\n"))),
    (b"proc/sys/kernel/ostype", of_machine(Subject::Constant("Linux\n"))),
    (b"proc/sys/kernel/osrelease", of_machine(Subject::Constant("6.12.0-sugarbush\n"))),
    (b"proc/sys/kernel/hostname", of_machine(Subject::Constant("sugarbush\n"))),
    (b"proc/sys/kernel/pid_max", of_machine(Subject::Constant("4194304\n"))),
    (b"proc/sys/kernel/threads-max", of_machine(Subject::Constant("65536\n"))),
    (b"proc/sys/kernel/randomize_va_space", of_machine(Subject::Constant("0\n"))),
    (b"proc/sys/kernel/ngroups_max", of_machine(Subject::Constant("65536\n"))),
    (b"proc/sys/kernel/cap_last_cap", of_machine(Subject::Constant("40\n"))),
    (b"sys/kernel/mm/transparent_hugepage/hpage_pmd_size", of_machine(Subject::Constant("2097152\n"))),
    (b"sys/kernel/mm/transparent_hugepage/use_zero_page", of_machine(Subject::Constant("0\n"))),
    (b"proc/sys/vm/mmap_min_addr", of_machine(Subject::Constant("65536\n"))),
    (b"proc/sys/vm/swappiness", of_machine(Subject::Constant("0\n"))),
    (b"proc/sys/fs/pipe-max-size", of_machine(Subject::Constant("65536\n"))),
    (b"proc/sys/fs/nr_open", of_machine(Subject::Constant("1048576\n"))),
];

/// A link of `/proc`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ProcLink {
    /// `self`.
    OwnProcess,
    /// `thread-self`.
    OwnThread,
    /// `mounts`.
    Mounts,
    /// `exe` of a process.
    Exe(i32),
    /// `cwd` of the own process.
    Directory,
    /// `root`.
    Root,
    /// `fd/N` of the own process.
    Descriptor(i32),
}

/// The links about who looks.
pub(crate) const LINKS: [(&[u8], ProcLink); 3] = [
    (b"proc/self", ProcLink::OwnProcess),
    (b"proc/thread-self", ProcLink::OwnThread),
    (b"proc/mounts", ProcLink::Mounts),
];

/// What a link leads to.
pub(crate) enum Target {
    /// This.
    Inode(Shared<Inode>),
    /// An open file.
    Open(Shared<OpenFile>),
    /// What has this path.
    Path(Vec<u8>),
}

impl ProcLink {
    /// Where it leads for whoever has `files`. Errors: `ENOENT`, `ENOMEM`.
    pub(crate) fn target(self, files: &Files) -> Result<Target, Errno> {
        Ok(match self {
            ProcLink::OwnProcess | ProcLink::OwnThread | ProcLink::Mounts => Target::Path(self.text(files)?),
            ProcLink::Exe(pid) if pid == files.pid => Target::Inode(files.exe.clone()),
            ProcLink::Exe(pid) => Target::Inode(exe(pid)?),
            ProcLink::Directory => Target::Inode(files.directory()),
            ProcLink::Root => Target::Inode(files.tree.root.clone()),
            ProcLink::Descriptor(number) => {
                let file = files.get(number).map_err(|_| Errno::ENOENT)?;
                match file.object.inode() {
                    Some(inode) => Target::Inode(inode.clone()),
                    None => Target::Open(file),
                }
            }
        })
    }

    /// What `readlink` says. Errors: `ENOENT`, `ENOMEM`.
    pub(crate) fn text(self, files: &Files) -> Result<Vec<u8>, Errno> {
        let mut text = Text::default();
        let written = match self {
            ProcLink::OwnProcess => write!(text, "{}", files.pid),
            ProcLink::OwnThread => write!(text, "{}/task/{}", files.pid, files.pid),
            ProcLink::Mounts => write!(text, "self/mounts"),
            ProcLink::Exe(pid) if pid == files.pid => return files.exe.path(),
            ProcLink::Exe(pid) => return exe(pid)?.path(),
            ProcLink::Directory => return files.directory().path(),
            ProcLink::Root => write!(text, "/"),
            ProcLink::Descriptor(number) => {
                let file = files.get(number).map_err(|_| Errno::ENOENT)?;
                match file.object.inode() {
                    Some(inode) => return inode.path(),
                    None => file.object.describe(&mut text),
                }
            }
        };
        written.map_err(|_| Errno::ENOMEM)?;
        Ok(text.into_bytes())
    }
}

fn exe(pid: i32) -> Result<Shared<Inode>, Errno> {
    table::process(pid).and_then(|process| process.about.lock().exe.clone()).ok_or(Errno::ENOENT)
}

/// Gets the name and the type of an entry.
pub(crate) type Visit<'a> = &'a mut dyn FnMut(&[u8], u32) -> Result<(), Errno>;

/// A directory of `/proc`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ProcDirectory {
    /// Of a process, or of one of its threads.
    Process(i32),
    /// Its open files.
    Descriptors(i32),
    /// Its threads.
    Threads(i32),
}

/// What is in the directory of a process.
const OF_PROCESS: [(&str, Subject, u32); 17] = [
    ("maps", Subject::Maps, 0o444),
    ("smaps", Subject::Smaps, 0o444),
    ("smaps_rollup", Subject::SmapsRollup, 0o444),
    ("status", Subject::Status, 0o444),
    ("statm", Subject::Statm, 0o444),
    ("stat", Subject::Stat, 0o444),
    ("cmdline", Subject::CommandLine, 0o444),
    ("environ", Subject::Environment, 0o400),
    ("auxv", Subject::AuxiliaryVector, 0o400),
    ("comm", Subject::Name, 0o644),
    ("limits", Subject::Limits, 0o444),
    ("mem", Subject::Memory, 0o600),
    ("pagemap", Subject::Pagemap, 0o400),
    ("oom_score", Subject::Zero, 0o444),
    ("oom_score_adj", Subject::Zero, 0o644),
    ("oom_adj", Subject::Zero, 0o644),
    ("mounts", Subject::Mounts, 0o444),
];

impl ProcDirectory {
    /// What has this name in it, `at`; `None` if there is none. Errors: `ENOMEM`.
    pub(crate) fn look_up(
        self,
        at: &Shared<Inode>,
        name: &[u8],
        files: &Files,
    ) -> Result<Option<Shared<Inode>>, Errno> {
        let number = || str::from_utf8(name).ok().and_then(|name| name.parse::<i32>().ok());
        let found = match self {
            ProcDirectory::Process(pid) => return look_up_in_process(at, name, pid),
            ProcDirectory::Descriptors(pid) => number()
                .filter(|&number| pid == files.pid && files.get(number).is_ok())
                .map(|number| (Kind::ProcLink(ProcLink::Descriptor(number)), S_IFLNK | 0o700)),
            ProcDirectory::Threads(pid) => number()
                .filter(|&tid| table::with_thread(tid, |entry, _| entry.process.pid == pid) == Some(true))
                .map(|_| (Kind::ProcDirectory(ProcDirectory::Process(pid)), S_IFDIR | 0o555)),
        };
        found.map(|(kind, mode)| make(at, name, kind, mode)).transpose()
    }

    /// Calls `visit` with the name and the type of every entry, but for `.` and `..`. Errors: `ENOMEM`, those of `visit`.
    pub(crate) fn list(self, files: &Files, visit: Visit<'_>) -> Result<(), Errno> {
        match self {
            ProcDirectory::Process(pid) => {
                for (name, ..) in OF_PROCESS {
                    visit(name.as_bytes(), S_IFREG)?;
                }
                for name in ["fd", "task"] {
                    visit(name.as_bytes(), S_IFDIR)?;
                }
                visit(b"exe", S_IFLNK)?;
                if pid == files.pid {
                    visit(b"cwd", S_IFLNK)?;
                    visit(b"root", S_IFLNK)?;
                }
                Ok(())
            }
            ProcDirectory::Descriptors(pid) if pid == files.pid => {
                visit_numbers(&files.open_numbers()?, S_IFLNK, visit)
            }
            ProcDirectory::Descriptors(_) => Ok(()),
            ProcDirectory::Threads(pid) => visit_numbers(&table::threads_of(pid)?, S_IFDIR, visit),
        }
    }
}

fn visit_numbers(numbers: &[i32], kind: u32, visit: Visit<'_>) -> Result<(), Errno> {
    numbers.iter().try_for_each(|number| {
        let mut text = Text::default();
        write!(text, "{number}").map_err(|_| Errno::ENOMEM)?;
        visit(&text.into_bytes(), kind)
    })
}

/// Calls `visit` for every process in `/proc`. Errors: as [`ProcDirectory::list`].
pub(crate) fn list_processes(visit: Visit<'_>) -> Result<(), Errno> {
    visit_numbers(&table::process_numbers()?, S_IFDIR, visit)
}

/// The directory of the process that `name` is the number of, in `/proc`. Errors: `ENOMEM`.
pub(super) fn look_up_process(
    at: &Shared<Inode>,
    name: &[u8],
    files: &Files,
) -> Result<Option<Shared<Inode>>, Errno> {
    let Some(pid) = str::from_utf8(name).ok().and_then(|name| name.parse::<i32>().ok()) else {
        return Ok(None);
    };
    if pid != files.pid && table::process(pid).is_none() {
        return Ok(None);
    }
    make(at, name, Kind::ProcDirectory(ProcDirectory::Process(pid)), S_IFDIR | 0o555).map(Some)
}

fn look_up_in_process(at: &Shared<Inode>, name: &[u8], pid: i32) -> Result<Option<Shared<Inode>>, Errno> {
    let file = OF_PROCESS.iter().find(|(own, ..)| own.as_bytes() == name);
    let (kind, mode) = match (name, file) {
        (_, Some(&(_, subject, mode))) => (Kind::Proc(ProcFile { subject, pid }), S_IFREG | mode),
        (b"fd", _) => (Kind::ProcDirectory(ProcDirectory::Descriptors(pid)), S_IFDIR | 0o500),
        (b"task", _) => (Kind::ProcDirectory(ProcDirectory::Threads(pid)), S_IFDIR | 0o555),
        (b"exe", _) => (Kind::ProcLink(ProcLink::Exe(pid)), S_IFLNK | 0o777),
        (b"cwd", _) => (Kind::ProcLink(ProcLink::Directory), S_IFLNK | 0o777),
        (b"root", _) => (Kind::ProcLink(ProcLink::Root), S_IFLNK | 0o777),
        _ => return Ok(None),
    };
    make(at, name, kind, mode).map(Some)
}

fn make(at: &Shared<Inode>, name: &[u8], kind: Kind, mode: u32) -> Result<Shared<Inode>, Errno> {
    let inode = Inode::new(kind, mode, now())?;
    *inode.place.lock() = Some(Place { parent: Some(at.clone()), name: Bytes::copy(name)? });
    Ok(inode)
}
