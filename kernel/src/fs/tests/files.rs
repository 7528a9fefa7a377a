//! Tests of the name space, descriptors and open files.

use alloc::vec::Vec;

use abi::Errno;
use abi::fs::{
    AT_FDCWD, O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_PATH, O_RDONLY, O_RDWR, O_TRUNC, O_WRONLY, S_IFMT,
    S_IFREG, SEEK_CUR, SEEK_END, SEEK_SET,
};

use super::{Buffer, assert_names, assert_refused, files, member, open, read, tree, write};
use crate::fs::descriptors::OnExec;
use crate::fs::path::LastLink;
use crate::fs::written::Piece;
use crate::fs::{Position, Tree};
use crate::test::kernel_test;

kernel_test! {
    fn paths_lead_through_directories_and_links() {
        let tree = tree();
        assert_names(&tree, "/", b"/");
        assert_names(&tree, "bin/tool", b"/bin/tool");
        assert_names(&tree, "//bin/.//tool", b"/bin/tool");
        assert_names(&tree, "/../../bin", b"/bin");
        assert_names(&tree, "deep/link", b"/deep/er/file");
        assert_names(&tree, "deep/up/tool", b"/bin/tool");
        assert_names(&tree, "deep/up/", b"/bin");
        assert_names(&tree, "absolute", b"/bin/tool");
        assert_names(&tree, "dev/null", b"/dev/null");
    }

    fn bad_paths_have_linux_errnos() {
        let tree = tree();
        assert_refused(&tree, b"", Errno::ENOENT);
        assert_refused(&tree, b"nowhere", Errno::ENOENT);
        assert_refused(&tree, b"dangling", Errno::ENOENT);
        assert_refused(&tree, b"loop", Errno::ELOOP);
        assert_refused(&tree, b"twice/", Errno::ENOTDIR);
        assert_refused(&tree, b"twice/x", Errno::ENOTDIR);
        assert_refused(&tree, &[b'x'; 256], Errno::ENAMETOOLONG);
    }

    fn a_member_that_occurs_twice_counts_as_it_comes_last() {
        let mut files = files();
        let number = open(&mut files, "/twice", O_RDONLY).expect("open");
        assert_eq!(read(&mut files, number, 100), Ok(b"second".to_vec()));
        assert_eq!(files.status(number).expect("status").st_mode, S_IFREG | 0o644);
    }

    fn a_tree_cannot_be_built_over_a_file() {
        let members = [member("a", S_IFREG | 0o644, b""), member("a/b", S_IFREG | 0o644, b"")];
        assert_eq!(Tree::build(members.into_iter()).err(), Some(Errno::ENOTDIR));
        let members = [member("../a", S_IFREG | 0o644, b"")];
        assert_eq!(Tree::build(members.into_iter()).err(), Some(Errno::EINVAL));
    }

    fn descriptors_are_the_lowest_free_numbers() {
        let mut files = files();
        assert_eq!(open(&mut files, "/twice", O_RDONLY), Ok(3));
        assert_eq!(open(&mut files, "/twice", O_RDONLY), Ok(4));
        assert_eq!(files.close(3), Ok(()));
        assert_eq!(files.close(3), Err(Errno::EBADF));
        assert_eq!(files.duplicate(4, 0, OnExec::Keep), Ok(3));
        assert_eq!(files.duplicate(4, 9, OnExec::Close), Ok(9));
        assert_eq!(files.on_exec(9), Ok(OnExec::Close));
        assert_eq!(open(&mut files, "/twice", O_RDONLY), Ok(5));
    }

    fn more_descriptors_than_the_limit_are_emfile() {
        let mut files = files();
        for number in 3..16 {
            assert_eq!(open(&mut files, "/twice", O_RDONLY), Ok(number));
        }
        assert_eq!(open(&mut files, "/nowhere", O_RDONLY), Err(Errno::EMFILE));
        assert_eq!(files.duplicate(0, 0, OnExec::Keep), Err(Errno::EMFILE));
        assert_eq!(files.pipe(0), Err(Errno::EMFILE));
        assert_eq!(files.close(15), Ok(()));
        assert_eq!(files.pipe(0), Err(Errno::EMFILE));
        assert_eq!(files.duplicate_to(0, 15, OnExec::Keep), Ok(15));
        assert_eq!(files.duplicate_to(0, 16, OnExec::Keep), Err(Errno::EBADF));
    }

    fn duplicates_share_the_offset() {
        let mut files = files();
        let number = open(&mut files, "/deep/link", O_RDONLY).expect("open");
        let twin = files.duplicate(number, 0, OnExec::Keep).expect("dup");
        assert_eq!(read(&mut files, number, 4), Ok(b"0123".to_vec()));
        assert_eq!(read(&mut files, twin, 4), Ok(b"4567".to_vec()));
        assert_eq!(files.close(number), Ok(()));
        assert_eq!(read(&mut files, twin, 4), Ok(b"89".to_vec()));
        assert_eq!(read(&mut files, twin, 4), Ok(b"".to_vec()));
    }

    fn reading_into_bad_memory_moves_what_fits_before_it() {
        let mut files = files();
        let number = open(&mut files, "/deep/link", O_RDONLY).expect("open");
        let mut buffer = Buffer::with_bad_end(8, 3);
        let result = files.read(number, Position::Current, &mut buffer, &|_, _| Ok(Piece::default()));
        assert_eq!((result, &buffer.bytes[..]), (Ok(3), &b"012"[..]));
        let mut buffer = Buffer::with_bad_end(8, 0);
        let result = files.read(number, Position::Current, &mut buffer, &|_, _| Ok(Piece::default()));
        assert_eq!(result, Err(Errno::EFAULT));
        assert_eq!(files.seek(number, 0, SEEK_CUR), Ok(3));
    }

    fn opening_has_linux_errnos() {
        let mut files = files();
        for (path, flags, errno) in [
            ("/new", O_RDONLY, Errno::ENOENT),
            ("/new/er", O_WRONLY | O_CREAT, Errno::ENOENT),
            ("/new/", O_WRONLY | O_CREAT, Errno::EISDIR),
            ("/twice", O_RDONLY | O_CREAT | O_EXCL, Errno::EEXIST),
            ("/dangling", O_RDONLY | O_CREAT | O_EXCL, Errno::EEXIST),
            ("/bin", O_WRONLY, Errno::EISDIR),
            ("/bin", O_RDONLY | O_CREAT, Errno::EISDIR),
            ("/twice", O_RDONLY | O_DIRECTORY, Errno::ENOTDIR),
            ("/absolute", O_RDONLY | O_NOFOLLOW, Errno::ELOOP),
            ("/proc/1/exe", O_RDONLY | O_NOFOLLOW, Errno::ELOOP),
            ("/proc/1/maps", O_RDWR, Errno::EACCES),
        ] {
            assert_eq!(open(&mut files, path, flags), Err(errno), "{path} {flags:#o}");
        }
        assert_eq!(open(&mut files, "/twice", O_RDONLY | O_CREAT), Ok(3));
        assert_eq!(open(&mut files, "/dev/null", O_RDWR | O_CREAT | O_TRUNC), Ok(4));
        assert_eq!(files.open_at(3, b"x", O_RDONLY, 0), Err(Errno::ENOTDIR));
        assert_eq!(files.open_at(77, b"x", O_RDONLY, 0), Err(Errno::EBADF));
        assert_eq!(files.open_at(77, b"/twice", O_RDONLY, 0), Ok(5));
    }

    fn the_access_mode_decides_what_can_be_done() {
        let mut files = files();
        let reader = open(&mut files, "/dev/null", O_RDONLY).expect("open");
        let writer = open(&mut files, "/dev/null", O_WRONLY).expect("open");
        let path = open(&mut files, "/twice", O_PATH).expect("open");
        assert_eq!(write(&mut files, reader, b"x"), Err(Errno::EBADF));
        assert_eq!(read(&mut files, writer, 1), Err(Errno::EBADF));
        assert_eq!(write(&mut files, writer, b"xyz"), Ok(3));
        assert_eq!(read(&mut files, path, 1), Err(Errno::EBADF));
        let directory = open(&mut files, "/bin", O_RDONLY).expect("open");
        assert_eq!(read(&mut files, directory, 1), Err(Errno::EISDIR));
    }

    fn devices_read_as_they_should() {
        let mut files = files();
        let null = open(&mut files, "/dev/null", O_RDONLY).expect("open");
        assert_eq!(read(&mut files, null, 8), Ok(Vec::new()));
        let zero = open(&mut files, "/dev/zero", O_RDONLY).expect("open");
        assert!(read(&mut files, zero, 2000).expect("read").iter().all(|&byte| byte == 0));
        assert_eq!(read(&mut files, zero, 2000).expect("read").len(), 2000);
        let random = open(&mut files, "/dev/urandom", O_RDONLY).expect("open");
        assert!(read(&mut files, random, 600).expect("read").iter().any(|&byte| byte != 0));
    }

    fn seeking_stays_in_what_offsets_can_be() {
        let mut files = files();
        let number = open(&mut files, "/deep/link", O_RDONLY).expect("open");
        assert_eq!(files.seek(number, 4, SEEK_SET), Ok(4));
        assert_eq!(files.seek(number, -2, SEEK_CUR), Ok(2));
        assert_eq!(files.seek(number, -1, SEEK_END), Ok(9));
        assert_eq!(files.seek(number, -10, SEEK_CUR), Err(Errno::EINVAL));
        assert_eq!(files.seek(number, i64::MAX, SEEK_CUR), Err(Errno::EINVAL));
        assert_eq!(files.seek(number, 0, 9), Err(Errno::EINVAL));
        assert_eq!(files.seek(number, 0, SEEK_CUR), Ok(9));
        assert_eq!(files.seek(number, 100, SEEK_SET), Ok(100));
        assert_eq!(read(&mut files, number, 4), Ok(Vec::new()));
        assert_eq!(files.seek(0, 0, SEEK_SET), Err(Errno::ESPIPE));
    }

    fn a_directory_lists_its_entries_by_name() {
        let mut files = files();
        let number = open(&mut files, "/deep", O_RDONLY | O_DIRECTORY).expect("open");
        let mut names = Vec::new();
        let mut small = Buffer::new(23);
        assert_eq!(files.read_directory(number, &mut small), Err(Errno::EINVAL));
        loop {
            let mut buffer = Buffer::new(64);
            if files.read_directory(number, &mut buffer).expect("getdents64") == 0 {
                break;
            }
            let mut rest = &buffer.bytes[..];
            while !rest.is_empty() {
                let length = usize::from(u16::from_le_bytes([rest[16], rest[17]]));
                let name = rest[19..length].split(|&byte| byte == 0).next().unwrap_or_default();
                names.push((name.to_vec(), rest[18]));
                rest = &rest[length..];
            }
        }
        let expected = [(".", 4), ("..", 4), ("er", 4), ("link", 10), ("up", 10)];
        assert!(
            names
                .iter()
                .map(|(name, kind)| (&name[..], *kind))
                .eq(expected.map(|(name, kind)| (name.as_bytes(), kind)))
        );
        assert_eq!(files.read_directory(0, &mut Buffer::new(64)), Err(Errno::ENOTDIR));
    }

    fn links_are_read_and_the_program_is_one() {
        let files = files();
        assert_eq!(files.link_target(AT_FDCWD, b"/deep/up"), Ok(b"../bin".to_vec()));
        assert_eq!(files.link_target(AT_FDCWD, b"/proc/1/exe"), Ok(b"/bin/tool".to_vec()));
        assert_eq!(files.link_target(AT_FDCWD, b"/twice"), Err(Errno::EINVAL));
        let through = files.status_at(AT_FDCWD, b"/proc/self/exe", LastLink::Follow).expect("status");
        assert_eq!((through.st_mode & S_IFMT, through.st_size), (S_IFREG, 4));
    }
}
