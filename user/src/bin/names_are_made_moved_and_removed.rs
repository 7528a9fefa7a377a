//! Directories, links and files get names, other names, and lose them.
#![no_std]
#![no_main]

use abi::fs::{O_CREAT, O_WRONLY, RENAME_EXCHANGE, RENAME_NOREPLACE, S_IFDIR, S_IFREG};
use user::files::{create, enter_scratch, file_type, leave_scratch, mkdir, on_path, on_paths, rename};
use user::prelude::*;
use user::sys::{close, readlink, stat};

program!(main);

fn touch(path: &core::ffi::CStr) {
    let file = create(path, O_WRONLY | O_CREAT, 0o644).expect("open");
    check_eq!(close(file), Ok(0));
}

fn main() {
    enter_scratch(c"sugarbush-names");
    check_eq!(mkdir(c"a"), Ok(0));
    check_eq!(mkdir(c"a"), Err(Errno::EEXIST));
    check_eq!(mkdir(c"none/b"), Err(Errno::ENOENT));
    check_eq!(mkdir(c"a/b/"), Ok(0));
    check_eq!(stat(c"a").expect("stat").st_nlink, 3);
    touch(c"a/file");
    check_eq!(on_path(nr::RMDIR, c"a"), Err(Errno::ENOTEMPTY));
    check_eq!(on_path(nr::RMDIR, c"a/file"), Err(Errno::ENOTDIR));
    check_eq!(on_path(nr::RMDIR, c"a/b/."), Err(Errno::EINVAL));
    check_eq!(on_path(nr::UNLINK, c"a/b"), Err(Errno::EISDIR));
    check_eq!(on_path(nr::UNLINK, c"a/none"), Err(Errno::ENOENT));

    // Links.
    check_eq!(on_paths(nr::LINK, c"a/file", c"twin"), Ok(0));
    check_eq!(stat(c"twin").expect("stat").st_nlink, 2);
    check_eq!(stat(c"twin").expect("stat").st_ino, stat(c"a/file").expect("stat").st_ino);
    check_eq!(on_paths(nr::LINK, c"a", c"other"), Err(Errno::EPERM));
    check_eq!(on_paths(nr::SYMLINK, c"a/b", c"link"), Ok(0));
    check_eq!(on_paths(nr::SYMLINK, c"a/b", c"link"), Err(Errno::EEXIST));
    check_eq!(file_type(c"link"), Ok(S_IFDIR));
    let mut target = [0; 16];
    check_eq!(readlink(c"link", &mut target), Ok(3));
    check_eq!(&target[..3], b"a/b");

    // Renames.
    check_eq!(rename(c"twin", c"a/b/twin", RENAME_NOREPLACE), Ok(0));
    check_eq!(file_type(c"twin"), Err(Errno::ENOENT));
    check_eq!(rename(c"a", c"a/b/c", 0), Err(Errno::EINVAL));
    check_eq!(rename(c"a/file", c"a/b", 0), Err(Errno::EISDIR));
    check_eq!(rename(c"a/b", c"a/file", 0), Err(Errno::ENOTDIR));
    check_eq!(rename(c"a/none", c"x", 0), Err(Errno::ENOENT));
    touch(c"new");
    check_eq!(rename(c"new", c"a/file", RENAME_NOREPLACE), Err(Errno::EEXIST));
    check_eq!(rename(c"new", c"a/b", RENAME_EXCHANGE), Ok(0));
    check_eq!((file_type(c"new"), file_type(c"a/b")), (Ok(S_IFDIR), Ok(S_IFREG)));
    check_eq!(stat(c"a").expect("stat").st_nlink, 2);
    // Two names of one file: nothing happens.
    check_eq!(rename(c"new/twin", c"a/file", 0), Ok(0));
    check_eq!(file_type(c"new/twin"), Ok(S_IFREG));
    check_eq!(rename(c"new", c"old", 0), Ok(0));

    // The way back up.
    check_eq!(on_path(nr::CHDIR, c"old"), Ok(0));
    check_eq!(file_type(c"../a/file"), Ok(S_IFREG));
    check_eq!(on_path(nr::CHDIR, c".."), Ok(0));
    for path in [c"a/file", c"a/b", c"link", c"old/twin"] {
        check_eq!(on_path(nr::UNLINK, path), Ok(0));
    }
    for path in [c"a", c"old"] {
        check_eq!(on_path(nr::RMDIR, path), Ok(0));
    }
    leave_scratch(c"sugarbush-names");
}
