//! The end of a thread, and with the last one of a process.

use super::futex::{self, Key, Scope};
use super::proc::maps;
use super::table::INIT;
use super::thread::Thread;
use super::{Ending, Space, oom, table};
use crate::arch::compare_exchange_user;
use crate::cmdline;
use crate::fs::text::Text;
use crate::fs::written::Part;
use crate::host::message;
use crate::sched;
use crate::syscall::user::UserPtr;

/// Most entries of a list of robust futexes that are looked at.
const ROBUST_MAX: usize = 2048;
/// In a robust futex: there are waiters; the owner died; the number of the owner.
const WAITERS: u32 = 1 << 31;
const OWNER_DIED: u32 = 1 << 30;
const OWNER: u32 = OWNER_DIED - 1;

/// Ends the thread, whose task this is. Nothing of it is left but what the table has of its process.
pub(super) fn finish(mut thread: Thread) {
    if let Some(status) = thread.exiting
        && thread.tid() == thread.pid()
    {
        table::with_entry(thread.pid(), |entry| entry.end_with_last_thread(Ending::Exited(status)));
    }
    if thread.tid() == INIT && cmdline::value("maps").is_some() {
        tell_maps(&thread.space);
    }
    release_memory(&mut thread);
    let Thread { process, handle, space, files, .. } = thread;
    drop(files);
    drop(sched::enter_space(None));
    if cfg!(debug_assertions)
        && space.owners() == 1
        && let Err(error) = space.check()
    {
        table::note_damage(error);
    }
    drop(space);
    process.let_parent_go();
    table::remove_thread(&process, &handle);
}

/// Tells the host tool what is mapped at the end of the first thread.
fn tell_maps(space: &Space) {
    let mut text = Text::default();
    if maps::write(&mut text, space, Part::WHOLE).is_err() {
        log::warn!("no memory to tell what is mapped");
    }
    for line in text.into_bytes().split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
        message!("map {}", line.escape_ascii());
    }
}

/// What a thread does to memory before it leaves it for good: robust futexes change hands, and whoever waits for its end learns
/// of it.
pub(super) fn release_memory(thread: &mut Thread) {
    let list = core::mem::take(&mut *thread.handle.robust_list.lock());
    if list != 0 {
        walk_robust_list(thread, list);
    }
    let address = core::mem::take(&mut thread.clear_tid);
    if address != 0 && oom::patiently(|| UserPtr::<u32>::new(address).write(&0)).is_ok() {
        wake_one(thread, address);
    }
}

fn wake_one(thread: &Thread, address: u64) {
    if let Ok(key) = Key::new(&thread.space, address, Scope::Shared) {
        futex::wake(key, 1, futex::ANY);
    }
}

/// The list is the program's: a ring of pointers that ends at its head, which says how far from each pointer the futex is, and
/// which one was being taken or given back (`set_robust_list(2)`). What cannot be read ends it.
fn walk_robust_list(thread: &Thread, head: u64) -> Option<()> {
    let word = |address: u64| oom::patiently(|| UserPtr::<u64>::new(address).read()).ok();
    let (mut entry, offset, pending) =
        (word(head)?, word(head.checked_add(8)?)?, word(head.checked_add(16)?)?);
    for _ in 0..ROBUST_MAX {
        if entry & !1 == head {
            break;
        }
        let next = word(entry & !1);
        if entry & !1 != pending & !1 {
            bury_owner(thread, (entry & !1).wrapping_add(offset))?;
        }
        entry = next?;
    }
    if pending & !1 != 0 {
        bury_owner(thread, (pending & !1).wrapping_add(offset))?;
    }
    Some(())
}

/// Marks a futex that the thread owns, and wakes one who waits for it; `None` if it cannot be reached.
fn bury_owner(thread: &Thread, address: u64) -> Option<()> {
    let mut value = oom::patiently(|| UserPtr::<u32>::new(address).read()).ok()?;
    while value & OWNER == thread.tid().cast_unsigned() & OWNER {
        let new = value & WAITERS | OWNER_DIED;
        let found = oom::patiently(|| Ok(compare_exchange_user(address, value, new)?)).ok()?;
        if found == value {
            if value & WAITERS != 0 {
                wake_one(thread, address);
                // Those who said that only they may wait.
                if let Ok(key) = Key::new(&thread.space, address, Scope::Private) {
                    futex::wake(key, 1, futex::ANY);
                }
            }
            break;
        }
        value = found;
    }
    Some(())
}
