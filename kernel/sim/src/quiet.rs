//! Catching the panics of a run: the message becomes a value, and nothing is printed meanwhile, because a
//! property test fails hundreds of times on its way to the smallest program.

use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

thread_local! {
    /// Message of the last panic while [`quietly`] runs on this thread; `None` outside.
    static CAUGHT: RefCell<Option<String>> = const { RefCell::new(None) };
}

static HOOK: Once = Once::new();

/// Runs `body`.
///
/// # Errors
/// Message and place of the panic that ended it.
pub(crate) fn quietly(body: impl FnOnce()) -> Result<(), String> {
    HOOK.call_once(|| {
        let loud = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let caught = CAUGHT.with_borrow_mut(|caught| match caught {
                Some(message) => {
                    *message = info.to_string();
                    true
                }
                None => false,
            });
            if !caught {
                loud(info);
            }
        }));
    });
    CAUGHT.set(Some(String::new()));
    let result = panic::catch_unwind(AssertUnwindSafe(body));
    let message = CAUGHT.take().unwrap_or_default();
    result.map_err(|_| message)
}
