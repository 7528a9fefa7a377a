//! Nodes visited and distinct cache lines touched by the munmap pattern in each order, as tab-separated lines for the bench
//! `instructions`: name, ranges, nodes, lines. `-- 1000` counts one size only.

mod workload;

use workload::{
    Fixture, SIZES,
    munmap::{Adaptive, Ends, Order, Prepatch, Reordered, Vms, firsts, name},
    spans,
};

fn main() {
    let only = std::env::args().find_map(|argument| argument.parse().ok());
    for ends in [Ends::Whole, Ends::Partial] {
        for n in SIZES.into_iter().filter(|n| only.is_none_or(|only: usize| only == *n)) {
            for k in spans(n) {
                count::<Prepatch>(n, k, ends);
                count::<Reordered>(n, k, ends);
                count::<Vms>(n, k, ends);
                count::<Adaptive>(n, k, ends);
            }
        }
    }
}

/// Means over the munmaps that the bench `instructions` measures.
fn count<O: Order>(n: usize, k: usize, ends: Ends) {
    let mut fixture = Fixture::new(n);
    let mut gathered = workload::munmap::room(k);
    let (mut nodes, mut lines, mut munmaps) = (0, 0, 0);
    for first in firsts(n, k) {
        let span = fixture.span(first, k, ends);
        maple::stats::start();
        fixture.munmap::<O>(span, &mut gathered);
        let counts = maple::stats::stop();
        fixture.remap(first, k);
        nodes += counts.nodes;
        lines += counts.lines;
        munmaps += 1;
    }
    let mean = |sum: usize| sum as f64 / f64::from(munmaps);
    println!("{}\t{n}\t{}\t{}", name::<O>(k, ends), mean(nodes), mean(lines));
}
