//! Bytes come out in order, in other pieces than they went in, and then the end of the file.
#![no_std]
#![no_main]

use user::prelude::*;
use user::sys::{close, pipe, read, write};

program!(main);

fn main() {
    let pipe = pipe().unwrap();
    check!(pipe.reader != pipe.writer);
    check_eq!(write(pipe.writer, b"one, "), Ok(5));
    check_eq!(write(pipe.writer, b"two, three"), Ok(10));
    let mut buffer = [0; 16];
    check_eq!(read(pipe.reader, &mut buffer[..7]), Ok(7));
    check_eq!(&buffer[..7], b"one, tw");
    check_eq!(read(pipe.reader, &mut buffer), Ok(8));
    check_eq!(&buffer[..8], b"o, three");

    check_eq!(write(pipe.writer, b"last"), Ok(4));
    check_eq!(close(pipe.writer), Ok(0));
    check_eq!(read(pipe.reader, &mut buffer), Ok(4));
    check_eq!(&buffer[..4], b"last");
    check_eq!(read(pipe.reader, &mut buffer), Ok(0));
    check_eq!(read(pipe.reader, &mut buffer), Ok(0));
    check_eq!(close(pipe.reader), Ok(0));
}
