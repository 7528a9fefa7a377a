//! The kernel's symbols, as the kernel reads them for its backtraces.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::{Context as _, Result};
use object::{Object as _, ObjectSection as _, ObjectSymbol as _, SectionKind};

/// One line `hex-address name` for each symbol in code, by ascending address; one name an address.
///
/// # Errors
/// When `elf` is not an ELF file.
pub(crate) fn of_kernel(elf: &[u8]) -> Result<String> {
    let file = object::File::parse(elf).context("the kernel is not an ELF file")?;
    let mut names = BTreeMap::new();
    for symbol in file.symbols() {
        let Some(section) = symbol.section_index() else { continue };
        let in_code = file.section_by_index(section).is_ok_and(|section| section.kind() == SectionKind::Text);
        if let Ok(name) = symbol.name()
            && in_code
            && !name.is_empty()
        {
            names.entry(symbol.address()).or_insert(name);
        }
    }
    let mut lines = String::new();
    for (address, name) in names {
        // The alternate form leaves out the hash.
        writeln!(lines, "{address:x} {:#}", rustc_demangle::demangle(name))?;
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbols_of_this_very_test_ascend_and_are_demangled() {
        let exe = std::env::current_exe().expect("a running program has a file");
        let lines = of_kernel(&std::fs::read(exe).expect("it can be read")).expect("it is an ELF file");
        let mut last = None;
        for line in lines.lines() {
            let (address, name) = line.split_once(' ').expect("two words");
            let address = u64::from_str_radix(address, 16).expect("a hexadecimal address");
            assert!(!name.is_empty());
            assert!(last < Some(address), "{address:x} does not ascend");
            last = Some(address);
        }
        assert!(lines.lines().any(|line| line.ends_with(" sugarbush::symbols::of_kernel")), "own name");
    }

    #[test]
    fn what_is_not_an_elf_file_is_an_error() {
        assert!(of_kernel(b"not at all").is_err());
    }
}
