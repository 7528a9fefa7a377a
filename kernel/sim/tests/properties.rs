//! Random programs against the model, in every order of munmap, with all oracles on.
//!
//! `SUGARBUSH_CASES` sets the number of programs of each property, and `PROPTEST_RNG_SEED` draws others: usually they are always
//! the same, so that a change is judged by what it changes. `sugarbush soak` is there to find new ones.

use std::cell::Cell;

use mm::event::Event;
use mm::space::MunmapOrder;
use proptest::test_runner::{Config, RngSeed, TestCaseError, TestRunner};
use sim::figure;
use sim::strategy::{Processes, Refusals, programs};

/// Operations of a program, at most.
const LENGTH: usize = 60;
/// Programs of each property with one process, unless said otherwise. Several take more time.
const CASES: u32 = 1000;
const CASES_OF_SEVERAL: u32 = 400;

fn programs_agree_with_the_model(order: MunmapOrder, refusals: Refusals, processes: Processes) {
    let usual = if processes == Processes::One { CASES } else { CASES_OF_SEVERAL };
    let cases = std::env::var("SUGARBUSH_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(usual);
    let mut config = Config { cases, max_shrink_iters: 3000, failure_persistence: None, ..Config::default() };
    if config.rng_seed == RngSeed::Random {
        config.rng_seed = RngSeed::Fixed(1);
    }
    let huge = [Event::ThpFaultAlloc, Event::ThpFaultFallback, Event::ThpSplitPmd];
    let counts = huge.map(|_| Cell::new(0));
    let result = TestRunner::new(config).run(&programs(order, refusals, processes, LENGTH), |program| {
        let watched = program.run_watching(|machine| {
            huge.iter()
                .zip(&counts)
                .for_each(|(event, count)| count.set(count.get() + machine.events(*event)));
        });
        watched.map_err(TestCaseError::fail)
    });
    if let Err(error) = result {
        panic!("{error}");
    }
    let [mapped, fallen_back, split] = counts.map(Cell::into_inner);
    figure(format_args!(
        "{cases} programs, {order} order, {processes:?}, refusals {refusals:?}: {mapped} huge leaves, {split} of them \
         split, {fallen_back} for which there was no block"
    ));
    // So that they do not go missing unnoticed.
    assert!(mapped.min(split) >= u64::from(cases / 5), "{mapped} huge leaves, {split} split");
}

#[test]
fn random_programs_agree_with_the_model_in_prepatch_order() {
    programs_agree_with_the_model(MunmapOrder::Prepatch, Refusals::None, Processes::One);
}

#[test]
fn random_programs_agree_with_the_model_in_reordered_order() {
    programs_agree_with_the_model(MunmapOrder::Reordered, Refusals::None, Processes::One);
}

#[test]
fn random_programs_agree_with_the_model_in_vms_order() {
    programs_agree_with_the_model(MunmapOrder::Vms, Refusals::None, Processes::One);
}

#[test]
fn random_programs_agree_with_the_model_in_adaptive_order() {
    programs_agree_with_the_model(MunmapOrder::Adaptive, Refusals::None, Processes::One);
}

#[test]
fn random_programs_with_refused_steps_agree_with_the_model_in_prepatch_order() {
    programs_agree_with_the_model(MunmapOrder::Prepatch, Refusals::Some, Processes::One);
}

#[test]
fn random_programs_with_refused_steps_agree_with_the_model_in_reordered_order() {
    programs_agree_with_the_model(MunmapOrder::Reordered, Refusals::Some, Processes::One);
}

#[test]
fn random_programs_with_refused_steps_agree_with_the_model_in_vms_order() {
    programs_agree_with_the_model(MunmapOrder::Vms, Refusals::Some, Processes::One);
}

#[test]
fn random_programs_with_refused_steps_agree_with_the_model_in_adaptive_order() {
    programs_agree_with_the_model(MunmapOrder::Adaptive, Refusals::Some, Processes::One);
}

#[test]
fn random_programs_that_fork_agree_with_the_model_in_prepatch_order() {
    programs_agree_with_the_model(MunmapOrder::Prepatch, Refusals::None, Processes::Several);
}

#[test]
fn random_programs_that_fork_agree_with_the_model_in_reordered_order() {
    programs_agree_with_the_model(MunmapOrder::Reordered, Refusals::None, Processes::Several);
}

#[test]
fn random_programs_that_fork_agree_with_the_model_in_vms_order() {
    programs_agree_with_the_model(MunmapOrder::Vms, Refusals::None, Processes::Several);
}

#[test]
fn random_programs_that_fork_agree_with_the_model_in_adaptive_order() {
    programs_agree_with_the_model(MunmapOrder::Adaptive, Refusals::None, Processes::Several);
}

#[test]
fn random_programs_that_fork_with_refused_steps_agree_with_the_model_in_prepatch_order() {
    programs_agree_with_the_model(MunmapOrder::Prepatch, Refusals::Some, Processes::Several);
}

#[test]
fn random_programs_that_fork_with_refused_steps_agree_with_the_model_in_reordered_order() {
    programs_agree_with_the_model(MunmapOrder::Reordered, Refusals::Some, Processes::Several);
}

#[test]
fn random_programs_that_fork_with_refused_steps_agree_with_the_model_in_vms_order() {
    programs_agree_with_the_model(MunmapOrder::Vms, Refusals::Some, Processes::Several);
}

#[test]
fn random_programs_that_fork_with_refused_steps_agree_with_the_model_in_adaptive_order() {
    programs_agree_with_the_model(MunmapOrder::Adaptive, Refusals::Some, Processes::Several);
}
