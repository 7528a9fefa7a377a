//! Figures of a test run, for whoever reads its output.

use std::fmt::Display;
use std::io::{self, Write as _};

/// Reports a figure of a test: the line `figure: TEXT` on the real standard output, which `make test` shows. What a
/// test prints otherwise is kept back while it succeeds.
pub fn figure(text: impl Display) {
    // In one piece, because tests run side by side. The line before may be unfinished: with a single thread it is the
    // name of the test.
    let line = format!("\nfigure: {text}\n");
    // If standard output is gone there is nobody to tell.
    let _ = io::stdout().write_all(line.as_bytes());
}
