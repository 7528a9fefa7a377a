//! From the kernel's first instruction to `main`, and the initial stack.
//!
//! ```text
//! rsp -> argc | argv[0] .. argv[argc-1] | 0 | envp[0] .. | 0 | auxv key, value .. AT_NULL, 0 | strings ..
//! ```

use core::arch::naked_asm;
use core::ffi::CStr;
use core::ptr;
use core::sync::atomic::{AtomicPtr, Ordering};

/// The initial stack pointer; written once before `main`.
static INITIAL: AtomicPtr<u64> = AtomicPtr::new(ptr::null_mut());

/// Makes a function `fn()` the program's main function. Its return is exit status 0.
#[macro_export]
macro_rules! program {
    ($main:path) => {
        // SAFETY: the one definition of the symbol that `start` calls.
        #[unsafe(no_mangle)]
        extern "Rust" fn user_main() {
            $main()
        }
    };
}

// SAFETY: `program!` defines it with this signature.
unsafe extern "Rust" {
    safe fn user_main();
}

/// The entry point: ends the chain of frames, aligns the stack, and hands the initial stack pointer on.
///
/// # Safety
///
/// Only the kernel enters here.
// SAFETY: the one definition of the symbol that the linker script names as entry.
#[unsafe(no_mangle)]
#[unsafe(naked)]
pub unsafe extern "C" fn _start() -> ! {
    naked_asm!("xor ebp, ebp", "mov rdi, rsp", "and rsp, -16", "call {start}", "ud2", start = sym start)
}

extern "C" fn start(initial: *mut u64) -> ! {
    INITIAL.store(initial, Ordering::Relaxed);
    user_main();
    crate::sys::exit(0)
}

/// The initial stack pointer: the address of argc.
pub fn stack_pointer() -> u64 {
    INITIAL.load(Ordering::Relaxed) as u64
}

/// Word `index` of the initial stack, counted from argc.
fn word(index: usize) -> u64 {
    // SAFETY: the callers stay between argc and AT_NULL, which the kernel has laid down and nobody changes.
    unsafe { INITIAL.load(Ordering::Relaxed).add(index).read() }
}

/// The number of arguments, with the program's name.
pub fn argument_count() -> usize {
    word(0) as usize
}

/// An argument; number 0 is the program's name. `None` from `argument_count()` on.
pub fn argument(number: usize) -> Option<&'static CStr> {
    (number < argument_count()).then(|| string(word(1 + number)))
}

/// The word behind the last argument, which the kernel sets to 0.
pub fn argument_end() -> u64 {
    word(1 + argument_count())
}

/// The environment: strings `NAME=VALUE`.
pub fn environment() -> impl Iterator<Item = &'static CStr> {
    (environment_start()..).map(word).take_while(|&pointer| pointer != 0).map(string)
}

/// The auxiliary vector without its end: pairs of key and value.
pub fn auxiliary_vector() -> impl Iterator<Item = (u64, u64)> {
    let mut start = environment_start();
    while word(start) != 0 {
        start += 1;
    }
    (start + 1..).step_by(2).map(|i| (word(i), word(i + 1))).take_while(|&(key, _)| key != abi::auxv::AT_NULL)
}

/// The value of a key of the auxiliary vector.
pub fn auxiliary(key: u64) -> Option<u64> {
    auxiliary_vector().find(|&(k, _)| k == key).map(|(_, value)| value)
}

/// The string at an address that the kernel put on the initial stack.
pub fn string(address: u64) -> &'static CStr {
    // SAFETY: the kernel's strings end with NUL and stay as they are until the program ends.
    unsafe { CStr::from_ptr(address as *const _) }
}

fn environment_start() -> usize {
    1 + argument_count() + 1
}
