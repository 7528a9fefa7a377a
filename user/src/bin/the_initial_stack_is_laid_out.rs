//! argc, argv, envp and the auxiliary vector follow each other on an aligned stack, the strings lie above.
#![no_std]
#![no_main]

use user::prelude::*;
use user::rt::start;

program!(main);

fn main() {
    let pointer = start::stack_pointer();
    check_eq!(pointer % 16, 0);
    check_eq!(Maps::read().at(pointer).map(|vma| vma.name() == b"[stack]"), Some(true));

    check!(start::argument_count() >= 1);
    let name = start::argument(0).unwrap();
    check!(name.to_bytes().ends_with(b"the_initial_stack_is_laid_out"), "{:?}", name);
    check_eq!(start::argument_end(), 0);
    check!(start::argument(start::argument_count()).is_none());
    let mut above = name.as_ptr() as u64;
    check!(above > pointer);

    for variable in start::environment() {
        check!(variable.to_bytes().contains(&b'='), "{:?}", variable);
        check!(variable.as_ptr() as u64 > above);
        above = variable.as_ptr() as u64;
    }
    check!(start::auxiliary_vector().count() >= 8);
}
