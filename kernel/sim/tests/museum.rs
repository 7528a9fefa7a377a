//! Every bug of the museum is caught. Some bugs of the tree need deep trees: `--features small`.
#![cfg(feature = "small")]

use explore::Explorer;
use sim::figure;
use sim::museum::{EXHIBITS, Exhibit, visit};

/// Looks at every `count`-th exhibit from number `first` on.
fn every_bug_is_caught(first: usize, count: usize) {
    let mut explorer = Explorer::on_host();
    for Exhibit { bug, title, .. } in EXHIBITS.iter().skip(first).step_by(count) {
        let caught = visit(&mut explorer, Some(*bug));
        let caught = caught.unwrap_or_else(|| panic!("{title}: nothing notices"));
        figure(format_args!("museum: {title}: {}, {} order", caught.by, caught.order));
    }
}

#[test]
fn every_first_of_two_bugs_is_caught() {
    every_bug_is_caught(0, 2);
}

#[test]
fn every_second_of_two_bugs_is_caught() {
    every_bug_is_caught(1, 2);
}
