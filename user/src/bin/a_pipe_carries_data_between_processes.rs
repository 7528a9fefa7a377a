//! What one process writes into a pipe another reads, however much it is; the end comes when the last writer is gone.
#![no_std]
#![no_main]

use user::prelude::*;
use user::processes::{exited, fork, wait};
use user::sys::{close, pipe, read, write};

program!(main);

const BYTES: usize = 300_000;

fn byte(index: usize) -> u8 {
    (index * 7 + index / 251) as u8
}

fn main() {
    let pipe = pipe().expect("pipe");
    let child = fork(|| {
        check_eq!(close(pipe.reader), Ok(0));
        let mut buffer = [0; 9_000];
        let mut at = 0;
        while at < BYTES {
            let length = buffer.len().min(BYTES - at);
            for (offset, place) in buffer[..length].iter_mut().enumerate() {
                *place = byte(at + offset);
            }
            check_eq!(write(pipe.writer, &buffer[..length]), Ok(length));
            at += length;
        }
        5
    });
    check_eq!(close(pipe.writer), Ok(0));
    let mut buffer = [0; 5_000];
    let mut at = 0;
    loop {
        let length = read(pipe.reader, &mut buffer).expect("read");
        if length == 0 {
            break;
        }
        for (offset, found) in buffer[..length].iter().enumerate() {
            check_eq!((at + offset, *found), (at + offset, byte(at + offset)));
        }
        at += length;
    }
    check_eq!(at, BYTES);
    check_eq!(wait(child), exited(5));
}
