//! Schedules as text.

use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use crate::fiber::MAX_THREADS;

/// Which thread made which step. As text: `0:3 1 0:2` is three steps of thread 0, one of thread 1, two of thread 0.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Schedule {
    /// Thread and steps (at least 1); neighbours are of different threads.
    runs: Vec<(usize, usize)>,
}

impl Schedule {
    /// Its number of steps.
    pub fn steps(&self) -> usize {
        self.runs.iter().map(|run| run.1).sum()
    }

    /// Its number of switches between threads.
    pub fn switches(&self) -> usize {
        self.runs.len().saturating_sub(1)
    }

    /// The thread of each step.
    pub fn threads(&self) -> impl Iterator<Item = usize> {
        self.runs.iter().flat_map(|&(thread, steps)| core::iter::repeat_n(thread, steps))
    }

    fn push(&mut self, thread: usize, steps: usize) {
        match self.runs.last_mut() {
            Some(last) if last.0 == thread => last.1 += steps,
            _ => self.runs.push((thread, steps)),
        }
    }
}

impl FromIterator<usize> for Schedule {
    fn from_iter<I: IntoIterator<Item = usize>>(threads: I) -> Self {
        let mut schedule = Schedule::default();
        threads.into_iter().for_each(|thread| schedule.push(thread, 1));
        schedule
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, &(thread, steps)) in self.runs.iter().enumerate() {
            let space = if index == 0 { "" } else { " " };
            match steps {
                1 => write!(f, "{space}{thread}")?,
                _ => write!(f, "{space}{thread}:{steps}")?,
            }
        }
        Ok(())
    }
}

/// A text is no schedule.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ParseError {
    /// Which of the space-separated words is wrong, from 1.
    pub word: usize,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let last = MAX_THREADS - 1;
        write!(
            f,
            "word {} of the schedule is not THREAD or THREAD:STEPS, with a thread of 0 to {last}",
            self.word
        )
    }
}

impl core::error::Error for ParseError {}

impl FromStr for Schedule {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let mut schedule = Schedule::default();
        for (index, word) in text.split_whitespace().enumerate() {
            let (thread, steps) = run(word).ok_or(ParseError { word: index + 1 })?;
            schedule.push(thread, steps);
        }
        Ok(schedule)
    }
}

fn run(word: &str) -> Option<(usize, usize)> {
    let (thread, steps) = word.split_once(':').unwrap_or((word, "1"));
    let (thread, steps) = (thread.parse().ok()?, steps.parse::<u32>().ok()?);
    (thread < MAX_THREADS && steps > 0).then_some((thread, steps as usize))
}
