//! In-kernel tests of what is small: the ramdisk, symbols, random numbers, the log.

use core::fmt::Write;

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::klog::Buffered;
use crate::test::kernel_test;
use crate::{cmdline, ramdisk, random, symbols};

/// Adds a member to an archive.
fn add(archive: &mut Vec<u8>, name: &str, content: &[u8]) {
    let header = format!(
        "0707010000000A000081A4{zero}{zero}00000001{:08x}{:08X}{zero}{zero}{zero}{zero}{:08X}{zero}",
        1_600_000_000,
        content.len(),
        name.len() + 1,
        zero = "00000000"
    );
    archive.extend_from_slice(header.as_bytes());
    archive.extend_from_slice(name.as_bytes());
    archive.push(0);
    archive.resize(archive.len().next_multiple_of(4), 0);
    archive.extend_from_slice(content);
    archive.resize(archive.len().next_multiple_of(4), 0);
}

fn archive() -> Vec<u8> {
    let mut archive = Vec::new();
    add(&mut archive, "bin/first", b"content");
    add(&mut archive, "./second", b"");
    add(&mut archive, "/third", b"12345678");
    add(&mut archive, "TRAILER!!!", b"");
    archive
}

/// What is read of an archive: the paths, and the error if there is one.
fn read(archive: Vec<u8>) -> (Vec<&'static [u8]>, Option<String>) {
    let mut paths = Vec::new();
    for file in ramdisk::parse(Box::leak(archive.into_boxed_slice())) {
        match file {
            Ok(file) => paths.push(file.path),
            Err(error) => return (paths, Some(format!("{error}"))),
        }
    }
    (paths, None)
}

kernel_test! {
    fn ramdisk_gives_its_files_in_order() {
        let files: Vec<_> = ramdisk::parse(Box::leak(archive().into_boxed_slice())).collect();
        let first = files[0].expect("a file");
        assert_eq!((first.path, first.data), (&b"bin/first"[..], &b"content"[..]));
        assert_eq!((first.mode, first.modified), (0o100644, 1_600_000_000));
        assert_eq!(read(archive()), ([&b"bin/first"[..], b"second", b"third"].to_vec(), None));
    }

    fn ramdisk_that_is_cut_off_anywhere_is_an_error_and_no_panic() {
        let whole = archive();
        // The last bytes are padding of the trailer.
        for len in 1..whole.len() - 4 {
            let (paths, error) = read(whole[..len].to_vec());
            assert!(error.is_some(), "cut to {len} bytes");
            assert!(paths.len() <= 3);
        }
    }

    fn ramdisk_with_any_byte_changed_is_no_panic() {
        let whole = archive();
        for at in 0..whole.len() {
            for value in [0, b'0', b'F', 0xff] {
                let mut damaged = whole.clone();
                damaged[at] = value;
                // A damaged trailer is one more file.
                let (paths, _) = read(damaged);
                assert!(paths.len() <= 4);
            }
        }
    }

    fn ramdisk_damage_is_told_with_its_place() {
        let mut damaged = archive();
        damaged[0] = b'x';
        let text = "the initramfs is damaged at byte 0: no cpio header (newc) here";
        assert_eq!(read(damaged), (Vec::new(), Some(String::from(text))));
    }

    fn ramdisk_has_what_the_host_tool_put_there() {
        assert!(ramdisk::find(b".sugarbush/cmdline").is_some());
        assert!(ramdisk::find(b".sugarbush/nothing").is_none());
    }

    fn symbols_name_functions() {
        if ramdisk::find(b".sugarbush/symbols").is_none() {
            crate::test::skip("the initramfs has no symbols");
        }
        let here = crate::kernel_main as *const () as u64;
        let symbol = symbols::find(here + 1).map(|symbol| format!("{symbol}"));
        assert_eq!(symbol.as_deref(), Some("kernel::kernel_main+0x1"));
        assert!(symbols::find(0).is_none());
    }

    fn random_numbers_differ() {
        let mut buffers = [[0u8; 40]; 4];
        buffers.iter_mut().for_each(|buffer| random::fill(buffer));
        for first in 0..buffers.len() {
            for second in 0..first {
                assert_ne!(buffers[first], buffers[second]);
            }
        }
    }

    fn log_lines_arrive_whole_however_they_are_made() {
        let mut written = Vec::new();
        let mut line = Buffered::new(|bytes: &[u8]| written.extend_from_slice(bytes));
        for number in 0..300 {
            write!(line, "{number},").expect("never fails");
        }
        write!(line, "{:600}", 'x').expect("never fails");
        line.flush();
        let mut wanted: String = (0..300).map(|number| format!("{number},")).collect();
        wanted.push_str(&format!("{:600}", 'x'));
        assert_eq!(str::from_utf8(&written), Ok(wanted.as_str()));
    }

    fn command_line_says_what_this_boot_is_for() {
        assert_eq!(cmdline::value("mode"), Some("test"));
        assert_eq!(cmdline::value("mod"), None);
        assert_eq!(cmdline::value("nothing"), None);
    }
}
