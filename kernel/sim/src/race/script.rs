//! A replay as the kernel reads it: a line an item, words separated by blanks, raw arguments, numbers in hexadecimal
//! (`kernel/src/replay` reads them).
//!
//! ```text
//! order prepatch
//! bug SplitWithoutLock
//! schedule 1:5 0:15 1:5
//! max_map_count 0xfffa
//! limits ADDRESS_SPACE DATA STACK MEMLOCK MMAP_MIN_ADDR
//! brk_start 0x40000000
//! huge_pages 0x1                       by number: always, madvise, never
//! process                              one for each; what it has done before follows. `process 0x0` is a child of process 0
//! mmap 0x10000000 0x4000 0x3 0x32
//! thread 0x0                           one for each, of that process; what it does follows
//! munmap 0x10001000 0x2000
//! ```

use std::fmt::Write as _;

use super::{Act, Replay, VALUE_BEFORE, value_of};
use crate::model::{Settings, Touch};
use crate::op::{Mmap, Mremap, Op};

impl Replay {
    /// The replay as the kernel reads it.
    pub fn script(&self) -> String {
        let scenario = &self.race.scenario;
        let mut script = format!("order {}\n", self.race.order);
        if let Some(bug) = self.race.bug {
            let _ = writeln!(script, "bug {bug}");
        }
        let _ = writeln!(script, "schedule {}", self.schedule);
        let Settings { address_space, data, stack, memlock, max_map_count, mmap_min_addr, .. } =
            scenario.setup.settings;
        push(&mut script, "max_map_count", &[max_map_count as u64]);
        push(&mut script, "limits", &[address_space, data, stack, memlock, mmap_min_addr]);
        push(&mut script, "brk_start", &[scenario.setup.brk_start]);
        push(&mut script, "huge_pages", &[scenario.setup.huge_pages as u64]);
        for (before, parent) in scenario.before.iter().zip(&scenario.parents) {
            push(&mut script, "process", parent.map(|parent| parent as u64).as_slice());
            before.iter().for_each(|op| push_act(&mut script, Act::Do(*op), VALUE_BEFORE));
        }
        for (number, thread) in scenario.threads.iter().enumerate() {
            push(&mut script, "thread", &[thread.process as u64]);
            for (index, act) in thread.acts.iter().enumerate() {
                push_act(&mut script, *act, value_of(number, index));
            }
        }
        script
    }
}

/// An act; a store stores `value`.
fn push_act(script: &mut String, act: Act, value: u64) {
    match act {
        Act::Look { first, end } => push(script, "look", &[first, end]),
        Act::Do(op) => match op {
            Op::Mmap(Mmap { address, length, prot, flags }) => {
                push(script, "mmap", &[address, length, prot, flags])
            }
            Op::Munmap { address, length } => push(script, "munmap", &[address, length]),
            Op::Mprotect { address, length, prot } => push(script, "mprotect", &[address, length, prot]),
            Op::Mremap(Mremap { old, old_length, new_length, flags, new }) => {
                push(script, "mremap", &[old, old_length, new_length, flags, new]);
            }
            Op::Mseal { address, length, flags } => push(script, "mseal", &[address, length, flags]),
            Op::Madvise { address, length, advice } => push(script, "madvise", &[address, length, advice]),
            Op::Mlock { address, length, flags } => push(script, "mlock", &[address, length, flags]),
            Op::Munlock { address, length } => push(script, "munlock", &[address, length]),
            Op::Mlockall { flags } => push(script, "mlockall", &[flags]),
            Op::Munlockall => push(script, "munlockall", &[]),
            Op::Msync { address, length, flags } => push(script, "msync", &[address, length, flags]),
            // The kernel's replay has no file, and refuses them.
            Op::File { page, pages, first, .. } => push(script, "file", &[page, pages, first]),
            Op::Resize { size } => push(script, "resize", &[size]),
            // Nor has it a program that resolves faults.
            Op::Register { address, length, context, .. } => {
                push(script, "register", &[address, length, context.into()])
            }
            Op::Unregister { address, length, context } => {
                push(script, "unregister", &[address, length, context.into()])
            }
            Op::Release { context } => push(script, "release", &[context.into()]),
            Op::Fill { address, length, .. } => push(script, "fill", &[address, length]),
            Op::WriteProtect { address, length, .. } => push(script, "write_protect", &[address, length]),
            Op::Wake { address, length, context } => push(script, "wake", &[address, length, context.into()]),
            Op::Brk { address } => push(script, "brk", &[address]),
            Op::Fork => push(script, "fork", &[]),
            Op::Exit => push(script, "exit", &[]),
            Op::Touch { address, touch: Touch::Read, .. } => push(script, "read", &[address]),
            Op::Touch { address, touch: Touch::Write, .. } => push(script, "write", &[address, value]),
            Op::Touch { address, touch: Touch::Execute, .. } => push(script, "execute", &[address]),
        },
    }
}

fn push(script: &mut String, word: &str, arguments: &[u64]) {
    script.push_str(word);
    for argument in arguments {
        let _ = write!(script, " {argument:#x}");
    }
    script.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_has_everything_that_a_kernel_needs() {
        let small = if cfg!(feature = "small") { "small " } else { "" };
        let line = format!("recycled-by-another-process vms RangeNotChecked {small}0:2 1");
        let replay: Replay = line.parse().expect("a line");
        let expected = "order vms\nbug RangeNotChecked\nschedule 0:2 1\nmax_map_count 0xfffa\n\
            limits 0xffffffffffffffff 0xffffffffffffffff 0x800000 0x800000 0x10000\nbrk_start 0x40000000\nhuge_pages 0x1\n\
            process\nmmap 0x10000000 0x2000 0x3 0x32\nwrite 0x10000000 0xbef0\n\
            process\nmmap 0x10008000 0x1000 0x3 0x32\n\
            thread 0x0\nmunmap 0x10000000 0x2000\nthread 0x0\nread 0x10001000\n\
            thread 0x1\nmmap 0x10000000 0x2000 0x3 0x32\nwrite 0x10001000 0x3001\n";
        assert_eq!(replay.script(), expected);
    }
}
