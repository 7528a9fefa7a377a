//! Standard input of programs: what arrives on COM1, until the host tool says on COM3 how long it was.
//!
//! A serial line has no end of its own, so the tool sends `eof N`: N bytes in all. Without a tool there is no
//! end, as on a terminal. Polled; between polls others run.

use core::str;

use abi::Errno;
use spin::Mutex;

use crate::console::{HOST, USER};
use crate::sched::{self, Attention};

/// Polls before others run, or the CPU halts until the next timer interrupt.
const POLLS: u32 = 10_000;

/// Longest line of the host tool that is understood.
const LINE: usize = 32;

/// How far the input is. Taken by the one who reads; nothing but serial lines is taken inside.
static INPUT: Mutex<Input> = Mutex::new(Input { taken: 0, end: None, line: [0; LINE], length: 0 });

struct Input {
    /// Bytes that programs have read.
    taken: u64,
    /// Bytes in all, once the host tool has said so.
    end: Option<u64>,
    /// The line of the host tool that is arriving; what is longer than `LINE` is cut.
    line: [u8; LINE],
    length: usize,
}

/// Sets both lines up. What arrives while that is done can be lost, so it comes before anybody is told to send.
pub(crate) fn open() {
    USER.read(&mut []);
    HOST.read(&mut []);
}

/// Reads what has arrived into `buffer` (not empty), and waits for the first byte. Returns how many bytes; 0 at the
/// end of the input. Errors: `EINTR`. Interrupts are on.
pub(crate) fn read(buffer: &mut [u8]) -> Result<usize, Errno> {
    loop {
        for _ in 0..POLLS {
            if let Some(count) = INPUT.lock().poll(buffer) {
                return Ok(count);
            }
        }
        if sched::current().attention() != Attention::None {
            return Err(Errno::EINTR);
        }
        sched::pause();
    }
}

impl Input {
    /// Bytes read, 0 at the end, `None` when nothing is there yet.
    fn poll(&mut self, buffer: &mut [u8]) -> Option<usize> {
        let count = USER.read(buffer);
        self.taken += count as u64;
        if count > 0 {
            return Some(count);
        }
        let mut byte = [0];
        while self.end.is_none() && HOST.read(&mut byte) > 0 {
            self.listen(byte[0]);
        }
        (self.end? <= self.taken).then_some(0)
    }

    /// Takes one byte of the host tool.
    fn listen(&mut self, byte: u8) {
        if byte == b'\n' {
            let line = &self.line[..self.length];
            self.end = line.strip_prefix(b"eof ").and_then(|count| str::from_utf8(count).ok()?.parse().ok());
            self.length = 0;
        } else if let Some(place) = self.line.get_mut(self.length) {
            *place = byte;
            self.length += 1;
        }
    }
}

#[cfg(feature = "test")]
mod tests {
    use super::Input;
    use crate::test::kernel_test;

    fn end_after(lines: &[u8]) -> Option<u64> {
        let mut input = Input { taken: 0, end: None, line: [0; super::LINE], length: 0 };
        lines.iter().for_each(|&byte| input.listen(byte));
        input.end
    }

    kernel_test! {
        fn the_host_tool_says_where_the_input_ends() {
            assert_eq!(end_after(b"eof 42\n"), Some(42));
            assert_eq!(end_after(b"hello\neof 7\n"), Some(7));
            assert_eq!(end_after(b"eof 4"), None);
            assert_eq!(end_after(b"eof minus one\n"), None);
            assert_eq!(end_after(b"a line that is much longer than what is understood\n"), None);
        }
    }
}
