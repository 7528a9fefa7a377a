//! Programs whose number of schedules is known.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;

use explore::{Config, Engine, Explorer, Extent, Fault, Report, Run};

/// Explores threads of these numbers of steps each, which only pause, and asserts that no schedule comes twice.
fn explore_steps(steps: &[usize], config: Config) -> Report<&'static str> {
    let engine = Engine::new();
    let seen = RefCell::new(BTreeSet::new());
    Explorer::on_host().explore(&config, |run: &mut Run<'_, _>| {
        let order = RefCell::new(Vec::new());
        let body = |thread: usize| {
            for step in 0..steps[thread] {
                if step > 0 {
                    engine.pause("step");
                }
                assert_eq!(engine.current(), Some(thread));
                order.borrow_mut().push(thread);
            }
        };
        let (mut a, mut b, mut c, mut d) = (|| body(0), || body(1), || body(2), || body(3));
        let mut threads: [(_, &mut dyn FnMut()); 4] =
            [("a", &mut a), ("b", &mut b), ("c", &mut c), ("d", &mut d)];
        run.threads(&engine, &mut threads[..steps.len()])?;
        assert_eq!(order.borrow().len(), steps.iter().sum::<usize>());
        assert!(seen.borrow_mut().insert(order.take()), "a schedule came twice");
        Ok(())
    })
}

fn binomial(n: u64, k: u64) -> u64 {
    (0..k).fold(1, |product, i| product * (n - i) / (i + 1))
}

/// Schedules of two threads of `m` and `n` steps with exactly `preemptions`: a schedule with `i` and `j` blocks of steps of
/// the two threads (i = j, or they differ by one) has i + j - 1 switches, of which the last block of the thread that ends
/// first is followed by a free one.
fn two_threads(m: u64, n: u64, preemptions: u64) -> u64 {
    let compositions = |steps, blocks| if blocks == 0 { 0 } else { binomial(steps - 1, blocks - 1) };
    let blocks = preemptions + 2;
    let (half, rest) = (blocks / 2, blocks.div_ceil(2));
    let ways = |i, j| compositions(m, i) * compositions(n, j);
    if half == rest { 2 * ways(half, half) } else { ways(half, rest) + ways(rest, half) }
}

#[test]
fn two_threads_have_binomially_many_schedules() {
    for (m, n) in [(1, 1), (1, 5), (3, 2), (4, 4), (6, 3)] {
        let report = explore_steps(&[m, n], Config::new(100));
        let (m, n) = (m as u64, n as u64);
        report.assert_passed();
        assert_eq!(report.extent, Extent::All);
        assert_eq!(report.schedules(), binomial(m + n, m), "{m} and {n} steps");
        assert_eq!(report.steps, (m + n) * report.schedules());
    }
}

#[test]
fn each_bound_adds_the_schedules_with_exactly_so_many_preemptions() {
    for (m, n) in [(4, 4), (6, 3), (2, 7)] {
        for bound in 0..=4 {
            let report = explore_steps(&[m, n], Config::new(bound));
            let expected: Vec<u64> = (0..=bound as u64)
                .map(|preemptions| two_threads(m as u64, n as u64, preemptions))
                .take_while(|&count| count > 0)
                .collect();
            assert_eq!(report.levels, expected, "{m} and {n} steps");
        }
    }
}

#[test]
fn the_extent_says_whether_a_higher_bound_has_more() {
    let extent = |bound| explore_steps(&[2, 2], Config::new(bound)).extent;
    // The schedules are aabb, bbaa (no preemption), abba, baab (one), abab, baba (two).
    assert_eq!(extent(0), Extent::Preemptions(0));
    assert_eq!(extent(1), Extent::Preemptions(1));
    assert_eq!(extent(2), Extent::All);
    assert_eq!(extent(3), Extent::All);
}

#[test]
fn a_limit_stops_the_exploration() {
    let config = Config { schedules: 5, ..Config::new(9) };
    let report = explore_steps(&[2, 2], config);
    assert_eq!((report.schedules(), report.extent), (5, Extent::Partial));
    let report = explore_steps(&[2, 2], Config { schedules: 6, ..config });
    assert_eq!((report.schedules(), report.extent), (6, Extent::All));
}

#[test]
fn three_and_four_threads_have_multinomially_many_schedules() {
    let report = explore_steps(&[2, 3, 2], Config::new(100));
    assert_eq!((report.schedules(), report.extent), (210, Extent::All));
    // Without preemption: the orders of the threads.
    assert_eq!(report.levels[0], 6);
    let report = explore_steps(&[2, 2, 2, 1], Config::new(100));
    assert_eq!((report.schedules(), report.extent), (630, Extent::All));
    assert_eq!(report.levels[0], 24);
}

#[test]
fn switches_at_a_wait_are_free() {
    let engine = Engine::new();
    let report = Explorer::on_host().explore(&Config::new(0), |run| {
        let turn = Cell::new(0);
        let wait_for = |number| {
            for round in 0.. {
                if turn.get() == number {
                    break;
                }
                engine.wait("turn", round).expect("a run");
            }
        };
        let mut even = || {
            [0, 2].into_iter().for_each(|number| {
                wait_for(number);
                turn.set(number + 1)
            })
        };
        let mut odd = || {
            [1, 3].into_iter().for_each(|number| {
                wait_for(number);
                turn.set(number + 1)
            })
        };
        run.threads(&engine, &mut [("even", &mut even), ("odd", &mut odd)])
    });
    report.assert_passed();
    // Either begins; there is one way to go on.
    assert_eq!(report.levels, [2]);
}

#[test]
fn two_explorations_are_equal() {
    let orders = || {
        let (engine, orders) = (Engine::new(), RefCell::new(Vec::new()));
        let report = Explorer::on_host().explore(&Config::new(2), |run| {
            let body = |thread: u8| {
                for _ in 0..3 {
                    orders.borrow_mut().push(thread);
                    engine.pause("step");
                }
            };
            run.threads(
                &engine,
                &mut [("a", &mut || body(0)), ("b", &mut || body(1)), ("c", &mut || body(2))],
            )
        });
        (report.levels, orders.into_inner())
    };
    assert_eq!(orders(), orders());
}

#[test]
fn a_trial_that_depends_on_more_than_the_schedule_is_refused() {
    let (engine, runs) = (Engine::new(), Cell::new(0));
    let report = Explorer::on_host().explore(&Config::new(2), |run| {
        runs.set(runs.get() + 1);
        let mut body = || (runs.get()..4).for_each(|_| engine.pause("step"));
        run.threads(&engine, &mut [("a", &mut body), ("b", &mut || engine.pause("step"))])
    });
    let fault = report.failure.expect("it is noticed").fault;
    assert!(matches!(fault, Fault::Unsteady(_)), "{fault}");
}
