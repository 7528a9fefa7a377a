//! Random programs against the model, in every order of munmap, with all oracles on.
//!
//! `SUGARBUSH_CASES` sets the number of programs of each property.

use mm::space::MunmapOrder;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use sim::strategy::{Refusals, programs};

/// Operations of a program, at most.
const LENGTH: usize = 60;
/// Programs of each property, unless said otherwise.
const CASES: u32 = 1000;

fn programs_agree_with_the_model(order: MunmapOrder, refusals: Refusals) {
    let cases = std::env::var("SUGARBUSH_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(CASES);
    let config = Config { cases, max_shrink_iters: 3000, failure_persistence: None, ..Config::default() };
    let result = TestRunner::new(config)
        .run(&programs(order, refusals, LENGTH), |program| program.run().map_err(TestCaseError::fail));
    if let Err(error) = result {
        panic!("{error}");
    }
}

#[test]
fn random_programs_agree_with_the_model_in_prepatch_order() {
    programs_agree_with_the_model(MunmapOrder::Prepatch, Refusals::None);
}

#[test]
fn random_programs_agree_with_the_model_in_reordered_order() {
    programs_agree_with_the_model(MunmapOrder::Reordered, Refusals::None);
}

#[test]
fn random_programs_agree_with_the_model_in_vms_order() {
    programs_agree_with_the_model(MunmapOrder::Vms, Refusals::None);
}

#[test]
fn random_programs_agree_with_the_model_in_adaptive_order() {
    programs_agree_with_the_model(MunmapOrder::Adaptive, Refusals::None);
}

#[test]
fn random_programs_with_refused_steps_agree_with_the_model_in_prepatch_order() {
    programs_agree_with_the_model(MunmapOrder::Prepatch, Refusals::Some);
}

#[test]
fn random_programs_with_refused_steps_agree_with_the_model_in_reordered_order() {
    programs_agree_with_the_model(MunmapOrder::Reordered, Refusals::Some);
}

#[test]
fn random_programs_with_refused_steps_agree_with_the_model_in_vms_order() {
    programs_agree_with_the_model(MunmapOrder::Vms, Refusals::Some);
}

#[test]
fn random_programs_with_refused_steps_agree_with_the_model_in_adaptive_order() {
    programs_agree_with_the_model(MunmapOrder::Adaptive, Refusals::Some);
}
