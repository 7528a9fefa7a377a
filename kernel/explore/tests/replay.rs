//! Schedules as text, replays, and how failures print.

use std::cell::Cell;

use explore::{Config, Engine, Explorer, Fault, Replayed, Rest, Run, Schedule, Stale};

const CONFIG: Config = Config::new(2);

/// Two threads increment a counter, in steps that may be interleaved. With a bug, unless `correct`.
fn counter(
    engine: &Engine<&'static str>,
    run: &mut Run<'_, &'static str>,
    correct: bool,
) -> Result<(), Fault> {
    let counter = Cell::new(0);
    let body = || {
        engine.pause("read");
        let value = counter.get();
        if !correct {
            engine.pause("write it back");
        }
        counter.set(value + 1);
    };
    run.threads(engine, &mut [("first", &mut || body()), ("second", &mut || body())])?;
    assert_eq!(counter.get(), 2);
    Ok(())
}

fn replay(schedule: &str, correct: bool) -> Result<Replayed<&'static str>, Stale> {
    let engine = Engine::new();
    let schedule = schedule.parse().expect("a schedule");
    Explorer::on_host().replay(&CONFIG, &schedule, Rest::None, |run| counter(&engine, run, correct))
}

#[test]
fn the_replay_line_of_a_failure_reproduces_it() {
    let engine = Engine::new();
    let report = Explorer::on_host().explore(&CONFIG, |run| counter(&engine, run, false));
    let failure = report.failure.expect("a lost update");
    let text = failure.to_string();
    let line = text.lines().last().and_then(|line| line.strip_prefix("replay: ")).expect("a replay line");
    let again = replay(line, false).expect("it fits");
    assert_eq!((again.fault, again.trace), (Some(failure.fault), failure.trace));
}

#[test]
fn the_replay_of_a_schedule_that_passes_passes() {
    for (line, correct) in [("0:3 1:3", false), ("0:2 1:2", true)] {
        let replayed = replay(line, correct).expect("it fits");
        assert_eq!((replayed.fault, replayed.trace.schedule().to_string()), (None, line.to_string()));
    }
}

#[test]
fn a_livelock_replays() {
    let engine = Engine::new();
    let config = Config { steps: 50, ..CONFIG };
    let trial = |run: &mut Run<'_, &'static str>| {
        run.threads(
            &engine,
            &mut [
                ("spins", &mut || loop {
                    engine.pause("spin")
                }),
                ("idle", &mut || ()),
            ],
        )
    };
    let mut explorer = Explorer::on_host();
    let failure = explorer.explore(&config, trial).failure.expect("a livelock");
    assert_eq!(failure.trace.schedule().to_string(), "0:50");
    let again = explorer.replay(&config, &failure.trace.schedule(), Rest::None, trial).expect("it fits");
    assert_eq!(again.fault, Some(Fault::Livelock { steps: 50 }));
}

#[test]
fn a_stale_schedule_is_refused_with_the_reason() {
    let refusal = |schedule, correct| replay(schedule, correct).expect_err("it does not fit").to_string();
    // The code has become shorter.
    assert_eq!(
        refusal("0 1:3 0", true),
        "the schedule does not fit: thread 1 waits, has ended or is missing at step 4"
    );
    assert_eq!(refusal("0:2 1:2 0:2", true), "the schedule does not fit: all threads end after 4 steps of 6");
    // The code has become longer.
    assert_eq!(
        refusal("0:2 1:2", false),
        "the schedule does not fit: it ends after 4 steps, and the threads have not ended"
    );
    // A thread went away.
    assert_eq!(
        refusal("0:3 2", false),
        "the schedule does not fit: thread 2 waits, has ended or is missing at step 4"
    );
}

#[test]
fn threads_go_on_after_a_schedule_that_ends_early_if_told_so() {
    let engine = Engine::new();
    let go_on = |schedule: &str| {
        let schedule = schedule.parse().expect("a schedule");
        Explorer::on_host()
            .replay(&CONFIG, &schedule, Rest::WithoutPreemption, |run| counter(&engine, run, true))
    };
    let replayed = go_on("0 1").expect("it fits");
    assert_eq!((replayed.fault, replayed.trace.schedule().to_string()), (None, "0 1:2 0".to_string()));
    assert!(go_on("0 2").is_err() && go_on("0:2 1:3").is_err());
}

#[test]
fn schedules_are_read_as_they_are_written() {
    for text in ["", "0", "0:2 1 0", "3:7 2 1:1000 0:2"] {
        assert_eq!(text.parse::<Schedule>().expect("a schedule").to_string(), text);
    }
    let schedule: Schedule = " 0 0:2  1:1 ".parse().expect("a schedule");
    assert_eq!((schedule.to_string().as_str(), schedule.steps(), schedule.switches()), ("0:3 1", 4, 1));
    assert_eq!(schedule.threads().collect::<Schedule>(), schedule);
}

#[test]
fn other_text_is_no_schedule_and_the_wrong_word_is_named() {
    for text in ["4", "0:0", "a", "0:", ":1", "0:1:1", "-1", "0:99999999999"] {
        let error = format!("1:2 {text}").parse::<Schedule>().expect_err(text);
        assert_eq!(error.word, 2, "{text}");
        assert!(error.to_string().starts_with("word 2 of the schedule is not"), "{error}");
    }
}

#[test]
fn a_failure_prints_one_column_for_each_thread() {
    let engine = Engine::new();
    let report = Explorer::on_host().explore(&CONFIG, |run| counter(&engine, run, false));
    let expected = "
       first           second
   1   start
   2   read
   3                 > start
   4                   read
   5                   write it back
   6   write it back
(> preempts the thread of the step before)
panic: assertion `left == right` failed
  left: 1
 right: 2
replay: 0:2 1:3 0";
    assert_eq!(format!("\n{}", report.failure.expect("a lost update")), expected);
}

#[test]
fn waits_and_three_threads_print() {
    let engine = Engine::new();
    let report = Explorer::on_host().explore(&CONFIG, |run| {
        let ready = Cell::new(false);
        let mut waits = || {
            for round in 0.. {
                if ready.get() {
                    assert_eq!(round, 0);
                    break;
                }
                engine.wait("ready", round).expect("a run");
            }
        };
        let mut sets = || ready.set(true);
        run.threads(&engine, &mut [("waits", &mut waits), ("idle", &mut || ()), ("sets", &mut sets)])
    });
    let expected = "
       waits         idle   sets
   1   start
   2                        start
   3   wait: ready
panic in waits: assertion `left == right` failed
  left: 1
 right: 0
replay: 0 2 0";
    assert_eq!(format!("\n{}", report.failure.expect("it waits")), expected);
}

#[test]
fn a_long_trace_prints_its_start_and_its_end() {
    let engine = Engine::new();
    let report = Explorer::on_host().explore(&Config::new(0), |run| {
        run.threads(
            &engine,
            &mut [
                ("spins", &mut || loop {
                    engine.pause("spin")
                }),
                ("idle", &mut || ()),
            ],
        )
    });
    let text = report.failure.expect("a livelock").to_string();
    assert!(text.contains("\n  40   spin\n ...  9900 more steps\n9941   spin\n"), "{text}");
    assert!(
        text.ends_with("\n10000   spin\nlivelock: not over after 10000 steps\nreplay: 0:10000"),
        "{text}"
    );
}
