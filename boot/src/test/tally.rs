//! Counts and prints results.

use std::time::Duration;

/// How many tests have passed, failed and been skipped; every result is printed as it comes.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    passed: usize,
    failed: usize,
    skipped: usize,
}

impl Tally {
    /// A test has passed.
    pub(crate) fn passed(&mut self, name: &str, took: Duration) {
        self.passed += 1;
        println!("pass {name} {:.1} ms", took.as_secs_f64() * 1e3);
    }

    /// A test has failed; `why` may be empty.
    pub(crate) fn failed(&mut self, name: &str, why: &str) {
        self.failed += 1;
        let separator = if why.is_empty() { "" } else { ": " };
        println!("FAIL {name}{separator}{why}");
    }

    /// A test is not run.
    pub(crate) fn skipped(&mut self, name: &str, why: &str) {
        self.skipped += 1;
        println!("skip {name}: {why}");
    }

    /// Adds results that others have printed.
    pub(crate) fn add(&mut self, passed: usize, failed: usize, skipped: usize) {
        self.passed += passed;
        self.failed += failed;
        self.skipped += skipped;
    }

    /// How many have failed so far.
    pub(crate) fn failures(&self) -> usize {
        self.failed
    }

    /// The last line of a test run.
    pub(crate) fn closing_line(&self) -> String {
        let skipped = if self.skipped > 0 { format!(", {} skipped", self.skipped) } else { String::new() };
        format!("{} passed, {} failed{skipped}", self.passed, self.failed)
    }

    /// The exit status: 0 only if something was tested and nothing failed.
    pub(crate) fn status(&self) -> u8 {
        u8::from(self.failed > 0 || self.passed == 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn success_needs_a_test_that_passed_and_none_that_failed() {
        let mut tally = Tally::default();
        assert_eq!(tally.status(), 1);
        tally.skipped("a", "no reason");
        assert_eq!(tally.status(), 1);
        tally.passed("b", Duration::ZERO);
        assert_eq!(tally.status(), 0);
        tally.failed("c", "");
        assert_eq!(tally.status(), 1);
        assert_eq!(tally.failures(), 1);
    }

    #[test]
    fn skipped_tests_are_mentioned_only_if_there_are_any() {
        let mut tally = Tally::default();
        tally.add(3, 1, 0);
        assert_eq!(tally.closing_line(), "3 passed, 1 failed");
        tally.add(0, 0, 2);
        assert_eq!(tally.closing_line(), "3 passed, 1 failed, 2 skipped");
    }
}
