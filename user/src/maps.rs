//! The VMAs of this process, from `/proc/self/maps` (`proc_pid_maps(5)`).

use crate::check;
use crate::io::for_each_line;
use core::fmt;

/// One line of the file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Vma {
    /// First byte.
    pub start: u64,
    /// One past the last byte.
    pub end: u64,
    /// Four letters, such as `rw-p`.
    pub permissions: [u8; 4],
    /// Offset in the file in bytes.
    pub offset: u64,
    /// First bytes of the name, `name_length` of them.
    name: [u8; 16],
    name_length: usize,
}

impl Vma {
    const EMPTY: Self =
        Self { start: 0, end: 0, permissions: *b"---p", offset: 0, name: [0; 16], name_length: 0 };

    /// The permissions as text.
    pub fn permissions(&self) -> &str {
        str::from_utf8(&self.permissions).unwrap_or("????")
    }

    /// The name, such as `[stack]`, cut to 16 bytes; empty for anonymous memory.
    pub fn name(&self) -> &[u8] {
        &self.name[..self.name_length]
    }
}

impl fmt::Debug for Vma {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}-{:x} {}", self.start, self.end, self.permissions())
    }
}

/// Most lines that [`Maps`] can hold.
pub const CAPACITY: usize = 256;

/// All lines of the file at one moment.
pub struct Maps {
    vmas: [Vma; CAPACITY],
    count: usize,
}

impl Maps {
    /// Reads the file. Ends the program if it cannot be read, is malformed, unordered, or longer than [`CAPACITY`].
    pub fn read() -> Self {
        let mut maps = Self { vmas: [Vma::EMPTY; CAPACITY], count: 0 };
        for_each_line(c"/proc/self/maps", |line| {
            check!(maps.count < CAPACITY, "too many lines");
            let Some(vma) = parse(line) else {
                crate::fail(format_args!("/proc/self/maps: malformed: {:?}", str::from_utf8(line)));
            };
            maps.vmas[maps.count] = vma;
            maps.count += 1;
        });
        for pair in maps.all().windows(2) {
            check!(
                pair[0].start < pair[0].end && pair[0].end <= pair[1].start,
                "{:?} and {:?}",
                pair[0],
                pair[1]
            );
        }
        maps
    }

    /// Every VMA, ascending.
    pub fn all(&self) -> &[Vma] {
        &self.vmas[..self.count]
    }

    /// The VMAs that lie in `start..end`, wholly or in part.
    pub fn within(&self, start: u64, end: u64) -> &[Vma] {
        let all = self.all();
        let first = all.partition_point(|vma| vma.end <= start);
        let last = all.partition_point(|vma| vma.start < end);
        &all[first..last.max(first)]
    }

    /// The VMA that holds this address.
    pub fn at(&self, address: u64) -> Option<&Vma> {
        self.within(address, address.saturating_add(1)).first()
    }

    /// The VMA with this name.
    pub fn named(&self, name: &[u8]) -> Option<&Vma> {
        self.all().iter().find(|vma| vma.name() == name)
    }

    /// Whether `start..end` holds exactly these VMAs, each given as first page, end page (both counted from
    /// `start`) and permissions. Prints what there is instead.
    pub fn matches(&self, start: u64, end: u64, expected: &[(u64, u64, &str)]) -> bool {
        let page = crate::pages::PAGE;
        let found = self.within(start, end);
        let equal = found.len() == expected.len()
            && found.iter().zip(expected).all(|(vma, &(first, last, permissions))| {
                (vma.start, vma.end) == (start + first * page, start + last * page)
                    && vma.permissions() == permissions
            });
        if !equal {
            crate::io::print_to(
                crate::io::STDERR,
                format_args!("found {found:x?}\nnot {expected:?} from {start:x}\n"),
            );
        }
        equal
    }
}

/// Takes `start-end perms offset dev inode name` apart.
pub fn parse(line: &[u8]) -> Option<Vma> {
    let mut fields = line.split(|&byte| byte == b' ').filter(|field| !field.is_empty());
    let mut range = fields.next()?.splitn(2, |&byte| byte == b'-');
    let (start, end) = (hexadecimal(range.next()?)?, hexadecimal(range.next()?)?);
    let permissions = fields.next()?.try_into().ok()?;
    let offset = hexadecimal(fields.next()?)?;
    let (_device, _inode) = (fields.next()?, fields.next()?);
    let mut vma = Vma { start, end, permissions, offset, ..Vma::EMPTY };
    let name = fields.next().unwrap_or_default();
    vma.name_length = name.len().min(vma.name.len());
    vma.name[..vma.name_length].copy_from_slice(&name[..vma.name_length]);
    Some(vma)
}

fn hexadecimal(digits: &[u8]) -> Option<u64> {
    u64::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()
}
