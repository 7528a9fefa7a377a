//! Programs with bugs, and without.

use std::cell::{Cell, RefCell};

use explore::{Config, Engine, Explorer, Extent, Failure, Fault, Run};

fn lock(engine: &Engine<&'static str>, lock: &Cell<bool>, name: &'static str) {
    engine.pause(name);
    for round in 0.. {
        if !lock.replace(true) {
            break;
        }
        engine.wait(name, round).expect("a run");
    }
}

fn add_one(engine: &Engine<&'static str>, counter: &Cell<u32>) {
    engine.pause("read");
    let value = counter.get();
    engine.pause("write");
    counter.set(value + 1);
}

fn lost_update(engine: &Engine<&'static str>, run: &mut Run<'_, &'static str>) -> Result<(), Fault> {
    let counter = Cell::new(0);
    let mut body = || add_one(engine, &counter);
    let mut other = || add_one(engine, &counter);
    run.threads(engine, &mut [("a", &mut body), ("b", &mut other)])?;
    match counter.get() {
        2 => Ok(()),
        sum => Err(format!("the sum is {sum}").into()),
    }
}

fn threads(failure: &Failure<&'static str>) -> String {
    failure.trace.schedule().to_string()
}

#[test]
fn a_lost_update_is_found_with_one_preemption() {
    let engine = Engine::new();
    let report = Explorer::on_host().explore(&Config::new(3), |run| lost_update(&engine, run));
    assert_eq!(report.levels[0], 2);
    assert_eq!(report.levels.len(), 2);
    let failure = report.failure.expect("it is lost");
    assert_eq!(failure.fault, Fault::Check("the sum is 1".into()));
    assert_eq!(threads(&failure), "0:2 1:3 0");
    assert_eq!(failure.trace.preemptions().collect::<Vec<_>>(), [2]);
    assert!(failure.shortest);
}

#[test]
fn the_shortest_failure_is_reported_not_the_first() {
    // The first failing schedule of the search preempts a early; b then needs five steps. b preempted by a fails sooner.
    let engine = Engine::new();
    let report = Explorer::on_host().explore(&Config::new(1), |run| {
        let (a, b) = (Cell::new(0), Cell::new(0));
        let mut long = || {
            for _ in 0..5 {
                a.set(a.get() + 1);
                engine.pause("long");
            }
            assert!(b.get() != 1, "b is half way");
        };
        let mut short = || {
            b.set(1);
            engine.pause("short");
            assert!(!(1..5).contains(&a.get()), "a is half way");
            b.set(2);
        };
        run.threads(&engine, &mut [("long", &mut long), ("short", &mut short)])
    });
    let failure = report.failure.expect("there are two");
    assert_eq!(threads(&failure), "0 1:2");
    assert!(failure.shortest);
}

#[test]
fn a_panic_is_reported_with_its_thread_and_message() {
    let engine = Engine::<&str>::new();
    let report = Explorer::on_host().explore(&Config::new(0), |run| {
        run.threads(&engine, &mut [("calm", &mut || ()), ("loud", &mut || panic!("no {}", "way"))])
    });
    let fault = report.failure.expect("a panic").fault;
    assert_eq!(fault, Fault::Panic { thread: Some("loud"), message: "no way".into() });
}

#[test]
fn a_panic_of_the_trial_is_a_failure() {
    let engine = Engine::<&str>::new();
    let report = Explorer::on_host().explore(&Config::new(0), |run| {
        run.threads(&engine, &mut [("a", &mut || ()), ("b", &mut || ())])?;
        panic!("after the run")
    });
    let fault = report.failure.expect("a panic").fault;
    assert_eq!(fault, Fault::Panic { thread: None, message: "after the run".into() });
}

#[test]
fn a_trial_without_threads_is_a_failure() {
    let report = Explorer::on_host().explore(&Config::new(0), |_: &mut Run<'_, &str>| Ok(()));
    assert_eq!(
        report.failure.expect("nothing ran").fault,
        Fault::Check("the trial has run no threads".into())
    );
}

#[test]
fn an_oracle_sees_each_step_and_ends_the_run() {
    let engine = Engine::new();
    let report = Explorer::on_host().explore(&Config::new(1), |run| {
        let busy = Cell::new(0);
        let body = || {
            busy.set(busy.get() + 1);
            engine.pause("busy");
            busy.set(busy.get() - 1);
        };
        let oracle = || {
            assert_eq!(engine.current(), None);
            if busy.get() < 2 { Ok(()) } else { Err("two are busy") }
        };
        run.threads_watched(&engine, &mut [("a", &mut || body()), ("b", &mut || body())], oracle)
    });
    let failure = report.failure.expect("two are busy");
    assert_eq!(failure.fault, Fault::Check("two are busy".into()));
    assert_eq!(threads(&failure), "0 1");
}

#[test]
fn a_deadlock_of_two_locks_is_found_and_names_the_waits() {
    let engine = Engine::new();
    let report = Explorer::on_host().explore(&Config::new(2), |run| {
        let (a, b) = (Cell::new(false), Cell::new(false));
        let take = |first: &Cell<bool>, second: &Cell<bool>, names: [&'static str; 2]| {
            lock(&engine, first, names[0]);
            lock(&engine, second, names[1]);
            second.set(false);
            first.set(false);
        };
        let mut ab = || take(&a, &b, ["lock a", "lock b"]);
        let mut ba = || take(&b, &a, ["lock b", "lock a"]);
        run.threads(&engine, &mut [("ab", &mut ab), ("ba", &mut ba)])
    });
    let failure = report.failure.expect("a deadlock");
    assert_eq!(failure.fault, Fault::Deadlock("ab waits for lock b, ba waits for lock a".into()));
    assert_eq!(failure.trace.preemptions().count(), 1);
    // The last step finds out that the wait of the step before has changed nothing.
    assert_eq!(threads(&failure), "0:2 1:3 0 1");
}

#[test]
fn a_wait_for_nobody_is_a_deadlock() {
    let engine = Engine::new();
    let report = Explorer::on_host().explore(&Config::new(0), |run| {
        let wait = || (0..).all(|round| engine.wait("nothing", round).is_ok());
        run.threads(&engine, &mut [("a", &mut || assert!(wait())), ("b", &mut || assert!(wait()))])
    });
    let fault = report.failure.expect("a deadlock").fault;
    assert_eq!(fault, Fault::Deadlock("a waits for nothing, b waits for nothing".into()));
}

#[test]
fn threads_that_undo_each_others_work_for_ever_are_a_livelock() {
    let engine = Engine::new();
    let config = Config { steps: 100, ..Config::new(0) };
    let report = Explorer::on_host().explore(&config, |run| {
        let turn = Cell::new(2);
        let body = |me: usize| {
            while turn.replace(me) != me {
                // Each round changes the turn, so there is no second one.
                engine.wait("turn", 0).expect("a run");
            }
        };
        run.threads(&engine, &mut [("a", &mut || body(0)), ("b", &mut || body(1))])
    });
    let failure = report.failure.expect("a livelock");
    assert_eq!(failure.fault, Fault::Livelock { steps: 100 });
    assert_eq!(failure.trace.steps.len(), 100);
}

#[test]
fn a_spin_lock_passes_with_three_threads() {
    let engine = Engine::new();
    let report = Explorer::on_host().explore(&Config::new(100), |run| {
        let (locked, counter) = (Cell::new(false), Cell::new(0));
        let body = || {
            lock(&engine, &locked, "lock");
            add_one(&engine, &counter);
            engine.pause("unlock");
            locked.set(false);
        };
        run.threads(&engine, &mut [("a", &mut || body()), ("b", &mut || body()), ("c", &mut || body())])?;
        assert_eq!(counter.get(), 3);
        Ok(())
    });
    report.assert_passed();
    assert_eq!(report.extent, Extent::All);
}

/// Peterson's algorithm, with a pause before each access; `broken` sets the two variables in the wrong order.
fn peterson(broken: bool) -> Option<Failure<&'static str>> {
    let engine = Engine::new();
    let report = Explorer::on_host().explore(&Config::new(100), |run| {
        let (wants, turn, inside) = ([Cell::new(false), Cell::new(false)], Cell::new(0), Cell::new(0));
        let body = |me: usize| {
            let want = || {
                engine.pause("want");
                wants[me].set(true)
            };
            let yield_turn = || {
                engine.pause("turn");
                turn.set(1 - me)
            };
            if broken {
                yield_turn();
                want()
            } else {
                want();
                yield_turn()
            }
            engine.pause("look");
            let must_wait = || wants[1 - me].get() && turn.get() == 1 - me;
            (0..).take_while(|_| must_wait()).for_each(|round| engine.wait("turn", round).expect("a run"));
            inside.set(inside.get() + 1);
            engine.pause("inside");
            assert_eq!(inside.get(), 1, "two are inside");
            inside.set(inside.get() - 1);
            engine.pause("leave");
            wants[me].set(false);
        };
        run.threads(&engine, &mut [("a", &mut || body(0)), ("b", &mut || body(1))])
    });
    assert!(report.failure.is_some() || report.extent == Extent::All);
    report.failure
}

#[test]
fn petersons_algorithm_passes() {
    assert_eq!(peterson(false), None);
}

#[test]
fn petersons_algorithm_in_the_wrong_order_fails() {
    let fault = peterson(true).expect("it is wrong").fault;
    assert!(matches!(fault, Fault::Panic { thread: Some(_), .. }), "{fault}");
}

#[test]
fn a_failed_run_drops_what_its_threads_own() {
    struct Held<'a>(&'a Engine<&'static str>, &'a Cell<u32>);
    impl Drop for Held<'_> {
        fn drop(&mut self) {
            self.0.pause("drop");
            self.1.set(self.1.get() - 1);
        }
    }
    let (engine, alive) = (Engine::new(), Cell::new(0));
    let hold = || {
        alive.set(alive.get() + 1);
        Held(&engine, &alive)
    };
    let report = Explorer::on_host().explore(&Config::new(0), |run| {
        let mut waits = || {
            let _held = hold();
            engine.wait("for ever", 0).expect("a run");
        };
        let mut fails = || {
            let _held = hold();
            engine.pause("fail");
            panic!("on purpose");
        };
        let mut unstarted = || drop(hold());
        run.threads(
            &engine,
            &mut [("waits", &mut waits), ("fails", &mut fails), ("unstarted", &mut unstarted)],
        )
    });
    assert!(report.failure.is_some());
    assert_eq!(alive.get(), 0);
}

#[test]
fn a_drop_in_a_panic_may_wait_for_a_thread_that_the_run_gives_up() {
    struct Locked<'a>(&'a Cell<bool>);
    impl Drop for Locked<'_> {
        fn drop(&mut self) {
            self.0.set(false);
        }
    }
    struct LocksInDrop<'a>(&'a Engine<&'static str>, &'a Cell<bool>);
    impl Drop for LocksInDrop<'_> {
        fn drop(&mut self) {
            lock(self.0, self.1, "lock");
            self.1.set(false);
        }
    }
    let engine = Engine::new();
    let report = Explorer::on_host().explore(&Config::new(1), |run| {
        let locked = Cell::new(false);
        let mut holder = || {
            lock(&engine, &locked, "lock");
            let _locked = Locked(&locked);
            engine.pause("holds");
        };
        let mut fails = || {
            let _locks = LocksInDrop(&engine, &locked);
            engine.pause("fail");
            assert!(!locked.get(), "it is locked");
        };
        run.threads(&engine, &mut [("holder", &mut holder), ("fails", &mut fails)])
    });
    let failure = report.failure.expect("a panic");
    assert_eq!(failure.fault, Fault::Panic { thread: Some("fails"), message: "it is locked".into() });
}

#[test]
fn outside_of_a_run_nothing_happens_and_a_wait_would_be_for_ever() {
    fn shared<T: Sync + Send>(value: &T) -> &T {
        value
    }
    let engine = Engine::new();
    let check = |engine: &Engine<&'static str>| {
        engine.pause("nothing");
        (engine.current(), engine.wait("nothing", 0).is_err())
    };
    assert_eq!(check(shared(&engine)), (None, true));
    // Another thread of the machine is outside of a run also while there is one.
    let report = Explorer::on_host().explore(&Config::new(1), |run| {
        let body = || {
            engine.pause("before");
            let seen = std::thread::scope(|scope| scope.spawn(|| check(&engine)).join().expect("no panic"));
            assert_eq!(seen, (None, true));
            assert!(engine.current().is_some());
        };
        run.threads(&engine, &mut [("a", &mut || body()), ("b", &mut || body())])
    });
    report.assert_passed();
    assert_eq!(check(&engine), (None, true));
}

#[test]
fn an_engine_is_in_one_run_at_a_time() {
    let engine = Engine::<&str>::new();
    let report = Explorer::on_host().explore(&Config::new(0), |run| {
        let mut nested = || {
            let inner = Explorer::on_host().explore(&Config::new(0), |run| {
                run.threads(&engine, &mut [("a", &mut || ()), ("b", &mut || ())])
            });
            inner.assert_passed();
        };
        run.threads(&engine, &mut [("nested", &mut nested), ("other", &mut || ())])
    });
    let text = report.failure.expect("a panic").to_string();
    assert!(text.contains("the engine is in a run already"), "{text}");
}

#[test]
fn threads_borrow_what_the_trial_owns() {
    let engine = Engine::new();
    let report = Explorer::on_host().explore(&Config::new(1), |run| {
        let log = RefCell::new(String::new());
        let (mut sum, name) = (0, String::from("b"));
        let mut a = || {
            sum += 1;
            engine.pause("pause");
            sum += 1;
            log.borrow_mut().push('a');
        };
        let mut b = || log.borrow_mut().push_str(&name);
        run.threads(&engine, &mut [("a", &mut a), ("b", &mut b)])?;
        assert_eq!((sum, log.into_inner().len()), (2, 2));
        Ok(())
    });
    report.assert_passed();
    assert_eq!(report.schedules(), 3);
}
