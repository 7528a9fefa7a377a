//! Random numbers: a ChaCha stream, seeded from the CPU's generator and the clocks.

use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use spin::Mutex;

use crate::arch::{clock, entropy, interrupts};
use crate::time;

static STREAM: Mutex<Option<ChaCha12Rng>> = Mutex::new(None);

/// Fills `buffer` with random bytes.
pub(crate) fn fill(buffer: &mut [u8]) {
    // In parts, so that interrupts are not off for long.
    for part in buffer.chunks_mut(256) {
        interrupts::without(|| STREAM.lock().get_or_insert_with(seeded).fill_bytes(part));
    }
}

fn seeded() -> ChaCha12Rng {
    let mut seed = [0; 32];
    for (index, word) in seed.chunks_exact_mut(8).enumerate() {
        // A CPU without a generator leaves only clocks: different in every boot, but not secret.
        let hardware = entropy::hardware().unwrap_or(time::wall_clock().as_nanos() as u64);
        let mixed = hardware ^ clock::ticks().rotate_left(16 * index as u32);
        word.copy_from_slice(&mixed.to_le_bytes());
    }
    ChaCha12Rng::from_seed(seed)
}
