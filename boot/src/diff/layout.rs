//! The layout of a program's memory, from `/proc/PID/maps`: what of it two systems should have in common.
//!
//! Each line is `START-END PERMISSIONS KIND`. Low addresses are as they are; the heap's are counted from its start, and those where
//! the kernel places mappings downwards from the end of the highest, as kernels begin at places of their own. What the kernel maps
//! for itself is left out, and how far the stack has grown.
//!
//! On Linux the vDSO is above what a program maps first. So a program that puts something at a multiple of more than a page, as malloc
//! does for the arenas of threads, finds another distance there.

use std::fmt::Write as _;

/// Kernels place mappings above this.
const CHOSEN: u64 = 0x7000_0000_0000;

/// A line of the file.
struct Mapping<'l> {
    start: u64,
    end: u64,
    permissions: &'l str,
    offset: u64,
    inode: u64,
    name: &'l str,
}

impl<'l> Mapping<'l> {
    fn parse(line: &'l str) -> Option<Self> {
        let mut words = line.splitn(6, ' ');
        let (start, end) = words.next()?.split_once('-')?;
        let number = |digits: &str| u64::from_str_radix(digits, 16).ok();
        Some(Self {
            start: number(start)?,
            end: number(end)?,
            permissions: words.next()?,
            offset: number(words.next()?)?,
            inode: words.nth(1)?.parse().ok()?,
            name: words.next().unwrap_or_default().trim(),
        })
    }

    fn is_the_kernels(&self) -> bool {
        ["[vdso]", "[vvar]", "[vvar_vclock]", "[vsyscall]"].contains(&self.name)
    }

    /// What it maps, without what differs by system.
    fn kind(&self) -> String {
        match self.name {
            "[heap]" | "[stack]" => self.name.to_owned(),
            name if name.starts_with("/SYSV") => format!("{name} {:#x}", self.offset),
            "/dev/zero (deleted)" => format!("shared {:#x}", self.offset),
            name if name.starts_with("/memfd:") => format!("{name} {:#x}", self.offset),
            _ if self.inode != 0 => format!("file {:#x}", self.offset),
            _ => "anonymous".to_owned(),
        }
    }
}

/// The layout that the lines of `maps` show.
pub(super) fn layout(maps: &str) -> String {
    let all = || maps.lines().filter_map(Mapping::parse).filter(|mapping| !mapping.is_the_kernels());
    let heap = all().find(|mapping| mapping.name == "[heap]").map_or(0, |heap| heap.start);
    let chosen = |mapping: &Mapping<'_>| mapping.start >= CHOSEN && mapping.name != "[stack]";
    let top = all().filter(chosen).map(|mapping| mapping.end).max().unwrap_or(0);
    let mut text = String::new();
    for mapping in all() {
        let (start, end) = (mapping.start, mapping.end);
        let place = match mapping.name {
            "[stack]" => "stack".to_owned(),
            "[heap]" => format!("heap+{:#x}-{:#x}", start - heap, end - heap),
            _ if chosen(&mapping) => format!("top-{:#x}-{:#x}", top - start, top - end),
            _ => format!("{start:#x}-{end:#x}"),
        };
        let _ = writeln!(text, "{place} {} {}", mapping.permissions, mapping.kind());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_by_system_is_not_in_the_layout() {
        let linux = "\
00400000-00401000 r--p 00000000 fe:00 123                                /tmp/a
004e4000-00507000 rw-p 00000000 00:00 0                                  [heap]
7ffff7ff5000-7ffff7ff9000 rw-s 00001000 00:01 9                          /dev/zero (deleted)
7ffff7ff9000-7ffff7ffd000 r--p 00000000 00:00 0                          [vvar]
7ffff7fff000-7ffff8000000 r-xp 00000000 00:00 0                          [vdso]
7ffffffde000-7ffffffff000 rw-p 00000000 00:00 0                          [stack]
";
        let ours = "\
00400000-00401000 r--p 00000000 00:20 7                                  /bin/a
00600000-00623000 rw-p 00000000 00:00 0                                  [heap]
7ffff7ffb000-7ffff7fff000 rw-s 00001000 00:01 1                          /dev/zero (deleted)
7fffffffd000-7ffffffff000 rw-p 00000000 00:00 0                          [stack]
";
        assert_eq!(layout(linux), layout(ours));
        let expected = "0x400000-0x401000 r--p file 0x0\nheap+0x0-0x23000 rw-p [heap]\n\
                        top-0x4000-0x0 rw-s shared 0x1000\nstack rw-p [stack]\n";
        assert_eq!(layout(ours), expected);
        assert_ne!(layout(&ours.replace("rw-s", "r--s")), expected);
        assert_ne!(layout(&ours.replace("00623000", "00622000")), expected);
    }
}
