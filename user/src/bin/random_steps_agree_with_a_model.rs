//! Thousands of random mmap, munmap, mprotect, mremap and accesses agree with a list of what each page should be.
//!
//! An argument is a seed of its own, for a failure that prints one.
#![no_std]
#![no_main]

use user::prelude::*;
use user::probe::Probe;
use user::random::Random;
use user::rt::start::argument;

program!(main);

/// Number of places that are mapped and unmapped.
const PLACES: usize = 48;
const STEPS: u32 = 2000;

fn main() {
    let seed = argument(1).and_then(|text| text.to_str().ok()).and_then(|text| text.parse().ok());
    for seed in seed.map_or(1..=4, |seed| seed..=seed) {
        // A page each in one page table, and 200 pages each over many.
        for pages_each in [1, 200] {
            run(seed, pages_each);
        }
    }
}

fn run(seed: u64, pages_each: u64) {
    let mut random = Random::new(seed);
    let mut model = Model::new(pages_each);
    let probe = Probe::new();
    for step in 0..STEPS {
        let first = random.below(PLACES as u64) as usize;
        let last = PLACES.min(first + 1 + random.below(12) as usize);
        let prot = [Prot::NONE, Prot::READ, Prot::READ_WRITE, Prot::READ_WRITE][random.below(4) as usize];
        let sharing = if random.below(8) == 0 { Map::SHARED } else { Map::PRIVATE };
        let other = random.below(PLACES as u64) as usize;
        let (call, agrees) = match random.below(12) {
            0 | 1 => ("mmap", model.map(first, last, prot, sharing | Map::FIXED)),
            2 => ("mmap without replacing", model.map(first, last, prot, sharing | Map::FIXED_NOREPLACE)),
            3 | 4 => ("munmap", model.unmap(first, last)),
            5 | 6 => ("mprotect", model.protect(first, last, prot)),
            7 => ("mremap that moves", model.relocate(first, other)),
            8 => ("mremap that leaves the old range", model.empty(first, other)),
            9 => ("mremap that grows", model.grow(first)),
            10 => ("mremap that shrinks", model.shrink(first, last)),
            _ => ("touch", model.touch(first, last, random.below(255) as u8 + 1)),
        };
        let agrees = agrees && (step % 16 != 0 || model.agrees(&probe));
        check!(
            agrees,
            "seed {seed}, {pages_each} pages each, step {step}: {call} of {first}..{last}, {other}, {prot:?}, {sharing:?}"
        );
    }
    model.finish(probe);
}

/// What a place should be.
#[derive(Clone, Copy)]
struct Place {
    prot: Prot,
    /// Shared or private.
    sharing: Map,
    /// The byte at the start of its first and its last page.
    value: u8,
}

struct Model {
    base: u64,
    /// Size of a place in bytes.
    size: u64,
    places: [Option<Place>; PLACES],
}

impl Model {
    fn new(pages_each: u64) -> Self {
        Self { base: reserve(PLACES as u64 * pages_each), size: pages_each * PAGE, places: [None; PLACES] }
    }

    fn address(&self, place: usize) -> u64 {
        self.base + place as u64 * self.size
    }

    /// The two addresses of a place that are used.
    fn ends(&self, place: usize) -> [u64; 2] {
        [self.address(place), self.address(place + 1) - PAGE]
    }

    fn length(&self, first: usize, last: usize) -> u64 {
        self.address(last) - self.address(first)
    }

    fn map(&mut self, first: usize, last: usize, prot: Prot, flags: Map) -> bool {
        let address = self.address(first);
        let result = mmap(address, self.length(first, last), prot, flags);
        if flags.contains(Map::FIXED_NOREPLACE) && self.places[first..last].iter().any(Option::is_some) {
            return result == Err(Errno::EEXIST);
        }
        let sharing = flags & (Map::SHARED | Map::PRIVATE);
        self.places[first..last].fill(Some(Place { prot, sharing, value: 0 }));
        result == Ok(address)
    }

    fn unmap(&mut self, first: usize, last: usize) -> bool {
        self.places[first..last].fill(None);
        munmap(self.address(first), self.length(first, last)) == Ok(0)
    }

    /// Up to the first hole.
    fn protect(&mut self, first: usize, last: usize, prot: Prot) -> bool {
        let result = mprotect(self.address(first), self.length(first, last), prot);
        for place in &mut self.places[first..last] {
            let Some(place) = place else { return result == Err(Errno::ENOMEM) };
            place.prot = prot;
        }
        result == Ok(0)
    }

    /// Moves one place onto another.
    fn relocate(&mut self, from: usize, to: usize) -> bool {
        let flags = MREMAP_MAYMOVE | MREMAP_FIXED;
        let result = mremap(self.address(from), self.size, self.size, flags, self.address(to));
        if from == to {
            return result == Err(Errno::EINVAL);
        }
        let Some(place) = self.places[from].take() else { return result == Err(Errno::EFAULT) };
        self.places[to] = Some(place);
        result == Ok(self.address(to))
    }

    /// Moves the pages of one place onto another, and leaves it empty. Shared memory would be there twice.
    fn empty(&mut self, from: usize, to: usize) -> bool {
        if from == to || self.places[from].is_none_or(|place| place.sharing == Map::SHARED) {
            return self.relocate(from, to);
        }
        let flags = MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP;
        let result = mremap(self.address(from), self.size, self.size, flags, self.address(to));
        self.places[to] = self.places[from];
        if let Some(place) = &mut self.places[from] {
            place.value = 0;
        }
        result == Ok(self.address(to))
    }

    /// Lets a place grow over the next one, if that is free. Shared memory would end where its object ends.
    fn grow(&mut self, index: usize) -> bool {
        let Some(place) = self.places[index].filter(|place| place.sharing == Map::PRIVATE) else {
            return true;
        };
        let Some(next) = self.places.get(index + 1) else { return true };
        let result = mremap(self.address(index), self.size, 2 * self.size, 0, 0);
        if next.is_some() {
            return result == Err(Errno::ENOMEM);
        }
        self.places[index + 1] = Some(Place { value: 0, ..place });
        result == Ok(self.address(index))
    }

    /// Unmaps all but the first.
    fn shrink(&mut self, first: usize, last: usize) -> bool {
        let result = mremap(self.address(first), self.length(first, last), self.size, 0, 0);
        if self.places[first].is_none() {
            return result == Err(Errno::EFAULT);
        }
        self.places[first + 1..last].fill(None);
        result == Ok(self.address(first))
    }

    /// Reads where that is allowed and then writes where that is allowed.
    fn touch(&mut self, first: usize, last: usize, value: u8) -> bool {
        for index in first..last {
            let ends = self.ends(index);
            let Some(place) = &mut self.places[index] else { continue };
            if place.prot.contains(Prot::READ) && ends.map(read_byte) != [place.value; 2] {
                return false;
            }
            if place.prot.contains(Prot::WRITE) {
                ends.iter().for_each(|&address| write_byte(address, value));
                place.value = value;
            }
        }
        true
    }

    /// Whether the kernel's list of VMAs, and what it reads and writes for the program, are as they should be.
    fn agrees(&self, probe: &Probe) -> bool {
        let maps = Maps::read();
        (0..PLACES).all(|index| {
            let prot = self.places[index].map(|place| place.prot);
            let value = self.places[index].map_or(0, |place| place.value);
            self.ends(index).into_iter().all(|address| {
                let letters = maps.at(address).map(|vma| [vma.permissions[0], vma.permissions[1]]);
                let readable = prot.is_some_and(|prot| prot.contains(Prot::READ));
                let writable = prot.is_some_and(|prot| prot.contains(Prot::WRITE));
                letters
                    == prot.map(|_| [if readable { b'r' } else { b'-' }, if writable { b'w' } else { b'-' }])
                    && probe.read(address) == readable.then_some(value)
                    && probe.write(address, value) == writable
            })
        })
    }

    /// Unmaps all at once.
    fn finish(mut self, probe: Probe) {
        check!(self.unmap(0, PLACES) && self.agrees(&probe));
        check_eq!(Maps::read().within(self.base, self.address(PLACES)).len(), 0);
        probe.close();
    }
}
