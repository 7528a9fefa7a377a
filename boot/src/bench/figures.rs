//! Figures of mmbench: reading them, and setting ours beside Linux's.

use std::fmt;

use anyhow::{Context as _, Result, ensure};

/// No row should be above this part of Linux's figure.
pub(super) const ROW_BAR: f64 = 0.5;
/// The geometric mean of all rows should be at most this.
pub(super) const MEAN_BAR: f64 = 0.15;

/// What one run of mmbench printed.
#[derive(Debug, Default)]
pub(super) struct Figures {
    /// Names with their suffixes, in the order in which they came.
    values: Vec<(String, u64)>,
}

impl Figures {
    /// Reads lines of a name and a number; other lines are not mmbench's.
    pub(super) fn parse(output: &str) -> Self {
        let values = output.lines().filter_map(|line| {
            let (name, value) = line.trim_end().split_once(' ')?;
            Some((name.to_owned(), value.parse().ok()?))
        });
        Self { values: values.collect() }
    }

    /// Whether the last line has come, and one tick was one instruction.
    pub(super) fn is_complete(&self) -> bool {
        self.get("mmbench.done").is_some() && self.get("tsc_per_1000_insn") == Some(1000)
    }

    fn get(&self, name: &str) -> Option<u64> {
        self.values.iter().find(|(known, _)| known == name).map(|(_, value)| *value)
    }

    /// The median of a figure, in instructions.
    pub(super) fn median(&self, name: &str) -> Option<u64> {
        self.get(&format!("{name}.med"))
    }

    /// The names of all medians.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.values.iter().filter_map(|(name, _)| name.strip_suffix(".med"))
    }

    /// Tests that could not run to their end, and why.
    pub(super) fn errors(&self) -> impl Iterator<Item = (&str, u64)> {
        self.values.iter().filter_map(|(name, value)| Some((name.strip_suffix(".err")?, *value)))
    }
}

/// Linux's figures, of one or several kernels, in the order of the rows.
#[derive(Debug, Default)]
pub(super) struct Peers {
    /// Where they come from.
    pub(super) source: String,
    rows: Vec<(String, u64)>,
}

impl Peers {
    /// Reads a table: comments, then a name and a number of each kernel a line. The peer is the lowest.
    ///
    /// # Errors
    /// When a line is something else.
    pub(super) fn parse(table: &str) -> Result<Self> {
        let mut rows = Vec::new();
        for line in table.lines().filter(|line| !line.starts_with('#')) {
            let mut words = line.split_whitespace();
            let name = words.next().context("an empty line in the table of Linux's figures")?;
            let figures: Vec<u64> = words
                .map(|word| word.parse().with_context(|| format!("{name}: {word:?} is no figure")))
                .collect::<Result<_>>()?;
            let lowest = figures.into_iter().min().with_context(|| format!("{name}: no figure"))?;
            rows.push((name.to_owned(), lowest));
        }
        ensure!(!rows.is_empty(), "the table of Linux's figures is empty");
        Ok(Self { source: "the lowest of the kernels in user/mmbench/linux-figures.tsv".to_owned(), rows })
    }

    /// What a run on Linux printed.
    pub(super) fn of_run(figures: &Figures, source: String) -> Self {
        let rows = figures.names().filter_map(|name| Some((name.to_owned(), figures.median(name)?)));
        Self { source, rows: rows.collect() }
    }
}

/// One row: instructions a call on both.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Row {
    pub(super) name: String,
    pub(super) ours: Option<u64>,
    pub(super) linux: u64,
}

impl Row {
    /// Ours as a part of Linux's. A figure of 0 counts as 1.
    pub(super) fn ratio(&self) -> Option<f64> {
        #[expect(clippy::cast_precision_loss, reason = "figures are far below 2^52")]
        self.ours.map(|ours| ours.max(1) as f64 / self.linux.max(1) as f64)
    }
}

/// All rows that Linux has, with ours.
#[derive(Debug)]
pub(super) struct Comparison {
    pub(super) source: String,
    pub(super) rows: Vec<Row>,
}

impl Comparison {
    pub(super) fn new(ours: &Figures, peers: &Peers) -> Self {
        let rows = peers
            .rows
            .iter()
            .map(|(name, linux)| Row { name: name.clone(), ours: ours.median(name), linux: *linux })
            .collect();
        Self { source: peers.source.clone(), rows }
    }

    /// The geometric mean of the ratios of all rows that we have.
    pub(super) fn mean(&self) -> f64 {
        let logarithms: Vec<f64> = self.rows.iter().filter_map(|row| Some(row.ratio()?.ln())).collect();
        #[expect(clippy::cast_precision_loss, reason = "there are a hundred rows")]
        (logarithms.iter().sum::<f64>() / logarithms.len() as f64).exp()
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Guest instructions a call, medians; Linux: {}", self.source)?;
        writeln!(f, "{:<36} {:>11} {:>11} {:>6}", "", "Sugarbush", "Linux", "ratio")?;
        for row in &self.rows {
            write!(f, "{:<36} ", row.name)?;
            match (row.ours, row.ratio()) {
                (Some(ours), Some(ratio)) => {
                    let mark = if ratio > ROW_BAR { " above the bar" } else { "" };
                    writeln!(f, "{ours:>11} {:>11} {ratio:>6.2}{mark}", row.linux)?;
                }
                _ => writeln!(f, "{:>11} {:>11}", "-", row.linux)?,
            }
        }
        let measured = self.rows.iter().filter(|row| row.ours.is_some()).count();
        let above = self.rows.iter().filter(|row| row.ratio().is_some_and(|ratio| ratio > ROW_BAR)).count();
        let (mean, rows) = (self.mean(), self.rows.len());
        writeln!(
            f,
            "geometric mean {mean:.3} of {measured} of {rows} rows (bar {MEAN_BAR}); {above} rows above {ROW_BAR}"
        )?;
        writeln!(
            f,
            "Linux does more in these calls than we do: reverse maps, LRU lists, statistics, cgroups. Zeroing a page is 512 \
             instructions there, copying one too; here about 145 and 275, with AVX."
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ours() -> Figures {
        Figures::parse(
            "boot noise here\na.min 9\na.med 10\nb.med 300\nc.err 38\ntsc_per_1000_insn 1000\nmmbench.done 1\n",
        )
    }

    #[test]
    fn medians_and_errors_are_read_and_noise_is_not() {
        let ours = ours();
        assert!(ours.is_complete());
        assert_eq!(ours.median("a"), Some(10));
        assert_eq!(ours.median("boot"), None);
        assert_eq!(ours.errors().collect::<Vec<_>>(), [("c", 38)]);
        assert!(!Figures::parse("a.med 10\n").is_complete());
    }

    #[test]
    fn the_peer_is_the_lowest_and_the_mean_is_geometric() {
        let peers = Peers::parse("# comment\na\t100\t40\t90\nb\t1200\t1500\nd\t7\n").expect("a right table");
        let comparison = Comparison::new(&ours(), &peers);
        assert_eq!(comparison.rows[0].ratio(), Some(0.25));
        assert_eq!(comparison.rows[1].ratio(), Some(0.25));
        assert_eq!(comparison.rows[2].ratio(), None);
        assert!((comparison.mean() - 0.25).abs() < 1e-9);
        let text = comparison.to_string();
        assert!(text.contains("geometric mean 0.250 of 2 of 3 rows"), "{text}");
    }

    #[test]
    fn a_row_above_the_bar_is_marked() {
        let peers = Peers::parse("a 11\n").expect("a right table");
        assert!(Comparison::new(&ours(), &peers).to_string().contains("above the bar"));
    }

    #[test]
    fn a_wrong_table_is_an_error() {
        for table in ["", "a\n", "a b\n", "# only this\n", "\n"] {
            assert!(Peers::parse(table).is_err(), "{table:?}");
        }
    }
}
