//! Random programs of memory calls. The same number gives the same program.
//!
//! Most calls are meant to succeed, on ranges of a few pages near each other, so that VMAs split, merge, move and share page
//! tables; some have an argument that is wrong.

use abi::ipc::{SHM_EXEC, SHM_RDONLY, SHM_REMAP, SHM_RND};
use abi::mman::*;
use abi::nr;
use fastrand::Rng;

use super::calls::{ARENA, Line, PAGE, PAGES, Program};

/// Pages around the arena's middle in which most of a program's calls are.
const NEAR: u64 = 48;
/// One call in so many has a wrong argument.
const WRONG: u32 = 16;

/// Bytes that are no mapping's, but do not reach to where the kernel maps things of its own.
const HUGE: u64 = 1 << 30;

const PROTS: [Prot; 5] =
    [Prot::READ_WRITE, Prot::READ_WRITE, Prot::READ, Prot::NONE, Prot::READ.union(Prot::EXEC)];

/// Advice whose effect a program can foresee. MADV_FREE and MADV_PAGEOUT are not among it: what they do depends on how much
/// memory the machine has to spare.
const ADVICE: [u64; 25] = [
    MADV_DONTNEED,
    MADV_DONTNEED,
    MADV_DONTNEED,
    MADV_DONTNEED,
    MADV_NORMAL,
    MADV_RANDOM,
    MADV_SEQUENTIAL,
    MADV_WILLNEED,
    MADV_DONTFORK,
    MADV_DOFORK,
    MADV_NOHUGEPAGE,
    MADV_DONTDUMP,
    MADV_DODUMP,
    MADV_WIPEONFORK,
    MADV_KEEPONFORK,
    MADV_COLD,
    MADV_POPULATE_READ,
    MADV_POPULATE_WRITE,
    MADV_DONTNEED_LOCKED,
    MADV_GUARD_INSTALL,
    MADV_GUARD_INSTALL,
    MADV_GUARD_REMOVE,
    MADV_REMOVE,
    MADV_REMOVE,
    77,
];

/// Program `number` of `length` lines, with the calls of these names only (all, if there are none).
pub(super) fn program(number: u64, length: usize, only: &[String]) -> Program {
    let mut rng = Rng::with_seed(number);
    let mut maker = Maker { locks: rng.bool(), rng };
    let wanted =
        |line: &Line| only.is_empty() || line.call().is_none_or(|name| only.iter().any(|only| only == name));
    let lines = std::iter::repeat_with(|| maker.line()).filter(wanted);
    let mut lines: Vec<Line> = lines.take(length.saturating_sub(2)).collect();
    lines.extend([Line::Maps, Line::Fork(1)].into_iter().take(length));
    Program { number, lines }
}

struct Maker {
    rng: Rng,
    /// Whether the program locks memory. If not, it moves memory with `MREMAP_DONTUNMAP`. Not both: Linux 6.18 then counts
    /// pages as locked for ever, and we do not.
    locks: bool,
}

impl Maker {
    fn one_in(&mut self, count: u32) -> bool {
        self.rng.u32(..count) == 0
    }

    /// The address of a page: mostly near the middle.
    fn page(&mut self) -> u64 {
        let page = match self.rng.u32(..20) {
            0 => self.rng.u64(..PAGES),
            1 => PAGES / 2 + self.rng.u64(..4) - 2,
            _ => PAGES / 2 - NEAR / 2 + self.rng.u64(..NEAR),
        };
        ARENA + page * PAGE
    }

    /// A number of pages, in bytes: mostly few.
    fn length(&mut self) -> u64 {
        let pages = match self.rng.u32(..16) {
            0 => 1 + self.rng.u64(..NEAR),
            1 => 16,
            _ => 1 + self.rng.u64(..6),
        };
        pages * PAGE
    }

    /// An address and a length: a range of pages, or something that is none.
    fn range(&mut self) -> (u64, u64) {
        let (address, length) = (self.page(), self.length());
        if !self.one_in(WRONG) {
            return (address, length);
        }
        match self.rng.u32(..6) {
            0 => (address + 1 + self.rng.u64(..PAGE - 1), length),
            1 => (address, length - self.rng.u64(1..PAGE)),
            2 => (address, 0),
            3 => (address, u64::MAX - self.rng.u64(..3) * PAGE),
            4 => (address, HUGE),
            _ => (u64::MAX << 12, length),
        }
    }

    fn prot(&mut self) -> u64 {
        if self.one_in(64) { 0x10 } else { self.rng.choice(PROTS).unwrap_or_default().bits() }
    }

    fn line(&mut self) -> Line {
        match self.rng.u32(..1000) {
            0..200 => self.mmap(),
            200..310 => self.on_range(nr::MUNMAP, [0; 4]),
            310..430 => {
                let prot = self.prot();
                self.on_range(nr::MPROTECT, [prot, 0, 0, 0])
            }
            430..520 => self.mremap(),
            520..620 => {
                let advice = self.rng.choice(ADVICE).unwrap_or_default();
                self.on_range(nr::MADVISE, [advice, 0, 0, 0])
            }
            620..650 if self.locks => self.on_range(nr::MLOCK, [0; 4]),
            650..665 if self.locks => {
                let flags = self.rng.u64(..3);
                self.on_range(nr::MLOCK2, [flags, 0, 0, 0])
            }
            665..695 => self.on_range(nr::MUNLOCK, [0; 4]),
            695..710 => {
                let flags = self.rng.u64(..8);
                self.on_range(nr::MSYNC, [flags, 0, 0, 0])
            }
            710..711 => self.on_range(nr::MSEAL, [0; 4]),
            711..715 => Line::Call(nr::MUNLOCKALL, [0; 6]),
            715..745 => {
                let (address, length) = self.range();
                Line::Residency(address, length)
            }
            745..755 => Line::Fork(self.rng.u8(..)),
            755..775 => Line::Maps,
            775..880 => Line::Read(self.byte()),
            880..985 => Line::Write(self.byte(), self.rng.u8(1..)),
            985..993 => self.attach(),
            _ => Line::Call(nr::SHMDT, [self.page(), 0, 0, 0, 0, 0]),
        }
    }

    fn byte(&mut self) -> u64 {
        self.page() + self.rng.u64(..PAGE)
    }

    /// A call on a range, with the arguments behind it.
    fn on_range(&mut self, number: u64, rest: [u64; 4]) -> Line {
        let (address, length) = self.range();
        let [c, d, e, f] = rest;
        Line::Call(number, [address, length, c, d, e, f])
    }

    fn mmap(&mut self) -> Line {
        let (address, mut length) = self.range();
        if length == HUGE {
            // There could be room for it, and it could be populated.
            length = 1 << 47;
        }
        let mut flags = Map::ANONYMOUS | if self.one_in(4) { Map::SHARED } else { Map::PRIVATE };
        let mut place = address;
        match self.rng.u32(..12) {
            0 => place = 0,
            1 => {}
            2 => flags |= Map::FIXED_NOREPLACE,
            _ => flags |= Map::FIXED,
        }
        for (extra, rarity) in [
            (Map::NORESERVE, 12),
            (Map::STACK, 24),
            (Map::POPULATE, 12),
            (Map::LOCKED, if self.locks { 24 } else { u32::MAX }),
            (Map::DENYWRITE, 48),
        ] {
            if self.one_in(rarity) {
                flags |= extra;
            }
        }
        let mut flags = flags.bits();
        if self.one_in(WRONG * 4) {
            flags &= !MAP_TYPE;
            flags |= self.rng.u64(..8);
        }
        let offset = if self.one_in(WRONG * 4) { self.rng.u64(..2 * PAGE) } else { 0 };
        Line::Call(nr::MMAP, [place, length, self.prot(), flags, u64::MAX, offset])
    }

    fn attach(&mut self) -> Line {
        let (address, mut length) = self.range();
        if length >= HUGE {
            length = u64::MAX;
        }
        let mut flags = 0;
        for (flag, rarity) in [(SHM_REMAP, 2), (SHM_RDONLY, 6), (SHM_EXEC, 12), (SHM_RND, 4)] {
            if self.one_in(rarity) {
                flags |= flag;
            }
        }
        let place = if self.one_in(12) { 0 } else { address };
        Line::Attach(place, length, flags.into())
    }

    fn mremap(&mut self) -> Line {
        let (old, old_length) = self.range();
        let new_length = if self.rng.bool() { old_length } else { self.length() };
        let mut flags = match self.rng.u32(..8) {
            0 => 0,
            1 | 2 => MREMAP_MAYMOVE,
            3 => MREMAP_FIXED,
            4 if !self.locks => MREMAP_MAYMOVE | MREMAP_DONTUNMAP,
            _ => MREMAP_MAYMOVE | MREMAP_FIXED,
        };
        if !self.locks && self.one_in(12) {
            flags |= MREMAP_DONTUNMAP;
        }
        if self.one_in(WRONG * 4) {
            flags |= 8;
        }
        let old_length = if self.one_in(48) { 0 } else { old_length };
        let new = if self.one_in(WRONG * 2) { self.byte() } else { self.page() };
        Line::Call(nr::MREMAP, [old, old_length, new_length, flags, new, 0])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_gives_the_same_program_always() {
        assert_eq!(program(5, 300, &[]), program(5, 300, &[]));
        assert_ne!(program(5, 300, &[]).lines, program(6, 300, &[]).lines);
    }

    #[test]
    fn programs_have_their_length_and_make_every_kind_of_call() {
        let lines: Vec<Line> = (0..4).flat_map(|number| program(number, 1000, &[]).lines).collect();
        assert_eq!(lines.len(), 4000);
        let makes = |name: &str| lines.iter().any(|line| line.call() == Some(name));
        for name in [
            "mmap", "munmap", "mprotect", "mremap", "madvise", "mlock", "mlock2", "munlock", "msync",
            "mincore", "shmat", "shmdt",
        ] {
            assert!(makes(name), "{name}");
        }
        assert_eq!(program(1, 1, &[]).lines.len(), 1);
    }

    #[test]
    fn only_the_calls_that_are_named_are_made() {
        let made = program(1, 500, &["mremap".to_owned()]);
        assert_eq!(made.lines.len(), 500);
        assert!(made.lines.iter().all(|line| line.call().is_none_or(|name| name == "mremap")));
    }
}
