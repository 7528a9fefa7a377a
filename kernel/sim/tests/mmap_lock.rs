//! The mmap lock under every schedule up to a bound: threads that sleep and are woken, as in the kernel.
//!
//! A thread that parks sleeps until its place is unparked. So a wake-up that is lost is a deadlock, which the explorer finds.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;

use explore::{Config, Engine, Explorer, Fault, Run};
use mm::schedule::{Place, Sleep, Wait, Wake};
use mm::sync::{Parker, RwSem};

type Lock<'a, T> = RwSem<T, Sleeping<'a>>;

/// What a test and the threads that sleep tell each other.
#[derive(Default)]
struct News {
    /// The thread to which a fatal signal has come.
    killed: Cell<Option<usize>>,
    /// Whether a thread sleeps that was woken in vain.
    in_vain: Cell<bool>,
}

/// Sleeps for real, as far as the explorer goes.
struct Sleeping<'a> {
    engine: &'a Engine<&'static str>,
    news: &'a News,
    asleep: RefCell<BTreeSet<usize>>,
}

fn lock<'a, T>(value: T, engine: &'a Engine<&'static str>, news: &'a News) -> Lock<'a, T> {
    Lock::with_parker(value, Sleeping { engine, news, asleep: RefCell::default() })
}

impl Parker for Sleeping<'_> {
    fn park(&self, _: Wait, sleep: Sleep, place: Place, round: u32, ready: &dyn Fn() -> bool) -> Wake {
        let is_killed = || sleep == Sleep::Killable && self.news.killed.get() == self.engine.current();
        // A wake-up that comes before the thread sleeps is for nothing.
        self.engine.pause("about to sleep");
        if ready() {
            return Wake::Again;
        }
        self.news.in_vain.set(round > 0);
        self.asleep.borrow_mut().insert(place.0);
        for round in 0.. {
            if is_killed() {
                self.asleep.borrow_mut().remove(&place.0);
                return Wake::Killed;
            }
            if !self.asleep.borrow().contains(&place.0) {
                break;
            }
            self.engine.wait("sleep", round).expect("threads of a run");
        }
        Wake::Again
    }

    fn unpark(&self, place: Place) {
        self.asleep.borrow_mut().remove(&place.0);
    }

    fn step(&self) {
        self.engine.pause("lock");
    }
}

/// Explores `trial` with so many preemptions, and has it pass.
fn passes(preemptions: u32, mut trial: impl FnMut(&mut Run<'_, &'static str>) -> Result<(), Fault>) {
    Explorer::on_host().explore(&Config::new(preemptions as _), |run| trial(run)).assert_passed();
}

/// Who is inside, as the threads themselves see it.
#[derive(Default)]
struct Inside {
    readers: Cell<u32>,
    writers: Cell<u32>,
}

impl Inside {
    fn read(&self, engine: &Engine<&'static str>) {
        assert_eq!(self.writers.get(), 0, "a reader beside a writer");
        self.readers.set(self.readers.get() + 1);
        engine.pause("reading");
        assert_eq!(self.writers.get(), 0, "a writer beside a reader");
        self.readers.set(self.readers.get() - 1);
    }

    fn write(&self, engine: &Engine<&'static str>) {
        assert_eq!((self.readers.get(), self.writers.get()), (0, 0), "a writer is not alone");
        self.writers.set(1);
        engine.pause("writing");
        assert_eq!((self.readers.get(), self.writers.get()), (0, 1), "a writer was not alone");
        self.writers.set(0);
    }
}

#[test]
fn two_writers_and_a_reader_exclude_each_other_and_all_get_their_turn() {
    let engine = Engine::new();
    passes(3, |run| {
        let news = News::default();
        let lock = lock((), &engine, &news);
        let inside = Inside::default();
        let write = || {
            let _guard = lock.write();
            inside.write(&engine);
        };
        let read = || {
            let _guard = lock.read();
            inside.read(&engine);
        };
        run.threads(
            &engine,
            &mut [("first", &mut || write()), ("second", &mut || write()), ("reader", &mut || read())],
        )?;
        assert_eq!(format!("{lock:?}"), "RwSem(free, sequence 4)");
        Ok(())
    });
}

#[test]
fn readers_in_line_go_in_together_and_let_a_writer_in_after_them() {
    let engine = Engine::new();
    passes(2, |run| {
        let news = News::default();
        let lock = lock((), &engine, &news);
        let inside = Inside::default();
        let write = || {
            for _ in 0..2 {
                let _guard = lock.write();
                inside.write(&engine);
            }
        };
        let read = || {
            let _guard = lock.read();
            inside.read(&engine);
        };
        run.threads(
            &engine,
            &mut [("writer", &mut || write()), ("first", &mut || read()), ("second", &mut || read())],
        )?;
        assert_eq!(format!("{lock:?}"), "RwSem(free, sequence 4)");
        Ok(())
    });
}

#[test]
fn no_writer_gets_between_a_write_section_and_its_downgrade() {
    let engine = Engine::new();
    passes(3, |run| {
        let news = News::default();
        let lock = lock(Cell::new(0), &engine, &news);
        let downgrade = |value: u32| {
            let guard = lock.write();
            guard.set(value);
            let guard = guard.downgrade();
            engine.pause("downgraded");
            assert_eq!(guard.get(), value, "a writer was in between");
        };
        let read = || {
            let guard = lock.read();
            let before = guard.get();
            engine.pause("reading");
            assert_eq!(guard.get(), before);
        };
        run.threads(
            &engine,
            &mut [
                ("first", &mut || downgrade(1)),
                ("second", &mut || downgrade(2)),
                ("reader", &mut || read()),
            ],
        )?;
        assert_eq!(lock.sequence(), 4);
        Ok(())
    });
}

#[test]
fn a_writer_that_is_killed_lets_those_behind_it_in() {
    let engine = Engine::new();
    passes(3, |run| {
        // It gets the lock only if it need not wait.
        let news = News { killed: Cell::new(Some(0)), ..News::default() };
        let lock = lock((), &engine, &news);
        let inside = Inside::default();
        let killed = || {
            if let Some(_guard) = lock.write_killable() {
                inside.write(&engine);
            }
        };
        let hold = || {
            let _guard = lock.write();
            inside.write(&engine);
        };
        let read = || {
            let _guard = lock.read();
            inside.read(&engine);
        };
        run.threads(
            &engine,
            &mut [("killed", &mut || killed()), ("holder", &mut || hold()), ("reader", &mut || read())],
        )?;
        assert!(format!("{lock:?}").starts_with("RwSem(free, sequence"), "{lock:?}");
        Ok(())
    });
}

#[test]
fn one_who_was_woken_in_vain_is_the_next() {
    for reads in [false, true] {
        let engine = Engine::new();
        let seen = Cell::new(false);
        passes(3, |run| {
            let news = News::default();
            let lock = lock((), &engine, &news);
            let write = || {
                for _ in 0..4 {
                    let _guard = lock.write();
                    assert!(!news.in_vain.get(), "passed over again");
                    engine.pause("writing");
                }
            };
            let wait = || {
                if reads {
                    let _guard = lock.read();
                    seen.set(news.in_vain.take() || seen.get());
                } else {
                    let _guard = lock.write();
                    seen.set(news.in_vain.take() || seen.get());
                }
            };
            run.threads(&engine, &mut [("writer", &mut || write()), ("sleeper", &mut || wait())])
        });
        assert!(seen.get(), "no schedule has woken it in vain");
    }
}
