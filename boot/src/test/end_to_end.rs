//! Unmodified Linux programs through `sugarbush run`, as a user would, and the disk image.

use std::ffi::OsString;
use std::fs;
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};

use crate::args::{GuestArgs, ImageArgs, Order};
use crate::build::Kernel;
use crate::checkout::Checkout;
use crate::guest;
use crate::image;
use crate::program;
use crate::protocol::Message;
use crate::qemu::{Clock, Debugger, Machine, Medium};
use crate::session::Session;
use crate::test::tally::Tally;

const BUSYBOX: &str = "/bin/busybox";
const UEFI_FIRMWARE: &str = "/usr/share/ovmf/OVMF.fd";
/// Memory of the machine that boots by UEFI, in MiB: the firmware wants some for itself.
const UEFI_MEMORY: u32 = 512;

/// Schedules that must go the same way on the host and in QEMU: name, line, and how both judge. Where the code has got other
/// steps, `sugarbush museum WORD` finds another schedule for a bug.
const REPLAYS: [(&str, &str, &str); 2] = [
    (
        "a replay in QEMU goes as on the host, and passes",
        "hole-and-accesses-in-it reordered none 1:2 0:6 1 ...",
        "passed",
    ),
    (
        "a replay in QEMU finds the bug that the host finds",
        "hole-and-accesses-in-it prepatch SplitWithoutLock 1:5 0 ...",
        "check failed: the address space is inconsistent: PageWithoutVma(0x10001000)",
    ),
];

/// The version of Linux whose rules for memory calls our kernel follows.
const COMPARED: (u32, u32) = (6, 18);

/// What a run left behind.
struct Outcome {
    status: Option<i32>,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

/// Runs all of them, on one build of the kernel.
///
/// # Errors
/// When the kernel cannot be built, or there is no temporary directory.
pub(crate) fn run(checkout: &Checkout, timeout: Duration, tally: &mut Tally) -> Result<()> {
    println!("== end to end");
    let directory = tempfile::tempdir().context("no temporary directory")?;
    let kernel = guest::kernel(None, Kernel::Release)?;
    let run = Runner { kernel: &kernel, timeout, directory: directory.path() };

    judge("the demo runs and exits with 0", tally, || run.demo());
    judge("a hole made by a C program kills it when read", tally, || run.hole(checkout));
    for smp in [1, 2, 4] {
        let name = format!("eight threads of a C program map, touch, unmap and verify on {smp} CPU");
        judge(&name, tally, || run.threads(checkout, smp));
    }
    match busybox_obstacle() {
        Some(reason) => tally.skipped("busybox", &reason),
        None => {
            judge("busybox true exits with 0", tally, || run.busybox(&["true"], b"", 0, b""));
            judge("busybox false exits with 1", tally, || run.busybox(&["false"], b"", 1, b""));
            let numbers: String = (1..=1000).map(|number| format!("{number}\n")).collect();
            judge("busybox seq writes every number", tally, || {
                run.busybox(&["seq", "1", "1000"], b"", 0, numbers.as_bytes())
            });
            let script = "for i in 1 2 3; do echo $i | cat; done; exit 7";
            judge("busybox sh runs pipelines and exits with 7", tally, || {
                run.busybox(&["sh", "-c", script], b"", 7, b"1\n2\n3\n")
            });
            let bytes: Vec<u8> = (0..=u8::MAX).cycle().take(4096).collect();
            judge("busybox head passes on every byte", tally, || {
                run.busybox(&["head", "-c", "4096"], &bytes, 0, &bytes)
            });
        }
    }
    let name = "random programs of memory calls do as on this host's Linux";
    match linux_obstacle() {
        Some(reason) => tally.skipped(name, &reason),
        None => {
            judge(name, tally, || run.random_programs());
            judge("a C program has the same mappings as on this host's Linux", tally, || {
                run.layout(checkout)
            });
        }
    }
    for (name, line, verdict) in REPLAYS {
        judge(name, tally, || replay(line, verdict));
    }
    let name = "the disk image boots by UEFI and runs the demo";
    match image_obstacle(checkout) {
        Some(reason) => tally.skipped(name, &reason),
        None => judge(name, tally, || run.image()),
    }
    Ok(())
}

fn judge(name: &str, tally: &mut Tally, test: impl FnOnce() -> Result<()>) {
    let started = Instant::now();
    match test() {
        Ok(()) => tally.passed(name, started.elapsed()),
        Err(error) => tally.failed(name, &format!("{error:#}")),
    }
}

struct Runner<'a> {
    kernel: &'a Path,
    timeout: Duration,
    directory: &'a Path,
}

impl Runner<'_> {
    /// `sugarbush run` with these options and this standard input.
    fn run(&self, options: &[OsString], input: &[u8]) -> Result<Outcome> {
        let mut stdin = tempfile::tempfile()?;
        stdin.write_all(input)?;
        stdin.seek(SeekFrom::Start(0))?;
        let output = Command::new(std::env::current_exe()?)
            .args(["run", "--timeout", &self.timeout.as_secs().to_string(), "--kernel"])
            .arg(self.kernel)
            .args(options)
            .stdin(stdin)
            .output()?;
        Ok(Outcome { status: output.status.code(), stdout: output.stdout, stderr: output.stderr })
    }

    fn demo(&self) -> Result<()> {
        let outcome = self.run(&[], b"")?;
        outcome.exits_with(0)?;
        ensure!(!outcome.stdout.is_empty(), "it printed nothing");
        Ok(())
    }

    /// A few of what `sugarbush diff` runs, the same always.
    fn random_programs(&self) -> Result<()> {
        let output = Command::new(std::env::current_exe()?)
            .args([
                "diff", "--random", "10", "--calls", "1000", "--seed", "1", "--maps", "--smp", "2",
                "--kernel",
            ])
            .arg(self.kernel)
            .output()?;
        let said = String::from_utf8_lossy(&output.stdout);
        ensure!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
        ensure!(said.contains("10 programs of 1000 calls: identical"), "it said {said}");
        Ok(())
    }

    /// What a program has mapped at its end.
    fn layout(&self, checkout: &Checkout) -> Result<()> {
        let program = self.compile(checkout, "hole")?;
        let mut diff = Command::new(std::env::current_exe()?);
        let output = diff.args(["diff", "--maps", "--kernel"]).arg(self.kernel).arg(program).output()?;
        let said = String::from_utf8_lossy(&output.stdout);
        ensure!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
        ensure!(said.contains("mappings"), "it said {said}");
        Ok(())
    }

    /// A C program, statically linked.
    fn compile(&self, checkout: &Checkout, name: &str) -> Result<OsString> {
        let program = self.directory.join(name);
        let source = checkout.root().join("boot/tests/fixtures").join(name).with_extension("c");
        let mut gcc = Command::new("gcc");
        gcc.args(["-O2", "-static", "-pthread", "-o"]).args([&program, &source]);
        let gcc = gcc.output()?;
        ensure!(gcc.status.success(), "gcc: {}", String::from_utf8_lossy(&gcc.stderr));
        Ok(program.into())
    }

    fn threads(&self, checkout: &Checkout, smp: u8) -> Result<()> {
        let program = self.compile(checkout, "threads")?;
        let outcome =
            self.run(&["--smp".into(), smp.to_string().into(), "--program".into(), program], b"")?;
        outcome.exits_with(0)?;
        outcome.prints(b"8000 rounds\n")
    }

    fn hole(&self, checkout: &Checkout) -> Result<()> {
        let program = self.compile(checkout, "hole")?;
        let outcome = self.run(&["--program".into(), program], b"")?;
        outcome.exits_with(128 + 11)?;
        outcome.prints(b"abde and now the hole\n")
    }

    fn busybox(&self, args: &[&str], input: &[u8], status: i32, output: &[u8]) -> Result<()> {
        let options = ["--program", BUSYBOX, "--"].iter().chain(args).map(OsString::from);
        let outcome = self.run(&options.collect::<Vec<_>>(), input)?;
        outcome.exits_with(status)?;
        outcome.prints(output)
    }

    fn image(&self) -> Result<()> {
        let out = self.directory.join("image");
        let guest = GuestArgs {
            program: None,
            initramfs: None,
            munmap: Order::Reordered,
            append: None,
            args: Vec::new(),
        };
        image::image(&ImageArgs { out: out.clone(), guest, kernel: Some(self.kernel.to_owned()) })?;
        let machine = Machine {
            medium: Medium::Disk { image: &out, firmware: Path::new(UEFI_FIRMWARE) },
            smp: 1,
            memory: UEFI_MEMORY,
            clock: Clock::Host,
            debugger: Debugger::None,
        };
        let log = self.directory.join("image-log");
        let session = Session {
            input: Box::new(io::empty()),
            // The firmware writes here, too.
            output: Box::new(io::sink()),
            log: Box::new(fs::File::create(&log)?),
            timeout: Some(self.timeout),
        };
        let mut messages = Vec::new();
        let report = session.run(&machine, |message| messages.push(message.clone()))?;
        if !messages.contains(&Message::Exit(0)) {
            let log = fs::read_to_string(&log).unwrap_or_default();
            bail!("{:?}, messages {messages:?}, {}, log: {log}", report.ending, report.qemu);
        }
        Ok(())
    }
}

/// `sugarbush replay --qemu LINE`: both must judge so, and agree.
fn replay(line: &str, verdict: &str) -> Result<()> {
    let output = Command::new(std::env::current_exe()?).args(["replay", "--qemu", line]).output()?;
    let outcome = Outcome { status: output.status.code(), stdout: output.stdout, stderr: output.stderr };
    outcome.exits_with(0)?;
    let stdout = String::from_utf8_lossy(&outcome.stdout);
    let verdicts = format!("host: {verdict}\nQEMU: {verdict}\nthe same ");
    ensure!(stdout.contains(&verdicts), "the verdicts are not {verdict:?}:\n{}", stdout.trim_end());
    Ok(())
}

impl Outcome {
    fn exits_with(&self, status: i32) -> Result<()> {
        if self.status != Some(status) {
            let stderr = String::from_utf8_lossy(&self.stderr);
            bail!("exit status {:?}, not {status}; standard error:\n{}", self.status, stderr.trim_end());
        }
        Ok(())
    }

    fn prints(&self, expected: &[u8]) -> Result<()> {
        if self.stdout != expected {
            let from = self.stdout.iter().zip(expected).take_while(|(a, b)| a == b).count();
            bail!("{} bytes, not {}, and different from byte {from} on", self.stdout.len(), expected.len());
        }
        Ok(())
    }
}

fn busybox_obstacle() -> Option<String> {
    program::read(Path::new(BUSYBOX), false).err().map(|error| error.to_string())
}

/// Why what the host's Linux does cannot be asked of our kernel.
fn linux_obstacle() -> Option<String> {
    let Ok(release) = fs::read_to_string("/proc/sys/kernel/osrelease") else {
        return Some("this host is not Linux".to_owned());
    };
    let mut numbers = release.split(['.', '-']).map_while(|number| number.parse::<u32>().ok());
    let version = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    (version != COMPARED).then(|| {
        let ((major, minor), (like, like_minor)) = (version, COMPARED);
        format!("this host has Linux {major}.{minor}, and our rules are those of {like}.{like_minor}")
    })
}

fn image_obstacle(checkout: &Checkout) -> Option<String> {
    if !Path::new(UEFI_FIRMWARE).exists() {
        return Some("no UEFI firmware; apt-get install ovmf".to_owned());
    }
    image::obstacle(checkout)
}
