//! Random programs: dense enough that operations meet each other, near every border that the page tables know.

mod draw;

use std::fmt;

use abi::mman::*;
use draw::{blueprint, family_blueprint, mapping};
use mm::huge::HugePages;
use mm::space::MunmapOrder;
use proptest::prelude::*;

use crate::machine::Machine;
use crate::model::ADVICE;
use crate::model::FILE_SIZE;
use crate::op::{Mmap, Modes, Mremap, Op, PAGE, Touch, View};
use crate::setup::Setup;
use crate::world::World;

/// First pages of windows: around the lowest mappable address, borders of 2 MiB, 1 GiB and 512 GiB (where a page table, a
/// page directory and a pointer table end), the mmap base, and the end of the user half.
pub const WINDOWS: [u64; 7] = [
    16 - 2,
    0x20_0000 / PAGE - WINDOW / 2,
    0x4000_0000 / PAGE - WINDOW / 2,
    0x80_0000_0000 / PAGE - WINDOW / 2,
    0x5555_5540_0000 / PAGE - WINDOW / 2,
    0x7fff_f7ff_f000 / PAGE - WINDOW / 2,
    mm::USER_END / PAGE - (WINDOW - 2),
];
/// Pages of a window.
const WINDOW: u64 = 12;
/// Where the pages of a window lie that has room for two huge leaves: counted from two pages below the first. One begins at 2,
/// the other one at 514.
const STRETCHED: [u64; WINDOW as usize] = [0, 1, 2, 3, 4, 260, 513, 514, 515, 800, 1025, 1026];
/// What as many pages are there: lengths of 1 to 8 pages.
const LENGTHS: [u64; 8] = [1, 2, 3, 511, 512, 513, 1024, 1028];

/// Frames of memory of a random program of one process: hardly any uses more than 80. A machine with less is quicker to make
/// and to look at.
const FRAMES: u32 = 128;
/// As many for several processes; what is shared is there once.
const FRAMES_OF_SEVERAL: u32 = 192;

/// As many where there is room for huge leaves.
const FRAMES_FOR_HUGE: u32 = 2560;

/// Processes that the operations of a program are divided among, at most.
const PROCESSES: usize = 5;

/// Where the heap of a random program begins: just below a border of 1 GiB.
const BRK_START: u64 = 0x4000_0000 - 4 * PAGE;

/// A program and the order of munmap that it runs under. Prints as a test.
#[derive(Clone)]
pub struct Program {
    /// The machine and the limits.
    pub setup: Setup,
    /// The process, its operation, and which of the fallible steps shall be refused, if any.
    pub ops: Vec<(usize, Op, Option<usize>)>,
}

impl Program {
    /// Runs the program from an empty machine, with all checks, up to the end of all processes.
    ///
    /// # Errors
    /// What went wrong, with the program.
    pub fn run(&self) -> Result<(), String> {
        self.run_watching(|_| {})
    }

    /// As [`run`](Self::run); `watch` sees the machine before all processes end.
    ///
    /// # Errors
    /// As there.
    pub fn run_watching(&self, watch: impl FnOnce(&Machine)) -> Result<(), String> {
        World::run(self.setup, |world| {
            for (process, op, refuse) in &self.ops {
                world.go(*process, *op, *refuse);
            }
            watch(world.machine());
        })
    }
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "World::run({}, |world| {{", self.setup)?;
        for (process, op, refuse) in &self.ops {
            let verb = if refuse.is_some() { "attempt" } else { "apply" };
            match process {
                0 => write!(f, "    world.{verb}({op}")?,
                _ => write!(f, "    world.{verb}_in({process}, {op}")?,
            }
            match refuse {
                None => writeln!(f, ");")?,
                Some(step) => writeln!(f, ", {step});")?,
            }
        }
        write!(f, "}})")
    }
}

/// Whether fallible steps of the operations of a program are refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusals {
    /// No: there is always memory.
    None,
    /// Now and then.
    Some,
}

/// How many processes run the operations of a program.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Processes {
    /// One.
    One,
    /// They fork, and exit.
    Several,
}

/// Programs of up to `length` operations under `order`.
pub fn programs(
    order: MunmapOrder,
    refusals: Refusals,
    processes: Processes,
    length: usize,
) -> impl Strategy<Value = Program> {
    let windows = (0..WINDOWS.len(), 0..WINDOWS.len());
    let limits = (prop_oneof![4 => Just(65530_usize), 1 => 3..12_usize], 0..20_u8);
    let huge = (
        prop_oneof![2 => Just(Scale::Dense), 1 => Just(Scale::Stretched)],
        prop_oneof![3 => Just(HugePages::Always), 1 => Just(HugePages::Advised), 1 => Just(HugePages::Never)],
    );
    let refuse = match refusals {
        Refusals::None => Just(None).boxed(),
        Refusals::Some => prop_oneof![2 => Just(None), 1 => (0..9_usize).prop_map(Some)].boxed(),
    };
    let (process, op, frames) = match processes {
        Processes::One => (Just(0).boxed(), blueprint().boxed(), FRAMES),
        Processes::Several => ((0..PROCESSES).boxed(), family_blueprint().boxed(), FRAMES_OF_SEVERAL),
    };
    let begin = prop::collection::vec((Just(0), mapping(), Just(None)), 0..8);
    let rest = prop::collection::vec((process, op, refuse), 1..=length.saturating_sub(8));
    (windows, limits, huge, begin, rest).prop_map(move |(windows, limits, huge, mut blueprints, rest)| {
        blueprints.extend(rest);
        let ((max_map_count, limit), (scale, huge_pages)) = (limits, huge);
        let frames = if scale == Scale::Dense { frames } else { FRAMES_FOR_HUGE };
        let mut setup = Setup::new(order).frames(frames).brk_start(BRK_START).huge_pages(huge_pages);
        setup.settings.max_map_count = max_map_count;
        match limit {
            0 => setup.settings.address_space = scale.limit(24) * PAGE,
            1 => setup.settings.data = scale.limit(16) * PAGE,
            2 => setup.settings.stack = scale.limit(64) * PAGE,
            3 => setup.settings.memlock = scale.limit(8) * PAGE,
            4 => setup.settings.memlock = 0,
            _ => {}
        }
        let place = Place { first: WINDOWS[windows.0], second: WINDOWS[windows.1], scale };
        if scale == Scale::Stretched {
            blueprints.splice(0..0, ROOM_FOR_HUGE.map(|blueprint| (0, blueprint, None)));
        }
        Program {
            setup,
            ops: blueprints.iter().map(|(process, op, refuse)| (*process, op.at(place), *refuse)).collect(),
        }
    })
}

/// What a program with huge leaves begins with: in each window memory for two of them, and some around, and one of them.
const ROOM_FOR_HUGE: [Blueprint; 4] =
    [room_for_huge(false), first_huge(false), room_for_huge(true), first_huge(true)];

const fn room_for_huge(second: bool) -> Blueprint {
    Blueprint::Mmap {
        spot: Spot { second, page: 0, bytes: 0 },
        extent: Extent::Bytes(LENGTHS.len() as u64 * PAGE),
        prot: Prot::READ_WRITE.bits(),
        flags: Map::ANONYMOUS.union(Map::PRIVATE).union(Map::FIXED).bits(),
    }
}

const fn first_huge(second: bool) -> Blueprint {
    let spot = Spot { second, page: 5, bytes: 0 };
    Blueprint::Touch { cpu: 0, spot, below: 0, word: 0, touch: Touch::Write }
}

/// How far apart the pages of a window lie.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Scale {
    /// Side by side.
    Dense,
    /// Around whole 2 MiB on both sides of the border.
    Stretched,
}

impl Scale {
    /// Page number `page` of the window that begins at `first` where it is dense.
    fn page(self, first: u64, page: u64) -> u64 {
        match self {
            Scale::Dense => first + page,
            Scale::Stretched => {
                let border = (first + WINDOW / 2).next_multiple_of(512).max(1024);
                border - STRETCHED[7] + STRETCHED[page as usize]
            }
        }
    }

    /// `bytes` bytes, where whole pages are as many as fit the scale.
    fn length(self, bytes: u64) -> u64 {
        let pages = (bytes / PAGE) as usize;
        match self {
            Scale::Stretched if bytes.is_multiple_of(PAGE) && (1..=LENGTHS.len()).contains(&pages) => {
                LENGTHS[pages - 1] * PAGE
            }
            _ => bytes,
        }
    }

    /// A limit of so many pages.
    fn limit(self, pages: u64) -> u64 {
        match self {
            Scale::Dense => pages,
            Scale::Stretched => pages * 64,
        }
    }

    /// Most pages that may be faulted in at once: they must fit the machine.
    fn most_at_once(self) -> u64 {
        match self {
            Scale::Dense => 32,
            Scale::Stretched => 600,
        }
    }
}

/// The two windows of a program.
#[derive(Clone, Copy)]
struct Place {
    first: u64,
    second: u64,
    scale: Scale,
}

/// An address before the windows are known.
#[derive(Clone, Copy, Debug)]
struct Spot {
    second: bool,
    /// Page in the window.
    page: u64,
    /// Bytes beyond; seldom not 0.
    bytes: u64,
}

impl Spot {
    fn page(self, place: Place) -> u64 {
        place.scale.page(if self.second { place.second } else { place.first }, self.page)
    }

    fn address(self, place: Place) -> u64 {
        self.page(place) * PAGE + self.bytes
    }
}

/// How long a range is.
#[derive(Clone, Copy, Debug)]
enum Extent {
    Bytes(u64),
    /// To that spot, if it is above.
    To(Spot),
}

impl Extent {
    fn from(self, start: u64, place: Place) -> u64 {
        match self {
            Extent::Bytes(bytes) => place.scale.length(bytes),
            Extent::To(spot) => spot.address(place).checked_sub(start).unwrap_or(PAGE),
        }
    }
}

/// An operation before the windows are known.
#[derive(Clone, Copy, Debug)]
enum Blueprint {
    Mmap { spot: Spot, extent: Extent, prot: u64, flags: u64 },
    Munmap { spot: Spot, extent: Extent },
    Mprotect { spot: Spot, extent: Extent, prot: u64 },
    Mremap { spot: Spot, old: Extent, new: Option<Extent>, flags: u64, target: Spot },
    Mseal { spot: Spot, extent: Extent, flags: u64 },
    Madvise { spot: Spot, extent: Extent, advice: u64 },
    Register { spot: Spot, extent: Extent, context: u32 },
    Unregister { spot: Spot, extent: Extent, context: u32 },
    Release { context: u32 },
    Mlock { spot: Spot, extent: Extent, flags: u64 },
    Munlock { spot: Spot, extent: Extent },
    Mlockall { flags: u64 },
    Munlockall,
    Msync { spot: Spot, extent: Extent, flags: u64 },
    File { spot: Spot, pages: u64, prot: u64, shift: u64, view: View },
    Resize { spot: Spot, words: u64 },
    Grow,
    Brk { pages: u64, bytes: u64 },
    Touch { cpu: u32, spot: Spot, below: u64, word: u64, touch: Touch },
    Wild { cpu: u32, address: u64 },
    Fork,
    Exit,
}

impl Blueprint {
    fn at(&self, place: Place) -> Op {
        match *self {
            Blueprint::Mmap { spot, extent, prot, flags } => {
                let address = spot.address(place);
                let length = extent.from(address, place);
                // What is faulted in at once must fit the machine.
                let small = length <= place.scale.most_at_once() * PAGE;
                let flags = if small { flags } else { flags & !(Map::POPULATE | Map::LOCKED).bits() };
                Op::Mmap(Mmap { address, length, prot, flags })
            }
            Blueprint::Munmap { spot, extent } => {
                let address = spot.address(place);
                Op::Munmap { address, length: extent.from(address, place) }
            }
            Blueprint::Mprotect { spot, extent, prot } => {
                let address = spot.address(place);
                Op::Mprotect { address, length: extent.from(address, place), prot }
            }
            Blueprint::Mremap { spot, old, new, flags, target } => {
                let address = spot.address(place);
                let old_length = old.from(address, place);
                Op::Mremap(Mremap {
                    old: address,
                    old_length,
                    new_length: new.map_or(old_length, |new| new.from(address, place)),
                    flags,
                    new: target.address(place),
                })
            }
            Blueprint::Mseal { spot, extent, flags } => {
                let address = spot.address(place);
                Op::Mseal { address, length: extent.from(address, place), flags }
            }
            Blueprint::Madvise { spot, extent, advice } => {
                let address = spot.address(place);
                let length = extent.from(address, place);
                let fills = matches!(advice, MADV_POPULATE_READ | MADV_POPULATE_WRITE | MADV_GUARD_INSTALL);
                let advice =
                    if fills && length > place.scale.most_at_once() * PAGE { MADV_NORMAL } else { advice };
                Op::Madvise { address, length, advice }
            }
            // Not for missing pages: which are there is not for the model to know.
            Blueprint::Register { spot, extent, context } => {
                let address = spot.address(place);
                let length = extent.from(address, place);
                Op::Register { address, length, modes: Modes::Protected, context }
            }
            Blueprint::Unregister { spot, extent, context } => {
                let address = spot.address(place);
                Op::Unregister { address, length: extent.from(address, place), context }
            }
            Blueprint::Release { context } => Op::Release { context },
            Blueprint::Mlock { spot, extent, flags } => {
                let address = spot.address(place);
                let length = extent.from(address, place);
                let flags =
                    if length > place.scale.most_at_once() * PAGE { flags | MLOCK_ONFAULT } else { flags };
                Op::Mlock { address, length, flags }
            }
            Blueprint::Munlock { spot, extent } => {
                let address = spot.address(place);
                Op::Munlock { address, length: extent.from(address, place) }
            }
            Blueprint::Mlockall { flags } => Op::Mlockall { flags },
            Blueprint::Munlockall => Op::Munlockall,
            Blueprint::Msync { spot, extent, flags } => {
                let address = spot.address(place);
                Op::Msync { address, length: extent.from(address, place), flags }
            }
            Blueprint::File { spot, pages, prot, shift, view } => {
                let page = spot.page(place);
                // Mostly the offsets run on from one to the next, as those of segments do.
                Op::File { page, pages, prot, first: page % (1 << 20) + shift, view }
            }
            // Where the file is likely to be mapped.
            Blueprint::Resize { spot, words } => {
                Op::Resize { size: spot.page(place) % (1 << 20) * PAGE + words * 8 }
            }
            Blueprint::Grow => Op::Resize { size: FILE_SIZE },
            Blueprint::Brk { pages, bytes } => {
                Op::Brk { address: (BRK_START + pages * PAGE + bytes).saturating_sub(2 * PAGE) }
            }
            Blueprint::Touch { cpu, spot, below, word, touch } => {
                let page = spot.page(place).saturating_sub(below);
                Op::Touch { cpu, address: page * PAGE + word * 8, touch }
            }
            Blueprint::Fork => Op::Fork,
            Blueprint::Exit => Op::Exit,
            Blueprint::Wild { cpu, address } => Op::Touch { cpu, address, touch: Touch::Read },
        }
    }
}
