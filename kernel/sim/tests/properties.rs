//! Random programs against the model, in every order of munmap, with all oracles on.
//!
//! `SUGARBUSH_CASES` sets the number of programs of each property.

use mm::space::MunmapOrder;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use sim::strategy::{Processes, Refusals, programs};

/// Operations of a program, at most.
const LENGTH: usize = 60;
/// Programs of each property with one process, unless said otherwise. Several take more time.
const CASES: u32 = 1000;
const CASES_OF_SEVERAL: u32 = 400;

fn programs_agree_with_the_model(order: MunmapOrder, refusals: Refusals, processes: Processes) {
    let usual = if processes == Processes::One { CASES } else { CASES_OF_SEVERAL };
    let cases = std::env::var("SUGARBUSH_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(usual);
    let config = Config { cases, max_shrink_iters: 3000, failure_persistence: None, ..Config::default() };
    let result = TestRunner::new(config).run(&programs(order, refusals, processes, LENGTH), |program| {
        program.run().map_err(TestCaseError::fail)
    });
    if let Err(error) = result {
        panic!("{error}");
    }
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
