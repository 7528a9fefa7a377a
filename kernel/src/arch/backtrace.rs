//! Walking the chain of frame pointers.

use core::arch::asm;

use super::image;
use super::usercopy::probe;

/// Return addresses in the kernel's text, innermost first: at most this many.
const MAX_FRAMES: usize = 48;

/// Calls `f` with each return address from here outwards. Reads nothing that is not mapped.
pub(crate) fn walk(f: impl FnMut(u64)) {
    let frame: u64;
    // SAFETY: reads a register; all kernel code keeps frame pointers.
    unsafe { asm!("mov {}, rbp", out(reg) frame, options(nomem, nostack, preserves_flags)) };
    walk_from(frame, f);
}

/// The same from a frame pointer outwards.
pub(crate) fn walk_from(mut frame: u64, mut f: impl FnMut(u64)) {
    for _ in 0..MAX_FRAMES {
        if frame == 0 || !frame.is_multiple_of(8) {
            return;
        }
        let (Some(next), Some(address)) = (probe(frame), probe(frame + 8)) else { return };
        if !image::text().contains(&address) {
            return;
        }
        f(address);
        frame = next;
    }
}
