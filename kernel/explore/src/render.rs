//! Failures as text.
//!
//! ```text
//!        first           second
//!    1   start
//!    2   read
//!    3                 > start
//!    4                   read
//! (> preempts the thread of the step before)
//! check failed: both have read
//! replay: 0:2 1:2
//! ```

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use crate::engine::Label;
use crate::failure::{Failure, Step, Trace};

/// Rows at the start and at the end of a trace that is too long to print.
const HEAD: usize = 40;
const TAIL: usize = 60;

impl<L: Label> fmt::Display for Failure<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}\nreplay: {}", self.trace, self.fault, self.trace.schedule())
    }
}

impl<L: Label> fmt::Display for Trace<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.steps.len();
        let skipped = if count > HEAD + TAIL { HEAD..count - TAIL } else { 0..0 };
        let shown = |index: &usize| !skipped.contains(index);
        let texts: Vec<String> = self.steps.iter().map(|step| step.origin.to_string()).collect();
        let widths: Vec<usize> = (0..self.names.len()).map(|thread| self.width(thread, &texts)).collect();
        let preemptions: Vec<usize> = self.preemptions().collect();

        row(f, "", "", &widths, |thread| Some(self.names[thread]))?;
        for index in (0..count).filter(shown) {
            if index == skipped.end && !skipped.is_empty() {
                writeln!(f, " ...  {} more steps", skipped.len())?;
            }
            let Step { thread, .. } = self.steps[index];
            let mark = if preemptions.contains(&index) { ">" } else { "" };
            row(f, &(index + 1).to_string(), mark, &widths, |column| {
                (column == thread).then_some(texts[index].as_str())
            })?;
        }
        if !preemptions.is_empty() {
            writeln!(f, "(> preempts the thread of the step before)")?;
        }
        Ok(())
    }
}

impl<L> Trace<L> {
    fn width(&self, thread: usize, texts: &[String]) -> usize {
        let own = self.steps.iter().zip(texts).filter(|(step, _)| step.thread == thread);
        own.map(|(_, text)| text.chars().count()).fold(self.names[thread].chars().count(), usize::max)
    }
}

/// One row, without spaces at its end: `cell` says what is in a column.
fn row<'t>(
    f: &mut fmt::Formatter<'_>,
    number: &str,
    mark: &str,
    widths: &[usize],
    cell: impl Fn(usize) -> Option<&'t str>,
) -> fmt::Result {
    let last = (0..widths.len()).rev().find(|&column| cell(column).is_some());
    write!(f, "{number:>4}")?;
    for (column, width) in widths.iter().enumerate().take(last.map_or(0, |last| last + 1)) {
        let text = cell(column);
        let mark = if text.is_some() { mark } else { "" };
        let width = if Some(column) == last { 0 } else { *width };
        write!(f, " {mark:1} {:width$}", text.unwrap_or(""))?;
    }
    writeln!(f)
}
