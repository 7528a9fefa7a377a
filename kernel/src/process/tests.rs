//! Tests of the ELF reader, the start stack, signals, limits and the trace ring.

use alloc::vec;
use alloc::vec::Vec;

use abi::auxv::{AT_EXECFN, AT_NULL, AT_PAGESZ, AT_PLATFORM, AT_RANDOM};
use abi::rlimit::{RLIMIT_NOFILE, RLIMIT_STACK, Rlimit};
use abi::signal::{SIG_DFL, SIG_IGN};
use abi::{Errno, Signal};
use mm::{Page, USER_END};

use super::elf::{BadElf, Program, SegmentProblem, StackExecution};
use super::signals::action::{Action, Actions, Disposition};
use super::signals::bit;
use super::signals::info::SigInfo;
use super::signals::pending::Pending;
use super::stack::{Arguments, Layout};
use super::{ResourceLimits, trace};
use crate::test::kernel_test;

/// Offsets of fields in the file header and in a program header (System V ABI, chapters 4 and 5).
const TYPE: usize = 16;
const MACHINE: usize = 18;
const ENTRY: usize = 24;
const PHOFF: usize = 32;
const PHENTSIZE: usize = 54;
const PHNUM: usize = 56;
const CODE: usize = 64;
const DATA: usize = CODE + 56;
const STACK: usize = DATA + 56;
const P_FLAGS: usize = 4;
const P_OFFSET: usize = 8;
const P_VADDR: usize = 16;
const P_FILESZ: usize = 32;
const P_MEMSZ: usize = 40;
const P_ALIGN: usize = 48;

const PT_LOAD: u32 = 1;
const PT_INTERP: u32 = 3;
const PT_GNU_STACK: u32 = 0x6474_e551;

fn put(file: &mut [u8], at: usize, bytes: &[u8]) {
    file[at..at + bytes.len()].copy_from_slice(bytes);
}

fn header(file: &mut [u8], at: usize, kind: u32, flags: u32, numbers: [u64; 5]) {
    let [offset, address, in_file, in_memory, align] = numbers;
    put(file, at, &kind.to_le_bytes());
    put(file, at + P_FLAGS, &flags.to_le_bytes());
    put(file, at + P_OFFSET, &offset.to_le_bytes());
    put(file, at + P_VADDR, &address.to_le_bytes());
    put(file, at + P_FILESZ, &in_file.to_le_bytes());
    put(file, at + P_MEMSZ, &in_memory.to_le_bytes());
    put(file, at + P_ALIGN, &align.to_le_bytes());
}

/// A program: code at 0x400000, data at 0x402100 with 0x3000 bytes of memory of which 0x200 are in the file.
fn good() -> Vec<u8> {
    let mut file = vec![0xcc; 0x2300];
    put(&mut file, 0, b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0");
    put(&mut file, TYPE, &2u16.to_le_bytes());
    put(&mut file, MACHINE, &62u16.to_le_bytes());
    put(&mut file, 20, &1u32.to_le_bytes());
    put(&mut file, ENTRY, &0x40_0200u64.to_le_bytes());
    put(&mut file, PHOFF, &64u64.to_le_bytes());
    put(&mut file, 40, &0u64.to_le_bytes());
    put(&mut file, PHENTSIZE, &56u16.to_le_bytes());
    put(&mut file, PHNUM, &3u16.to_le_bytes());
    header(&mut file, CODE, PT_LOAD, 5, [0, 0x40_0000, 0x1234, 0x1234, 0x1000]);
    header(&mut file, DATA, PT_LOAD, 6, [0x2100, 0x40_2100, 0x200, 0x3000, 0x1000]);
    header(&mut file, STACK, PT_GNU_STACK, 6, [0, 0, 0, 0, 16]);
    file
}

#[track_caller]
fn assert_refused(change: impl FnOnce(&mut Vec<u8>), expected: BadElf) {
    let mut file = good();
    change(&mut file);
    assert_eq!(Program::parse(&file, file.len() as u64).err(), Some(expected));
}

#[track_caller]
fn assert_data_refused(field: usize, value: u64, problem: SegmentProblem) {
    assert_refused(
        |file| put(file, DATA + field, &value.to_le_bytes()),
        BadElf::Segment { index: 1, problem },
    );
}

/// Where a stack was written, read back by address.
struct Memory {
    bottom: u64,
    bytes: Vec<u8>,
}

impl Memory {
    fn word(&self, address: u64) -> u64 {
        let at = (address - self.bottom) as usize;
        u64::from_le_bytes(self.bytes[at..at + 8].try_into().expect("8 bytes"))
    }

    fn string(&self, address: u64) -> &[u8] {
        let rest = &self.bytes[(address - self.bottom) as usize..];
        rest.split(|&byte| byte == 0).next().unwrap_or_default()
    }
}

const TOP: u64 = 0x7fff_ffff_f000;

fn stack(arguments: &Arguments<'_>, auxiliary: &[(u64, u64)]) -> (Memory, u64) {
    let layout = Layout::plan(TOP, 8 << 20, arguments, auxiliary).expect("a layout");
    let bottom = layout.stack_pointer;
    let mut memory = Memory { bottom, bytes: vec![0; (TOP - bottom) as usize] };
    layout
        .write(arguments, auxiliary, [9; 16], |address, bytes| {
            put(&mut memory.bytes, (address - bottom) as usize, bytes);
            Ok(())
        })
        .expect("all is inside");
    (memory, bottom)
}

kernel_test! {
    fn a_good_program_is_read() {
        let file = good();
        let program = Program::parse(&file, file.len() as u64).expect("a program");
        assert_eq!((program.entry, program.headers, program.header_count), (0x40_0200, 0x40_0040, 3));
        assert_eq!(program.stack, StackExecution::Forbidden);
        assert_eq!(program.end(), Page::containing(0x40_6000));
        let [code, data] = &program.segments[..] else { panic!("two segments") };
        assert_eq!(
            (code.pages.start(), code.pages.pages(), code.file_pages),
            (Page::containing(0x40_0000), 2, 2)
        );
        assert!(code.zeroes.is_empty(), "whole pages of the file, as on Linux");
        assert_eq!(
            (data.pages.start(), data.pages.pages(), data.file_pages),
            (Page::containing(0x40_2000), 4, 1)
        );
        assert_eq!(
            (data.first_page, data.zeroes.clone()),
            (2, 0x40_2300..0x40_3000),
            "zeroes follow the content of a segment with bss"
        );
    }

    fn a_static_pie_is_moved() {
        let mut file = good();
        put(&mut file, TYPE, &3u16.to_le_bytes());
        let program = Program::parse(&file, file.len() as u64).expect("a program");
        assert_eq!((program.entry, program.headers), (0x5555_5595_4200, 0x5555_5595_4040));
        put(&mut file, CODE + P_ALIGN, &0x20_0000u64.to_le_bytes());
        let program = Program::parse(&file, file.len() as u64).expect("a program");
        assert_eq!(program.entry, 0x5555_5580_0200, "aligned as the segment wants it");
    }

    fn a_program_moves_with_all_its_addresses() {
        let mut program = Program::parse(&good(), good().len() as u64).expect("a program");
        program.move_to(Page::containing(0x7000_0000));
        assert_eq!((program.entry, program.headers), (0x7000_0200, 0x7000_0040));
        assert_eq!((program.start(), program.end()), (Page::containing(0x7000_0000), Page::containing(0x7000_6000)));
        assert_eq!(program.segments[1].zeroes, 0x7000_2300..0x7000_3000);
    }

    fn the_name_of_a_dynamic_linker_is_found() {
        let mut file = good();
        header(&mut file, STACK, PT_INTERP, 4, [0x300, 0, 28, 28, 1]);
        let program = Program::parse(&file, file.len() as u64).expect("a program");
        assert_eq!(program.interpreter, Some((0x300, 28)));
    }

    fn an_executable_stack_is_noticed() {
        let mut file = good();
        put(&mut file, STACK + P_FLAGS, &7u32.to_le_bytes());
        assert_eq!(Program::parse(&file, file.len() as u64).expect("a program").stack, StackExecution::Allowed);
    }

    fn a_bad_file_header_is_refused() {
        assert_refused(|file| file.truncate(0), BadElf::TooShort(0));
        assert_refused(|file| file.truncate(63), BadElf::TooShort(63));
        assert_refused(|file| file[0] = 0x7e, BadElf::NotElf);
        assert_refused(|file| file[4] = 1, BadElf::NotElf64);
        assert_refused(|file| file[4] = 9, BadElf::NotElf64);
        assert_refused(|file| file[5] = 2, BadElf::NotElf64);
        assert_refused(|file| file[6] = 0, BadElf::NotElf);
        assert_refused(|file| put(file, MACHINE, &183u16.to_le_bytes()), BadElf::Machine(183));
        assert_refused(|file| put(file, TYPE, &1u16.to_le_bytes()), BadElf::Type(1));
        assert_refused(|file| put(file, PHENTSIZE, &32u16.to_le_bytes()), BadElf::ProgramHeaderSize(32));
        assert_refused(|file| put(file, PHNUM, &0u16.to_le_bytes()), BadElf::ProgramHeaderCount(0));
        assert_refused(
            |file| put(file, PHNUM, &u16::MAX.to_le_bytes()),
            BadElf::ProgramHeaderCount(u16::MAX),
        );
        assert_refused(|file| put(file, PHOFF, &0x22ffu64.to_le_bytes()), BadElf::ProgramHeadersTruncated);
        assert_refused(|file| put(file, PHOFF, &u64::MAX.to_le_bytes()), BadElf::ProgramHeadersTruncated);
    }

    fn a_program_that_cannot_run_is_refused() {
        assert_refused(|file| put(file, STACK, &PT_INTERP.to_le_bytes()), BadElf::Interpreter);
        assert_refused(|file| put(file, ENTRY, &0x40_1234u64.to_le_bytes()), BadElf::Entry(0x40_1234));
        assert_refused(|file| put(file, ENTRY, &u64::MAX.to_le_bytes()), BadElf::Entry(u64::MAX));
        let no_loads = |file: &mut Vec<u8>| {
            put(file, CODE, &0u32.to_le_bytes());
            put(file, DATA, &0u32.to_le_bytes());
        };
        assert_refused(no_loads, BadElf::NoSegments);
    }

    fn a_bad_segment_is_refused() {
        use SegmentProblem::{LargerInFile, Misaligned, Outside, Overlaps, Truncated, Wraps};
        assert_data_refused(P_FILESZ, 0x3001, LargerInFile);
        assert_data_refused(P_FILESZ, 0x201, Truncated);
        assert_data_refused(P_OFFSET, 0x3100, Truncated);
        assert_data_refused(P_OFFSET, u64::MAX - 0xff, Truncated);
        assert_data_refused(P_OFFSET, 0x2000, Misaligned);
        assert_data_refused(P_VADDR, 0x40_1100, Overlaps);
        assert_data_refused(P_VADDR, 0x3f_f100, Overlaps);
        assert_data_refused(P_VADDR, 0x100, Outside);
        assert_data_refused(P_VADDR, USER_END - 0x2f00, Outside);
        assert_data_refused(P_VADDR, 0xffff_8000_0000_0100, Outside);
        assert_data_refused(P_VADDR, 0xffff_ffff_ffff_f100, Wraps);
        assert_data_refused(P_MEMSZ, u64::MAX, Wraps);
        assert_data_refused(P_MEMSZ, USER_END, Outside);
    }

    fn the_stack_holds_arguments_environment_and_auxiliary_vector() {
        let arguments =
            Arguments { path: b"/bin/x", arguments: &[b"x", b"", b"long one"], environment: &[b"A=b"] };
        let (memory, pointer) = stack(&arguments, &[(AT_PAGESZ, 4096)]);
        assert_eq!(pointer % 16, 0);
        assert_eq!(memory.word(pointer), 3);
        let text = |index: u64| memory.string(memory.word(pointer + 8 * index));
        assert_eq!((text(1), text(2), text(3)), (&b"x"[..], &b""[..], &b"long one"[..]));
        assert_eq!(memory.word(pointer + 32), 0);
        assert_eq!(text(5), b"A=b");
        assert_eq!(memory.word(pointer + 48), 0);
        let entry =
            |index: u64| (memory.word(pointer + 56 + 16 * index), memory.word(pointer + 64 + 16 * index));
        assert_eq!(entry(0), (AT_PAGESZ, 4096));
        assert_eq!(entry(1).0, AT_RANDOM);
        assert_eq!((memory.word(entry(1).1), entry(1).1 % 16), (0x0909_0909_0909_0909, 0));
        assert_eq!((entry(2).0, memory.string(entry(2).1)), (AT_EXECFN, &b"/bin/x"[..]));
        assert_eq!((entry(3).0, memory.string(entry(3).1)), (AT_PLATFORM, &b"x86_64"[..]));
        assert_eq!(entry(4), (AT_NULL, 0));
        assert_eq!(memory.word(TOP - 8), 0);
    }

    fn too_many_arguments_are_e2big() {
        let plan = |arguments: &[&[u8]], limit| {
            Layout::plan(TOP, limit, &Arguments { path: b"x", arguments, environment: &[] }, &[]).map(|_| ())
        };
        let long = vec![b'a'; 128 * 1024];
        assert_eq!(plan(&[&long[1..]], 8 << 20), Ok(()));
        assert_eq!(plan(&[&long], 8 << 20), Err(Errno::E2BIG));
        let half = &long[..1 << 16];
        assert_eq!(plan(&vec![half; 31], 8 << 20), Ok(()));
        assert_eq!(plan(&vec![half; 32], 8 << 20), Err(Errno::E2BIG));
        assert_eq!(plan(&[half], 4096), Ok(()), "a low stack limit leaves 128 KiB");
        assert_eq!(plan(&[half, half], 4096), Err(Errno::E2BIG));
        let empty: &[u8] = b"";
        assert_eq!(plan(&vec![empty; 1 << 14], 4096), Err(Errno::E2BIG), "pointers count");
    }

    fn signals_wait_until_they_are_wanted() {
        let mut pending = Pending::new();
        let all = u64::MAX;
        for signal in [Signal::SIGTERM, Signal::SIGABRT, Signal::SIGSEGV, Signal::SIGTERM] {
            pending.add(SigInfo::user(signal.number(), 7));
        }
        let mut take = |set| pending.take(set).map(|info| info.number);
        assert_eq!(take(bit(Signal::SIGKILL.number())), None);
        assert_eq!(take(all), Some(Signal::SIGSEGV.number()), "what an instruction caused comes first");
        assert_eq!(take(all), Some(Signal::SIGABRT.number()), "then the lowest number");
        assert_eq!(take(all), Some(Signal::SIGTERM.number()));
        assert_eq!(take(all), None, "a standard signal waits once");
    }

    fn real_time_signals_queue() {
        let mut pending = Pending::new();
        for pid in [3, 1, 2] {
            pending.add(SigInfo::user(34, pid));
        }
        for pid in [3, 1, 2] {
            assert_eq!(pending.take(bit(34)), Some(SigInfo::user(34, pid)));
        }
        assert_eq!(pending.set(), 0);
    }

    fn the_action_decides_what_becomes_of_a_signal() {
        let mut actions = Actions::new();
        let action = |handler| Action { handler, ..Action::default() };
        assert_eq!([13, 17].map(|n| actions.disposition(n)), [Disposition::Fatal, Disposition::Ignored]);
        assert_eq!(actions.set(13, action(SIG_IGN)), Ok(()));
        assert_eq!(actions.disposition(13), Disposition::Ignored);
        assert_eq!(actions.set(10, action(0x40_0000)), Ok(()));
        assert_eq!(actions.disposition(10), Disposition::Handled);
        assert_eq!(actions.set(9, action(SIG_DFL)), Err(Errno::EINVAL));
        assert_eq!([64, 1, 12].map(|n| actions.set(n, action(n.into()))), [Ok(()); 3]);
        assert_eq!(actions.set(10, action(0x50_0000)), Ok(()));
        let copy = actions.try_clone().expect("memory");
        actions.reset(10);
        for actions in [&actions, &copy] {
            assert_eq!([1, 12, 13, 64, 63].map(|n| actions.get(n).handler), [1, 12, SIG_IGN, 64, SIG_DFL]);
        }
        assert_eq!([&actions, &copy].map(|actions| actions.get(10).handler), [SIG_DFL, 0x50_0000]);
        actions.exec();
        assert_eq!([1, 12, 13, 64].map(|n| actions.get(n).handler), [SIG_IGN, SIG_DFL, SIG_IGN, SIG_DFL]);
        assert_eq!([10, 13].map(|n| actions.disposition(n)), [Disposition::Fatal, Disposition::Ignored]);
    }

    fn limits_are_checked_when_they_are_set() {
        let mut limits = ResourceLimits::default();
        assert_eq!(limits.get(RLIMIT_STACK).map(|limit| limit.current), Ok(8 << 20));
        assert_eq!(limits.get(16), Err(Errno::EINVAL));
        assert_eq!(limits.set(RLIMIT_STACK, Rlimit { current: 2, maximum: 1 }), Err(Errno::EINVAL));
        assert_eq!(limits.set(RLIMIT_NOFILE, Rlimit { current: 1, maximum: 1 << 21 }), Err(Errno::EPERM));
        assert_eq!(limits.set(RLIMIT_NOFILE, Rlimit { current: 5, maximum: 9 }), Ok(()));
        assert_eq!(limits.descriptors(), 5);
    }

    fn the_trace_keeps_the_latest_steps_and_counts_the_lost() {
        use mm::trace::Step;
        trace::record(Step::Downgrade);
        trace::start();
        assert_eq!(trace::take(), Ok(Vec::new()), "nothing is recorded while nobody wants it");
        for pages in 1..=4100 {
            trace::record(Step::Unmap { pages });
        }
        let text = trace::take().expect("memory");
        assert!(text.starts_with(b"4 steps lost\nunmap       5 pages"), "{}", text.escape_ascii());
        let mut lines = 64;
        loop {
            let text = trace::take().expect("memory");
            if text.is_empty() {
                break;
            }
            lines += text.iter().filter(|&&byte| byte == b'\n').count();
        }
        trace::stop();
        trace::record(Step::Downgrade);
        assert_eq!((lines, trace::take()), (4096, Ok(Vec::new())));
    }
}
