//! The sweep: every fallible step of every operation is refused in turn, over a catalogue of address spaces. The
//! operation must fail with the errno of Linux and leave every page as it was (E1, E7-E15, M1); afterwards it must
//! succeed. All sums, contents, locks, frames and tables are compared with the model after both.

mod catalogue;

use std::collections::BTreeMap;

pub use catalogue::{HUGE_SHAPES, SHAPES, Shape, map_and_write, operations, page};
use mm::huge::HugePages;

use crate::failure::Attempt;
use crate::op::Op;
use crate::setup::Setup;
use crate::world::World;

/// Memory enough for every shape and operation here; less of it makes the sweep quicker.
const FRAMES: u32 = 160;

/// The same where there are huge leaves.
const FRAMES_FOR_HUGE: u32 = 3 * 512 - 2;

/// How often a kind of fallible point was refused, by its name.
pub type Refused = BTreeMap<String, usize>;

/// Sweeps the whole catalogue; `setup` has the order of munmap.
///
/// # Errors
/// What went wrong, and where.
pub fn sweep_all(setup: Setup) -> Result<Refused, String> {
    let (mut refused, operations) = (Refused::new(), operations());
    let plain = SHAPES.iter().map(|shape| (shape, setup.frames(FRAMES)));
    let huge_setup = setup.frames(FRAMES_FOR_HUGE).huge_pages(HugePages::Always).samples(2);
    let huge = HUGE_SHAPES.iter().map(|shape| (shape, huge_setup));
    for ((name, shape), setup) in plain.chain(huge) {
        for op in &operations {
            sweep(setup, *shape, *op, &mut refused)
                .map_err(|failure| format!("in {} order, {name}: {failure}", setup.order))?;
        }
    }
    Ok(refused)
}

/// Refuses step after step of `op` on `shape` until there are no more, and counts them.
fn sweep(setup: Setup, shape: Shape, op: Op, refused: &mut Refused) -> Result<(), String> {
    for step in 0.. {
        let mut done = false;
        World::run(setup, |world| {
            shape(world);
            match world.attempt(op, step) {
                Attempt::Completed(_) => done = true,
                Attempt::Refused(_) => {
                    *refused.entry(format!("{:?}", world.machine().points()[step])).or_default() += 1;
                    // Once memory is there again, it works.
                    world.apply(op);
                }
            }
        })
        .map_err(|failure| format!("{op}, step {step}: {failure}"))?;
        if done {
            return Ok(());
        }
    }
    Ok(())
}
