//! The finding about the seed: which orders open the window that its review describes, and what comes of it.

use explore::Explorer;
use mm::space::MunmapOrder;
use sim::figure;
use sim::race::window::{hole, look, moved};

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

#[test]
fn where_pages_move_to_a_new_vma_that_is_locked_late_is_harmful_in_every_order() {
    let mut explorer = Explorer::on_host();
    let (scenario, goes) = moved();
    for order in MunmapOrder::ALL {
        // Somebody faults a page in at the new place, and the page that moves there comes on top of it.
        let finding = look(&mut explorer, &scenario, order, goes.clone());
        assert!(finding.failure.is_some(), "{order}: {finding:?}");
    }
}
