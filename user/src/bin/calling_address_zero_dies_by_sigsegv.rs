//! A jump through a null pointer.
#![no_std]
#![no_main]

use user::prelude::*;
use user::rt::memory::call;

program!(main);

fn main() {
    fatal!(call(0));
}
