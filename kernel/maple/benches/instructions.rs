//! Instructions and simulated cache misses per operation, beside Linux 7.0's maple tree and the bars of the tree's issue.
//!
//! `cargo bench -p maple --bench instructions` runs itself under callgrind (package `valgrind`): every measured region is one call
//! of [`measured`], for which callgrind writes one file; the same loop without the operation is subtracted. With `--features
//! stats` the munmap table also says how many nodes were visited and cache lines touched. `-- 1000` measures one size only.

mod workload;

use std::{
    fmt::Write as _,
    fs,
    hint::black_box,
    path::Path,
    process::{Command, exit},
};

use workload::{
    Fixture,
    munmap::{Adaptive, Ends, Order, Prepatch, Reordered, Vms},
};

/// Callgrind collects inside of this function and writes a file after each call of it.
#[inline(never)]
fn measured(region: &mut dyn FnMut()) {
    region();
    // Not a tail call: callgrind writes its file when this function returns.
    black_box(());
}

/// What a region costs.
#[derive(Clone, Copy, Default)]
struct Cost {
    instructions: f64,
    d1_misses: f64,
    ll_misses: f64,
}

/// Regions as they are measured; the parent process reads the costs in the same order.
struct Recorder {
    /// Tab-separated: name, ranges, operations.
    log: String,
}

impl Recorder {
    /// Measures `operation` on each of `inputs`, and the empty loop.
    fn record<X>(
        &mut self,
        name: &str,
        n: usize,
        per_input: usize,
        inputs: &[X],
        mut operation: impl FnMut(&X),
    ) {
        measured(&mut || {
            for input in inputs {
                black_box(input);
            }
        });
        measured(&mut || {
            for input in inputs {
                operation(black_box(input));
            }
        });
        writeln!(self.log, "{name}\t{n}\t{}", inputs.len() * per_input).expect("a string grows");
    }
}

const SIZES: [usize; 3] = [10, 1_000, 65_000];
const SPANS: [usize; 5] = [1, 3, 10, 100, 1_000];

fn child(log: &Path, only: Option<usize>) {
    let mut recorder = Recorder { log: String::new() };
    let sizes = || SIZES.into_iter().filter(move |n| only.is_none_or(|only| only == *n));
    for n in sizes() {
        operations(&mut recorder, n);
    }
    for ends in [Ends::Whole, Ends::Partial] {
        for n in sizes() {
            for k in SPANS.into_iter().filter(|k| *k <= n / 2) {
                munmaps::<Prepatch>(&mut recorder, n, k, ends);
                munmaps::<Reordered>(&mut recorder, n, k, ends);
                munmaps::<Vms>(&mut recorder, n, k, ends);
                munmaps::<Adaptive>(&mut recorder, n, k, ends);
            }
        }
    }
    fs::write(log, recorder.log).expect("the log is written");
}

fn operations(recorder: &mut Recorder, n: usize) {
    let count = (n / 5).min(500);
    let mut fixture = Fixture::new(n);
    let pages = fixture.pages(2_000);
    recorder.record("lookup", n, 1, &pages, |page| fixture.lookup(*page));
    recorder.record("lookup under rcu", n, 1, &pages, |page| fixture.lookup_rcu(*page));
    let gaps = fixture.gaps(count);
    recorder.record("insert", n, 1, &gaps, |range| fixture.store(range.clone()));
    gaps.iter().for_each(|range| fixture.erase(range.clone()));
    let mut fixture = Fixture::new(n);
    let ranges = fixture.some_ranges(count);
    recorder.record("erase", n, 1, &ranges, |range| fixture.erase(range.clone()));
    let fixture = Fixture::new(n);
    let sizes = fixture.sizes(500);
    recorder
        .record("free area, only the last fits", n, 1, &sizes, |size| fixture.find_area(0x10, *size + 0x400));
    let froms: Vec<_> = fixture.pages(500).into_iter().zip(sizes).collect();
    recorder.record("free area, window", n, 1, &froms, |(from, size)| fixture.find_area(*from, *size));
    recorder.record("free area, highest", n, 1, &froms, |(to, size)| fixture.find_area_rev(*to, *size));
    recorder.record("next", n, n, &[(); 3], |()| fixture.iterate());
    recorder.record("prev", n, n, &[(); 3], |()| fixture.iterate_back());
    recorder.record("next under rcu", n, n, &[(); 3], |()| fixture.iterate_rcu());
    recorder.record("next_range", n, 2 * n, &[(); 3], |()| fixture.step());
    writeln!(recorder.log, "bytes\t{n}\t{}", fixture.nodes * 256).expect("a string grows");
}

/// Ten munmaps of `k` ranges each, at random places, each put back before the next.
fn munmaps<O: Order>(recorder: &mut Recorder, n: usize, k: usize, ends: Ends) {
    let mut fixture = Fixture::new(n);
    let mut random = workload::Random::new();
    let mut gathered = Vec::with_capacity(k + 1);
    for _ in 0..10 {
        let first = random.below(n - k);
        let span = fixture.span(first, k, ends);
        let name = format!("munmap {k} {ends:?} {}", O::NAME);
        recorder.record(&name, n, 1, std::slice::from_ref(&span), |span| {
            fixture.munmap::<O>(span.clone(), &mut gathered)
        });
        fixture.remap(first, k);
        #[cfg(feature = "stats")]
        {
            maple::stats::start();
            fixture.munmap::<O>(span, &mut gathered);
            let counts = maple::stats::stop();
            writeln!(recorder.log, "stats {name}\t{n}\t{}\t{}", counts.nodes, counts.lines)
                .expect("a string grows");
            fixture.remap(first, k);
        }
    }
}

/// Linux's figure for the same operation (vma-tree.md; munmap at 10,000 ranges, the others at 1,000), and the bar.
fn linux(name: &str) -> Option<(f64, f64)> {
    Some(match name {
        "lookup" | "lookup under rcu" => (229.0, 0.5),
        "insert" => (1501.0, 0.3),
        "erase" => (1225.0, 0.3),
        "free area, only the last fits" | "free area, window" | "free area, highest" => (794.0, 0.5),
        "next" | "prev" | "next under rcu" | "next_range" => (141.0, 0.3),
        _ => {
            let (k, order) = name.strip_prefix("munmap ")?.split_once(" Whole ")?;
            // Whole ranges, 7.0: the order before the patch, and what the seed's order costs against it.
            let (before, stepping) = match k {
                "1" => (2_945.0, 0.84),
                "3" => (4_510.0, 1.0),
                "10" => (7_558.0, 1.19),
                "100" => (25_203.0, 1.67),
                "1000" => (164_187.0, 2.02),
                _ => return None,
            };
            let bar = if k == "1" || k == "3" || k == "10" { 0.3 } else { 0.15 };
            match order {
                "reordered" | "vms" => (before * stepping, bar),
                "adaptive" => (before * if k == "1" { 0.84 } else { 1.0 }, bar),
                _ => (before, bar),
            }
        }
    })
}

fn costs(directory: &Path, number: usize) -> Cost {
    let path = directory.join(format!("out.{number}"));
    let text = fs::read_to_string(&path).unwrap_or_default();
    let line = |key: &str| text.lines().find_map(|line| line.strip_prefix(key)).unwrap_or("").to_owned();
    let totals = [line("totals:"), line("summary:")].into_iter().find(|l| !l.is_empty()).unwrap_or_default();
    let totals: Vec<f64> = totals.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let events = line("events:");
    let of = |event: &str| {
        events
            .split_whitespace()
            .position(|name| name == event)
            .and_then(|at| totals.get(at))
            .copied()
            .unwrap_or(0.0)
    };
    Cost { instructions: of("Ir"), d1_misses: of("D1mr") + of("D1mw"), ll_misses: of("DLmr") + of("DLmw") }
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let first = arguments.next();
    if first.as_deref() == Some("--child") {
        let log = arguments.next().expect("a log path");
        return child(Path::new(&log), arguments.next().and_then(|only| only.parse().ok()));
    }
    let only = first.filter(|argument| argument.parse::<usize>().is_ok());
    let directory = std::env::temp_dir().join(format!("maple-instructions-{}", std::process::id()));
    fs::create_dir_all(&directory).expect("a directory for callgrind's files");
    let log = directory.join("log");
    let status = Command::new("valgrind")
        .args(["--tool=callgrind", "--cache-sim=yes", "--D1=32768,8,64", "--LL=524288,8,64", "--quiet"])
        .args(["--collect-atstart=no", "--toggle-collect=*measured*", "--dump-after=instructions::measured"])
        .arg(format!("--callgrind-out-file={}", directory.join("out").display()))
        .arg(std::env::current_exe().expect("this program has a path"))
        .arg("--child")
        .arg(&log)
        .args(only)
        .status();
    if !status.is_ok_and(|status| status.success()) {
        eprintln!("valgrind did not run to its end; is the package `valgrind` installed?");
        exit(1);
    }
    report(&fs::read_to_string(&log).expect("the child's log"), &directory);
    let _ = fs::remove_dir_all(&directory);
}

/// One line of the table: costs per operation, summed over the regions of the same name.
struct Row {
    name: String,
    n: String,
    operations: f64,
    cost: Cost,
    nodes: f64,
    lines: f64,
    regions: f64,
}

fn report(log: &str, directory: &Path) {
    let mut rows: Vec<Row> = Vec::new();
    let mut number = 0;
    for line in log.lines() {
        let fields: Vec<_> = line.split('\t').collect();
        let &[name, n, count, ..] = &fields[..] else { continue };
        let count: f64 = count.parse().unwrap_or(0.0);
        if name == "bytes" {
            let n: f64 = n.parse().unwrap_or(1.0);
            println!("node bytes per range at {n} ranges: {:.1} (Linux 34.8 at 1,000)", count / n);
            continue;
        }
        if let Some(name) = name.strip_prefix("stats ") {
            if let Some(row) = rows.iter_mut().find(|row| row.name == name && row.n == n) {
                row.nodes += count;
                row.lines += fields.get(3).and_then(|lines| lines.parse().ok()).unwrap_or(0.0);
            }
            continue;
        }
        let (empty, full) = (costs(directory, number + 1), costs(directory, number + 2));
        number += 2;
        if !rows.iter().any(|row| row.name == name && row.n == n) {
            rows.push(Row {
                name: name.to_owned(),
                n: n.to_owned(),
                operations: 0.0,
                cost: Cost::default(),
                nodes: 0.0,
                lines: 0.0,
                regions: 0.0,
            });
        }
        let row = rows.iter_mut().find(|row| row.name == name && row.n == n).expect("it is there now");
        row.operations += count;
        row.regions += 1.0;
        row.cost.instructions += full.instructions - empty.instructions;
        row.cost.d1_misses += full.d1_misses - empty.d1_misses;
        row.cost.ll_misses += full.ll_misses - empty.ll_misses;
    }
    if cfg!(feature = "stats") {
        println!("built with `stats`: the instructions include the counting of nodes and lines");
    }
    println!(
        "{:<34}{:>7}{:>12}{:>9}{:>9}{:>10}{:>8}{:>6}  {:>6}{:>7}",
        "operation", "ranges", "instr", "D1 miss", "LL miss", "Linux", "ratio", "bar", "nodes", "lines"
    );
    for row in rows {
        let per = |total: f64| total / row.operations;
        let mut line = format!("{:<34}{:>7}{:>12.1}", row.name, row.n, per(row.cost.instructions));
        let _ = write!(line, "{:>9.2}{:>9.2}", per(row.cost.d1_misses), per(row.cost.ll_misses));
        if let Some((linux, bar)) = linux(&row.name) {
            let ratio = per(row.cost.instructions) / linux;
            let verdict = if ratio <= bar { "" } else { "!" };
            let _ = write!(line, "{linux:>10.0}{ratio:>8.3}{bar:>6.2}{verdict:>2}");
        }
        if row.nodes > 0.0 {
            let _ = write!(line, "{:>6.0}{:>7.0}", row.nodes / row.regions, row.lines / row.regions);
        }
        println!("{line}");
    }
}
