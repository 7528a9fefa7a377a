//! Follows one test run of the kernel by its messages, and judges it.

use std::time::Duration;

use crate::protocol::Message;
use crate::session::Ending;
use crate::test::tally::Tally;

/// What the kernel has said so far about its tests.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    planned: Option<usize>,
    /// Tests with a result.
    ended: usize,
    /// The test that runs.
    open: Option<String>,
    panicked: bool,
    done: bool,
}

impl Watch {
    /// One more message.
    pub(crate) fn see(&mut self, message: &Message, tally: &mut Tally) {
        match message {
            Message::Plan(count) if self.planned.is_none() => self.planned = Some(*count),
            Message::Begin(name) => {
                self.abandon("the next test began before its end", tally);
                self.open = Some(name.clone());
            }
            Message::Pass { name, micros } => {
                if self.close(name, tally) {
                    tally.passed(name, Duration::from_micros(*micros));
                } else {
                    tally.failed(name, "passed, but never began");
                }
            }
            Message::Fail { name, .. } => {
                self.close(name, tally);
                tally.failed(name, "");
            }
            Message::Skip { name, reason } => {
                self.close(name, tally);
                tally.skipped(name, reason);
            }
            Message::Figure(text) => println!("figure: {text}"),
            Message::Panic => self.panicked = true,
            Message::Done => self.done = true,
            Message::Garbage(line) => println!("the kernel's message {line:?} is not understood"),
            Message::Plan(_) | Message::User | Message::Exit(_) | Message::Signal(_) | Message::Map(_) => {}
        }
    }

    /// The machine has ended: whatever is missing is one failure.
    pub(crate) fn finish(mut self, ending: Ending, tally: &mut Tally) {
        let end = match ending {
            Ending::TimedOut => "the time is up",
            Ending::Interrupted(_) => "interrupted",
            _ if self.panicked => "the kernel panicked",
            Ending::Ended | Ending::Unread => "the machine ended",
        };
        if self.open.is_some() {
            return self.abandon(end, tally);
        }
        let orderly = self.done && !self.panicked && ending == Ending::Ended;
        match self.planned {
            Some(0) if orderly => tally.failed("plan", "no test has such a name"),
            Some(planned) if planned != self.ended => {
                tally.failed("plan", &format!("{end} after {} of {planned} tests", self.ended));
            }
            Some(_) if orderly => {}
            Some(_) => tally.failed("shutdown", &format!("{end} after the last test")),
            None => tally.failed("boot", &format!("{end} before the first test")),
        }
    }

    /// The result of `name` has come; was it this test that ran?
    fn close(&mut self, name: &str, tally: &mut Tally) -> bool {
        let expected = self.open.as_deref() == Some(name);
        if expected {
            self.open = None;
        } else {
            self.abandon("another test ended instead", tally);
        }
        self.ended += 1;
        expected
    }

    /// The test that runs, if any, has no result and gets none.
    fn abandon(&mut self, why: &str, tally: &mut Tally) {
        if let Some(name) = self.open.take() {
            self.ended += 1;
            tally.failed(&name, why);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(lines: &str, ending: Ending) -> String {
        let mut watch = Watch::default();
        let mut tally = Tally::default();
        for line in lines.split(';') {
            watch.see(&Message::parse(line.as_bytes()), &mut tally);
        }
        watch.finish(ending, &mut tally);
        tally.closing_line()
    }

    #[test]
    fn a_run_that_keeps_its_plan_counts_what_it_says() {
        let lines = "plan 3;begin a;pass a 1;begin b;fail b 1;begin c;skip c no such thing;done";
        assert_eq!(verdict(lines, Ending::Ended), "1 passed, 1 failed, 1 skipped");
        assert_eq!(
            verdict("plan 1;skip c no such thing;done", Ending::Ended),
            "0 passed, 0 failed, 1 skipped"
        );
    }

    #[test]
    fn a_test_that_has_no_end_has_failed() {
        let begun = "plan 2;begin a;pass a 1;begin b";
        for ending in [Ending::Ended, Ending::TimedOut, Ending::Interrupted(2)] {
            assert_eq!(verdict(begun, ending), "1 passed, 1 failed");
        }
        assert_eq!(verdict("plan 2;begin a;pass a 1;begin b;panic", Ending::Ended), "1 passed, 1 failed");
        assert_eq!(verdict("plan 2;begin a;begin b;pass b 1;done", Ending::Ended), "1 passed, 1 failed");
    }

    #[test]
    fn a_plan_that_is_not_met_is_a_failure() {
        assert_eq!(verdict("plan 2;begin a;pass a 1;done", Ending::Ended), "1 passed, 1 failed");
        assert_eq!(
            verdict("plan 1;begin a;pass a 1;begin b;pass b 1;done", Ending::Ended),
            "2 passed, 1 failed"
        );
        assert_eq!(verdict("plan 0;done", Ending::Ended), "0 passed, 1 failed");
        assert_eq!(verdict("", Ending::Ended), "0 passed, 1 failed");
        assert_eq!(verdict("panic", Ending::Ended), "0 passed, 1 failed");
    }

    #[test]
    fn a_bad_end_after_the_last_test_is_a_failure() {
        let run = "plan 1;begin a;pass a 1";
        assert_eq!(verdict(run, Ending::Ended), "1 passed, 1 failed");
        assert_eq!(verdict(run, Ending::TimedOut), "1 passed, 1 failed");
        assert_eq!(verdict("plan 1;begin a;pass a 1;panic", Ending::Ended), "1 passed, 1 failed");
        assert_eq!(verdict("plan 1;begin a;pass a 1;done", Ending::Ended), "1 passed, 0 failed");
    }

    #[test]
    fn a_result_out_of_nowhere_is_a_failure() {
        assert_eq!(verdict("plan 1;pass a 1;done", Ending::Ended), "0 passed, 1 failed");
        assert_eq!(verdict("plan 2;begin a;pass b 1;done", Ending::Ended), "0 passed, 2 failed");
    }
}
