//! Random programs over all orders of munmap, with all oracles on, on all CPUs of the host, until the time is over or so many
//! operations are done. A failure is printed as the smallest program that has it.
#![forbid(unsafe_code)]

use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use mm::space::MunmapOrder;
use sim::soak::{Found, Numbered};

/// Minutes, if neither time nor operations are given.
const MINUTES: u64 = 5;
/// Time between two lines about the progress.
const PROGRESS: Duration = Duration::from_secs(15);

/// What to do.
struct Options {
    /// Number of the first program.
    seed: u64,
    minutes: Option<u64>,
    operations: Option<u64>,
}

impl Options {
    /// Reads the arguments.
    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Options { seed: u64::from(fastrand::u32(..)), minutes: None, operations: None };
        while let Some(name) = arguments.next() {
            let value = arguments.next().ok_or_else(|| format!("{name}: a number is missing"))?;
            let number = value.parse().map_err(|_| format!("{name} {value}: not a number"))?;
            match name.as_str() {
                "--seed" => options.seed = number,
                "--minutes" => options.minutes = Some(number),
                "--operations" => options.operations = Some(number),
                _ => {
                    return Err(format!("{name}: no such option; there are --minutes, --operations, --seed"));
                }
            }
        }
        Ok(options)
    }

    /// Minutes at most; `None` for any number.
    fn minutes(&self) -> Option<u64> {
        self.minutes.or(if self.operations.is_some() { None } else { Some(MINUTES) })
    }
}

/// What the threads of this process share.
struct Soak {
    /// Number of the next program.
    next: AtomicU64,
    /// Operations done, by order.
    done: [AtomicU64; MunmapOrder::ALL.len()],
    enough: u64,
    stop: AtomicBool,
    found: Mutex<Option<Box<Found>>>,
}

impl Soak {
    fn total(&self) -> u64 {
        self.done.iter().map(|done| done.load(Ordering::Relaxed)).sum()
    }

    /// Runs programs until there is a reason to stop.
    fn work(&self) {
        while !self.stop.load(Ordering::Relaxed) && self.total() < self.enough {
            let program = Numbered(self.next.fetch_add(1, Ordering::Relaxed));
            match program.run(None) {
                Ok(operations) => {
                    self.done[program.order()].fetch_add(operations, Ordering::Relaxed);
                }
                Err(found) => {
                    self.stop.store(true, Ordering::Relaxed);
                    self.found.lock().expect("nobody panics with it").get_or_insert(found);
                }
            }
        }
    }

    /// A line about what has been done since `start`.
    fn line(&self, start: Instant) -> String {
        let (total, seconds) = (self.total(), start.elapsed().as_secs_f64());
        format!("{total} operations in {seconds:.0} s, {:.0} a second", total as f64 / seconds)
    }
}

fn main() -> ExitCode {
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(mistake) => {
            eprintln!("soak: {mistake}");
            return ExitCode::from(2);
        }
    };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let limit = options.minutes().map(|minutes| Duration::from_secs(60 * minutes));
    println!("soak: seed {}, {threads} threads", options.seed);
    let soak = Soak {
        next: AtomicU64::new(options.seed),
        done: [const { AtomicU64::new(0) }; MunmapOrder::ALL.len()],
        enough: options.operations.unwrap_or(u64::MAX),
        stop: AtomicBool::new(false),
        found: Mutex::new(None),
    };
    let start = Instant::now();
    thread::scope(|scope| {
        let (working, all_done) = channel::<()>();
        for _ in 0..threads {
            let (soak, working) = (&soak, working.clone());
            scope.spawn(move || {
                soak.work();
                drop(working);
            });
        }
        drop(working);
        loop {
            let left = limit.map_or(PROGRESS, |limit| limit.saturating_sub(start.elapsed()));
            if all_done.recv_timeout(left.min(PROGRESS)) == Err(RecvTimeoutError::Disconnected) {
                break;
            }
            if limit.is_some_and(|limit| start.elapsed() >= limit) {
                soak.stop.store(true, Ordering::Relaxed);
            } else {
                println!("soak: {}", soak.line(start));
            }
        }
    });
    for (order, done) in MunmapOrder::ALL.iter().zip(&soak.done) {
        println!("soak: {order} order: {} operations", done.load(Ordering::Relaxed));
    }
    println!("soak: {}", soak.line(start));
    match soak.found.into_inner().expect("nobody panics with it") {
        None => ExitCode::SUCCESS,
        Some(found) => {
            println!("\n{found}");
            ExitCode::FAILURE
        }
    }
}
