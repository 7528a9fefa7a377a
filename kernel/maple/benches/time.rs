//! Time per operation.
#![allow(missing_docs, reason = "criterion's macro makes a public function")]

mod workload;

use std::{hint::black_box, time::Duration};

use criterion::{BatchSize, BenchmarkId, Criterion, criterion_group, criterion_main};
use workload::{
    Fixture, SIZES,
    munmap::{Adaptive, Ends, Order, Prepatch, Reordered, Vms},
};

fn operations(criterion: &mut Criterion) {
    for n in SIZES {
        let fixture = Fixture::new(n);
        let pages = fixture.pages(4_096);
        let mut group = criterion.benchmark_group("tree");
        let mut at = 0;
        let mut next = || {
            at = (at + 1) % pages.len();
            pages[at]
        };
        group.bench_function(BenchmarkId::new("lookup", n), |b| b.iter(|| fixture.lookup(next())));
        group.bench_function(BenchmarkId::new("lookup_rcu", n), |b| b.iter(|| fixture.lookup_rcu(next())));
        group.bench_function(BenchmarkId::new("find_area", n), |b| b.iter(|| fixture.find_area(next(), 200)));
        group.bench_function(BenchmarkId::new("iterate_all", n), |b| b.iter(|| fixture.iterate()));
        let mut fixture = Fixture::new(n);
        let gaps = fixture.gaps(n.min(500));
        let mut at = 0;
        group.bench_function(BenchmarkId::new("insert_and_erase", n), |b| {
            b.iter(|| {
                at = (at + 1) % gaps.len();
                fixture.store(black_box(gaps[at].clone()));
                fixture.erase(black_box(gaps[at].clone()));
            });
        });
    }
}

fn munmap<O: Order>(criterion: &mut Criterion, n: usize, k: usize) {
    let mut fixture = Fixture::new(n);
    let mut gathered = workload::munmap::room(k);
    let span = fixture.span(n / 3, k, Ends::Whole);
    let mut group = criterion.benchmark_group("munmap_and_remap");
    group.bench_function(BenchmarkId::new(O::NAME, format!("{k} of {n}")), |b| {
        b.iter_batched(
            || span.clone(),
            |span| {
                fixture.munmap::<O>(span, &mut gathered);
                fixture.remap(n / 3, k);
            },
            BatchSize::SmallInput,
        );
    });
}

fn munmaps(criterion: &mut Criterion) {
    for (n, k) in [(10, 1), (1_000, 1), (1_000, 100), (65_000, 1), (65_000, 1_000)] {
        munmap::<Prepatch>(criterion, n, k);
        munmap::<Reordered>(criterion, n, k);
        munmap::<Vms>(criterion, n, k);
        munmap::<Adaptive>(criterion, n, k);
    }
}

criterion_group! {
    name = all;
    config = Criterion::default().warm_up_time(Duration::from_millis(200)).measurement_time(Duration::from_millis(600)).sample_size(20);
    targets = operations, munmaps
}
criterion_main!(all);
