//! A program of calls as people read it, with what both systems answered.

use std::fmt::Write as _;

use abi::mman::{Map, Prot};
use abi::{Errno, nr};

use super::calls::{ARENA, Line, PAGE, PAGES};

/// One line for each line of the program and each answer.
pub(super) fn explain(lines: &[Line], linux: &[String], ours: &[String]) -> String {
    let mut text = String::new();
    for (index, line) in lines.iter().enumerate() {
        let (linux, ours) = (answers(index, linux), answers(index, ours));
        let _ = write!(text, "  {index:>3}  {}", call(line));
        if linux == ours {
            let _ = writeln!(text, "  = {}", linux.last().map_or("-".to_owned(), |answer| value(answer)));
        } else {
            let _ = writeln!(text);
            for (system, answers) in [("Linux", linux), ("here", ours)] {
                for answer in answers {
                    let _ = writeln!(text, "         {system:<6} {}", value(answer));
                }
            }
        }
    }
    text
}

/// What was said of line `index`.
fn answers(index: usize, report: &[String]) -> Vec<&str> {
    report
        .iter()
        .filter_map(|line| line.split_once(' '))
        .filter(|(number, _)| number.parse() == Ok(index))
        .map(|(_, answer)| answer)
        .collect()
}

/// An answer: an errno by its name, an address in the arena by its page.
fn value(answer: &str) -> String {
    let Ok(number) = u64::from_str_radix(answer, 16) else { return answer.to_owned() };
    match Errno::from_return_value(number) {
        Err(errno) => format!("{errno:?}"),
        Ok(address) => place(address),
    }
}

/// An address by its page in the arena.
fn place(address: u64) -> String {
    let offset = address.wrapping_sub(ARENA);
    if offset >= PAGES * PAGE {
        return format!("{address:#x}");
    }
    match (offset / PAGE, offset % PAGE) {
        (page, 0) => format!("page {page}"),
        (page, rest) => format!("page {page}+{rest:#x}"),
    }
}

fn length(bytes: u64) -> String {
    if bytes != 0 && bytes.is_multiple_of(PAGE) && bytes / PAGE <= PAGES {
        format!("{} pages", bytes / PAGE)
    } else {
        format!("{bytes:#x} bytes")
    }
}

fn call(line: &Line) -> String {
    match *line {
        Line::Read(address) => format!("read {}", place(address)),
        Line::Write(address, byte) => format!("write {} {byte:#x}", place(address)),
        Line::Residency(address, size) => format!("mincore({}, {})", place(address), length(size)),
        Line::Attach(address, size, flags) => {
            format!("shmat(a new segment of {}, {}, {flags:#o})", length(size), place(address))
        }
        Line::Fork(byte) => format!("a child reads all pages and writes {byte:#x}"),
        Line::Maps => "maps".to_owned(),
        Line::Call(number, [a, b, c, d, e, f]) => {
            let name = nr::name(number).unwrap_or("?");
            if number == nr::SHMDT {
                return format!("{name}({})", place(a));
            }
            let rest = match number {
                nr::MMAP => {
                    format!(
                        ", {:?}, {:?}, {}, {f:#x}",
                        Prot::from_bits_retain(c),
                        Map::from_bits_retain(d),
                        e.cast_signed()
                    )
                }
                nr::MPROTECT => format!(", {:?}", Prot::from_bits_retain(c)),
                nr::MREMAP => format!(", {}, {d:#x}, {}", length(c), place(e)),
                nr::MADVISE | nr::MSYNC | nr::MLOCK2 => format!(", {c}"),
                _ => String::new(),
            };
            format!("{name}({}, {}{rest})", place(a), length(b))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_and_answers_are_in_words() {
        let lines = [
            Line::Call(nr::MUNMAP, [ARENA + PAGE, 2 * PAGE, 0, 0, 0, 0]),
            Line::Read(ARENA + 2 * PAGE + 1),
            Line::Maps,
        ];
        let linux = ["0 0", "1 100b", "2 a-b rw-p", "2 77"].map(str::to_owned);
        let ours = ["0 0", "1 5", "2 a-b rw-p", "2 77"].map(str::to_owned);
        let text = explain(&lines, &linux, &ours);
        assert!(text.contains("munmap(page 1, 2 pages)  = 0x0"), "{text}");
        assert!(text.contains("read page 2+0x1\n"), "{text}");
        assert!(text.contains("Linux  0x100b") && text.contains("here   0x5"), "{text}");
        assert_eq!(value("fffffffffffffff4"), "ENOMEM");
    }
}
