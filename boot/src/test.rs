//! `sugarbush test`: boots the checked kernel with the tests; with `--all` everything that can be tested.

mod end_to_end;
mod host;
mod linux;
mod machine;
mod tally;
mod watch;

use std::time::Duration;

use anyhow::Result;

use crate::args::{Order, TestArgs};
use crate::build::{self, Executable, Kernel, Nodes, Output};
use crate::checkout::Checkout;
use crate::errors::usage;
use crate::guest;
use crate::test::machine::Configuration;
use crate::test::tally::Tally;
use crate::toolchain::Toolchain;

/// Memory of the machine that runs all tests, in MiB.
const MEMORY: u32 = 256;

/// A program that ought to end by itself is given so long on the host.
const NATIVE_LIMIT: Duration = Duration::from_secs(60);

/// The user programs that are no tests.
fn is_test(name: &str) -> bool {
    name != guest::DEMO && !name.starts_with("x_")
}

/// Runs the tests, prints the closing line and returns the exit status.
///
/// # Errors
/// A mistake in the arguments, a build that fails, or QEMU cannot be started.
pub(crate) fn test(args: &TestArgs) -> Result<u8> {
    let mut tally = Tally::default();
    if args.all {
        everything(args, &mut tally)?
    } else {
        one_configuration(args, &mut tally)?
    }
    println!("{}", tally.closing_line());
    Ok(tally.status())
}

fn one_configuration(args: &TestArgs, tally: &mut Tally) -> Result<()> {
    if args.filter.as_ref().is_some_and(|filter| filter.contains(char::is_whitespace)) {
        return Err(usage("the names of tests have no blanks; name one part of them"));
    }
    let configuration = Configuration {
        munmap: args.munmap,
        memory: args.machine.memory,
        smp: args.machine.smp,
        filter: args.filter.clone(),
        append: args.append.clone(),
    };
    let timeout = Duration::from_secs(args.timeout);
    let kernel = guest::kernel(args.machine.kernel.as_deref(), Kernel::Checked(Nodes::Ordinary))?;
    if args.machine.kernel.is_some() {
        return machine::run(&configuration, &kernel, &[], timeout, tally);
    }
    let programs = programs(&Checkout::find()?)?;
    let programs: Vec<&Executable> = programs.iter().collect();
    machine::run(&configuration, &kernel, &programs, timeout, tally)?;

    let wanted = |program: &&Executable| args.filter.as_ref().is_none_or(|part| program.name.contains(part));
    natively(&programs.into_iter().filter(wanted).collect::<Vec<_>>(), tally)
}

/// Each phase runs, whatever became of the one before; a phase that cannot run has failed.
fn everything(args: &TestArgs, tally: &mut Tally) -> Result<()> {
    let checkout = Checkout::find()?;
    let phases: [(&str, Phase); 3] =
        [("host crates", host_crates), ("kernel", all_configurations), ("end to end", end_to_end)];
    for (name, phase) in phases {
        if let Err(error) = phase(&checkout, Duration::from_secs(args.timeout), tally) {
            tally.failed(name, &format!("{error:#}"));
        }
    }
    Ok(())
}

type Phase = fn(&Checkout, Duration, &mut Tally) -> Result<()>;

fn host_crates(checkout: &Checkout, _: Duration, tally: &mut Tally) -> Result<()> {
    host::run(checkout, tally)
}

fn all_configurations(checkout: &Checkout, timeout: Duration, tally: &mut Tally) -> Result<()> {
    let programs = programs(checkout)?;
    let programs: Vec<&Executable> = programs.iter().collect();
    natively(&programs, tally)?;
    let kernel = guest::kernel(None, Kernel::Checked(Nodes::Ordinary))?;
    for configuration in configurations() {
        machine::run(&configuration, &kernel, &programs, timeout, tally)?;
    }
    Ok(())
}

fn end_to_end(checkout: &Checkout, timeout: Duration, tally: &mut Tally) -> Result<()> {
    end_to_end::run(checkout, timeout, tally)
}

/// All tests with every order and with two and four processors, those that use all processors at once with another order as well,
/// and those that depend on the size of the memory with little and with much.
fn configurations() -> Vec<Configuration> {
    let configuration = |munmap, memory, smp, filter: Option<&str>| Configuration {
        munmap,
        memory,
        smp,
        filter: filter.map(str::to_owned),
        append: None,
    };
    vec![
        configuration(Order::Reordered, MEMORY, 1, None),
        configuration(Order::Prepatch, MEMORY, 1, None),
        configuration(Order::Vms, MEMORY, 1, None),
        configuration(Order::Adaptive, MEMORY, 1, None),
        configuration(Order::Reordered, MEMORY, 2, None),
        configuration(Order::Reordered, MEMORY, 4, None),
        configuration(Order::Vms, MEMORY, 4, Some("parallel")),
        configuration(Order::Reordered, 128, 1, Some("frame")),
        configuration(Order::Reordered, 4096, 1, Some("frame")),
    ]
}

fn programs(checkout: &Checkout) -> Result<Vec<Executable>> {
    let mut programs = build::user_programs(checkout, Toolchain::find(checkout)?, Output::OnFailure)?;
    programs.retain(|program| is_test(&program.name));
    Ok(programs)
}

fn natively(programs: &[&Executable], tally: &mut Tally) -> Result<()> {
    if programs.is_empty() {
        return Ok(());
    }
    println!("== the same programs on this host");
    linux::run(programs, NATIVE_LIMIT, tally)
}
