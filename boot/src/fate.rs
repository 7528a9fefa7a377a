//! How the first process ended, put together from the kernel's messages.

use crate::protocol::Message;

/// How the first process ended, as far as the kernel has said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Nothing was said.
    Unknown,
    /// With this exit status.
    Exited(u8),
    /// By this signal.
    Killed(u8),
    /// The kernel panicked.
    Panicked,
}

impl Fate {
    /// What is known after one more message. The first word on it holds, but a panic is worse than anything.
    pub(crate) fn after(self, message: &Message) -> Fate {
        match (self, message) {
            (_, Message::Panic) => Fate::Panicked,
            (Fate::Unknown, Message::Exit(status)) => Fate::Exited(*status),
            (Fate::Unknown, Message::Signal(number)) => Fate::Killed(*number),
            _ => self,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_word_on_the_process_holds_but_for_a_panic() {
        let after =
            |messages: &[Message]| messages.iter().fold(Fate::Unknown, |fate, message| fate.after(message));
        assert_eq!(after(&[Message::User, Message::Exit(3), Message::Signal(9)]), Fate::Exited(3));
        assert_eq!(after(&[Message::Signal(11), Message::Done]), Fate::Killed(11));
        assert_eq!(after(&[Message::Exit(0), Message::Panic, Message::Exit(0)]), Fate::Panicked);
        assert_eq!(after(&[]), Fate::Unknown);
    }
}
