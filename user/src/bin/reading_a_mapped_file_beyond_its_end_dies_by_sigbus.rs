//! The last page of a file can be read to its end; the page after it cannot, until the file is longer.
#![no_std]
#![no_main]

use user::files::{ftruncate, map_file, numbered_file};
use user::prelude::*;

program!(main);

fn main() {
    let file = numbered_file(2);
    check_eq!(ftruncate(file, PAGE + 10), Ok(0));
    let base = map_file(file, 4, Map::SHARED, 0);
    check_eq!((read_byte(base + PAGE), read_byte(base + 2 * PAGE - 1)), (2, 0));
    check_eq!(ftruncate(file, 2 * PAGE + 1), Ok(0));
    check_eq!(read_byte(base + 2 * PAGE), 0);
    fatal!(read_byte(base + 3 * PAGE));
}
