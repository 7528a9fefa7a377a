//! The tables.

use std::{fmt::Write as _, ops::Sub};

use crate::{
    linux,
    workload::{
        SIZES,
        munmap::{Ends, NAMES},
        spans,
    },
};

/// What a region costs.
#[derive(Clone, Copy, Default)]
pub(crate) struct Cost {
    pub(crate) instructions: f64,
    pub(crate) d1_misses: f64,
    pub(crate) ll_misses: f64,
}

impl Sub for Cost {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self {
            instructions: self.instructions - other.instructions,
            d1_misses: self.d1_misses - other.d1_misses,
            ll_misses: self.ll_misses - other.ll_misses,
        }
    }
}

/// Costs of one operation at one size, summed over its regions.
struct Row {
    name: String,
    n: usize,
    operations: f64,
    cost: Cost,
}

impl Row {
    fn instructions(&self) -> f64 {
        self.cost.instructions / self.operations
    }

    /// The bar in instructions, if this row has one.
    fn bar(&self) -> Option<f64> {
        Some(linux::instructions(&self.name)? * linux::share(&self.name, self.n)?)
    }
}

fn verdict(figure: f64, bar: f64) -> &'static str {
    if figure <= bar { "met" } else { "missed" }
}

/// Everything that was measured.
pub(crate) struct Table {
    rows: Vec<Row>,
    /// Node bytes and number of ranges.
    bytes: Vec<(usize, f64)>,
    /// Lines of the bench `visits`: name, ranges, nodes, cache lines.
    visits: String,
}

impl Table {
    pub(crate) fn new(visits: String) -> Self {
        Self { rows: Vec::new(), bytes: Vec::new(), visits }
    }

    pub(crate) fn add_bytes(&mut self, n: usize, bytes: f64) {
        self.bytes.push((n, bytes));
    }

    /// Adds a region of `operations` operations.
    pub(crate) fn add(&mut self, name: &str, n: usize, operations: f64, cost: Cost) {
        let at = self.rows.iter().position(|row| row.name == name && row.n == n).unwrap_or_else(|| {
            self.rows.push(Row { name: name.to_owned(), n, operations: 0.0, cost: Cost::default() });
            self.rows.len() - 1
        });
        let row = &mut self.rows[at];
        row.operations += operations;
        row.cost.instructions += cost.instructions;
        row.cost.d1_misses += cost.d1_misses;
        row.cost.ll_misses += cost.ll_misses;
    }

    pub(crate) fn print(&self) {
        for (n, bytes) in &self.bytes {
            let bytes = bytes / *n as f64;
            print!("node bytes per range at {n} ranges: {bytes:.1}");
            let bar = format!(", bar {} (Linux) {}", linux::BYTES, verdict(bytes, linux::BYTES));
            println!("{}", if *n == 1_000 { bar } else { String::new() });
        }
        println!(
            "\n{:<32}{:>7}{:>9}{:>9}{:>9}{:>8}{:>8}{:>8}",
            "instructions per operation", "ranges", "figure", "D1 miss", "LL miss", "Linux", "ratio", "bar"
        );
        for row in self.rows.iter().filter(|row| !row.name.starts_with("munmap")) {
            let per = |total: f64| total / row.operations;
            print!("{:<32}{:>7}{:>9.1}", row.name, row.n, row.instructions());
            print!("{:>9.2}{:>9.2}", per(row.cost.d1_misses), per(row.cost.ll_misses));
            if let Some(linux) = linux::instructions(&row.name) {
                print!("{linux:>8.0}{:>8.3}", row.instructions() / linux);
            }
            match row.bar() {
                Some(bar) => println!("{bar:>8.1} {}", verdict(row.instructions(), bar)),
                None => println!(),
            }
        }
        println!("\nmunmap of k ranges in each order: instructions, nodes visited, cache lines touched, bar");
        print!("{:<8}{:>7}{:>6}", "ends", "ranges", "k");
        NAMES.iter().for_each(|name| print!(" | {name:<31}"));
        println!();
        for (ends, n) in [Ends::Whole, Ends::Partial].into_iter().flat_map(|e| SIZES.map(|n| (e, n))) {
            spans(n).for_each(|k| self.print_munmap(ends, n, k));
        }
    }

    /// The four orders side by side.
    fn print_munmap(&self, ends: Ends, n: usize, k: usize) {
        let mut line = format!("{:<8}{n:>7}{k:>6}", format!("{ends:?}"));
        for order in NAMES {
            let name = format!("munmap {k} {ends:?} {order}");
            let Some(row) = self.rows.iter().find(|row| row.name == name && row.n == n) else { return };
            let (nodes, lines) = self.visits_of(&name, n);
            let figure = row.instructions();
            let _ = write!(line, " | {figure:>7.0}{nodes:>5.0}{lines:>5.0}");
            let _ = match row.bar() {
                Some(bar) => write!(line, "{bar:>7.0} {:<6}", verdict(figure, bar)),
                None => write!(line, "{:>7} {:<6}", "", ""),
            };
        }
        println!("{}", line.trim_end());
    }

    fn visits_of(&self, name: &str, n: usize) -> (f64, f64) {
        let found = self.visits.lines().find_map(|line| {
            let mut fields = line.split('\t');
            let fits = fields.next()? == name && fields.next()?.parse() == Ok(n);
            let mut number = || fields.next()?.parse().ok();
            fits.then(|| Some((number()?, number()?)))?
        });
        found.unwrap_or_else(|| panic!("the bench `visits` has no line for {name} at {n} ranges"))
    }
}
