//! What memory calls cost: mmbench on our kernel, with every figure beside Linux's.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use super::chart;
use super::figures::{Comparison, Figures, Peers};
use super::linux;
use crate::args::BenchArgs;
use crate::build::Kernel;
use crate::capture::{self, Shape};
use crate::checkout::Checkout;
use crate::guest::{self, LogLevel};
use crate::initramfs::{self, Initramfs};
use crate::qemu::Clock;
use crate::toolchain;

/// Memory of both machines, in MiB: what the figures on file were measured with.
pub(super) const MEMORY: u32 = 512;

/// How long a run may take. It takes some ten seconds.
pub(super) const TIMEOUT: Duration = Duration::from_secs(900);

/// Measures, prints the table and writes the chart.
///
/// # Errors
/// When something cannot be built or started, or gives no figures.
pub(super) fn bench(checkout: &Checkout, args: &BenchArgs) -> Result<()> {
    let program = build(checkout)?;
    let mut peers = Peers::parse(&fs::read_to_string(sources(checkout).join("linux-figures.tsv"))?)?;
    if let Some(image) = &args.linux {
        let image = linux::image(checkout, image)?;
        peers = linux::measure(&image, &program)?;
    }
    let ours = measure(&program)?;
    for (test, errno) in ours.errors() {
        println!("{test}: the rest of this test could not run: errno {errno}");
    }
    let comparison = Comparison::new(&ours, &peers);
    print!("{comparison}");
    let chart = checkout.root().join(&args.chart);
    fs::write(&chart, chart::draw(&comparison)).with_context(|| format!("{}", chart.display()))?;
    println!("chart: {}", chart.display());
    Ok(())
}

fn sources(checkout: &Checkout) -> PathBuf {
    checkout.root().join("user/mmbench")
}

/// Builds mmbench as a program without a C library.
fn build(checkout: &Checkout) -> Result<PathBuf> {
    let program = checkout.target().join("mmbench");
    let mut gcc = Command::new("gcc");
    gcc.args(["-O2", "-static", "-nostdlib", "-ffreestanding", "-DNO_LIBC", "-o"]);
    gcc.arg(&program).arg(sources(checkout).join("mmbench.c"));
    toolchain::quietly(gcc, "building mmbench with gcc")?;
    Ok(program)
}

/// mmbench on our kernel.
fn measure(program: &Path) -> Result<Figures> {
    let kernel = guest::kernel(None, Kernel::Release)?;
    let mut ramdisk = Initramfs::default();
    ramdisk.file("bin/mmbench", 0o755, fs::read(program)?);
    ramdisk.first_process("/bin/mmbench", &[]);
    let words = guest::words(crate::args::Order::Reordered, LogLevel::Warn, "run");
    ramdisk.command_line(&initramfs::command_line(&words, None));
    let shape = Shape { smp: 1, memory: MEMORY, clock: Clock::Instructions };
    let captured = capture::run(&kernel, ramdisk, shape, TIMEOUT)?;
    let figures = Figures::parse(&String::from_utf8_lossy(&captured.output));
    if !figures.is_complete() {
        eprint!("{}", String::from_utf8_lossy(&captured.log));
        bail!("mmbench did not come to its end ({:?}, {:?})", captured.fate, captured.ending);
    }
    Ok(figures)
}
