//! The ramdisk: a newc cpio archive with the user's files and what this tool tells the kernel.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::Write as _;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use anyhow::{Context as _, Result};
use cpio::newc;

use crate::errors::usage;

const DIRECTORY: u32 = 0o040_000;
const REGULAR: u32 = 0o100_000;
const SYMLINK: u32 = 0o120_000;

/// The directory of the files by which this tool speaks to the kernel.
const OWN: &str = ".sugarbush";

/// A file, directory or symbolic link.
struct Entry {
    /// `st_mode`.
    mode: u32,
    /// Last change, in seconds since 1970; compiled Python files name that of their source.
    modified: u32,
    /// What is in the file, or where the link points.
    content: Vec<u8>,
}

/// An archive to be.
#[derive(Default)]
pub(crate) struct Initramfs {
    /// By path without a leading slash, so that a directory comes before what is in it.
    entries: BTreeMap<String, Entry>,
}

impl Initramfs {
    /// Adds a file with its directories; `path` is without a leading slash. A file that is there is replaced.
    pub(crate) fn file(&mut self, path: &str, permissions: u32, content: Vec<u8>) {
        self.parents_of(path);
        self.entries.insert(path.to_owned(), Entry { mode: REGULAR | permissions, modified: 0, content });
    }

    /// Whether there is something at `path`, which is without a leading slash.
    pub(crate) fn has(&self, path: &str) -> bool {
        self.entries.contains_key(path)
    }

    /// Adds all that is below a directory of the host, but for devices, sockets and pipes: the kernel brings its own.
    ///
    /// # Errors
    /// When the directory is none, cannot be read, or holds what no archive can hold.
    pub(crate) fn directory(&mut self, directory: &Path) -> Result<()> {
        if !directory.is_dir() {
            return Err(usage(format!("{}: no such directory", directory.display())));
        }
        self.below(directory, "")
    }

    fn below(&mut self, directory: &Path, prefix: &str) -> Result<()> {
        let unreadable = |path: &Path, error| usage(format!("{}: {error}", path.display()));
        for entry in fs::read_dir(directory).map_err(|error| unreadable(directory, error))? {
            let host = entry.map_err(|error| unreadable(directory, error))?.path();
            let name = host.file_name().and_then(OsStr::to_str);
            let Some(name) = name else {
                return Err(usage(format!("{}: the name is not UTF-8", host.display())));
            };
            let path = format!("{prefix}{name}");
            if path == OWN {
                return Err(usage(format!("{}: this name is reserved; rename it", host.display())));
            }
            let metadata = host.symlink_metadata().map_err(|error| unreadable(&host, error))?;
            let kind = metadata.file_type();
            let permissions = metadata.mode() & 0o7777;
            let modified = u32::try_from(metadata.mtime()).unwrap_or_default();
            if kind.is_dir() {
                let mode = DIRECTORY | permissions;
                self.entries.insert(path.clone(), Entry { mode, modified, content: Vec::new() });
                self.below(&host, &format!("{path}/"))?;
            } else if kind.is_symlink() {
                let target = fs::read_link(&host).map_err(|error| unreadable(&host, error))?;
                let content = target.into_os_string().into_vec();
                self.entries.insert(path, Entry { mode: SYMLINK | 0o777, modified, content });
            } else if kind.is_file() {
                let content = fs::read(&host).map_err(|error| unreadable(&host, error))?;
                self.entries.insert(path, Entry { mode: REGULAR | permissions, modified, content });
            }
        }
        Ok(())
    }

    fn parents_of(&mut self, path: &str) {
        for (slash, _) in path.match_indices('/') {
            self.entries.entry(path[..slash].to_owned()).or_insert(Entry {
                mode: DIRECTORY | 0o755,
                modified: 0,
                content: Vec::new(),
            });
        }
    }

    /// Tells the kernel its command line.
    pub(crate) fn command_line(&mut self, words: &str) {
        self.file(&format!("{OWN}/cmdline"), 0o644, words.as_bytes().to_vec());
    }

    /// Tells the kernel the first process: a path on the ramdisk, with its leading slash, and the arguments
    /// after it.
    pub(crate) fn first_process(&mut self, path: &str, args: &[OsString]) {
        let mut content = Vec::new();
        for word in std::iter::once(OsStr::new(path)).chain(args.iter().map(OsString::as_os_str)) {
            content.extend_from_slice(word.as_bytes());
            content.push(0);
        }
        self.file(&format!("{OWN}/init"), 0o644, content);
    }

    /// Gives the kernel a schedule to replay instead of its tests.
    pub(crate) fn replay(&mut self, script: Vec<u8>) {
        self.file(&format!("{OWN}/replay"), 0o644, script);
    }

    /// Gives the kernel its symbols.
    pub(crate) fn symbols(&mut self, lines: String) {
        self.file(&format!("{OWN}/symbols"), 0o644, lines.into_bytes());
    }

    /// The archive.
    ///
    /// # Errors
    /// When a file is 4 GiB or larger: the format has no room for its size.
    pub(crate) fn pack(&self) -> Result<Vec<u8>> {
        let mut archive = Vec::new();
        for (number, (path, entry)) in self.entries.iter().enumerate() {
            let size = u32::try_from(entry.content.len())
                .map_err(|_| usage(format!("{path}: 4 GiB and more do not fit into a cpio archive")))?;
            let links = if entry.mode & DIRECTORY == DIRECTORY { 2 } else { 1 };
            let mut writer = newc::Builder::new(path)
                .ino(u32::try_from(number + 1).context("too many files")?)
                .mode(entry.mode)
                .nlink(links)
                .mtime(entry.modified)
                .write(&mut archive, size);
            writer.write_all(&entry.content)?;
            writer.finish()?;
        }
        newc::trailer(&mut archive)?;
        Ok(archive)
    }
}

/// The kernel command line: `words`, each `KEY=VALUE`, but those that `append` gives anew, then `append`.
pub(crate) fn command_line(words: &[String], append: Option<&str>) -> String {
    let append: Vec<&str> = append.unwrap_or_default().split_whitespace().collect();
    let key = |word: &str| word.split('=').next().unwrap_or_default().to_owned();
    let given_anew = |word: &String| append.iter().any(|other| key(other) == key(word));
    let kept = words.iter().filter(|word| !given_anew(word)).map(String::as_str);
    kept.chain(append.iter().copied()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    /// Path, mode and content of every entry, in the order of the archive.
    fn unpacked(archive: &[u8]) -> Vec<(String, u32, Vec<u8>)> {
        let mut entries = Vec::new();
        let mut rest = archive;
        loop {
            let reader = newc::Reader::new(rest).expect("a whole entry");
            if reader.entry().is_trailer() {
                return entries;
            }
            let (name, mode) = (reader.entry().name().to_owned(), reader.entry().mode());
            let mut content = Vec::new();
            rest = reader.to_writer(&mut content).expect("its content");
            entries.push((name, mode, content));
        }
    }

    #[test]
    fn directories_come_before_what_is_in_them() {
        let mut ramdisk = Initramfs::default();
        ramdisk.file("a/b/c", 0o640, b"text".to_vec());
        let entries = unpacked(&ramdisk.pack().expect("small enough"));
        let expected = [("a", 0o040_755, ""), ("a/b", 0o040_755, ""), ("a/b/c", 0o100_640, "text")];
        for ((name, mode, content), expected) in entries.iter().zip(expected) {
            assert_eq!(
                (name.as_str(), *mode, content.as_slice()),
                (expected.0, expected.1, expected.2.as_bytes())
            );
        }
        assert_eq!(entries.len(), expected.len());
    }

    #[test]
    fn the_kernel_finds_what_it_is_told() {
        let mut ramdisk = Initramfs::default();
        ramdisk.command_line("mode=run log=warn");
        ramdisk.first_process("/bin/x", &["a b".into(), "".into()]);
        ramdisk.symbols("10 f\n".to_owned());
        let entries = unpacked(&ramdisk.pack().expect("small enough"));
        let content =
            |path: &str| entries.iter().find(|(name, ..)| name == path).map(|(_, _, content)| &content[..]);
        assert_eq!(content(".sugarbush/cmdline"), Some(&b"mode=run log=warn"[..]));
        assert_eq!(content(".sugarbush/init"), Some(&b"/bin/x\0a b\0\0"[..]));
        assert_eq!(content(".sugarbush/symbols"), Some(&b"10 f\n"[..]));
    }

    #[test]
    fn a_directory_is_packed_with_permissions_and_links() {
        let host = tempfile::tempdir().expect("a temporary directory");
        let path = |name: &str| host.path().join(name);
        fs::create_dir(path("etc")).expect("a directory");
        fs::write(path("etc/motd"), b"hello").expect("a file");
        fs::set_permissions(path("etc/motd"), fs::Permissions::from_mode(0o604)).expect("permissions");
        symlink("etc/motd", path("link")).expect("a link");
        let mut ramdisk = Initramfs::default();
        ramdisk.directory(host.path()).expect("it can be packed");
        let entries = unpacked(&ramdisk.pack().expect("small enough"));
        assert!(entries.contains(&("etc/motd".to_owned(), 0o100_604, b"hello".to_vec())), "{entries:?}");
        assert!(entries.contains(&("link".to_owned(), 0o120_777, b"etc/motd".to_vec())), "{entries:?}");
    }

    #[test]
    fn a_directory_with_our_own_name_in_it_is_refused() {
        let host = tempfile::tempdir().expect("a temporary directory");
        fs::create_dir(host.path().join(OWN)).expect("a directory");
        let error = Initramfs::default().directory(host.path()).expect_err("the name is reserved");
        assert!(error.to_string().contains("reserved"), "{error}");
    }

    #[test]
    fn appended_words_replace_ours() {
        let words = ["munmap=vms".to_owned(), "log=warn".to_owned()];
        assert_eq!(command_line(&words, None), "munmap=vms log=warn");
        assert_eq!(command_line(&words, Some("  log=debug   trace ")), "munmap=vms log=debug trace");
    }
}
