//! A file that is cut takes its pages away from all mappings, private copies too; the rest stays.
#![no_std]
#![no_main]

use user::files::{ftruncate, map_file, numbered_file};
use user::prelude::*;

program!(main);

fn main() {
    let file = numbered_file(6);
    let (shared, private) = (map_file(file, 6, Map::SHARED, 0), map_file(file, 6, Map::PRIVATE, 0));
    for page in 0..6 {
        write_byte(shared + page * PAGE + 1, 7);
        write_byte(private + page * PAGE + 2, 8);
    }
    check_eq!(ftruncate(file, 3 * PAGE), Ok(0));
    check_eq!((read_byte(shared + 2 * PAGE + 1), read_byte(private + 2 * PAGE + 2)), (7, 8));
    // What comes again is new.
    check_eq!(ftruncate(file, 5 * PAGE), Ok(0));
    check_eq!((read_byte(shared + 4 * PAGE + 1), read_byte(private + 4 * PAGE + 2)), (0, 0));
    fatal!(write_byte(private + 5 * PAGE, 1));
}
