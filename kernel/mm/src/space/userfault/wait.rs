//! Threads that wait for their faults to be resolved, and who hears of them.

use core::cell::Cell;

use crate::error::MmError;
use crate::museum::Bug;
use crate::platform::Platform;
use crate::range::{Page, PageRange};
use crate::schedule::{Point, Sleep, Wait, Wake};
use crate::space::{AddressSpace, FaultOutcome};
use crate::userfault::{Context, Message, Reason, Userfault, Waiting};
use crate::vma::Access;

impl<'m, P: Platform> AddressSpace<'m, P> {
    /// The fault of an access to `address`, whose outcome was that the program resolves it for `reason`; `None` if nothing is
    /// registered there by now.
    pub fn userfault(&self, address: u64, reason: Reason) -> Option<Userfault> {
        let map = self.read();
        self.vma_at(&map, Page::containing(address))?.flags().userfault(reason)
    }

    /// Waits until somebody says that `fault`, the outcome of an access to `address` by `thread`, may be resolved. The caller holds
    /// no lock. It lines up and looks again first; if that comes out otherwise it does not wait, and the new outcome is the result. Else
    /// `announce` is called, for who waits for messages, and it sleeps.
    ///
    /// # Errors
    /// [`MmError::Interrupted`] if a signal comes that ends such a `sleep`.
    pub fn await_userfault(
        &self,
        fault: &Userfault,
        address: u64,
        access: Access,
        thread: u32,
        sleep: Sleep,
        announce: impl FnOnce(),
    ) -> Result<FaultOutcome, MmError> {
        self.machine.pause(Point::AwaitUserfault(Page::containing(address)));
        let Userfault { context, reason, .. } = *fault;
        let message = Message { address, access, reason, thread };
        self.userfaults.join(Waiting { context, message, told: Cell::new(false) }, |turn| {
            let looks = !self.machine.has(Bug::UserfaultNotLookedAtAgain);
            if looks {
                let outcome = self.fault_again(address, access);
                if outcome != FaultOutcome::Userfault(reason) {
                    return Ok(outcome);
                }
                if self.userfault(address, reason) != Some(*fault) {
                    return Ok(FaultOutcome::Resolved);
                }
            }
            announce();
            match turn.wait(&self.machine, Wait::Userfault, sleep) {
                Wake::Again => Ok(FaultOutcome::Resolved),
                Wake::Killed => Err(MmError::Interrupted),
            }
        })
    }

    /// The message of the thread that has waited longest of those that `context` has not heard of yet; it has now.
    pub fn next_userfault(&self, context: Context) -> Option<Message> {
        self.userfaults.find(|waiting| {
            let new = waiting.context == context && !waiting.told.replace(true);
            new.then_some(waiting.message)
        })
    }

    /// Whether there is such a message.
    pub fn has_userfaults(&self, context: Context) -> bool {
        let new = |waiting: &Waiting| (waiting.context == context && !waiting.told.get()).then_some(());
        self.userfaults.find(new).is_some()
    }

    /// Wakes all who wait for pages of `range`, or for any page, and whose faults `context` hears of.
    pub fn wake_userfaults(&self, context: Context, range: Option<PageRange>) {
        let in_range = |page| range.is_none_or(|range| range.contains(page));
        let wanted = |waiting: &Waiting| waiting.context == context && in_range(waiting.page());
        self.userfaults.wake(&self.machine, wanted);
    }
}
