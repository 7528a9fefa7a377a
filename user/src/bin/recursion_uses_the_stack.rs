//! Four thousand frames of a kilobyte come and go.
#![no_std]
#![no_main]

use user::prelude::*;

program!(main);

fn main() {
    for _ in 0..2 {
        check_eq!(sum(4000), 4000 * 4001 / 2);
    }
}

/// The sum of `1..=number`, with a frame of more than a kilobyte for each.
fn sum(number: u64) -> u64 {
    let frame = core::hint::black_box([number; 128]);
    if number == 0 { 0 } else { sum(number - 1) + frame[127] }
}
