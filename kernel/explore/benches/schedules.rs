//! Schedules per second: two threads of eight steps each, and the same behind a spin lock.

#![allow(missing_docs, reason = "criterion's macro makes a public function")]

use std::cell::Cell;
use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use explore::{Config, Engine, Explorer, Report};

fn pauses() -> Report<&'static str> {
    let engine = Engine::new();
    let mut body = || (0..7).for_each(|_| engine.pause("step"));
    let mut other = || (0..7).for_each(|_| engine.pause("step"));
    Explorer::on_host()
        .explore(&Config::new(4), |run| run.threads(&engine, &mut [("a", &mut body), ("b", &mut other)]))
}

fn spin_lock() -> Report<&'static str> {
    let engine = Engine::new();
    Explorer::on_host().explore(&Config::new(2), |run| {
        let (locked, counter) = (Cell::new(false), Cell::new(0));
        let body = || {
            for _ in 0..3 {
                engine.pause("lock");
                (0..).take_while(|_| locked.replace(true)).for_each(|round| {
                    engine.wait("lock", round).expect("a run");
                });
                engine.pause("add");
                counter.set(counter.get() + 1);
                locked.set(false);
            }
        };
        let (mut a, mut b, mut c) = (body, body, body);
        run.threads(&engine, &mut [("a", &mut a), ("b", &mut b), ("c", &mut c)])?;
        assert_eq!(counter.get(), 9);
        Ok(())
    })
}

fn schedules(criterion: &mut Criterion) {
    for (name, program) in [("pauses", pauses as fn() -> Report<_>), ("spin_lock", spin_lock)] {
        let report = program();
        report.assert_passed();
        let mut group = criterion.benchmark_group("explore");
        group.throughput(Throughput::Elements(report.schedules())).sample_size(10);
        group.bench_function(name, |bencher| bencher.iter(|| black_box(program()).steps));
    }
}

criterion_group!(benches, schedules);
criterion_main!(benches);
