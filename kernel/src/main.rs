//! The Sugarbush kernel.
//!
//! Two entries ([`arch::pvh`](arch), [`arch::uefi`](arch)) meet in [`kernel_main`]. `unsafe` is confined to
//! [`arch`]; the memory manager is the crate `mm`, which sees the machine through [`memory::Kernel`].
#![no_std]
#![no_main]
#![deny(unsafe_code)]

extern crate alloc;

mod arch;
mod cmdline;
mod console;
mod fs;
mod host;
mod input;
mod ipc;
mod klog;
mod memory;
mod panic;
mod process;
mod ramdisk;
mod random;
#[cfg(feature = "test")]
mod replay;
mod sched;
mod symbols;
mod syscall;
#[cfg(feature = "test")]
mod test;
#[cfg(feature = "test")]
mod tests;
mod time;

use alloc::boxed::Box;
use alloc::vec::Vec;

use bootloader_api::BootInfo;
use cmdline::Mode;
use fs::{Member, Tree};

/// Exit status of what cannot be started, as shells have it.
const CANNOT_EXECUTE: u8 = 126;

/// Where both entries meet, on the boot loader's stack and page tables. Leaves both.
fn kernel_main(boot_info: &'static mut BootInfo) -> ! {
    arch::early();
    memory::take_over(boot_info, main)
}

/// Sets everything up and does what the machine was booted for.
extern "C" fn main() -> ! {
    let start = arch::clock::ticks();
    arch::init_cpu();
    klog::init();
    memory::init();
    cmdline::init();
    memory::set_huge_pages(cmdline::huge_pages());
    symbols::init();
    time::init(start);
    arch::interrupts::enable();
    arch::smp::start_others(other_cpu);
    report();
    sched::init();
    // For all tasks of this CPU: they are switched inside.
    arch::user::with_fault_handler(&process::resolve_fault, || match cmdline::mode() {
        Mode::Run => run(),
        Mode::Test => run_tests(),
    });
    host::finish()
}

/// What the CPUs do that did not boot: run tasks.
fn other_cpu() -> ! {
    arch::user::with_fault_handler(&process::resolve_fault, || sched::join())
}

/// Runs the first process; its path and arguments are in `.sugarbush/init`, each ended by a NUL byte.
fn run() {
    let list = ramdisk::find(b".sugarbush/init").unwrap_or(b"");
    let mut arguments = Vec::new();
    for argument in list.split_inclusive(|&byte| byte == 0) {
        arguments.push(argument.strip_suffix(b"\0").unwrap_or(argument));
    }
    match tree() {
        Ok(tree) => {
            process::run_init(tree, &arguments, cmdline::memory_config());
        }
        Err(status) => host::message!("exit {status}"),
    }
    match arch::non_maskable_interrupts() {
        0 => {}
        count => log::warn!("{count} non-maskable interrupts came: failing hardware?"),
    }
}

/// The files of the ramdisk. Errors: what is wrong has been logged; the exit status to report.
fn tree() -> Result<&'static Tree, u8> {
    let mut damage = None;
    let members = ramdisk::files().map_while(|file| file.map_err(|error| damage = Some(error)).ok());
    let tree = Tree::build(members.map(|file| Member {
        path: file.path,
        mode: file.mode,
        modified: i64::from(file.modified),
        content: file.data,
    }));
    match (tree, damage) {
        (Ok(tree), None) => Ok(Box::leak(Box::new(tree))),
        (Ok(_), Some(damage)) => {
            log::error!("{damage}");
            Err(CANNOT_EXECUTE)
        }
        (Err(error), _) => {
            log::error!("the initramfs cannot be used: {error}");
            Err(CANNOT_EXECUTE)
        }
    }
}

/// Runs the tests that are in the kernel, and the test programs.
#[cfg(feature = "test")]
fn run_tests() {
    test::run(tree().ok());
}

/// Runs no tests.
#[cfg(not(feature = "test"))]
fn run_tests() {
    log::error!("this kernel was built without its tests (cargo feature `test`)");
}

/// Says what machine this is.
fn report() {
    let frames = memory::frames().statistics();
    log::info!(
        "{} MiB of memory, {} MiB free",
        memory::reported_bytes() >> 20,
        (frames.free << mm::PAGE_SHIFT) >> 20
    );
}
