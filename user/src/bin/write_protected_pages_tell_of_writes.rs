//! A write to a page that the program has write-protected waits until that ends; the protection is the page's, not the mapping's.
#![no_std]
#![no_main]

use abi::mman::MADV_DONTNEED;
use abi::userfaultfd::*;
use user::pages::{check_stamps, stamp};
use user::prelude::*;
use user::processes::{exited, fork, wait};
use user::rt::memory::{read_word, write_word};
use user::sys::{close, madvise};
use user::threads::Thread;
use user::userfaults::*;

program!(main);

const MODES: u64 = UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_WP;
const BEGIN: u64 = UFFDIO_WRITEPROTECT_MODE_WP;
const WRITE: u64 = UFFD_PAGEFAULT_FLAG_WRITE;
const PROTECTED: u64 = UFFD_PAGEFAULT_FLAG_WP | WRITE;

extern "C" fn store(address: u64) {
    write_word(address, 0x7777);
}

/// Stores to `address`, which is protected, and ends that when it is told.
fn store_when_told(fd: i32, address: u64) {
    let writer = Thread::start(store, address);
    check_eq!(message(fd), (PROTECTED, address));
    check!(read_word(address) != 0x7777);
    check_eq!(write_protect(fd, address, 1, 0), Ok(0));
    writer.join();
    check_eq!(read_word(address), 0x7777);
}

fn main() {
    let fd = agreed(0, UFFD_FEATURE_PAGEFAULT_FLAG_WP);
    let base = reserve(16);
    map_at(base, 16, Prot::READ_WRITE);
    let page = |number: u64| base + number * PAGE;
    stamp(base, 8);
    check!(register(fd, base, 16, MODES).is_ok());
    check_eq!(registered(base), MODES);

    check_eq!(write_protect(fd, base, 4, BEGIN), Ok(0));
    check_stamps(base, 8);
    write_word(page(4), 1);
    store_when_told(fd, page(0));
    write_word(page(0), 2);

    // It survives a change of the permissions.
    check_eq!(mprotect(base, 8 * PAGE, Prot::NONE), Ok(0));
    check_eq!(mprotect(base, 8 * PAGE, Prot::READ_WRITE), Ok(0));
    write_word(page(5), 1);
    store_when_told(fd, page(1));

    // Without a wake the thread goes on waiting, although it could write.
    check_eq!(write_protect(fd, page(1), 1, BEGIN), Ok(0));
    let writer = Thread::start(store, page(1) + 8);
    check_eq!(message(fd), (PROTECTED, page(1)));
    check_eq!(write_protect(fd, page(1), 1, UFFDIO_WRITEPROTECT_MODE_DONTWAKE), Ok(0));
    check_eq!(wake(fd, page(1), 1), Ok(0));
    writer.join();

    // It goes with the page.
    check_eq!(madvise(page(2), PAGE, MADV_DONTNEED), Ok(0));
    let writer = Thread::start(store, page(2));
    check_eq!(message(fd), (WRITE, page(2)));
    check_eq!(zero(fd, page(2), 1, 0), (Ok(0), PAGE as i64));
    writer.join();

    // Copies can begin so.
    check_eq!(copy(fd, page(8), page(3), 1, UFFDIO_COPY_MODE_WP), (Ok(0), PAGE as i64));
    check_eq!(read_byte(page(8)), read_byte(page(3)));
    store_when_told(fd, page(8));
    // And so can the page of zeroes.
    check_eq!(zero(fd, page(9), 1, 0), (Ok(0), PAGE as i64));
    check_eq!(write_protect(fd, page(9), 1, BEGIN), Ok(0));
    store_when_told(fd, page(9));
    // What is not there is not protected.
    check_eq!(write_protect(fd, page(10), 1, BEGIN), Ok(0));
    let writer = Thread::start(store, page(10));
    check_eq!(message(fd), (WRITE, page(10)));
    check_eq!(zero(fd, page(10), 1, 0), (Ok(0), PAGE as i64));
    writer.join();

    // A child writes as it likes, and afterwards its parent still does not.
    check_eq!(write_protect(fd, page(3), 3, BEGIN), Ok(0));
    let child = fork(|| {
        write_word(page(3), 0x99);
        write_word(page(12), 0x99);
        i32::from(registered(base) != 0)
    });
    check_eq!(wait(child), exited(0));
    store_when_told(fd, page(3));
    let unregistered = unregister(fd, page(4), 1);
    check_eq!(unregistered, Ok(0));
    write_word(page(4), 3);

    // What has moved is not registered, and not protected.
    check_eq!(mremap(page(5), PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, page(15)), Ok(page(15)));
    check_eq!(registered(page(15)), 0);
    write_word(page(15), 4);

    // Without the descriptor nothing is.
    check_eq!(write_protect(fd, page(0), 4, BEGIN), Ok(0));
    check_eq!(close(fd), Ok(0));
    for number in [0, 1, 2, 3, 8, 12] {
        write_word(page(number), 6);
    }
    check_eq!(registered(base), 0);
}
