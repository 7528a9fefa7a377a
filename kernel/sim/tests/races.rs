//! Every race under every schedule with at most two preemptions, and under thousands with more.
//!
//! `SUGARBUSH_SCHEDULES` sets how many schedules of each race are run at most.

use explore::{Config, Explorer, Report};
use mm::huge::HugePages;
use mm::space::MunmapOrder;
use sim::figure;
use sim::machine::Label;
use sim::race::Race;

/// Schedules of a race, unless said otherwise.
const SCHEDULES: u64 = 12_000;
/// The same with huge pages: such machines have much more memory to look at.
const SCHEDULES_WITH_HUGE_PAGES: u64 = SCHEDULES / 10;
/// All schedules with so many preemptions are run, however many there are.
const PREEMPTIONS: usize = 2;
/// More preemptions than these are not tried.
const MOST_PREEMPTIONS: usize = 6;

/// The most preemptions of which a race has been run under all schedules.
fn preemptions_exhausted(report: &Report<Label>, config: &Config) -> usize {
    let partly = report.schedules() >= config.schedules;
    report.levels.len() - 1 - usize::from(partly)
}

fn every_schedule_is_explained(order: MunmapOrder) {
    let schedules = std::env::var("SUGARBUSH_SCHEDULES").ok().and_then(|number| number.parse().ok());
    let all = Config { schedules: u64::MAX, ..Config::new(PREEMPTIONS) };
    let mut explorer = Explorer::on_host();
    let (mut total, mut races) = (0, 0);
    for race in Race::all().into_iter().filter(|race| race.order == order) {
        let usual = match race.scenario.setup.huge_pages {
            HugePages::Always => SCHEDULES_WITH_HUGE_PAGES,
            _ => SCHEDULES,
        };
        let most = Config { schedules: schedules.unwrap_or(usual), ..Config::new(MOST_PREEMPTIONS) };
        let mut report = race.explore(&mut explorer, &most);
        if report.failure.is_none() && preemptions_exhausted(&report, &most) < PREEMPTIONS {
            report = race.explore(&mut explorer, &all);
        }
        if let Some(failure) = &report.failure {
            panic!("{} in {order} order:\n{}", race.scenario.name, race.report(failure));
        }
        total += report.schedules();
        races += 1;
    }
    figure(format_args!(
        "races, {order} order: {total} schedules of {races} scenarios, all with at most {PREEMPTIONS} preemptions"
    ));
}

#[test]
fn every_schedule_is_explained_in_prepatch_order() {
    every_schedule_is_explained(MunmapOrder::Prepatch);
}

#[test]
fn every_schedule_is_explained_in_reordered_order() {
    every_schedule_is_explained(MunmapOrder::Reordered);
}

#[test]
fn every_schedule_is_explained_in_vms_order() {
    every_schedule_is_explained(MunmapOrder::Vms);
}

#[test]
fn every_schedule_is_explained_in_adaptive_order() {
    every_schedule_is_explained(MunmapOrder::Adaptive);
}
