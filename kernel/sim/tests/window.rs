//! The finding about the seed: which orders open the window that its review describes, and what comes of it.

use std::ops::Range;

use explore::Explorer;
use mm::space::MunmapOrder;
use sim::figure;
use sim::race::Scenario;
use sim::race::window::{arriving, hole, look, moved};

#[test]
fn only_the_order_before_the_seed_lets_faults_into_what_goes_and_it_is_harmless() {
    let mut explorer = Explorer::on_host();
    let (scenario, goes) = hole();
    for order in MunmapOrder::ALL {
        let finding = look(&mut explorer, &scenario, order, goes.clone());
        figure(format_args!(
            "window of a new vma, {}, {order} order: of {} schedules, {} fault in what goes, {} in what stays",
            scenario.name, finding.schedules, finding.in_what_goes, finding.in_what_stays
        ));
        assert_eq!(finding.failure, None, "{order}");
        assert_eq!(finding.in_what_goes > 0, order == MunmapOrder::Prepatch, "{order}: {finding:?}");
        assert!(finding.in_what_stays > 0, "{order}: {finding:?}");
    }
}

/// Whether some schedule of `scenario` loses a store; nothing else goes wrong.
fn loses_a_store((scenario, goes): (Scenario, Range<u64>), order: MunmapOrder) -> bool {
    let finding = look(&mut Explorer::on_host(), &scenario, order, goes);
    figure(format_args!(
        "window of a new vma, {}, {order} order: {} schedules, {}",
        scenario.name,
        finding.schedules,
        if finding.failure.is_some() { "the last of which loses a store" } else { "all of them right" }
    ));
    let lost = finding.failure.as_ref().is_some_and(|failure| failure.contains("no order of the acts"));
    assert!(lost || finding.failure.is_none(), "{order}: {finding:?}");
    lost
}

#[test]
fn in_the_order_before_the_seed_a_store_into_what_has_moved_away_is_lost() {
    for order in MunmapOrder::ALL {
        assert_eq!(loses_a_store(moved(), order), order == MunmapOrder::Prepatch, "{order}");
    }
}

#[test]
fn in_every_order_a_store_where_a_page_arrives_is_lost() {
    for order in MunmapOrder::ALL {
        assert!(loses_a_store(arriving(), order), "{order}");
    }
}
