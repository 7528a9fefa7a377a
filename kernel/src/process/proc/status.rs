//! `status`, `stat`, `statm`, `comm`, `limits`.

use core::fmt::{self, Write};
use core::sync::atomic::Ordering;

use mm::PAGE_SIZE;
use mm::space::{Residence, Totals};

use super::space_of;
use crate::fs::text::Text;
use crate::process::{NAME_SIZE, Process, table};
use crate::sched;

/// Ticks of `times(2)` per second.
const CLOCK_TICKS: u128 = 100;
/// Bytes in a kilobyte.
const KILOBYTE: u64 = 1024;

/// What a process has of memory.
fn memory_of(process: &Process) -> (Totals, Residence, u64) {
    match space_of(process) {
        Some(space) => (space.totals(), space.resident(), space.page_tables()),
        None => Default::default(),
    }
}

fn name_of(name: &[u8; NAME_SIZE]) -> &[u8] {
    name.split(|&byte| byte == 0).next().unwrap_or_default()
}

/// Writes `comm`. Errors: memory is short.
pub(super) fn write_name(text: &mut Text, process: &Process) -> fmt::Result {
    text.push(name_of(&process.about.lock().name))?;
    text.push(b"\n")
}

/// Writes `statm`. Errors: memory is short.
pub(super) fn write_statm(text: &mut Text, process: &Process) -> fmt::Result {
    let (totals, resident, _) = memory_of(process);
    let shared = resident.file + resident.shared;
    let data = totals.data + totals.stack;
    writeln!(text, "{} {} {shared} {} 0 {data} 0", totals.pages, resident.pages(), totals.code)
}

/// Writes `stat`. Errors: memory is short.
pub(super) fn write_stat(text: &mut Text, process: &Process) -> fmt::Result {
    let (totals, resident, _) = memory_of(process);
    let (name, start, places) = {
        let about = process.about.lock();
        (about.name, about.start, about.places.clone())
    };
    let pid = process.pid;
    let (group, session) = table::group_and_session(pid).unwrap_or((0, 0));
    let threads = table::threads_of(pid).map_or(0, |threads| threads.len());
    let start_ticks = start.as_millis() * CLOCK_TICKS / 1000;
    write!(text, "{pid} (")?;
    text.push(name_of(&name))?;
    write!(text, ") R {} {group} {session} 0 -1 4194304 0 0 0 0 ", table::parent(pid))?;
    write!(text, "0 0 0 0 20 0 {threads} 0 {start_ticks} ")?;
    write!(text, "{} {} 18446744073709551615 ", totals.pages * PAGE_SIZE, resident.pages())?;
    write!(text, "0 0 {} 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0 0 0 0 ", places.stack)?;
    let (arguments, environment) = (places.arguments, places.environment);
    writeln!(text, "{} {} {} {} 0", arguments.start, arguments.end, environment.start, environment.end)
}

/// Writes `status`. Errors: memory is short.
pub(super) fn write_status(text: &mut Text, process: &Process) -> fmt::Result {
    let (totals, resident, tables) = memory_of(process);
    let pid = process.pid;
    text.push(b"Name:\t")?;
    write_name(text, process)?;
    writeln!(text, "Umask:\t0022\nState:\tR (running)\nTgid:\t{pid}\nNgid:\t0\nPid:\t{pid}")?;
    writeln!(text, "PPid:\t{}\nTracerPid:\t0\nUid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0", table::parent(pid))?;
    writeln!(text, "FDSize:\t64\nGroups:\t0 ")?;
    for (name, pages) in [
        ("VmPeak", totals.pages),
        ("VmSize", totals.pages),
        ("VmLck", totals.locked),
        ("VmPin", 0),
        ("VmHWM", resident.pages()),
        ("VmRSS", resident.pages()),
        ("RssAnon", resident.anonymous),
        ("RssFile", resident.file),
        ("RssShmem", resident.shared),
        ("VmData", totals.data),
        ("VmStk", totals.stack),
        ("VmExe", totals.code),
        ("VmLib", 0),
        ("VmPTE", tables),
        ("VmSwap", 0),
    ] {
        writeln!(text, "{name}:\t{:>8} kB", pages * (PAGE_SIZE / KILOBYTE))?;
    }
    let threads = table::threads_of(pid).map_or(0, |threads| threads.len());
    // That of the first thread, as on Linux.
    let no_new_privileges =
        table::with_thread(pid, |_, first| first.no_new_privileges.load(Ordering::Relaxed)).unwrap_or(false);
    writeln!(text, "THP_enabled:\t0\nThreads:\t{threads}\nNoNewPrivs:\t{}", u8::from(no_new_privileges))?;
    let cpus = sched::online().count_ones();
    let mask = if cpus >= 64 { u64::MAX } else { (1 << cpus) - 1 };
    writeln!(text, "Cpus_allowed:\t{mask:x}\nCpus_allowed_list:\t0-{}", cpus - 1)?;
    writeln!(text, "Mems_allowed:\t1\nMems_allowed_list:\t0")?;
    writeln!(text, "voluntary_ctxt_switches:\t0\nnonvoluntary_ctxt_switches:\t0")
}

/// Writes `limits`. Errors: memory is short.
pub(super) fn write_limits(text: &mut Text, process: &Process) -> fmt::Result {
    const NAMES: [(&str, &str); 16] = [
        ("Max cpu time", "seconds"),
        ("Max file size", "bytes"),
        ("Max data size", "bytes"),
        ("Max stack size", "bytes"),
        ("Max core file size", "bytes"),
        ("Max resident set", "bytes"),
        ("Max processes", "processes"),
        ("Max open files", "files"),
        ("Max locked memory", "bytes"),
        ("Max address space", "bytes"),
        ("Max file locks", "locks"),
        ("Max pending signals", "signals"),
        ("Max msgqueue size", "bytes"),
        ("Max nice priority", ""),
        ("Max realtime priority", ""),
        ("Max realtime timeout", "us"),
    ];
    let limits = *process.limits.lock();
    writeln!(text, "{:<25} {:<20} {:<20} {:<10}", "Limit", "Soft Limit", "Hard Limit", "Units")?;
    for (resource, (name, unit)) in (0..).zip(NAMES) {
        let Ok(limit) = limits.get(resource) else { continue };
        writeln!(text, "{name:<25} {:<20} {:<20} {unit:<10}", Limit(limit.current), Limit(limit.maximum))?;
    }
    Ok(())
}

struct Limit(u64);

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            u64::MAX => f.pad("unlimited"),
            number => fmt::Display::fmt(&number, f),
        }
    }
}
