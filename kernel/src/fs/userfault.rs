//! Descriptors for faults that a program resolves itself (`userfaultfd(2)`).
//!
//! Such a file belongs to the address space that it was made in, and does not keep it. The waiting threads and their messages are
//! there, see [`mm::userfault`]; the file is a name for some of them.

use core::sync::atomic::{AtomicU64, Ordering};

use abi::Errno;
use abi::userfaultfd::{
    UFFD_EVENT_PAGEFAULT, UFFD_FEATURE_EXACT_ADDRESS, UFFD_FEATURE_SIGBUS, UFFD_FEATURE_THREAD_ID,
    UFFD_PAGEFAULT_FLAG_WP, UFFD_PAGEFAULT_FLAG_WRITE, UffdMessage,
};
use mm::PAGE_SIZE;
use mm::userfault::{Context, Handling, Message, Reason};
use mm::vma::Access;

use super::pipe::{Blocking, POLLERS};
use super::transfer::Sink;
use crate::arch::shared::{Shared, Watch};
use crate::process::Space;
use crate::sched::{Sleep, WaitQueue};
use crate::syscall::user::{UserValue, user_struct};

user_struct!(UffdMessage { event, reserved, flags, address, ptid, reserved2 });

/// Who waits for messages, of whichever file: there are few.
static READERS: WaitQueue = WaitQueue::new();

/// Who waits for messages looks again: a thread has lined up.
pub(crate) fn announce() {
    READERS.wake_all();
    POLLERS.wake_all();
}

/// Bit of the features of a file that has agreed on them.
const AGREED: u64 = 1 << 63;

/// What a descriptor of `userfaultfd` stands for. When it goes, nothing is registered with it any more.
pub(crate) struct Userfaults {
    space: Watch<Space>,
    context: Context,
    /// Whether only faults in user mode are its own.
    in_programs: bool,
    /// `UFFD_FEATURE_` and [`AGREED`]; 0 before.
    features: AtomicU64,
}

impl Userfaults {
    /// For faults in `space`; those in user mode only, if `in_programs`. Errors: `ENOMEM`.
    pub(crate) fn new(space: &Shared<Space>, in_programs: bool) -> Result<Userfaults, Errno> {
        let context = space.new_context()?;
        Ok(Userfaults { space: space.watch(), context, in_programs, features: AtomicU64::new(0) })
    }

    /// The address space; `None` if it has gone.
    pub(crate) fn space(&self) -> Option<Shared<Space>> {
        self.space.get()
    }

    /// Its number there.
    pub(crate) fn context(&self) -> Context {
        self.context
    }

    /// Agrees on `features`. Errors: `EINVAL` the second time.
    pub(crate) fn agree(&self, features: u64) -> Result<(), Errno> {
        let new = features | AGREED;
        let agreed = self.features.compare_exchange(0, new, Ordering::AcqRel, Ordering::Acquire);
        agreed.map(drop).map_err(|_| Errno::EINVAL)
    }

    /// Whether it has agreed on anything.
    pub(crate) fn has_agreed(&self) -> bool {
        self.features.load(Ordering::Acquire) != 0
    }

    fn has(&self, feature: u64) -> bool {
        self.features.load(Ordering::Acquire) & feature != 0
    }

    /// What becomes of threads that fault.
    pub(crate) fn handling(&self) -> Handling {
        if self.has(UFFD_FEATURE_SIGBUS) {
            Handling::Signal
        } else if self.in_programs {
            Handling::WaitInPrograms
        } else {
            Handling::Wait
        }
    }

    /// Whether there is a message to read.
    pub(crate) fn has_message(&self) -> bool {
        self.space().is_some_and(|space| space.has_userfaults(self.context))
    }

    /// Reads as many messages as there are and `sink` has room for. Errors: `EINVAL` before the agreement, and without room for a
    /// message; `EAGAIN` instead of waiting for the first; `EINTR`; `EFAULT`.
    pub(crate) fn read(&self, sink: &mut dyn Sink, blocking: Blocking) -> Result<usize, Errno> {
        let mut done = 0;
        if !self.has_agreed() || sink.room() < UffdMessage::SIZE {
            return Err(Errno::EINVAL);
        }
        while sink.room() >= UffdMessage::SIZE {
            let blocking = if done == 0 { blocking } else { Blocking::DoNotWait };
            let message = match self.next(blocking) {
                Ok(message) => self.tell(&message),
                Err(_) if done > 0 => break,
                Err(error) => return Err(error),
            };
            let mut bytes = [0; UffdMessage::SIZE];
            message.encode(&mut bytes);
            if sink.put(&bytes) < bytes.len() {
                return if done > 0 { Ok(done) } else { Err(Errno::EFAULT) };
            }
            done += bytes.len();
        }
        Ok(done)
    }

    fn next(&self, blocking: Blocking) -> Result<Message, Errno> {
        let next = || self.space().and_then(|space| space.next_userfault(self.context));
        let mut message = next();
        if message.is_none() && blocking == Blocking::Wait {
            let ready = || {
                message = next();
                message.is_some()
            };
            READERS.wait(Sleep::Interruptible, None, ready).map_err(|_| Errno::EINTR)?;
        }
        message.ok_or(Errno::EAGAIN)
    }

    /// What the program reads.
    fn tell(&self, message: &Message) -> UffdMessage {
        let is_exact = self.has(UFFD_FEATURE_EXACT_ADDRESS);
        let in_page = if is_exact { 0 } else { message.address % PAGE_SIZE };
        let write = if message.access == Access::Write { UFFD_PAGEFAULT_FLAG_WRITE } else { 0 };
        let reason = match message.reason {
            Reason::Missing => 0,
            Reason::WriteProtected => UFFD_PAGEFAULT_FLAG_WP,
        };
        UffdMessage {
            event: UFFD_EVENT_PAGEFAULT,
            flags: write | reason,
            address: message.address - in_page,
            ptid: if self.has(UFFD_FEATURE_THREAD_ID) { message.thread } else { 0 },
            ..UffdMessage::default()
        }
    }
}

impl Drop for Userfaults {
    fn drop(&mut self) {
        if let Some(space) = self.space() {
            space.release_context(self.context);
        }
    }
}
