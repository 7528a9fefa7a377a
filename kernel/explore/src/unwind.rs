//! Panics as values, where there is an unwinder.

use alloc::string::String;

/// How a piece of code ended.
#[cfg_attr(
    not(feature = "host"),
    expect(dead_code, reason = "without an unwinder, code returns or never ends")
)]
pub(crate) enum Ended<T> {
    /// It returned.
    Returned(T),
    /// [`cut`] ended it.
    Cut,
    /// It panicked with this message.
    Panicked(String),
}

pub(crate) use imp::{catch, cut, unwinding};

#[cfg(feature = "host")]
mod imp {
    use alloc::boxed::Box;
    use alloc::string::{String, ToString};
    use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

    use super::Ended;

    /// The payload of [`cut`].
    struct Cut;

    /// Runs `code` to its end, whichever that is.
    pub(crate) fn catch<T>(code: impl FnOnce() -> T) -> Ended<T> {
        // The state that a panic leaves behind is only dropped: the run is over.
        match catch_unwind(AssertUnwindSafe(code)) {
            Ok(value) => Ended::Returned(value),
            Err(payload) if payload.is::<Cut>() => Ended::Cut,
            Err(payload) => Ended::Panicked(match payload.downcast_ref::<&str>() {
                Some(text) => (*text).to_string(),
                None => match payload.downcast::<String>() {
                    Ok(text) => *text,
                    Err(_) => "a panic without a message".to_string(),
                },
            }),
        }
    }

    /// Ends the thread that calls: unwinds its stack, without the message of a panic.
    pub(crate) fn cut() -> ! {
        resume_unwind(Box::new(Cut))
    }

    /// Whether the caller is called by a drop during a panic or a [`cut`].
    pub(crate) fn unwinding() -> bool {
        std::thread::panicking()
    }
}

#[cfg(not(feature = "host"))]
mod imp {
    use super::Ended;

    /// Runs `code`. A panic does not come back.
    pub(crate) fn catch<T>(code: impl FnOnce() -> T) -> Ended<T> {
        Ended::Returned(code())
    }

    /// Never called: without an unwinder, a run that cannot go to its end panics (see `Run::threads`).
    pub(crate) fn cut() -> ! {
        unreachable!("a thread is to be unwound, and there is no unwinder")
    }

    /// Nothing unwinds here.
    pub(crate) fn unwinding() -> bool {
        false
    }
}
