//! Threads as coroutines, and how code finds the one that it runs on. All unsafe code of the crate.
//!
//! ```text
//! base  ┌──────────────┐
//!       │ Link         │ ◄── Slot::link, while this thread runs
//!       │ frames       │
//!       │   ▼          │     an address at most STACK_BYTES below the link is in this stack
//!       │ guard page   │
//! limit └──────────────┘
//! ```

use core::hint::black_box;
use core::marker::PhantomData;
use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

use corosensei::stack::{Stack, StackPointer};
use corosensei::{Coroutine, CoroutineResult, Yielder};

use crate::unwind::{self, Ended};

/// Threads of a run at most.
pub const MAX_THREADS: usize = 4;

/// Bytes of a thread's stack, without its guard pages. On the host, a panic with a backtrace has to fit.
pub const STACK_BYTES: usize = if cfg!(feature = "host") { 256 << 10 } else { 64 << 10 };

/// Bytes of guard pages at the end of a stack: at least one page, at most sixteen.
const GUARD_BYTES: core::ops::RangeInclusive<usize> = 4 << 10..=64 << 10;

/// Why a thread gives control to the scheduler.
pub(crate) enum Stop<L> {
    /// Another thread may run.
    Pause(L),
    /// Another thread must run. With the round of the wait loop.
    Wait(L, u32),
    /// The thread unwinds, and must wait for another thread in a drop.
    Stuck,
}

/// What the scheduler tells a thread.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// Make a step.
    Go,
    /// The run is over: unwind.
    End,
    /// The run is over, and nobody can end your wait.
    Hopeless,
}

/// What a thread did with its turn.
pub(crate) enum Turn<L> {
    /// It can go on later.
    Stopped(Stop<L>),
    /// It is over.
    Ended(Ended<()>),
}

type Link<L> = Yielder<Order, Stop<L>>;

/// Where a running thread is found by the code that it calls.
pub(crate) struct Slot<L> {
    /// Legal values: null, or the link of the thread that ran last, whose stack still exists.
    link: AtomicPtr<Link<L>>,
    /// That thread. Read on its own stack only.
    thread: AtomicUsize,
}

impl<L> Slot<L> {
    pub(crate) const fn new() -> Self {
        Slot { link: AtomicPtr::new(ptr::null_mut()), thread: AtomicUsize::new(0) }
    }

    /// The thread on whose stack the caller runs.
    pub(crate) fn thread(&self) -> Option<usize> {
        self.link().map(|_| self.thread.load(Ordering::Relaxed))
    }

    /// Gives control to the scheduler until it gives an order; `None` at once if the caller runs on no thread's stack.
    pub(crate) fn stop(&self, stop: Stop<L>) -> Option<Order> {
        let link = self.link()?;
        let thread = self.thread.load(Ordering::Relaxed);
        // SAFETY: the caller runs on the stack on which the link is, so it is called by the body of that thread, which
        // `Fiber::new` calls while it borrows the link. No other thread of the machine runs on this stack.
        let order = unsafe { link.as_ref() }.suspend(stop);
        self.enter(link, thread);
        Some(order)
    }

    /// Forgets the last thread. Its stack may go now.
    pub(crate) fn clear(&self) {
        self.link.store(ptr::null_mut(), Ordering::Release);
    }

    fn enter(&self, link: NonNull<Link<L>>, thread: usize) {
        self.thread.store(thread, Ordering::Relaxed);
        self.link.store(link.as_ptr(), Ordering::Release);
    }

    /// The link of the thread on whose stack the caller runs. Other threads of the machine, and the scheduler, run on
    /// other stacks, so they get `None` whatever the slot holds.
    fn link(&self) -> Option<NonNull<Link<L>>> {
        let link = NonNull::new(self.link.load(Ordering::Acquire))?;
        let local = 0_u8;
        let here = ptr::from_ref(black_box(&local)).addr();
        (link.addr().get().wrapping_sub(here) < STACK_BYTES).then_some(link)
    }
}

/// A borrowed stack, of whichever type.
pub(crate) struct Region<'s> {
    base: StackPointer,
    limit: StackPointer,
    stack: PhantomData<&'s mut ()>,
}

impl<'s> Region<'s> {
    /// # Panics
    /// If the stack is not of [`STACK_BYTES`] bytes and one to sixteen guard pages.
    pub(crate) fn of<S: Stack>(stack: &'s mut S) -> Self {
        let bytes = stack.base().get() - stack.limit().get();
        assert!(
            bytes.checked_sub(STACK_BYTES).is_some_and(|guard| GUARD_BYTES.contains(&guard)),
            "a stack of {bytes:#x} bytes with its guard, instead of {STACK_BYTES:#x} and 1 to 16 guard pages"
        );
        Region { base: stack.base(), limit: stack.limit(), stack: PhantomData }
    }

    /// The same stack, borrowed from this borrow.
    pub(crate) fn reborrow(&mut self) -> Region<'_> {
        Region { base: self.base, limit: self.limit, stack: PhantomData }
    }
}

// SAFETY: base and limit are those of a stack that is borrowed for as long as this value lives; so it has what the trait
// asks for, and nobody else uses it.
unsafe impl Stack for Region<'_> {
    fn base(&self) -> StackPointer {
        self.base
    }

    fn limit(&self) -> StackPointer {
        self.limit
    }
}

/// A thread of a run.
pub(crate) struct Fiber<'a, L> {
    coroutine: Coroutine<Order, Stop<L>, Ended<()>, Region<'a>>,
}

impl<'a, L> Fiber<'a, L> {
    /// Thread number `thread`, which will run `body` on `stack` and be found by its code in `slot`.
    pub(crate) fn new(
        stack: Region<'a>,
        slot: &'a Slot<L>,
        thread: usize,
        body: &'a mut (dyn FnMut() + 'a),
    ) -> Self {
        let main = move |link: &Link<L>, _: Order| {
            slot.enter(NonNull::from(link), thread);
            unwind::catch(body)
        };
        // SAFETY: what `main` borrows lives for 'a, and so does the coroutine at most; it is dropped, never forgotten,
        // because the one owner of fibers, `Run::threads`, keeps them in a local variable.
        let coroutine = unsafe { Coroutine::with_stack_unchecked(stack, main) };
        Fiber { coroutine }
    }

    /// Whether it has begun and not ended: it can only go away by unwinding.
    pub(crate) fn is_suspended(&self) -> bool {
        self.coroutine.started() && !self.coroutine.done()
    }

    /// Runs the thread until it stops or ends. It has not ended yet.
    pub(crate) fn resume(&mut self, order: Order) -> Turn<L> {
        match self.coroutine.resume(order) {
            CoroutineResult::Yield(stop) => Turn::Stopped(stop),
            CoroutineResult::Return(ended) => Turn::Ended(ended),
        }
    }
}
