//! What the review remark on the seed is about, tried out: what if a new VMA is locked only after it is in the tree?
//!
//! The remark says that a reversed start split (`new_below = 1`) makes the new VMA cover the range that goes. It is the other way
//! round: the new object covers the lower part, which *stays*; in the order before the seed it is the upper part, which goes.
//! So it is the old order that lets faults into the range that goes, and the seed that closes that window.
//!
//! For a munmap that is harmless: what is faulted in goes with the rest. For mremap, of which the remark speaks, it is not: the pages
//! of the range have left already, so a store that succeeds in the window goes to a page that nobody will see again.

use explore::{Config, Explorer, Stack};
use mm::museum::Bug as MmBug;
use mm::space::MunmapOrder;

use super::{Race, Scenario};
use crate::machine::Bug;
use crate::op::PAGE;

/// What came of a scenario in one order, with new VMAs locked late and nobody to notice.
#[derive(Clone, Debug)]
pub struct Finding {
    /// Schedules that were run: all with at most two preemptions.
    pub schedules: u64,
    /// Those in which somebody faulted in the window on a page that goes.
    pub in_what_goes: u64,
    /// Those in which somebody faulted in the window on a page that stays.
    pub in_what_stays: u64,
    /// What went wrong, if anything did.
    pub failure: Option<String>,
}

/// Tries `scenario`, which unmaps or moves `goes` (pages), in `order`.
pub fn look<S: Stack>(
    explorer: &mut Explorer<S>,
    scenario: &Scenario,
    order: MunmapOrder,
    goes: std::ops::Range<u64>,
) -> Finding {
    let bug = Some(Bug::Mm(MmBug::NewVmaLockedUnnoticed));
    let race = Race { scenario: scenario.clone(), order, bug };
    let (mut in_what_goes, mut in_what_stays) = (0, 0);
    let config = Config { schedules: u64::MAX, ..Config::new(2) };
    let report = race.explore_watching(explorer, &config, |machine| {
        let faults = machine.faults_in_the_window();
        in_what_goes += u64::from(faults.iter().any(|page| goes.contains(page)));
        in_what_stays += u64::from(faults.iter().any(|page| !goes.contains(page)));
    });
    Finding {
        schedules: report.schedules(),
        in_what_goes,
        in_what_stays,
        failure: report.failure.map(|failure| race.report(&failure)),
    }
}

/// The scenario of the remark without the move: a hole is made in a VMA while others fault in it and beside it. With the pages
/// that go.
pub fn hole() -> (Scenario, std::ops::Range<u64>) {
    use super::scenarios::{load, map, page, store, unmap};
    let scenario = Scenario::new("window-of-a-hole", [map(0, 4), store(0), store(2)])
        .thread([unmap(1, 3)])
        .thread([store(1), load(3)]);
    (scenario, page(1) / PAGE..page(3) / PAGE)
}

/// The scenario of the remark: the middle of a VMA moves away while others fault in it and beside it. With the pages that it
/// leaves.
pub fn moved() -> (Scenario, std::ops::Range<u64>) {
    moved_beside_a_store("window-of-a-move", 1)
}

/// The same, but others store where a page arrives. With the pages that it leaves.
pub fn arriving() -> (Scenario, std::ops::Range<u64>) {
    moved_beside_a_store("window-of-an-arrival", 9)
}

fn moved_beside_a_store(name: &'static str, stored: u64) -> (Scenario, std::ops::Range<u64>) {
    use super::scenarios::{load, map, page, relocate, store};
    let scenario = Scenario::new(name, [map(0, 4), store(0), store(2)])
        .thread([relocate(1, 3, 8)])
        .thread([store(stored), load(3)]);
    (scenario, page(1) / PAGE..page(3) / PAGE)
}
