//! The failure sweep on the real machine, reduced: every fallible point of some operations is refused in turn on some
//! address spaces. `kernel/sim/tests/failures` does the same on the host with many more.

use alloc::vec::Vec;
use core::fmt;

use abi::mman::{Map, Prot};
use mm::frame::FrameKind;
use mm::pgtable::{Pte, walk};
use mm::space::{AddressSpace, FaultOutcome, MmapRequest};
use mm::vma::{Access, Backing, VmaFlags};
use mm::{Fallible, MmError, PAGE_SIZE, Page, Platform};

use crate::cmdline;
use crate::memory::refusal::refusing;
use crate::memory::{KERNEL, Kernel, frames, nodes};
use crate::test::{figure, kernel_test};

/// Page 6 is at a border of 2 MiB: pages 0 to 12 lie in two page tables.
const BASE: u64 = 0x1000_0000 - 6 * PAGE_SIZE;
const HEAP: u64 = 0x4000_0000;
/// Pages from [`BASE`] and from [`HEAP`] on that are looked at.
const LOOKED_AT: u64 = 72;

/// Pages that are mapped in every address space, and not touched: behind the shapes, and far from everything.
const NEAR: u64 = 80;
const FAR: u64 = 1 << 30;

/// An address space on this CPU, and its calls in pages from [`BASE`] on.
struct Space(AddressSpace<'static, Kernel>);

impl Space {
    /// One with a heap of two pages, and two pages for faults.
    fn new() -> Self {
        let space = AddressSpace::new(&KERNEL, cmdline::memory_config()).expect("a root table");
        KERNEL.load(space.root(), space.tlb());
        space.set_brk_start(HEAP);
        assert_eq!(space.brk(HEAP + 2 * PAGE_SIZE), HEAP + 2 * PAGE_SIZE);
        let space = Space(space);
        [NEAR, FAR].iter().for_each(|page| space.map_fixed(*page, 1).expect("memory"));
        space
    }

    fn mmap(&self, first: u64, pages: u64, prot: Prot, flags: Map) -> Outcome {
        let flags = (flags | Map::ANONYMOUS).bits();
        let request = MmapRequest::decode(address(first), pages * PAGE_SIZE, prot.bits(), flags);
        self.0.mmap(request.map_err(Some)?).map(drop).map_err(Some)
    }

    fn map_fixed(&self, first: u64, pages: u64) -> Outcome {
        self.mmap(first, pages, Prot::READ_WRITE, Map::PRIVATE | Map::FIXED)
    }

    fn munmap(&self, first: u64, pages: u64) -> Outcome {
        self.0.munmap(address(first), pages * PAGE_SIZE).map_err(Some)
    }

    fn mprotect(&self, first: u64, pages: u64, prot: Prot) -> Outcome {
        self.0.mprotect(address(first), pages * PAGE_SIZE, prot.bits()).map_err(Some)
    }

    /// Makes the heap so many pages.
    fn brk(&self, pages: u64) -> Outcome {
        let wanted = HEAP + pages * PAGE_SIZE;
        if self.0.brk(wanted) == wanted { Ok(()) } else { Err(None) }
    }

    fn fault(&self, page: u64, access: Access) -> Outcome {
        match self.0.fault(address(page), access) {
            FaultOutcome::Resolved => Ok(()),
            FaultOutcome::OutOfMemory => Err(None),
            FaultOutcome::Signal(signal) => panic!("a fault of page {page}: {signal}"),
            FaultOutcome::Userfault(reason) => panic!("a fault of page {page}: {reason:?}"),
            FaultOutcome::BeyondEnd => panic!("a fault of page {page}, beyond the end of its object"),
        }
    }

    /// Maps so many pages and writes a word of its own to each.
    fn map_and_write(&self, first: u64, pages: u64) {
        self.map_fixed(first, pages).expect("memory");
        for page in first..first + pages {
            self.fault(page, Access::Write).expect("memory");
            self.content(address(page)).expect("a page").set(0, word_of(page));
        }
    }

    /// The content of the page at `address`, seen through the direct map, if one is there.
    fn content(&self, address: u64) -> Option<&'static mm::pgtable::Table> {
        let page = Page::containing(address);
        let pte = walk(&KERNEL, self.0.root(), page);
        pte.is_leaf().then(|| KERNEL.table(pte.frame_of(page)))
    }

    fn picture(&self) -> Picture {
        let mut picture = Picture { pages: Vec::new(), starts: Vec::new(), brk: self.0.brk(0) };
        self.0.for_each_vma(|view| {
            let vma = view.vma;
            picture.starts.push(vma.range.start().number());
            for page in vma.range.iter().filter(|page| is_looked_at(page.address())) {
                picture.pages.push(PageState {
                    number: page.number(),
                    flags: vma.flags,
                    backing: vma.backing,
                    offset: vma.pgoff + (page.number() - vma.range.start().number()),
                    word: self.content(page.address()).map(|content| content.get(0).bits()),
                });
            }
        });
        picture
    }
}

impl Drop for Space {
    fn drop(&mut self) {
        KERNEL.leave(self.0.tlb());
    }
}

/// What an operation answers; the errno only where it has one.
type Outcome = Result<(), Option<MmError>>;

/// What a program can tell about an address space, and where its VMAs begin.
#[derive(PartialEq, Eq, Debug)]
struct Picture {
    pages: Vec<PageState>,
    starts: Vec<u64>,
    brk: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct PageState {
    number: u64,
    flags: VmaFlags,
    backing: Backing,
    offset: u64,
    /// The first word, if the page is present.
    word: Option<u64>,
}

fn address(page: u64) -> u64 {
    BASE + page * PAGE_SIZE
}

fn is_looked_at(address: u64) -> bool {
    [BASE, HEAP].iter().any(|start| (*start..start + LOOKED_AT * PAGE_SIZE).contains(&address))
}

fn word_of(page: u64) -> Pte {
    Pte::from_bits(0x5eed_0000_0000 + page)
}

/// Makes an address space.
type Shape = (&'static str, fn(&Space));

static SHAPES: [Shape; 4] = [
    ("one area", |space| space.map_and_write(0, 12)),
    ("three areas side by side", |space| {
        space.map_and_write(0, 12);
        space.mprotect(4, 4, Prot::READ).expect("memory");
    }),
    ("areas with holes between", |space| [0, 4, 8].iter().for_each(|first| space.map_and_write(*first, 3))),
    // The tree has several levels.
    ("areas of a page", |space| {
        for page in (0..12).chain(30..70) {
            space.map_and_write(page, 1);
            let prot = if page % 2 == 0 { Prot::READ_WRITE } else { Prot::READ | Prot::EXEC };
            space.mprotect(page, 1, prot).expect("memory");
        }
    }),
];

/// What is done on each of them.
struct Operation {
    name: &'static str,
    run: fn(&Space) -> Outcome,
    failure: Failure,
}

/// What a failure may leave besides splits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Failure {
    ChangesNothing,
    /// Pages from the first on are as they were to become, as Linux's mprotect leaves them.
    StopsHalfWay,
}

const fn operation(name: &'static str, run: fn(&Space) -> Outcome) -> Operation {
    Operation { name, run, failure: Failure::ChangesNothing }
}

static OPERATIONS: [Operation; 14] = [
    operation("munmap of everything", |space| space.munmap(0, 70)),
    operation("munmap of an end", |space| space.munmap(9, 30)),
    operation("munmap of a page", |space| space.munmap(5, 1)),
    operation("munmap across areas", |space| space.munmap(2, 8)),
    operation("mmap", |space| space.mmap(0, 3, Prot::READ_WRITE, Map::PRIVATE)),
    operation("mmap of shared memory", |space| space.mmap(0, 3, Prot::READ_WRITE, Map::SHARED)),
    operation("mmap over a page", |space| space.map_fixed(6, 1)),
    operation("mmap across areas", |space| space.mmap(2, 8, Prot::READ, Map::SHARED | Map::FIXED)),
    operation("mprotect of a page", |space| space.mprotect(9, 1, Prot::NONE)),
    Operation {
        failure: Failure::StopsHalfWay,
        ..operation("mprotect across areas", |space| space.mprotect(0, 3, Prot::READ))
    },
    operation("brk upwards", |space| space.brk(8)),
    operation("brk downwards", |space| space.brk(1)),
    operation("a write", |space| space.fault(NEAR, Access::Write)),
    operation("a read", |space| space.fault(FAR, Access::Read)),
];

/// What the memory manager has taken of the machine, but for pages of its pools, which stay.
#[derive(PartialEq, Eq, Debug)]
struct Taken {
    frames: [u64; 5],
    vmas: u64,
    nodes: u64,
}

impl Taken {
    fn now() -> Self {
        while !KERNEL.rcu().is_idle() {
            KERNEL.rcu().poll();
        }
        let statistics = frames().statistics();
        let kinds =
            [FrameKind::Anonymous, FrameKind::Shared, FrameKind::Object, FrameKind::Table, FrameKind::Zero];
        Taken {
            frames: kinds.map(|kind| statistics.allocated(kind)),
            vmas: KERNEL.vmas().statistics().in_use,
            nodes: nodes::in_use(),
        }
    }
}

/// One operation on one address space, in which one fallible point is to be refused.
#[derive(Clone, Copy)]
struct Case {
    shape: &'static Shape,
    operation: &'static Operation,
    /// Number of the point, from 0.
    point: usize,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {}, point {} refused", self.operation.name, self.shape.0, self.point)
    }
}

impl Case {
    /// Runs it and looks at everything. Whether there is such a point.
    fn run(&self) -> bool {
        let operation = self.operation.run;
        let space = Space::new();
        self.shape.1(&space);
        let before = space.picture();
        let (outcome, refused) = refusing(self.point, || operation(&space));
        assert_eq!(space.0.check(), Ok(()), "{self}");
        let Some(point) = refused else {
            assert_eq!(outcome, Ok(()), "{self}: there was no such point");
            return false;
        };
        self.check_errno(outcome, point);
        let between = space.picture();
        assert_eq!(operation(&space), Ok(()), "{self}, and then not");
        assert_eq!(space.0.check(), Ok(()), "{self}, and then not");
        self.check_pages(&before, &between, &space.picture());
        true
    }

    fn check_errno(&self, outcome: Outcome, point: Fallible) {
        let errno = match point {
            Fallible::MmapLock | Fallible::VmaLock => MmError::Interrupted,
            _ => MmError::NoMemory,
        };
        let right = outcome.is_err_and(|error| error.is_none_or(|error| error == errno));
        assert!(right, "{self}: {outcome:?} for {point:?}");
    }

    /// Whether `between`, after the failure, differs from `before` only as it may; `after` is the state after a success.
    fn check_pages(&self, before: &Picture, between: &Picture, after: &Picture) {
        let mut changing = self.operation.failure == Failure::StopsHalfWay;
        let splits_only = before.starts.iter().all(|start| between.starts.contains(start));
        assert!(changing || splits_only, "{self}: areas have become one");
        assert_eq!((before.pages.len(), before.brk), (between.pages.len(), between.brk), "{self}");
        for (old, new) in before.pages.iter().zip(&between.pages) {
            changing &= after.pages.contains(new);
            assert!(new == old || changing, "{self}: {old:?} has become {new:?}");
        }
    }
}

kernel_test! {
    fn a_refused_point_leaves_everything_as_it_was() {
        let taken = Taken::now();
        let mut points = 0;
        for shape in &SHAPES {
            for operation in &OPERATIONS {
                let mut case = Case { shape, operation, point: 0 };
                while case.run() {
                    case.point += 1;
                }
                assert!(case.point > 0, "{case}: it cannot fail");
                assert_eq!(Taken::now(), taken, "{case}: something is not given back");
                points += case.point;
            }
        }
        let (operations, shapes) = (OPERATIONS.len(), SHAPES.len());
        figure(format_args!("{points} points refused in {operations} operations on {shapes} address spaces"));
    }
}
