//! Drives a machine from start to end: pumps the serial lines, hands on the kernel's messages, keeps the time.

use std::io::{self, BufRead as _, BufReader, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::protocol::Message;
use crate::qemu::Machine;

/// How long a machine may take to end after it has said `done`, and to print its backtrace after `panic`.
const GRACE: Duration = Duration::from_secs(10);

/// A longer line on COM3 is cut: a mad kernel must not fill our memory.
const LONGEST_MESSAGE: u64 = 4096;

/// How a machine came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// By itself.
    Ended,
    /// Killed: its time was up.
    TimedOut,
    /// Killed: nobody reads the program's output any more.
    Unread,
    /// Killed: this tool got a signal.
    Interrupted(i32),
}

/// What is known after the end.
#[derive(Debug)]
pub(crate) struct Report {
    /// How it came.
    pub(crate) ending: Ending,
    /// What QEMU itself had to say.
    pub(crate) qemu: String,
    /// From QEMU's start to the message `user`.
    pub(crate) boot_time: Option<Duration>,
}

/// The other ends of the serial lines, and the time allowed.
pub(crate) struct Session {
    /// What COM1 reads, from the first user instruction on.
    pub(crate) input: Box<dyn Read + Send>,
    /// Where COM1 writes.
    pub(crate) output: Box<dyn Write + Send>,
    /// Where COM2 writes.
    pub(crate) log: Box<dyn Write + Send>,
    /// The most that the machine may take.
    pub(crate) timeout: Option<Duration>,
}

enum Event {
    Message(Message),
    ControlClosed,
    OutputUnread,
    Signal(i32),
}

impl Session {
    /// Starts the machine and returns after its end, when all that it wrote has been passed on.
    /// `on_message` gets every message of the kernel as it comes.
    ///
    /// # Errors
    /// When QEMU cannot be started.
    pub(crate) fn run(self, machine: &Machine<'_>, mut on_message: impl FnMut(&Message)) -> Result<Report> {
        let started = Instant::now();
        let mut deadline = self.timeout.map(|timeout| started + timeout);
        let mut ending = Ending::Ended;
        let mut boot_time = None;
        let (events, inbox) = channel();
        let mut signals = Signals::new([SIGHUP, SIGINT, SIGTERM]).context("no signal handlers")?;
        let signals_handle = signals.handle();
        let from_signals = events.clone();
        thread::spawn(move || {
            signals.forever().try_for_each(|signal| from_signals.send(Event::Signal(signal)))
        });

        let mut running = machine.start()?;
        let [com1, com2, com3] = running.serial()?;
        let mut input = Some((self.input, com1.try_clone()?, com3.try_clone()?));
        let from_output = events.clone();
        let pumps = [
            thread::spawn(move || {
                pump(com1, self.output, |_| {
                    // Fails only when the machine is gone already.
                    let _ = from_output.send(Event::OutputUnread);
                });
            }),
            // A log that cannot be written is no reason to stop the program.
            thread::spawn(move || pump(com2, self.log, drop)),
            thread::spawn(move || read_messages(com3, &events)),
        ];

        let mut finished = false;
        loop {
            match next(&inbox, deadline) {
                Some(Event::Message(message)) => {
                    match message {
                        Message::User if boot_time.is_none() => {
                            boot_time = Some(started.elapsed());
                            if let Some((from, to, control)) = input.take() {
                                thread::spawn(move || feed(from, &to, &control));
                            }
                        }
                        Message::Done | Message::Panic => {
                            finished = true;
                            let end = Instant::now() + GRACE;
                            deadline = Some(deadline.map_or(end, |deadline| deadline.min(end)));
                        }
                        _ => {}
                    }
                    on_message(&message);
                }
                Some(Event::ControlClosed) => break,
                Some(Event::OutputUnread) => {
                    ending = Ending::Unread;
                    running.kill();
                }
                Some(Event::Signal(signal)) => {
                    ending = Ending::Interrupted(signal);
                    running.kill();
                }
                None => {
                    if !finished && ending == Ending::Ended {
                        ending = Ending::TimedOut;
                    }
                    running.kill();
                    deadline = None;
                }
            }
        }
        // The lines are closed when QEMU is gone; what it wrote before is still on its way to us.
        let qemu = running.wait()?;
        for pump in pumps {
            pump.join().map_err(|_| anyhow!("a serial line's thread panicked"))?;
        }
        signals_handle.close();
        Ok(Report { ending, qemu, boot_time })
    }
}

/// The next event, or none at the deadline.
fn next(inbox: &Receiver<Event>, deadline: Option<Instant>) -> Option<Event> {
    let event = match deadline {
        None => inbox.recv().map_err(|_| RecvTimeoutError::Disconnected),
        Some(deadline) => inbox.recv_timeout(deadline.saturating_duration_since(Instant::now())),
    };
    match event {
        Ok(event) => Some(event),
        Err(RecvTimeoutError::Disconnected) => Some(Event::ControlClosed),
        Err(RecvTimeoutError::Timeout) => None,
    }
}

/// Passes all bytes on as they come. After a failed write, which `on_failure` gets at once, the rest is read
/// and thrown away, so that the machine does not wait for us.
fn pump(mut from: UnixStream, mut to: Box<dyn Write + Send>, on_failure: impl FnOnce(io::Error)) {
    let mut buffer = [0; 4096];
    let mut on_failure = Some(on_failure);
    loop {
        let count = match from.read(&mut buffer) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            // The end; as an error (a reset) when QEMU went without having read all that we sent it.
            Ok(0) | Err(_) => return,
            Ok(count) => count,
        };
        if on_failure.is_some()
            && let Err(error) = to.write_all(&buffer[..count]).and_then(|()| to.flush())
            && let Some(on_failure) = on_failure.take()
        {
            on_failure(error);
        }
    }
}

/// Sends the program its input, and then tells the kernel on COM3 how long it was: a serial line has no end
/// of its own.
fn feed(mut from: Box<dyn Read + Send>, mut to: &UnixStream, mut control: &UnixStream) {
    // An error means that the machine is gone, or that there is no input: both are the end of it.
    let count = io::copy(&mut from, &mut to).unwrap_or(0);
    let _ = control.write_all(format!("eof {count}\n").as_bytes());
}

fn read_messages(control: UnixStream, events: &Sender<Event>) {
    let mut lines = BufReader::new(control);
    loop {
        let mut line = Vec::new();
        let read = lines.by_ref().take(LONGEST_MESSAGE).read_until(b'\n', &mut line);
        let Ok(1..) = read else { break };
        let message = match line.strip_suffix(b"\n") {
            Some(line) => Message::parse(line),
            // Cut off, by us or by the end of the machine: what it would have said is not known.
            None => Message::Garbage(line.escape_ascii().to_string()),
        };
        if events.send(Event::Message(message)).is_err() {
            break;
        }
    }
    let _ = events.send(Event::ControlClosed);
}
