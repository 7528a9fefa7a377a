//! The in-kernel test runner.
//!
//! Tests run one by one, each on a kernel stack of its own. A panic or a fault in one goes back to the runner:
//! the test has failed, and the run goes on. Nothing is unwound: what the test owned is leaked, and locks that it
//! held stay locked, so that later tests which need them fail as well. The timer turns a hang into a failure.
//!
//! After the tests in the kernel come the programs `tests/NAME` of the ramdisk.

use core::fmt::{self, Write};
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use alloc::format;
use alloc::string::String;
use mm::space::Config;
use spin::Mutex;

use crate::arch::registry;
use crate::arch::trial::{self, Abandoned};
use crate::fs::Tree;
use crate::host::message;
use crate::memory::KernelStack;
use crate::process::run_test_program;
use crate::{cmdline, ramdisk, replay, sched, time};

pub(crate) use crate::arch::registry::kernel_test;

mod parallel;
mod tests;

/// A test, made by [`kernel_test!`].
pub(crate) struct Test {
    /// Module path and function name.
    pub(crate) path: &'static str,
    /// The function.
    pub(crate) run: fn(),
    /// Text of the panic that must come.
    pub(crate) panics: Option<&'static str>,
}

impl Test {
    /// The path without the crate and without the modules that are called `tests`.
    fn name(&self) -> String {
        let path = self.path.strip_prefix("kernel::").unwrap_or(self.path);
        let path = path.strip_prefix("tests::").unwrap_or(path);
        path.replace("::tests::", "::")
    }
}

/// Longest time for a test in the kernel, in timer ticks: 10 seconds of the machine's time.
const TEST_TICKS: u64 = 10 * time::TICKS_PER_SECOND;
/// Longest time for a test program: more than the process code gives it before it ends it.
const PROGRAM_TICKS: u64 = 120 * time::TICKS_PER_SECOND;

/// What the other stack is to do, and what came of it.
enum Job {
    None,
    Kernel(fn()),
    Replay(&'static [u8]),
    Program(&'static Tree, &'static str, Config),
    Done(Result<(), String>),
}

static JOB: Mutex<Job> = Mutex::new(Job::None);
/// Timer tick at which the running test has hung; 0 for never.
static DEADLINE: AtomicU64 = AtomicU64::new(0);
/// Whether the running test must panic, so that its panic is no news.
static PANIC_IS_EXPECTED: AtomicBool = AtomicBool::new(false);
/// Why the running test could not be run.
static SKIPPED: Mutex<Option<&'static str>> = Mutex::new(None);
static PANIC: Mutex<Message> = Mutex::new(Message { text: [0; 160], len: 0 });

/// The beginning of a panic message.
struct Message {
    text: [u8; 160],
    len: usize,
}

impl Message {
    fn as_str(&self) -> &str {
        match str::from_utf8(&self.text[..self.len]) {
            Ok(text) => text,
            Err(error) => str::from_utf8(&self.text[..error.valid_up_to()]).unwrap_or(""),
        }
    }
}

impl Write for Message {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let len = text.len().min(self.text.len() - self.len);
        self.text[self.len..self.len + len].copy_from_slice(&text.as_bytes()[..len]);
        self.len += len;
        Ok(())
    }
}

/// Whether a panic goes to the log with all details.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Report {
    /// It does.
    Full,
    /// A test wanted it.
    Quiet,
}

/// Takes note of a panic that ends the running test. Called with anything locked.
pub(crate) fn note_panic(text: impl fmt::Display) -> Report {
    if let Some(mut message) = PANIC.try_lock() {
        message.len = 0;
        // A `Message` never fails.
        let _ = write!(message, "{text}");
    }
    if PANIC_IS_EXPECTED.load(Ordering::Relaxed) { Report::Quiet } else { Report::Full }
}

/// Ends the running test when its time is over. Called by the timer interrupt.
pub(crate) fn watchdog() {
    let deadline = DEADLINE.load(Ordering::Relaxed);
    if deadline != 0 && time::timer_ticks() >= deadline {
        DEADLINE.store(0, Ordering::Relaxed);
        panic!("the test hangs");
    }
}

/// Timer interrupts of CPU 1 since it saw the number of the boot CPU's change, and that number.
static SILENCE: AtomicU64 = AtomicU64::new(0);
static LAST_SEEN: AtomicU64 = AtomicU64::new(0);

/// Ends the machine when a test runs and the boot CPU, which looks after its time, takes no interrupts. Called by the timer
/// interrupt of the other CPUs.
pub(crate) fn watch_boot_cpu(cpu: u32) {
    if cpu != 1 || DEADLINE.load(Ordering::Relaxed) == 0 {
        return;
    }
    let now = time::timer_ticks();
    if LAST_SEEN.swap(now, Ordering::Relaxed) != now {
        SILENCE.store(0, Ordering::Relaxed);
    } else if SILENCE.fetch_add(1, Ordering::Relaxed) == 3 * TEST_TICKS {
        panic!("CPU 0 takes no interrupts");
    }
}

/// Gives the running test so many timer ticks from now on.
pub(crate) fn set_time_limit(ticks: u64) {
    DEADLINE.store(time::timer_ticks() + ticks, Ordering::Relaxed);
}

/// Tells the host tool a figure of the running test, which it prints.
pub(crate) fn figure(text: impl fmt::Display) {
    message!("figure {text}");
}

/// Ends the running test as one that cannot be run on this machine, and says why.
pub(crate) fn skip(reason: &'static str) -> ! {
    *SKIPPED.lock() = Some(reason);
    trial::abandon();
    panic!("skipped outside of a test: {reason}")
}

/// Runs all tests whose name contains the `filter=` of the command line, and tells the host tool.
pub(crate) fn run(tree: Option<&'static Tree>) {
    if let Some(script) = replay::script() {
        return run_replay(script);
    }
    let filter = cmdline::value("filter").unwrap_or("");
    let config = cmdline::memory_config();
    let tests = || registry::tests().iter().filter(|test| test.name().contains(filter));
    let programs = || program_names().filter(|name| name.contains(filter));
    message!("plan {}", tests().count() + programs().count());
    for test in tests() {
        report(&test.name(), || {
            PANIC_IS_EXPECTED.store(test.panics.is_some(), Ordering::Relaxed);
            let result = run_job(Job::Kernel(test.run), TEST_TICKS);
            PANIC_IS_EXPECTED.store(false, Ordering::Relaxed);
            match (test.panics, result) {
                (None, result) => result,
                (Some(text), Err(message)) if message.contains(text) => Ok(()),
                (Some(text), Err(message)) => Err(format!("panicked with \"{message}\", not \"{text}\"")),
                (Some(text), Ok(())) => Err(format!("did not panic with \"{text}\"")),
            }
        });
    }
    for name in programs() {
        report(name, || match tree {
            Some(tree) => run_job(Job::Program(tree, name, config), PROGRAM_TICKS),
            None => Err(String::from("the initramfs cannot be used")),
        });
    }
}

/// Replays a schedule, as the only test.
fn run_replay(script: &'static [u8]) {
    message!("plan 1");
    report("replay", || {
        let result = run_job(Job::Replay(script), TEST_TICKS);
        figure(format_args!("verdict {}", replay::verdict(&result)));
        result
    });
}

/// The names of the files in `tests/`.
fn program_names() -> impl Iterator<Item = &'static str> {
    ramdisk::files()
        .map_while(Result::ok)
        .filter(|file| file.mode & abi::fs::S_IFMT == abi::fs::S_IFREG)
        .filter_map(|file| str::from_utf8(file.path.strip_prefix(b"tests/")?).ok())
}

/// Runs a test and tells the host tool about it.
fn report(name: &str, test: impl FnOnce() -> Result<(), String>) {
    message!("begin {name}");
    let start = time::now();
    let result = test();
    let microseconds = (time::now() - start) / 1000;
    if let Some(reason) = SKIPPED.lock().take() {
        message!("skip {name} {reason}");
        return;
    }
    match result {
        Ok(()) => message!("pass {name} {microseconds}"),
        Err(why) => {
            log::error!("{name}: {why}");
            message!("fail {name} {microseconds}");
        }
    }
}

/// Runs a job on a new stack, at most so many timer ticks.
fn run_job(job: Job, ticks: u64) -> Result<(), String> {
    let stack = KernelStack::new().map_err(|_| String::from("no memory for a stack"))?;
    *JOB.lock() = job;
    set_time_limit(ticks);
    let runner = sched::current();
    let run = trial::run_on(stack.top(), do_job);
    match run {
        Ok(()) => sched::settle(),
        Err(Abandoned) => sched::recover(&runner),
    }
    DEADLINE.store(0, Ordering::Relaxed);
    match run {
        Ok(()) => match core::mem::replace(&mut *JOB.lock(), Job::None) {
            Job::Done(result) => result,
            _ => Err(String::from("the test did not run")),
        },
        Err(Abandoned) => Err(String::from(PANIC.lock().as_str())),
    }
}

/// Does what [`JOB`] says, on the other stack.
extern "C" fn do_job() {
    let job = core::mem::replace(&mut *JOB.lock(), Job::None);
    let result = match job {
        Job::Kernel(test) => {
            test();
            Ok(())
        }
        Job::Replay(script) => replay::run(script),
        Job::Program(tree, name, config) => {
            run_test_program(tree, name, config).map_err(|failure| format!("{failure}"))
        }
        Job::None | Job::Done(_) => Err(String::from("there was no job")),
    };
    *JOB.lock() = Job::Done(result);
}
