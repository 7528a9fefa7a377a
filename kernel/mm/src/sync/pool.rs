//! Type-stable objects: memory that has become a `T` stays a `T` until the pool goes (I25).
//!
//! ```text
//! page: | header | T | T | T | ... |      header: which objects are free, and links
//! ```
//!
//! A freed object keeps its content and is handed out again as it is: one who still holds a reference looks at a
//! valid `T`, though perhaps at another one's, and has to notice. So the fields of `T` that change are atomics.

use alloc::boxed::Box;
use core::fmt;
use core::marker::PhantomData;
use core::mem::{align_of, size_of};
use core::ptr::{self, NonNull};

use super::{Rank, SpinLock};
use crate::platform::{Slab, SlabPage};

/// Objects never share a cache line with one another.
const CACHE_LINE: usize = 64;
const PAGE: usize = size_of::<SlabPage>();
/// Chains of the directory of pages; a power of two.
const CHAINS: usize = 256;

/// First bytes of every page.
struct Header {
    /// Next page of the same chain of the directory. Never changes.
    chained: Option<NonNull<Header>>,
    /// Next page that has free objects.
    partial: Option<NonNull<Header>>,
    /// Bit n: object n is free.
    free: u64,
    /// Whether the page goes back to the heap with the pool. Never changes.
    origin: Origin,
}

#[derive(Clone, Copy)]
enum Origin {
    Static,
    Heap,
}

/// All pages of a pool, under its lock.
struct Pages {
    /// First page that has free objects.
    partial: Option<NonNull<Header>>,
    /// All pages, by the low bits of their page number: finds the page of an object in a step or two without
    /// trusting the reference that was given.
    chains: [Option<NonNull<Header>>; CHAINS],
    total: u64,
    in_use: u64,
}

/// How many objects a pool has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PoolStatistics {
    /// Objects handed out and not yet freed.
    pub in_use: u64,
    /// Objects that the memory of the pool holds.
    pub total: u64,
}

/// A pool of `T`s. Objects are borrowed from the pool and live as long as it does.
///
/// An object takes its size rounded up to a cache line (or to its own alignment, if larger).
///
/// ```compile_fail,E0505
/// # use mm::{SlabPage, platform::Slab, sync::Pool};
/// let pool = Pool::<u64>::new();
/// let object = pool.alloc(|| Some(Slab::Owned(Box::new(SlabPage::new())))).unwrap();
/// drop(pool);
/// println!("{object}"); // outlives its pool
/// ```
pub struct Pool<T> {
    pages: SpinLock<Pages>,
    /// The pages hold `T`s that the pool owns.
    objects: PhantomData<T>,
}

// SAFETY: a pool owns its pages, wherever it goes. References to its objects may reach other CPUs, hence `Sync`.
unsafe impl<T: Send + Sync> Send for Pool<T> {}
// SAFETY: headers are touched under the lock only (`chained` and `origin` do not change); objects are reached
// through `&T` from any CPU, hence `T: Sync`, and dropped by whoever owns the pool, hence `T: Send`.
unsafe impl<T: Send + Sync> Sync for Pool<T> {}

const fn larger(a: usize, b: usize) -> usize {
    if a > b { a } else { b }
}

impl<T> Pool<T> {
    const ALIGN: usize = larger(align_of::<T>(), CACHE_LINE);
    const STRIDE: usize = larger(size_of::<T>(), 1).next_multiple_of(Self::ALIGN);
    const FIRST: usize = size_of::<Header>().next_multiple_of(Self::ALIGN);
    const PER_PAGE: usize = {
        assert!(size_of::<T>() != 0, "objects of no size have no identity");
        assert!(Self::FIRST + Self::STRIDE <= PAGE, "no object fits a page");
        (PAGE - Self::FIRST) / Self::STRIDE
    };
    const ALL_FREE: u64 = (1 << Self::PER_PAGE) - 1; // PER_PAGE is at most 63

    /// An empty pool.
    pub const fn new() -> Self {
        let pages = Pages { partial: None, chains: [None; CHAINS], total: 0, in_use: 0 };
        Pool { pages: SpinLock::new(Rank::KernelHeap, pages), objects: PhantomData }
    }

    /// How many objects there are.
    pub fn statistics(&self) -> PoolStatistics {
        let pages = self.pages.lock();
        PoolStatistics { in_use: pages.in_use, total: pages.total }
    }

    /// Gives `object` back; its content stays until it is handed out again. References that others still hold
    /// stay valid, see the module.
    ///
    /// # Panics
    /// If `object` is not of this pool, or is free already.
    #[inline]
    pub fn free(&self, object: &T) {
        let address = ptr::from_ref(object).addr();
        let mut pages = self.pages.lock();
        let mut chained = pages.chains[chain_of(address)];
        while let Some(header) = chained {
            if header.addr().get() == address & !(PAGE - 1) {
                let index = (address % PAGE - Self::FIRST) / Self::STRIDE;
                return pages.put(header, index);
            }
            // SAFETY: `header` came from the directory, so it is the header of a page that this pool owns; the
            // lock is held and no reference to a header exists.
            chained = unsafe { (*header.as_ptr()).chained };
        }
        panic!("free of an object that is not of this pool");
    }

    /// The object `index` < `PER_PAGE` of the page at `header`.
    #[inline]
    fn object(header: NonNull<Header>, index: usize) -> NonNull<T> {
        // SAFETY: `header` has the provenance of its whole page (see `cut`), and the object lies inside.
        unsafe { header.byte_add(Self::FIRST + index * Self::STRIDE).cast() }
    }
}

impl<T: Default> Pool<T> {
    /// An object: a recycled one with its old content, or one as `T::default()` made it. When all are in use,
    /// `grow` is asked for another page (no lock of the pool is held then). `None` if that fails.
    #[inline]
    pub fn alloc(&self, grow: impl FnOnce() -> Option<Slab>) -> Option<&T> {
        let taken = self.pages.lock().take();
        let (header, index) = match taken {
            Some(taken) => taken,
            None => self.cut(grow()?),
        };
        // SAFETY: the object was built in `cut` and is only ever shared until the pool is dropped, which the
        // result, a borrow of the pool, rules out.
        Some(unsafe { Self::object(header, index).as_ref() })
    }

    /// Cuts a page into objects, takes the first, and adds the page to the pool.
    #[cold]
    fn cut(&self, slab: Slab) -> (NonNull<Header>, usize) {
        let (page, origin) = match slab {
            Slab::Static(page) => (NonNull::from(page), Origin::Static),
            Slab::Owned(page) => (NonNull::from(Box::leak(page)), Origin::Heap),
        };
        let header: NonNull<Header> = page.cast();
        for index in 0..Self::PER_PAGE {
            // SAFETY: the page is the pool's alone and nobody knows it yet; the object lies inside and is aligned,
            // as FIRST and STRIDE are multiples of its alignment, which is below that of a page.
            unsafe { Self::object(header, index).write(T::default()) };
        }
        let mut pages = self.pages.lock();
        let pages = &mut *pages;
        let chain = &mut pages.chains[chain_of(header.addr().get())];
        // SAFETY: as above; the header does not overlap the objects.
        unsafe {
            header.write(Header {
                chained: chain.replace(header),
                partial: None,
                free: Self::ALL_FREE & !1,
                origin,
            });
        }
        if Self::PER_PAGE > 1 {
            // SAFETY: the header was just written and the lock is held.
            unsafe { (*header.as_ptr()).partial = pages.partial.replace(header) };
        }
        pages.total += Self::PER_PAGE as u64;
        pages.in_use += 1;
        (header, 0)
    }
}

/// The chain for the page that contains `address`.
#[inline]
fn chain_of(address: usize) -> usize {
    address / PAGE % CHAINS
}

impl Pages {
    /// Takes a free object, by page and index.
    #[inline]
    fn take(&mut self) -> Option<(NonNull<Header>, usize)> {
        let first = self.partial?;
        // SAFETY: `partial` links headers of pages that the pool owns; `&mut self` is the lock, and no other
        // reference to a header exists meanwhile. The header does not overlap any object.
        let header = unsafe { &mut *first.as_ptr() };
        let index = header.free.trailing_zeros() as usize;
        header.free &= header.free - 1;
        if header.free == 0 {
            self.partial = header.partial.take();
        }
        self.in_use += 1;
        Some((first, index))
    }

    /// Puts back object `index` of the page at `first`, which the pool owns.
    #[inline]
    fn put(&mut self, first: NonNull<Header>, index: usize) {
        // SAFETY: as in `take`.
        let header = unsafe { &mut *first.as_ptr() };
        assert!(header.free & 1 << index == 0, "free of a free object");
        if header.free == 0 {
            header.partial = self.partial.replace(first);
        }
        header.free |= 1 << index;
        self.in_use -= 1;
    }
}

impl<T> Default for Pool<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> fmt::Debug for Pool<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let PoolStatistics { in_use, total } = self.statistics();
        write!(f, "Pool({in_use} of {total} in use)")
    }
}

impl<T> Drop for Pool<T> {
    fn drop(&mut self) {
        for chain in self.pages.get_mut().chains {
            let mut chained = chain;
            while let Some(header) = chained {
                for index in 0..Self::PER_PAGE {
                    // SAFETY: every object of a page is a valid `T`; `&mut self` proves that no borrow is left.
                    unsafe { Self::object(header, index).drop_in_place() };
                }
                // SAFETY: the header of a page that the pool owns; no other reference exists.
                let origin = unsafe {
                    chained = (*header.as_ptr()).chained;
                    (*header.as_ptr()).origin
                };
                if let Origin::Heap = origin {
                    // SAFETY: the pointer came from this very kind of box in `cut`, and nothing points there any more.
                    drop(unsafe { Box::from_raw(header.cast::<SlabPage>().as_ptr()) });
                }
            }
        }
    }
}
