//! The host tool `sugarbush`: builds the kernel, packs the ramdisk, boots it in QEMU and reports.
//!
//! ```text
//! args ─► run ──┬─► guest ─► build, program, symbols, initramfs     what is booted
//!         test ─┤
//!         image ┤
//!        replay ┘─► session ─► qemu                                 the machine
//!                      └─────► protocol                             what the kernel says
//!         bench, diff ─► capture ─► session                        the machine, with the program's output kept
//!         museum, soak, replay ─► simulation                        the same memory manager on the host
//! ```
//! docs/ARCHITECTURE.md defines what passes between kernel and host.
#![forbid(unsafe_code)]

mod args;
mod bench;
mod build;
mod capture;
mod checkout;
mod diff;
mod errors;
mod fate;
mod guest;
mod image;
mod initramfs;
mod lint;
mod program;
mod protocol;
mod qemu;
mod replay;
mod run;
mod session;
mod simulation;
mod symbols;
mod test;
mod toolchain;
mod workspace;

use std::process::ExitCode;

use anyhow::Result;

use crate::args::{Action, Cli};
use crate::build::{Kernel, Output};
use crate::checkout::Checkout;
use crate::errors::status_of;
use crate::toolchain::Toolchain;

fn main() -> ExitCode {
    let outcome = args::parse().map_err(|error| (error, 1)).and_then(|cli| {
        let otherwise = if matches!(cli.command, Action::Run(_)) { run::STATUS_KERNEL } else { 1 };
        act(&cli).map_err(|error| (error, otherwise))
    });
    outcome.map_or_else(
        |(error, otherwise)| {
            eprintln!("sugarbush: {error:#}");
            ExitCode::from(status_of(&error, otherwise))
        },
        ExitCode::from,
    )
}

/// Does what the command line says, and returns the exit status.
fn act(cli: &Cli) -> Result<u8> {
    match &cli.command {
        Action::Run(args) => run::run(args),
        Action::Build => build_all().map(|()| 0),
        Action::Test(args) => test::test(args),
        Action::Image(args) => image::image(args).map(|()| 0),
        Action::Lint => lint::lint(),
        Action::Bench(args) => bench::bench(args),
        Action::Diff(args) => diff::diff(args),
        Action::Museum(args) => simulation::museum(args),
        Action::Soak(args) => simulation::soak(args),
        Action::Replay(args) => replay::replay(args),
    }
}

/// The kernel and the user programs.
fn build_all() -> Result<()> {
    let checkout = Checkout::find()?;
    let toolchain = Toolchain::find(&checkout)?;
    build::kernel(&checkout, toolchain, Kernel::Release, Output::Shown)?;
    build::user_programs(&checkout, toolchain, Output::Shown)?;
    Ok(())
}
