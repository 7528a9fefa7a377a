//! The tests of the host crates: `cargo test`, with its results counted.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};

use crate::checkout::Checkout;
use crate::test::tally::Tally;
use crate::toolchain;
use crate::workspace;

/// Runs the tests of all host crates and shows what is not a success: once as they are, the tree's once more with
/// small nodes (trees of a few entries are deep then), the simulation's that depend on such nodes likewise, and the tree's
/// models under all schedules.
///
/// # Errors
/// When cargo cannot be started.
pub(crate) fn run(checkout: &Checkout, tally: &mut Tally) -> Result<()> {
    println!("== host crates");
    let mut cargo = toolchain::host_cargo(checkout, "test");
    for package in workspace::host_packages(checkout)? {
        cargo.args(["--package", &package]);
    }
    run_tests(cargo, tally)?;

    println!("== the tree with small nodes");
    let mut cargo = toolchain::host_cargo(checkout, "test");
    cargo.args(["--package", "maple", "--features", "small"]);
    run_tests(cargo, tally)?;

    println!("== the bugs of the museum, and random programs, on trees with small nodes");
    let mut cargo = toolchain::host_cargo(checkout, "test");
    cargo.args(["--package", "sim", "--features", "small", "--test", "museum", "--test", "properties"]);
    run_tests(cargo, tally)?;

    println!("== the tree beside readers, under all schedules up to a bound");
    let mut cargo = toolchain::host_cargo(checkout, "test");
    cargo.args(["--package", "maple", "--release", "--test", "loom", "--target-dir"]);
    // A directory of its own: other flags would rebuild everything each time.
    cargo.arg(checkout.target().join("loom")).env("RUSTFLAGS", "--cfg loom");
    run_tests(cargo, tally)
}

/// Runs `cargo`, which tests, and counts.
fn run_tests(mut cargo: Command, tally: &mut Tally) -> Result<()> {
    cargo.arg("--no-fail-fast").stdout(Stdio::piped());
    let mut child = cargo.spawn().context("cannot start cargo")?;
    let stdout = child.stdout.take().context("cargo's output")?;
    let mut total = (0, 0, 0);
    for line in BufReader::new(stdout).split(b'\n') {
        let line = line.context("cargo's output")?;
        let line = String::from_utf8_lossy(&line);
        if let Some((passed, failed, ignored)) = counts(&line) {
            total = (total.0 + passed, total.1 + failed, total.2 + ignored);
        }
        if !is_noise(&line) {
            println!("{line}");
        }
    }
    let status = child.wait().context("cargo cannot be waited for")?;
    tally.add(total.0, total.1, total.2);
    if !status.success() && total.1 == 0 {
        tally.failed("cargo test", &status.to_string());
    }
    Ok(())
}

/// Passed, failed and ignored, if this is libtest's line with the result of one test binary.
fn counts(line: &str) -> Option<(usize, usize, usize)> {
    let mut parts = line.strip_prefix("test result: ")?.split(';');
    let (_verdict, passed) = parts.next()?.split_once(". ")?;
    let number = |part: &str, what: &str| part.trim().strip_suffix(what)?.trim().parse().ok();
    Some((number(passed, "passed")?, number(parts.next()?, "failed")?, number(parts.next()?, "ignored")?))
}

/// Lines that say only that all is well. What a test reports as a figure (`sim::figure`) is none.
fn is_noise(line: &str) -> bool {
    // A figure comes between the name and the result, if tests do not run side by side.
    let test = line.starts_with("test ")
        && (line.ends_with(" ok") || line.ends_with(" ... ") || line.contains(" ... ignored"));
    line.is_empty()
        || line == "ok"
        || line.starts_with("running ")
        || line.starts_with("test result: ok. 0 passed")
        || test
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_of_libtest_are_counted() {
        let line =
            "test result: ok. 12 passed; 0 failed; 3 ignored; 0 measured; 1 filtered out; finished in 0.01s";
        assert_eq!(counts(line), Some((12, 0, 3)));
        let line = "test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out";
        assert_eq!(counts(line), Some((1, 2, 0)));
        assert_eq!(counts("test result: nonsense"), None);
        assert_eq!(counts("test tests::a ... ok"), None);
    }

    #[test]
    fn failures_are_shown_and_successes_are_not() {
        assert!(is_noise("test tests::a ... ok"));
        assert!(is_noise("test tests::a ... ignored"));
        assert!(is_noise("test tests::a ... ") && is_noise("ok") && !is_noise("FAILED"));
        assert!(!is_noise("figure: 12 points refused"));
        assert!(!is_noise("test tests::a ... FAILED"));
        assert!(!is_noise("thread 'tests::a' panicked at src/lib.rs:1:1:"));
        assert!(!is_noise("test result: FAILED. 0 passed; 1 failed; 0 ignored"));
    }
}
