//! The two kinds of failure: the caller's mistake, and everything else.

use std::fmt;

/// Exit status for a mistake of the caller.
pub(crate) const STATUS_USAGE: u8 = 2;

/// A mistake of the caller: said in one line, with what to do; exit status 2.
#[derive(Debug)]
pub(crate) struct Usage(String);

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}

/// The caller's mistake as an error.
pub(crate) fn usage(message: impl Into<String>) -> anyhow::Error {
    anyhow::Error::new(Usage(message.into()))
}

/// The exit status for an error that ended a command whose own failures exit with `otherwise`.
pub(crate) fn status_of(error: &anyhow::Error, otherwise: u8) -> u8 {
    if error.is::<Usage>() { STATUS_USAGE } else { otherwise }
}
