//! One run of a script.

use alloc::vec::Vec;
use core::cell::RefCell;
use core::mem::ManuallyDrop;

use explore::{Fault, MAX_THREADS, Run};
use mm::schedule::Label;
use mm::space::AddressSpace;
use mm::{MmError, Platform};

use super::forced::Forced;
use super::script::{Script, Thread};
use crate::test::figure;

const NAMES: [&str; MAX_THREADS] = ["thread 0", "thread 1", "thread 2", "thread 3"];

/// An address space that is taken apart only if nothing is broken.
type Space<'m> = ManuallyDrop<AddressSpace<'m, Forced>>;

/// Sets the processes up, lets the threads run, and checks the address spaces.
pub(super) fn run<'m>(run: &mut Run<'_, Label>, script: &Script, machine: &'m Forced) -> Result<(), Fault> {
    let mut spaces = processes(script, machine)
        .map_err(|error| Fault::check(format_args!("the processes cannot be set up: {error:?}")))?;
    let children = RefCell::new(Vec::new());
    let first_child = spaces.len();
    let fork = |parent: &AddressSpace<'m, Forced>| -> Result<u64, MmError> {
        let child = parent.fork()?;
        let mut children = children.borrow_mut();
        children.push(ManuallyDrop::new(child));
        Ok((first_child + children.len() - 1) as u64)
    };
    let body = |number: usize| {
        let Thread { process, acts } = &script.threads[number];
        let (space, fork) = (&spaces[*process], &fork);
        let all: Vec<_> = spaces.iter().map(|space| &**space).collect();
        move || {
            for (index, act) in acts.iter().enumerate() {
                let answer = act.perform(space, &all, machine, fork);
                log::info!("{}: {}: {answer}", NAMES[number], act.line);
                figure(format_args!("answer {number} {index}: {answer}"));
            }
        }
    };
    let mut bodies: Vec<_> = (0..script.threads.len()).map(body).collect();
    let mut threads: Vec<explore::Thread<'_>> =
        NAMES.into_iter().zip(&mut bodies).map(|(name, body)| (name, body as &mut dyn FnMut())).collect();
    run.threads(machine.engine(), &mut threads)?;
    drop(threads);
    drop(bodies);
    spaces.extend(children.into_inner());
    spaces.iter().try_for_each(|space| space.check()).map_err(Fault::check)?;
    for space in spaces {
        space.tlb().unload(machine.cpu());
        drop(ManuallyDrop::into_inner(space));
    }
    Ok(())
}

/// The processes as they are before the threads run.
fn processes<'m>(script: &Script, machine: &'m Forced) -> Result<Vec<Space<'m>>, MmError> {
    let mut spaces: Vec<Space<'m>> = Vec::new();
    for (number, process) in script.processes.iter().enumerate() {
        let space = match process.parent {
            Some(parent) => spaces[parent].fork()?,
            None => {
                let space = AddressSpace::new(machine, script.config)?;
                space.set_brk_start(script.brk_start);
                space
            }
        };
        for act in &process.before {
            // The child of a fork ends at once, and no program notices.
            let answer = act.perform(&space, &[&space], machine, |space| space.fork().map(drop).map(|()| 0));
            log::info!("process {number}, before: {}: {answer}", act.line);
        }
        spaces.push(ManuallyDrop::new(space));
    }
    // No root is loaded, but flushes shall do what they do where one is.
    spaces.iter().for_each(|space| space.tlb().load(machine.cpu()));
    Ok(spaces)
}
