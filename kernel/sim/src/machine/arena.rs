//! Physical memory: an array of frames, each 512 words. What is a page table to `mm` and what is data are the
//! same words, all of them atomics, so there is nothing unsafe about either.

use std::cell::Cell;
use std::mem;

use mm::frame::Frame;
use mm::pgtable::{ENTRIES, Pte, Table};

/// What fills a frame that nobody owns. A program that loads it has read freed memory.
pub(crate) const POISON: u64 = 0xdead_f4a3_dead_f4a3;

thread_local! {
    /// The memory of the last machine of this thread: thousands of machines come and go, most of the same size, and to get memory
    /// from the host costs more than to use it.
    static LAST: Cell<Box<[Table]>> = Cell::default();
}

/// The frames, by number.
pub(crate) struct Arena {
    frames: Box<[Table]>,
}

impl Arena {
    /// `frames` frames, all poisoned.
    pub(crate) fn new(frames: usize) -> Self {
        let last = LAST.take();
        if last.len() != frames {
            return Arena { frames: (0..frames).map(|_| Table::filled(Pte::from_bits(POISON))).collect() };
        }
        let arena = Arena { frames: last };
        (0..frames as u64).for_each(|frame| arena.fill(frame, POISON));
        arena
    }

    /// Number of frames.
    pub(crate) fn len(&self) -> usize {
        self.frames.len()
    }

    /// The frame as a page table.
    pub(crate) fn table(&self, frame: Frame) -> &Table {
        &self.frames[frame.number() as usize]
    }

    /// A word of a frame.
    pub(crate) fn load(&self, frame: u64, index: usize) -> u64 {
        self.frames[frame as usize].get(index).bits()
    }

    /// The words of a frame that are not 0, with their indices.
    pub(crate) fn words(&self, frame: u64) -> impl Iterator<Item = (usize, u64)> {
        let words = self.frames[frame as usize].iter().map(Pte::bits).enumerate();
        words.filter(|(_, word)| *word != 0)
    }

    /// Stores a word of a frame.
    pub(crate) fn store(&self, frame: u64, index: usize, value: u64) {
        self.frames[frame as usize].set(index, Pte::from_bits(value));
    }

    /// Fills a frame.
    pub(crate) fn fill(&self, frame: u64, value: u64) {
        for index in 0..ENTRIES {
            self.store(frame, index, value);
        }
    }

    /// Copies a frame.
    pub(crate) fn copy(&self, from: u64, to: u64) {
        for index in 0..ENTRIES {
            self.store(to, index, self.load(from, index));
        }
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        LAST.set(mem::take(&mut self.frames));
    }
}
