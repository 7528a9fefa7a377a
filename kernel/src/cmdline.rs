//! The kernel command line: `.sugarbush/cmdline` of the ramdisk, words separated by blanks.

use core::str;

use log::LevelFilter;
use mm::HugePages;
use mm::space::Config;
use spin::Once;

use crate::{klog, ramdisk};

static WORDS: Once<&'static str> = Once::new();

/// What the machine was booted for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Mode {
    /// To run a program.
    Run,
    /// To run the tests.
    Test,
}

/// Reads the command line and sets the log level.
pub(crate) fn init() {
    let bytes = ramdisk::find(b".sugarbush/cmdline").unwrap_or(b"");
    let words = str::from_utf8(bytes).unwrap_or("");
    WORDS.call_once(|| words);
    klog::set_level(match value("log") {
        None => LevelFilter::Info,
        Some(level) => level.parse().unwrap_or(LevelFilter::Info),
    });
    if words.is_empty() && !bytes.is_empty() {
        log::warn!("the command line is not UTF-8: ignored");
    }
    if let Some(level) = value("log")
        && level.parse::<LevelFilter>().is_err()
    {
        log::warn!("log={level}: there is off, error, warn, info, debug, trace");
    }
}

/// All words.
pub(crate) fn words() -> impl Iterator<Item = &'static str> {
    WORDS.get().copied().unwrap_or("").split_ascii_whitespace()
}

/// The value of the last word `key=value`.
pub(crate) fn value(key: &str) -> Option<&'static str> {
    words().filter_map(|word| word.strip_prefix(key)?.strip_prefix('=')).last()
}

/// What to do: `mode=`.
pub(crate) fn mode() -> Mode {
    match value("mode") {
        Some("test") => Mode::Test,
        None | Some("run") => Mode::Run,
        Some(other) => {
            log::warn!("mode={other}: there is run and test");
            Mode::Run
        }
    }
}

/// Which private memory gets huge pages to begin with: `transparent_hugepage=`, as on Linux. Debian's kernels and this one say
/// `madvise` by themselves: memory that a program has not asked for is not taken.
pub(crate) fn huge_pages() -> HugePages {
    let Some(name) = value("transparent_hugepage") else { return HugePages::default() };
    HugePages::ALL.into_iter().find(|huge_pages| huge_pages.name() == name).unwrap_or_else(|| {
        log::warn!("transparent_hugepage={name}: there is always, madvise, never");
        HugePages::default()
    })
}

/// What address spaces start with: `munmap=` chooses the order of the munmap steps.
pub(crate) fn memory_config() -> Config {
    let mut config = Config::default();
    if let Some(order) = value("munmap") {
        match order.parse() {
            Ok(order) => config.order = order,
            Err(_) => log::warn!("munmap={order}: there is prepatch, reordered, vms, adaptive"),
        }
    }
    config
}
