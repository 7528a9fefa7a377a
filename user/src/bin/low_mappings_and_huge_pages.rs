//! `MAP_32BIT` maps below 2 GiB; without huge pages `MAP_HUGETLB` is refused, by the argument that is wrong.
#![no_std]
#![no_main]

use user::prelude::*;

program!(main);

fn main() {
    let low = |hint, pages| mmap(hint, pages * PAGE, Prot::READ, Map::PRIVATE | Map::_32BIT);
    let is_low = |address: u64| (0x4000_0000..0x8000_0000).contains(&address);
    check!(is_low(low(0, 1).unwrap()));
    check_eq!(low(0x5000_0000, 1), Ok(0x5000_0000));
    check!(is_low(low(0x5000_0000, 1).unwrap()));
    check!(is_low(low(0x7fff_f000, 2).unwrap()));
    check!(is_low(low(0x100_0000_0000, 1).unwrap()));
    check_eq!(low(0x3000_0000, 1), Ok(0x3000_0000));
    check_eq!(low(0, 0x8_0000), Err(Errno::ENOMEM));

    let huge = |address, length, flags: Map, log: u64| {
        mmap(address, length, Prot::READ, Map::from_bits_retain((flags | Map::HUGETLB).bits() | log << 26))
    };
    check_eq!(huge(0, PAGE, Map::PRIVATE, 0), Err(Errno::ENOMEM));
    check_eq!(huge(0, 2 << 20, Map::PRIVATE, 21), Err(Errno::ENOMEM));
    check_eq!(huge(0, 2 << 20, Map::PRIVATE, 13), Err(Errno::EINVAL));
    check_eq!(huge(0, 0, Map::PRIVATE, 0), Err(Errno::EINVAL));
    check_eq!(huge(0x1_0000_1000, PAGE, Map::PRIVATE | Map::FIXED, 0), Err(Errno::EINVAL));
    check_eq!(huge(0, PAGE, Map::empty(), 0), Err(Errno::EINVAL));
}
