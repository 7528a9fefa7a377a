//! The command line.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::errors::usage;

/// Sugarbush: builds the kernel, boots it in QEMU and drives it.
#[derive(Debug, Parser)]
#[command(name = "sugarbush", version, disable_help_subcommand = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Action,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Action {
    /// Boot, run one program (or the demo) and exit with its exit status
    ///
    /// Exit status: the program's own; 128+N when signal N killed it; 124 on timeout; 125 when the kernel
    /// panicked; 2 for a mistake on the command line.
    Run(RunArgs),
    /// Run the in-kernel tests and the user test programs
    Test(TestArgs),
    /// Build the kernel and the user programs
    Build,
    /// Make a UEFI disk image that boots the kernel and runs one program (or the demo)
    Image(ImageArgs),
    /// Check formatting and run clippy on everything
    Lint,
    /// Run the benchmarks
    ///
    /// Shows what each memory call costs beside Linux, in guest instructions, what it costs threads on several processors, and then the
    /// benchmarks of the host crates.
    Bench(BenchArgs),
    /// Run the same program on this host's Linux and on our kernel, and compare
    ///
    /// Compares output and exit status. Exit status: 0 if they are the same, 1 if not.
    Diff(DiffArgs),
    /// Put every historical bug back, one by one, and show what catches it
    Museum(MuseumArgs),
    /// Run random programs on the simulated machine, with all oracles on, until the time is over
    ///
    /// A failure is printed as the smallest program that has it; exit status 1.
    Soak(SoakArgs),
    /// Run one schedule of a race, from the line that a failure ends with
    ///
    /// Prints the steps of each thread, what it was answered, and the verdict. Exit status: 0 if nothing is wrong, 1 if
    /// something is, 2 for a line that does not fit.
    Replay(ReplayArgs),
}

/// The machine.
#[derive(Args, Clone, Debug)]
pub(crate) struct MachineArgs {
    /// Number of processors
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=16))]
    pub(crate) smp: u8,
    /// Memory in MiB; more if the files of --initramfs need it
    #[arg(long, value_name = "MIB", default_value_t = 256, value_parser = clap::value_parser!(u32).range(64..=65536))]
    pub(crate) memory: u32,
    /// Boot this kernel instead of building one
    #[arg(long, value_name = "FILE")]
    pub(crate) kernel: Option<PathBuf>,
}

/// What is on the ramdisk and runs first.
#[derive(Args, Clone, Debug)]
pub(crate) struct GuestArgs {
    /// Program to run: an x86-64 Linux ELF file [default: the first argument, of --initramfs, or else the demo]
    #[arg(long, value_name = "FILE")]
    pub(crate) program: Option<PathBuf>,
    /// Directory whose files the program finds in /
    #[arg(long, value_name = "DIR")]
    pub(crate) initramfs: Option<PathBuf>,
    /// Order of the steps of munmap
    #[arg(long, value_name = "ORDER", value_enum, default_value_t = Order::Reordered)]
    pub(crate) munmap: Order,
    /// More words for the kernel command line
    #[arg(long, value_name = "WORDS", allow_hyphen_values = true)]
    pub(crate) append: Option<String>,
    /// Arguments for the program; with --initramfs and without --program the first one is the program, in DIR
    #[arg(last = true, value_name = "ARG")]
    pub(crate) args: Vec<OsString>,
}

/// Options of `run`.
#[derive(Args, Clone, Debug)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) guest: GuestArgs,
    #[command(flatten)]
    pub(crate) machine: MachineArgs,
    /// Make time the count of instructions: one tick of the time-stamp counter each
    #[arg(long)]
    pub(crate) icount: bool,
    /// End the machine after this many seconds
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) timeout: Option<u64>,
    /// Wait for gdb before the first instruction
    #[arg(long, conflicts_with = "timeout")]
    pub(crate) gdb: bool,
    /// Write the kernel log here instead of to standard error
    #[arg(long, value_name = "FILE")]
    pub(crate) log: Option<PathBuf>,
    /// Say on standard error how long it took to the first user instruction
    #[arg(long)]
    pub(crate) boot_time: bool,
}

/// Options of `test`.
#[derive(Args, Clone, Debug)]
pub(crate) struct TestArgs {
    /// Run the tests whose name contains this
    #[arg(conflicts_with = "all")]
    pub(crate) filter: Option<String>,
    #[command(flatten)]
    pub(crate) machine: MachineArgs,
    /// Order of the steps of munmap
    #[arg(long, value_name = "ORDER", value_enum, default_value_t = Order::Reordered)]
    pub(crate) munmap: Order,
    /// More words for the kernel command line
    #[arg(long, value_name = "WORDS", allow_hyphen_values = true)]
    pub(crate) append: Option<String>,
    /// End a machine that has not finished after this many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 300, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) timeout: u64,
    /// Run everything: the host tests, all configurations of the machine, the tests of this tool
    #[arg(long, conflicts_with_all = ["kernel", "append", "smp", "memory", "munmap"])]
    pub(crate) all: bool,
}

/// Options of `bench`.
#[derive(Args, Clone, Debug)]
pub(crate) struct BenchArgs {
    /// Run this part only
    #[arg(value_enum)]
    pub(crate) part: Option<BenchPart>,
    /// Measure Linux as well, by booting this kernel image, or `debian` for Debian's, which is fetched [default: the
    /// figures in user/mmbench]
    #[arg(long, value_name = "VMLINUZ")]
    pub(crate) linux: Option<PathBuf>,
    /// Where the chart goes
    #[arg(long, value_name = "FILE", default_value = "target/mmbench.svg")]
    pub(crate) chart: PathBuf,
}

/// A part of the benchmarks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum BenchPart {
    /// Memory calls in ring 3, beside Linux
    Calls,
    /// Threads on several processors
    Threads,
    /// The host crates: the tree
    Host,
}

/// Options of `image`.
#[derive(Args, Clone, Debug)]
pub(crate) struct ImageArgs {
    /// File to write
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    #[command(flatten)]
    pub(crate) guest: GuestArgs,
    /// Put this kernel on the image instead of building one
    #[arg(long, value_name = "FILE")]
    pub(crate) kernel: Option<PathBuf>,
}

/// Options of `diff`.
#[derive(Args, Clone, Debug)]
pub(crate) struct DiffArgs {
    /// The program: any static x86-64 Linux ELF file
    #[arg(required_unless_present = "random")]
    pub(crate) program: Option<PathBuf>,
    /// Instead of a program, run this many random programs of memory calls
    #[arg(long, value_name = "N", conflicts_with_all = ["program", "initramfs"], value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) random: Option<u64>,
    /// Calls of a random program
    #[arg(long, value_name = "N", default_value_t = 2000, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=4000))]
    pub(crate) calls: usize,
    /// The number of the first random program [default: a random one]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(..1 << 48))]
    pub(crate) seed: Option<u64>,
    /// System calls that random programs make, by name [default: all that the generator knows]
    #[arg(long, value_name = "NAMES", value_delimiter = ',', requires = "random")]
    pub(crate) only: Vec<String>,
    /// Compare the mappings as well: of a program at its end, of random programs after every call
    ///
    /// What is compared is their layout: where each VMA begins and ends, its permissions, and the offset and kind of what it maps.
    /// Addresses that the kernel chose are counted from the highest, those of the heap from its start.
    #[arg(long)]
    pub(crate) maps: bool,
    /// Directory whose files the program finds: it starts in it on the host, and in / on our kernel
    #[arg(long, value_name = "DIR")]
    pub(crate) initramfs: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) machine: MachineArgs,
    /// Order of the steps of munmap
    #[arg(long, value_name = "ORDER", value_enum, default_value_t = Order::Reordered)]
    pub(crate) munmap: Order,
    /// A program that has not ended after this many seconds is a failure
    #[arg(long, value_name = "SECONDS", default_value_t = 300, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) timeout: u64,
    /// Arguments for the program
    #[arg(last = true, value_name = "ARG")]
    pub(crate) args: Vec<OsString>,
}

/// Options of `museum`.
#[derive(Args, Clone, Debug)]
pub(crate) struct MuseumArgs {
    /// Only the bugs whose titles contain this, and what was found in full
    pub(crate) word: Option<String>,
}

/// Options of `soak`.
#[derive(Args, Clone, Debug)]
pub(crate) struct SoakArgs {
    /// Stop after this many minutes [default: 5, if no number of operations is given]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) minutes: Option<u64>,
    /// Stop after this many operations
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) operations: Option<u64>,
    /// Begin with this program; each has a number [default: a random one]
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
}

/// Options of `replay`.
#[derive(Args, Clone, Debug)]
pub(crate) struct ReplayArgs {
    /// Run the same schedule in QEMU as well, in the kernel on one CPU, and compare
    ///
    /// The kernel's log goes to standard error. Exit status 0 then says that both agree, whatever they find.
    #[arg(long)]
    pub(crate) qemu: bool,
    /// SCENARIO ORDER BUG SCHEDULE, such as `hole-and-accesses-in-it prepatch none 1:5 0 ...`
    ///
    /// 1:5 is five steps of thread 1; `...` at the end goes on without preemption. BUG is `none` or one of the museum.
    #[arg(required = true, value_name = "LINE")]
    pub(crate) line: Vec<String>,
}

/// The order of the steps of munmap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Order {
    /// Linux to 6.5
    Prepatch,
    /// Linux 6.6
    Reordered,
    /// Linux from 6.12
    Vms,
    /// Steps back or walks again, whichever is less
    Adaptive,
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Prepatch => "prepatch",
            Self::Reordered => "reordered",
            Self::Vms => "vms",
            Self::Adaptive => "adaptive",
        })
    }
}

/// Reads the command line of this process; help and version are printed, and end it.
///
/// # Errors
/// A mistake, said in one line.
pub(crate) fn parse() -> anyhow::Result<Cli> {
    Cli::try_parse().map_err(|error| {
        if matches!(
            error.kind(),
            ErrorKind::DisplayHelp
                | ErrorKind::DisplayVersion
                | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
        ) {
            error.exit()
        }
        usage(one_line(&error.to_string()))
    })
}

/// The paragraph of clap's message that says what is wrong, and where to look.
fn one_line(message: &str) -> String {
    let first = message.split("\n\n").next().unwrap_or_default();
    let words: Vec<&str> = first.split_whitespace().collect();
    let text = words.join(" ");
    format!("{} (see `sugarbush --help`)", text.strip_prefix("error: ").unwrap_or(&text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mistake(args: &[&str]) -> String {
        let line = std::iter::once("sugarbush").chain(args.iter().copied());
        one_line(&Cli::try_parse_from(line).expect_err("this line is wrong").to_string())
    }

    #[test]
    fn mistakes_are_one_line_that_says_where_to_look() {
        for args in [
            &["run", "--frobnicate"][..],
            &["run", "--munmap", "backwards"],
            &["run", "--smp", "0"],
            &["run", "--smp", "17"],
            &["run", "--memory", "63"],
            &["run", "--memory", "65537"],
            &["run", "--memory", "much"],
            &["run", "--timeout", "0"],
            &["run", "--gdb", "--timeout", "3"],
            &["image"],
            &["test", "--all", "filter"],
            &["fly"],
        ] {
            let line = mistake(args);
            assert!(!line.contains('\n'), "{args:?}: {line}");
            assert!(!line.contains("error:"), "{args:?}: {line}");
            assert!(line.ends_with("(see `sugarbush --help`)"), "{args:?}: {line}");
        }
    }

    #[test]
    fn a_wrong_order_is_answered_with_the_right_ones() {
        let line = mistake(&["run", "--munmap", "backwards"]);
        for order in Order::value_variants() {
            assert!(line.contains(&order.to_string()), "{line}");
        }
    }

    #[test]
    fn everything_after_two_dashes_belongs_to_the_program() {
        let cli = Cli::try_parse_from(["sugarbush", "run", "--program", "p", "--", "--smp", "-x", "--"]);
        let Action::Run(run) = cli.expect("a right line").command else { panic!("not run") };
        assert_eq!(run.guest.args, ["--smp", "-x", "--"]);
        assert_eq!(run.machine.smp, 1);
        assert_eq!(run.machine.memory, 256);
    }
}
