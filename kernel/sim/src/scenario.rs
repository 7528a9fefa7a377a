//! Scenarios: what a test says is done on a new world in every order of munmap.

use mm::space::MunmapOrder;

use crate::setup::Setup;
use crate::world::World;

/// Runs `body` in every order of munmap.
///
/// # Panics
/// If it fails in any, with the order.
#[track_caller]
pub fn in_every_order(body: impl Fn(&mut World<'_>)) {
    in_every_order_with(|setup| setup, body);
}

/// Runs `body` in every order of munmap, in the set-up that `adjust` makes of the ordinary one.
///
/// # Panics
/// If it fails in any, with the order.
#[track_caller]
pub fn in_every_order_with(adjust: impl Fn(Setup) -> Setup, body: impl Fn(&mut World<'_>)) {
    for order in MunmapOrder::ALL {
        if let Err(failure) = World::run(adjust(Setup::new(order)), &body) {
            panic!("in {order} order: {failure}");
        }
    }
}
