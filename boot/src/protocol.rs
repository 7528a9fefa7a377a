//! COM3: what the kernel has to say to this tool, one line a message (docs/ARCHITECTURE.md).

/// A message of the kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Message {
    /// The first user instruction is about to run.
    User,
    /// The first process ended with this exit status.
    Exit(u8),
    /// The first process was killed by this signal, 1 to 64.
    Signal(u8),
    /// The kernel panicked.
    Panic,
    /// So many tests will run.
    Plan(usize),
    /// A test begins.
    Begin(String),
    /// A test has passed.
    Pass { name: String, micros: u64 },
    /// A test has failed.
    Fail { name: String, micros: u64 },
    /// A test is not run, for a reason.
    Skip { name: String, reason: String },
    /// What a test has to tell: how much it did.
    Figure(String),
    /// A line of the first process's `/proc/self/maps`, at its end.
    Map(String),
    /// The end, in good order.
    Done,
    /// Not a message: a line that is none of the above.
    Garbage(String),
}

impl Message {
    /// Reads one line, without its line feed.
    pub(crate) fn parse(line: &[u8]) -> Self {
        std::str::from_utf8(line)
            .ok()
            .map(|line| line.strip_suffix('\r').unwrap_or(line))
            .and_then(parse_text)
            .unwrap_or_else(|| Self::Garbage(line.escape_ascii().to_string()))
    }
}

fn parse_text(line: &str) -> Option<Message> {
    let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
    Some(match (verb, rest) {
        ("user", "") => Message::User,
        ("panic", "") => Message::Panic,
        ("done", "") => Message::Done,
        ("exit", status) => Message::Exit(status.parse().ok()?),
        ("signal", number) => {
            Message::Signal(number.parse().ok().filter(|number| (1..=64).contains(number))?)
        }
        ("plan", count) => Message::Plan(count.parse().ok()?),
        ("begin", name) => Message::Begin(test_name(name)?),
        ("pass", rest) => {
            let (name, micros) = name_and_time(rest)?;
            Message::Pass { name, micros }
        }
        ("fail", rest) => {
            let (name, micros) = name_and_time(rest)?;
            Message::Fail { name, micros }
        }
        ("map", line) if !line.is_empty() => Message::Map(line.to_owned()),
        ("figure", text) if !text.is_empty() => Message::Figure(text.to_owned()),
        ("skip", rest) => {
            let (name, reason) = rest.split_once(' ').unwrap_or((rest, "no reason given"));
            Message::Skip { name: test_name(name)?, reason: reason.to_owned() }
        }
        _ => return None,
    })
}

fn name_and_time(rest: &str) -> Option<(String, u64)> {
    let (name, micros) = rest.rsplit_once(' ')?;
    Some((test_name(name)?, micros.parse().ok()?))
}

/// A name is one printable word.
fn test_name(name: &str) -> Option<String> {
    (!name.is_empty() && name.chars().all(|c| c.is_ascii_graphic())).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Message {
        Message::parse(line.as_bytes())
    }

    #[test]
    fn every_message_of_the_protocol_is_understood() {
        assert_eq!(parsed("user"), Message::User);
        assert_eq!(parsed("exit 0"), Message::Exit(0));
        assert_eq!(parsed("exit 255\r"), Message::Exit(255));
        assert_eq!(parsed("signal 11"), Message::Signal(11));
        assert_eq!(parsed("panic"), Message::Panic);
        assert_eq!(parsed("plan 42"), Message::Plan(42));
        assert_eq!(parsed("begin mm::a"), Message::Begin("mm::a".into()));
        assert_eq!(parsed("pass mm::a 1200"), Message::Pass { name: "mm::a".into(), micros: 1200 });
        assert_eq!(parsed("fail mm::a 0"), Message::Fail { name: "mm::a".into(), micros: 0 });
        let skip = Message::Skip { name: "smp".into(), reason: "one processor only".into() };
        assert_eq!(parsed("skip smp one processor only"), skip);
        assert_eq!(parsed("figure 12 points"), Message::Figure("12 points".into()));
        assert_eq!(parsed("map 1-2 rw-p"), Message::Map("1-2 rw-p".into()));
        assert_eq!(parsed("done"), Message::Done);
    }

    #[test]
    fn garbage_is_garbage_and_never_a_message() {
        for line in [
            "",
            " ",
            "exit",
            "exit ",
            "exit -1",
            "exit 256",
            "exit 1 2",
            "exit 99999999999999999999",
            "signal 0",
            "signal 65",
            "plan",
            "plan x",
            "begin",
            "begin ",
            "begin a b",
            "pass a",
            "pass 12",
            "pass a b 12",
            "fail a -1",
            "skip",
            "skip ",
            "figure",
            "figure ",
            "map",
            "user 1",
            "done.",
            "panicked",
            "EXIT 0",
            " exit 0",
            "exit 0 ",
        ] {
            assert!(matches!(parsed(line), Message::Garbage(_)), "{line:?} became {:?}", parsed(line));
        }
        assert_eq!(Message::parse(b"\xffexit 0\x1b["), Message::Garbage("\\xffexit 0\\x1b[".into()));
    }
}
