//! What is replayed, as the simulation writes it (`kernel/sim/src/race/script.rs`, which has the format).

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use explore::Schedule;
use mm::huge::HugePages;
use mm::space::{Config, Limits};

use super::act::Act;
use super::forced::Bug;

/// A process, and what it has done before. The children of its forks have ended by then.
pub(super) struct Process {
    /// The process that forked it.
    pub(super) parent: Option<usize>,
    pub(super) before: Vec<Act>,
}

/// A thread, and what it does.
pub(super) struct Thread {
    pub(super) process: usize,
    pub(super) acts: Vec<Act>,
}

/// Everything.
pub(super) struct Script {
    pub(super) bug: Option<Bug>,
    pub(super) schedule: Schedule,
    pub(super) max_map_count: usize,
    pub(super) huge_pages: HugePages,
    pub(super) config: Config,
    pub(super) brk_start: u64,
    pub(super) processes: Vec<Process>,
    pub(super) threads: Vec<Thread>,
}

impl Script {
    /// # Errors
    /// The line that is not understood.
    pub(super) fn parse(text: &'static str) -> Result<Self, String> {
        let mut script = Script {
            bug: None,
            schedule: Schedule::default(),
            max_map_count: 0,
            huge_pages: HugePages::default(),
            config: Config::default(),
            brk_start: 0,
            processes: Vec::new(),
            threads: Vec::new(),
        };
        for line in text.lines() {
            script.line(line).ok_or_else(|| format!("this line of the script is not understood: {line}"))?;
        }
        let threads_fit = (2..=explore::MAX_THREADS).contains(&script.threads.len())
            && script.threads.iter().all(|thread| thread.process < script.processes.len());
        if threads_fit { Ok(script) } else { Err("the script has too few threads or too many".to_string()) }
    }

    /// Takes one line in; `None` if it is not understood.
    fn line(&mut self, line: &'static str) -> Option<()> {
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        match verb {
            "order" => self.config.order = rest.parse().ok()?,
            "bug" => self.bug = Some(rest.parse().ok()?),
            "schedule" => self.schedule = rest.parse().ok()?,
            _ => {
                let numbers: Option<Vec<u64>> = rest.split_whitespace().map(number).collect();
                self.numbers(line, verb, &numbers?)?;
            }
        }
        Some(())
    }

    /// Takes one line in whose arguments are numbers.
    fn numbers(&mut self, line: &'static str, verb: &str, numbers: &[u64]) -> Option<()> {
        match (verb, numbers) {
            ("max_map_count", &[count]) => self.max_map_count = count as usize,
            ("huge_pages", &[number]) => self.huge_pages = HugePages::from_number(number as u8),
            ("brk_start", &[address]) => self.brk_start = address,
            ("limits", &[address_space, data, stack, memlock, mmap_min_addr]) => {
                self.config.limits = Limits { address_space, data, stack, memlock };
                self.config.mmap_min_addr = mmap_min_addr;
            }
            ("process", parent @ ([] | [_])) => {
                let parent = parent.first().map(|&parent| parent as usize);
                if parent.is_some_and(|parent| parent >= self.processes.len()) {
                    return None;
                }
                self.processes.push(Process { parent, before: Vec::new() });
            }
            ("thread", &[process]) => {
                self.threads.push(Thread { process: process as usize, acts: Vec::new() });
            }
            _ => {
                let act = Act::parse(line, verb, numbers)?;
                let acts = match self.threads.last_mut() {
                    Some(thread) => &mut thread.acts,
                    None => &mut self.processes.last_mut()?.before,
                };
                acts.push(act);
            }
        }
        Some(())
    }
}

fn number(word: &str) -> Option<u64> {
    u64::from_str_radix(word.strip_prefix("0x")?, 16).ok()
}
