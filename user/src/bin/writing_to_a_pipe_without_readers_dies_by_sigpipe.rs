//! The default action of SIGPIPE ends the writer.
#![no_std]
#![no_main]

use user::prelude::*;
use user::sys::{close, pipe, write};

program!(main);

fn main() {
    let pipe = pipe().unwrap();
    check_eq!(write(pipe.writer, b"x"), Ok(1));
    check_eq!(close(pipe.reader), Ok(0));

    fatal!(write(pipe.writer, b"x"));
}
