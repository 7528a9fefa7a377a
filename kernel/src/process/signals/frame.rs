//! The frame of a signal handler, byte for byte as Linux lays it out on x86-64 (`sigreturn(2)`, `asm/sigcontext.h`).
//!
//! ```text
//!  stack pointer before ─► red zone, 128 bytes     (or the top of the alternate stack)
//!                          floating-point state    64-byte aligned
//!                          siginfo_t     128
//!                          ucontext_t    304 = flags 8, link 8, stack 24, sigcontext 256, mask 8
//!  stack pointer ────────► return address  8       16-byte aligned, less 8
//! ```

use alloc::vec::Vec;

use abi::Errno;

use super::action::Action;
use super::info::{INFO_SIZE, SigInfo};
use crate::arch::fpu;
use crate::arch::user::{copy_from_user, copy_to_user};
use crate::process::{AlternateStack, Thread, oom};

/// Use the alternate stack.
const SA_ONSTACK: u64 = 0x0800_0000;
/// There is a restorer; a handler without one cannot return.
const SA_RESTORER: u64 = 0x0400_0000;
/// `SS_` flags.
pub(crate) const SS_ONSTACK: u32 = 1;
pub(crate) const SS_DISABLE: u32 = 2;
pub(crate) const SS_AUTODISARM: u32 = 1 << 31;

const RED_ZONE: u64 = 128;
const UCONTEXT: usize = 304;
const FRAME: usize = 8 + UCONTEXT + INFO_SIZE;
/// Offsets in `ucontext_t`, in words of 8 bytes.
const UC_STACK: usize = 2;
const UC_MCONTEXT: usize = 5;
const UC_MASK: usize = 37;
/// `uc_flags`: there is extended state; the stack segment is right.
const UC_FP_XSTATE: u64 = 1;
const UC_SIGCONTEXT_SS: u64 = 2;
const UC_STRICT_RESTORE_SS: u64 = 4;
/// Words of `sigcontext`, from its start.
const SC_RIP: usize = 16;
const SC_FLAGS: usize = 17;
const SC_FPSTATE: usize = 23;
/// Code segment in the lowest 16 bits, stack segment in the highest.
const SEGMENTS: u64 = 0x33 | 0x2b << 48;
/// Direction, trap and resume flags are clear when a handler starts.
const CLEARED_FLAGS: u64 = 0x400 | 0x100 | 0x1_0000;

type Ucontext = [u64; UCONTEXT / 8];

impl AlternateStack {
    /// Whether a stack pointer is on it.
    pub(crate) fn contains(&self, pointer: u64) -> bool {
        self.flags & SS_AUTODISARM == 0 && pointer > self.address && pointer - self.address <= self.size
    }

    /// `ss_flags` as the program sees them.
    pub(crate) fn flags_at(&self, pointer: u64) -> u32 {
        let state = match self.size {
            0 => SS_DISABLE,
            _ if self.contains(pointer) => SS_ONSTACK,
            _ => 0,
        };
        state | self.flags & SS_AUTODISARM
    }

    fn words(&self) -> [u64; 3] {
        let flags = if self.size == 0 { SS_DISABLE } else { self.flags };
        [self.address, flags.into(), self.size]
    }
}

/// Puts a frame on the stack, and the thread at the start of the handler. Errors: `EFAULT`, `ENOMEM`; the thread is as it was then.
pub(super) fn push(thread: &mut Thread, info: &SigInfo, action: &Action, mask: u64) -> Result<(), Errno> {
    if action.flags & SA_RESTORER == 0 {
        return Err(Errno::EFAULT);
    }
    thread.context.settle();
    let stack = thread.alternate_stack;
    let was_on_stack = stack.contains(thread.context.rsp);
    let mut pointer = thread.context.rsp.wrapping_sub(RED_ZONE);
    let enters = action.flags & SA_ONSTACK != 0 && stack.size > 0 && !was_on_stack;
    if enters {
        pointer = stack.address + stack.size;
    }
    let state = fpu::Image::take()?;
    let state_at = pointer.wrapping_sub(state.bytes().len() as u64) & !63;
    let frame_at = (state_at.wrapping_sub(FRAME as u64) & !15).wrapping_sub(8);
    if (enters || was_on_stack) && !stack.contains(frame_at) && stack.flags & SS_AUTODISARM == 0 {
        return Err(Errno::EFAULT); // it overflows
    }
    let mut frame = [0; FRAME];
    frame[..8].copy_from_slice(&action.restorer.to_le_bytes());
    let words = ucontext(thread, mask, state_at, state.is_extended());
    for (bytes, word) in frame[8..8 + UCONTEXT].chunks_exact_mut(8).zip(words) {
        bytes.copy_from_slice(&word.to_le_bytes());
    }
    frame[8 + UCONTEXT..].copy_from_slice(&info.encode());
    copy_to_user(state_at, state.bytes())?;
    copy_to_user(frame_at, &frame)?;
    if stack.flags & SS_AUTODISARM != 0 {
        thread.alternate_stack = AlternateStack::default();
    }
    start(thread, info, action, frame_at);
    Ok(())
}

fn start(thread: &mut Thread, info: &SigInfo, action: &Action, frame_at: u64) {
    let context = &mut thread.context;
    context.rdi = info.number.into();
    context.rsi = frame_at + 8 + UCONTEXT as u64;
    context.rdx = frame_at + 8;
    context.rax = 0;
    context.rsp = frame_at;
    context.set_rip(action.handler);
    context.set_rflags(context.rflags() & !CLEARED_FLAGS);
}

fn ucontext(thread: &Thread, mask: u64, state_at: u64, extended: bool) -> Ucontext {
    let context = &thread.context;
    let mut words = [0; UCONTEXT / 8];
    words[0] = UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS | if extended { UC_FP_XSTATE } else { 0 };
    words[UC_STACK..UC_STACK + 3].copy_from_slice(&thread.alternate_stack.words());
    let registers = [
        context.r8,
        context.r9,
        context.r10,
        context.r11,
        context.r12,
        context.r13,
        context.r14,
        context.r15,
        context.rdi,
        context.rsi,
        context.rbp,
        context.rbx,
        context.rdx,
        context.rax,
        context.rcx,
        context.rsp,
        context.rip(),
        context.rflags(),
        SEGMENTS,
        thread.trap.error,
        thread.trap.vector,
        mask,
        thread.trap.address,
        state_at,
    ];
    words[UC_MCONTEXT..UC_MCONTEXT + registers.len()].copy_from_slice(&registers);
    words[UC_MASK] = mask;
    words
}

/// `rt_sigreturn(2)`: takes everything back from the frame that the stack pointer is just above. Errors: `EFAULT`, `ENOMEM`; all but
/// the floating-point state may be restored then.
pub(crate) fn pop(thread: &mut Thread) -> Result<(), Errno> {
    let at = thread.context.rsp; // the return address is off the stack
    let mut bytes = [0; UCONTEXT];
    oom::patiently(|| Ok(copy_from_user(&mut bytes, at)?))?;
    let mut words: Ucontext = [0; UCONTEXT / 8];
    for (word, bytes) in words.iter_mut().zip(bytes.as_chunks().0) {
        *word = u64::from_le_bytes(*bytes);
    }
    thread.set_mask(words[UC_MASK]);
    let registers = &words[UC_MCONTEXT..UC_MASK];
    set_registers(thread, registers);
    oom::patiently(|| state_at(registers[SC_FPSTATE]))?.restore();
    if !thread.alternate_stack.contains(thread.context.rsp) {
        let [address, flags, size] = [words[UC_STACK], words[UC_STACK + 1], words[UC_STACK + 2]];
        let flags = flags as u32;
        let size = if flags & SS_DISABLE != 0 { 0 } else { size };
        thread.alternate_stack = AlternateStack { address, flags: flags & SS_AUTODISARM, size };
    }
    Ok(())
}

fn set_registers(thread: &mut Thread, words: &[u64]) {
    let context = &mut thread.context;
    context.settle();
    let targets = [
        &mut context.r8,
        &mut context.r9,
        &mut context.r10,
        &mut context.r11,
        &mut context.r12,
        &mut context.r13,
        &mut context.r14,
        &mut context.r15,
        &mut context.rdi,
        &mut context.rsi,
        &mut context.rbp,
        &mut context.rbx,
        &mut context.rdx,
        &mut context.rax,
        &mut context.rcx,
        &mut context.rsp,
    ];
    for (target, word) in targets.into_iter().zip(words) {
        *target = *word;
    }
    context.set_rip(words[SC_RIP]);
    context.set_rflags(words[SC_FLAGS]);
}

/// The floating-point state that the frame has at `address`; 0 for what a program starts with.
fn state_at(address: u64) -> Result<fpu::State, Errno> {
    if address == 0 {
        return Ok(fpu::State::new()?);
    }
    let mut bytes = Vec::new();
    let size = fpu::Image::size();
    bytes.try_reserve_exact(size).map_err(|_| Errno::ENOMEM)?;
    bytes.resize(size, 0);
    if copy_from_user(&mut bytes, address).is_err() {
        // A frame without extended state may end earlier.
        copy_from_user(&mut bytes[..fpu::LEGACY_SIZE], address)?;
    }
    Ok(fpu::Image::from_user(&bytes)?)
}
