//! What `/proc` tells of the machine.

use core::fmt::{self, Write};

use mm::frame::FrameKind;
use mm::{PAGE_SIZE, Platform};
use raw_cpuid::CpuId;

use crate::fs::text::Text;
use crate::memory::KERNEL;
use crate::process::table;
use crate::{sched, time};

/// Writes `/proc/meminfo`. Errors: memory is short.
pub(super) fn write_meminfo(text: &mut Text) -> fmt::Result {
    let frames = KERNEL.frames().statistics();
    let of = |kind| frames.allocated(kind);
    let anonymous = of(FrameKind::Anonymous) + of(FrameKind::Huge);
    for (name, pages) in [
        ("MemTotal", frames.total),
        ("MemFree", frames.free),
        ("MemAvailable", frames.free),
        ("Buffers", 0),
        ("Cached", of(FrameKind::Cache) + of(FrameKind::Shared)),
        ("SwapCached", 0),
        ("Active", anonymous),
        ("Inactive", of(FrameKind::Cache)),
        ("Unevictable", 0),
        ("Mlocked", 0),
        ("SwapTotal", 0),
        ("SwapFree", 0),
        ("Dirty", 0),
        ("Writeback", 0),
        ("AnonPages", anonymous),
        ("Mapped", of(FrameKind::Cache) + of(FrameKind::Shared)),
        ("Shmem", of(FrameKind::Shared)),
        ("Slab", of(FrameKind::Slab)),
        ("KernelStack", 0),
        ("PageTables", of(FrameKind::Table)),
        ("CommitLimit", frames.total / 2),
        ("Committed_AS", anonymous),
        ("VmallocTotal", 0),
        ("VmallocUsed", 0),
        ("AnonHugePages", of(FrameKind::Huge)),
        ("ShmemHugePages", 0),
    ] {
        writeln!(text, "{name}:{:>width$} kB", pages * (PAGE_SIZE / 1024), width = 23 - name.len())?;
    }
    writeln!(text, "HugePages_Total:       0\nHugePages_Free:        0\nHugepagesize:       2048 kB")
}

/// Writes `/proc/cpuinfo`. Errors: memory is short.
pub(super) fn write_cpuinfo(text: &mut Text) -> fmt::Result {
    let cpuid = CpuId::new();
    let vendor = cpuid.get_vendor_info();
    let brand = cpuid.get_processor_brand_string();
    for cpu in 0..sched::online().count_ones() {
        writeln!(text, "processor\t: {cpu}")?;
        if let Some(vendor) = &vendor {
            writeln!(text, "vendor_id\t: {}", vendor.as_str())?;
        }
        if let Some(brand) = &brand {
            writeln!(text, "model name\t: {}", brand.as_str().trim())?;
        }
        writeln!(text, "cpu MHz\t\t: 1000.000\ncache size\t: 0 KB\nphysical id\t: 0\ncore id\t\t: {cpu}")?;
        writeln!(text, "flags\t\t: fpu tsc cx8 cmov mmx fxsr sse sse2 syscall nx lm")?;
        writeln!(text, "clflush size\t: 64\ncache_alignment\t: 64")?;
        writeln!(text, "address sizes\t: 44 bits physical, 48 bits virtual\n")?;
    }
    Ok(())
}

/// Writes `/proc/stat`. Errors: memory is short.
pub(super) fn write_stat(text: &mut Text) -> fmt::Result {
    let now = time::since_boot();
    let ticks = now.as_millis() / 10;
    writeln!(text, "cpu  {ticks} 0 0 0 0 0 0 0 0 0")?;
    for cpu in 0..sched::online().count_ones() {
        writeln!(text, "cpu{cpu} {ticks} 0 0 0 0 0 0 0 0 0")?;
    }
    let boot = time::wall_clock().as_secs() - now.as_secs();
    writeln!(text, "intr 0\nctxt 0\nbtime {boot}\nprocesses 0\nprocs_running 1\nprocs_blocked 0")
}

/// Writes `/proc/uptime`. Errors: memory is short.
pub(super) fn write_uptime(text: &mut Text) -> fmt::Result {
    let now = time::since_boot();
    writeln!(text, "{}.{:02} 0.00", now.as_secs(), now.subsec_millis() / 10)
}

/// Writes `/proc/loadavg`: no averages are kept. Errors: memory is short.
pub(super) fn write_load(text: &mut Text, last: i32) -> fmt::Result {
    writeln!(text, "0.00 0.00 0.00 1/{} {last}", table::thread_count())
}

/// Writes `/proc/version`. Errors: memory is short.
pub(super) fn write_version(text: &mut Text) -> fmt::Result {
    writeln!(text, "Linux version 6.12.0-sugarbush (Sugarbush {})", env!("CARGO_PKG_VERSION"))
}
