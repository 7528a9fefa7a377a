//! Instructions and simulated cache misses per operation, beside Linux 7.0's maple tree and the bars of the tree's issue.
//!
//! `cargo bench -p maple --bench instructions` runs itself under callgrind (package `valgrind`): every measured region is one call
//! of [`measured`], for which callgrind writes one file; the same loop without the operation is subtracted. Nodes visited and
//! cache lines touched come from the bench `visits`, which counts them and is no measure of instructions.
//! `-- 1000` measures one size only.

mod linux;
mod report;
#[path = "../workload/mod.rs"]
mod workload;

use std::{
    env,
    fmt::Write as _,
    fs,
    hint::black_box,
    ops::Range,
    path::Path,
    process::{Command, exit},
};

use report::{Cost, Table};
use workload::{
    Fixture,
    munmap::{Adaptive, Ends, Order, Prepatch, Reordered, Vms},
    small,
};

/// Callgrind collects inside of this function and writes a file after each call of it.
#[inline(never)]
fn measured(region: &mut dyn FnMut()) {
    region();
    // Not a tail call: callgrind writes its file when this function returns.
    black_box(());
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

fn child(log: &Path, only: Option<usize>) {
    let mut recorder = Recorder { log: String::new() };
    let sizes = || workload::SIZES.into_iter().filter(move |n| only.is_none_or(|only| only == *n));
    for n in sizes() {
        operations(&mut recorder, n);
    }
    for ends in [Ends::Whole, Ends::Partial] {
        for n in sizes() {
            for k in workload::spans(n) {
                munmaps::<Prepatch>(&mut recorder, n, k, ends);
                munmaps::<Reordered>(&mut recorder, n, k, ends);
                munmaps::<Vms>(&mut recorder, n, k, ends);
                munmaps::<Adaptive>(&mut recorder, n, k, ends);
            }
        }
    }
    small_process(&mut recorder);
    fs::write(log, recorder.log).expect("the log is written");
}

fn operations(recorder: &mut Recorder, n: usize) {
    let count = (n / 5).min(500);
    let mut fixture = Fixture::new(n);
    lookups(recorder, "", n, &fixture);
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
    steps(recorder, "", n, &fixture, &froms);
    let bytes = Fixture::new(n).nodes * 256;
    writeln!(recorder.log, "bytes\t{n}\t{bytes}").expect("a string grows");
}

/// One call site for all trees, so that they measure the same code.
fn lookups(recorder: &mut Recorder, of: &str, n: usize, fixture: &Fixture) {
    let pages = fixture.pages(2_000);
    recorder.record(&format!("{of}lookup"), n, 1, &pages, |page| fixture.lookup(*page));
    recorder.record(&format!("{of}lookup under rcu"), n, 1, &pages, |page| fixture.lookup_rcu(*page));
}

/// As [`lookups`], with searches from the top down for so many pages below a page.
fn steps(recorder: &mut Recorder, of: &str, n: usize, fixture: &Fixture, areas: &[(u64, u64)]) {
    recorder.record(&format!("{of}free area, highest"), n, 1, areas, |(to, size)| {
        fixture.find_area_rev(*to, *size)
    });
    recorder.record(&format!("{of}next"), n, n, &[(); 3], |()| fixture.iterate());
    recorder.record(&format!("{of}prev"), n, n, &[(); 3], |()| fixture.iterate_back());
    recorder.record(&format!("{of}next under rcu"), n, n, &[(); 3], |()| fixture.iterate_rcu());
    recorder.record(&format!("{of}next_range"), n, 2 * n, &[(); 3], |()| fixture.step());
}

/// What system calls do to the tree of a small process, each undone before the next.
fn small_process(recorder: &mut Recorder) {
    const TURNS: usize = 40;
    let n = small::RANGES;
    let mut program = small::program();
    lookups(recorder, "small process: ", n, &program);
    let mut one = |name: &str, range: Range<u64>, operation: &mut dyn FnMut(Range<u64>)| {
        recorder.record(name, n, 1, std::slice::from_ref(&range), |range| operation(range.clone()));
    };
    for turn in 0..TURNS {
        one("small process: insert", small::mapping(turn), &mut |range| program.store(range));
        one("small process: erase", small::mapping(turn), &mut |range| program.erase(range));
    }
    for turn in 0..TURNS {
        one("small process: cut the middle", small::inside(turn), &mut |range| program.erase(range));
        one("small process: over three", small::heap(), &mut |range| program.store(range));
        one("small process: grow the end", small::grown(turn), &mut |range| program.resize(range));
        one("small process: give back the end", small::heap(), &mut |range| program.resize(range));
        let tail = small::inside(turn).start..small::heap().end;
        one("small process: cut the tail", tail, &mut |range| program.erase(range));
        program.store(small::heap());
    }
    let tops = vec![(small::top(), 16); 200];
    steps(recorder, "small process: ", n, &program, &tops);
}

/// Ten munmaps of `k` ranges each, at random places, each put back before the next.
fn munmaps<O: Order>(recorder: &mut Recorder, n: usize, k: usize, ends: Ends) {
    let mut fixture = Fixture::new(n);
    let mut gathered = workload::munmap::room(k);
    for first in workload::munmap::firsts(n, k) {
        let span = fixture.span(first, k, ends);
        let name = workload::munmap::name::<O>(k, ends);
        recorder.record(&name, n, 1, std::slice::from_ref(&span), |span| {
            fixture.munmap::<O>(span.clone(), &mut gathered)
        });
        fixture.remap(first, k);
    }
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

/// What the bench `visits` says.
fn visits(only: Option<&str>) -> String {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["bench", "--quiet", "--package", "maple", "--features", "stats", "--bench", "visits", "--"])
        .args(only)
        .output();
    match output {
        Ok(output) if output.status.success() => String::from_utf8_lossy(&output.stdout).into_owned(),
        Ok(output) => {
            eprintln!("the bench `visits` failed: {}", String::from_utf8_lossy(&output.stderr));
            exit(1);
        }
        Err(error) => {
            eprintln!("cargo cannot be started for the bench `visits`: {error}");
            exit(1);
        }
    }
}

fn main() {
    let mut arguments = env::args().skip(1);
    let first = arguments.next();
    if first.as_deref() == Some("--child") {
        let log = arguments.next().expect("a log path");
        return child(Path::new(&log), arguments.next().and_then(|only| only.parse().ok()));
    }
    let only = first.filter(|argument| argument.parse::<usize>().is_ok());
    let directory = env::temp_dir().join(format!("maple-instructions-{}", std::process::id()));
    fs::create_dir_all(&directory).expect("a directory for callgrind's files");
    let log = directory.join("log");
    let status = Command::new("valgrind")
        .args(["--tool=callgrind", "--cache-sim=yes", "--D1=32768,8,64", "--LL=524288,8,64", "--quiet"])
        .args(["--collect-atstart=no", "--toggle-collect=*measured*", "--dump-after=instructions::measured"])
        .arg(format!("--callgrind-out-file={}", directory.join("out").display()))
        .arg(env::current_exe().expect("this program has a path"))
        .arg("--child")
        .arg(&log)
        .args(&only)
        .status();
    if !status.is_ok_and(|status| status.success()) {
        eprintln!("valgrind did not run to its end; is the package `valgrind` installed?");
        exit(1);
    }
    let mut table = Table::new(visits(only.as_deref()));
    read_log(&fs::read_to_string(&log).expect("the child's log"), &directory, &mut table);
    table.print();
    let _ = fs::remove_dir_all(&directory);
}

/// Adds what the child has recorded and callgrind has counted.
fn read_log(log: &str, directory: &Path, table: &mut Table) {
    let mut number = 0;
    for line in log.lines() {
        let fields: Vec<_> = line.split('\t').collect();
        let &[name, n, count] = &fields[..] else { continue };
        let (n, count) = (n.parse().unwrap_or(0), count.parse().unwrap_or(0.0));
        if name == "bytes" {
            table.add_bytes(n, count);
            continue;
        }
        let (empty, full) = (costs(directory, number + 1), costs(directory, number + 2));
        number += 2;
        table.add(name, n, count, full - empty);
    }
}
