//! Builds the kernel and the user programs.

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::Command;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result};
use cargo_metadata::Message;

use crate::checkout::Checkout;
use crate::toolchain::{self, Toolchain};

/// How long a build may take before it is announced.
const ANNOUNCE_AFTER: Duration = Duration::from_secs(1);

/// How many entries the nodes of VMA trees have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Nodes {
    /// As many as fit.
    Ordinary,
    /// A few, so that trees of a few VMAs are deep.
    Small,
}

/// Which kernel to build.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kernel {
    /// What users run: optimised.
    Release,
    /// What the tests boot: optimised, with all debug assertions and the in-kernel tests.
    Checked(Nodes),
}

/// How much of cargo's output is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Output {
    /// All of it.
    Shown,
    /// The messages of a build that failed; and one line if it takes long.
    OnFailure,
}

/// An executable that a build left behind.
#[derive(Clone, Debug)]
pub(crate) struct Executable {
    /// Name of the cargo target.
    pub(crate) name: String,
    /// The file.
    pub(crate) path: PathBuf,
}

/// What cargo is told beside the profile `kernel`, because profiles have no such setting: to inline more than LLVM does by itself. That
/// saves 3 % of the instructions of a system call, and costs 0.6 MB of code, most of which is never reached.
const INLINE: &str = "target.x86_64-unknown-none.rustflags=['-Cllvm-args=-inline-threshold=800']";

/// Builds the kernel and returns its ELF file.
///
/// # Errors
/// When the build fails; cargo's messages have been shown then.
pub(crate) fn kernel(
    checkout: &Checkout,
    toolchain: Toolchain,
    kernel: Kernel,
    output: Output,
) -> Result<PathBuf> {
    let mut cargo = toolchain.cargo(checkout, "build");
    cargo.args(["--package", "kernel", "--bin", "kernel"]);
    match kernel {
        Kernel::Release => cargo.args(["--profile", "kernel", "--config", INLINE]),
        Kernel::Checked(nodes) => {
            let features = match nodes {
                Nodes::Ordinary => "kernel/test",
                Nodes::Small => "kernel/test,kernel/small",
            };
            cargo.args(["--profile", "checked", "--features", features])
        }
    };
    let executables = executables(cargo, "the kernel", output)?;
    Ok(executables.into_iter().next().context("the build left no kernel behind")?.path)
}

/// Builds the user programs, the demo and the tests, and returns them in the order of their names.
///
/// # Errors
/// When the build fails; cargo's messages have been shown then.
pub(crate) fn user_programs(
    checkout: &Checkout,
    toolchain: Toolchain,
    output: Output,
) -> Result<Vec<Executable>> {
    let mut cargo = toolchain.cargo(checkout, "build");
    cargo.args(["--package", "user", "--release", "--bins"]);
    let mut programs = executables(cargo, "the user programs", output)?;
    programs.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(programs)
}

/// Builds the program `name` of the simulation, with debug assertions, and returns its file.
///
/// # Errors
/// When the build fails; cargo's messages have been shown then.
pub(crate) fn simulation(checkout: &Checkout, name: &str, nodes: Nodes) -> Result<PathBuf> {
    let mut cargo = toolchain::host_cargo(checkout, "build");
    cargo.args(["--package", "sim", "--bin", name]);
    if nodes == Nodes::Small {
        cargo.args(["--features", "small"]);
    }
    let executables = executables(cargo, "the simulation", Output::OnFailure)?;
    Ok(executables.into_iter().next().context("the build left no simulation behind")?.path)
}

/// Runs `cargo build` and returns the executables of this build.
fn executables(mut cargo: Command, what: &str, output: Output) -> Result<Vec<Executable>> {
    cargo.arg("--message-format=json-render-diagnostics");
    if std::io::stderr().is_terminal() {
        cargo.arg("--color=always");
    }
    let failure = format!("building {what}");
    let messages = match output {
        Output::Shown => toolchain::openly(cargo, &failure)?,
        Output::OnFailure => {
            cargo.arg("--quiet");
            announcing(&format!("{failure} ..."), || toolchain::quietly(cargo, &failure))?
        }
    };
    let mut executables = Vec::new();
    for message in Message::parse_stream(messages.as_slice()) {
        if let Message::CompilerArtifact(artifact) = message.context("cargo's messages are not understood")?
            && let Some(path) = artifact.executable
        {
            executables.push(Executable { name: artifact.target.name, path: path.into() });
        }
    }
    Ok(executables)
}

/// Does `work`, and says on standard error what goes on if it takes long.
pub(crate) fn announcing<T>(line: &str, work: impl FnOnce() -> T) -> T {
    let (finished, is_finished) = channel::<()>();
    thread::scope(|scope| {
        scope.spawn(move || {
            if is_finished.recv_timeout(ANNOUNCE_AFTER) == Err(RecvTimeoutError::Timeout) {
                eprintln!("{line}");
            }
        });
        let result = work();
        drop(finished);
        result
    })
}
