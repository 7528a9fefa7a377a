//! Scenarios: what a test says is done on a new world in every order of munmap, and where scenarios map.

use mm::space::MunmapOrder;

use crate::op::{PAGE, mmap, write};
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

/// Where scenarios map: far from everything, at a border of 2 MiB.
pub const BASE: u64 = 0x1000_0000;

/// Address of page `number` from [`BASE`] on.
pub const fn page(number: u64) -> u64 {
    BASE + number * PAGE
}

/// The areas, in pages from [`BASE`] on: start and end.
pub fn areas(world: &World<'_>) -> Vec<(u64, u64)> {
    world.areas().iter().map(|(start, end)| (start - BASE / PAGE, end - BASE / PAGE)).collect()
}

/// Maps `pages` pages from page `first` on, and writes to each.
pub fn map_and_write(world: &mut World<'_>, first: u64, pages: u64) {
    world.apply(mmap(pages * PAGE).fixed(page(first)));
    write_all(world, first, pages);
}

/// Writes to `pages` pages from page `first` on, on one of two CPUs in turn.
pub fn write_all(world: &mut World<'_>, first: u64, pages: u64) {
    for number in first..first + pages {
        world.apply(write(number as u32 % 2, page(number)));
    }
}
