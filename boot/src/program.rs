//! Is a file a program that the kernel can run?

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::Result;
use object::elf::{EM_X86_64, ET_DYN, ET_EXEC, ET_REL, FileHeader64, PT_INTERP};
use object::read::elf::{FileHeader as _, ProgramHeader as _};
use object::{FileKind, LittleEndian};

use crate::errors::usage;

/// Reads a program after a look at what it is. `with_files` says whether it finds a dynamic linker, perhaps.
///
/// # Errors
/// What is wrong with the file and what to do, in one line.
pub(crate) fn read(path: &Path, with_files: bool) -> Result<Vec<u8>> {
    let name = path.display();
    let bytes = fs::read(path).map_err(|error| match error.kind() {
        ErrorKind::NotFound => usage(format!("{name}: no such file")),
        ErrorKind::IsADirectory => usage(format!("{name}: is a directory; --program wants an ELF file")),
        _ => usage(format!("{name}: {error}")),
    })?;
    match refusal(&bytes, with_files) {
        None => Ok(bytes),
        Some(reason) => Err(usage(format!("{name}: {reason}"))),
    }
}

/// Why the kernel cannot run this file, if it cannot.
fn refusal(bytes: &[u8], with_files: bool) -> Option<&'static str> {
    match FileKind::parse(bytes) {
        Ok(FileKind::Elf64) => elf_refusal(bytes, with_files),
        Ok(FileKind::Elf32) => Some("is a 32-bit ELF file; compile it for x86-64 (-m64)"),
        _ if bytes.starts_with(b"#!") => {
            Some("is a script; name its interpreter (a static ELF file) instead")
        }
        _ => Some("is not an ELF file; compile it for x86-64 Linux and link it with -static"),
    }
}

fn elf_refusal(bytes: &[u8], with_files: bool) -> Option<&'static str> {
    const DAMAGED: Option<&str> = Some("is a damaged ELF file; build it again");
    let Ok(header) = FileHeader64::<LittleEndian>::parse(bytes) else { return DAMAGED };
    let Ok(endian) = header.endian() else {
        return Some("is a big-endian ELF file; compile it for x86-64");
    };
    if header.e_machine(endian) != EM_X86_64 {
        return Some("is an ELF file for another processor; compile it for x86-64");
    }
    match header.e_type(endian) {
        ET_EXEC | ET_DYN => {}
        ET_REL => return Some("is an object file; link it with -static"),
        _ => return Some("is an ELF file, but not a program"),
    }
    let Ok(segments) = header.program_headers(endian, bytes) else { return DAMAGED };
    if segments.is_empty() {
        return DAMAGED;
    }
    let dynamic = segments.iter().any(|segment| segment.p_type(endian) == PT_INTERP);
    (dynamic && !with_files).then_some(
        "is dynamically linked, and there is no ld.so here; link it with -static, or give its libraries with --initramfs",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An ELF header with one program header.
    fn elf(class: u8, data: u8, kind: u16, machine: u16, segment: u32) -> Vec<u8> {
        let mut file = vec![0; 64 + 56];
        file[..7].copy_from_slice(&[0x7f, b'E', b'L', b'F', class, data, 1]);
        file[16..18].copy_from_slice(&kind.to_le_bytes());
        file[18..20].copy_from_slice(&machine.to_le_bytes());
        file[20] = 1;
        file[32] = 64; // e_phoff
        file[52] = 64; // e_ehsize
        file[54] = 56; // e_phentsize
        file[56] = 1; // e_phnum
        file[64..68].copy_from_slice(&segment.to_le_bytes());
        file
    }

    fn refused(bytes: &[u8], word: &str) {
        let reason = refusal(bytes, false).unwrap_or_default();
        assert!(reason.contains(word), "{reason:?} does not say {word:?}");
    }

    #[test]
    fn static_programs_of_both_kinds_are_taken() {
        assert_eq!(refusal(&elf(2, 1, 2, 62, 1), false), None);
        assert_eq!(refusal(&elf(2, 1, 3, 62, 1), false), None);
    }

    #[test]
    fn what_cannot_run_is_refused_with_what_to_do() {
        refused(&elf(2, 1, 2, 62, 3), "-static");
        refused(&elf(1, 1, 2, 3, 1), "32-bit");
        refused(&elf(2, 1, 2, 183, 1), "another processor");
        refused(&elf(2, 1, 1, 62, 1), "object file");
        refused(&elf(2, 1, 4, 62, 1), "not a program");
        refused(b"#!/bin/sh\n", "script");
        refused(b"", "not an ELF");
        refused(b"\x7fELF", "not an ELF");
        refused(&[b'x'; 4096], "not an ELF");
        let whole = elf(2, 1, 2, 62, 1);
        refused(&whole[..100], "damaged");
    }

    #[test]
    fn a_dynamic_program_runs_where_its_linker_may_be() {
        assert_eq!(refusal(&elf(2, 1, 3, 62, 3), true), None);
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = read(Path::new("/nowhere/at/all"), false).expect_err("there is no such file");
        assert_eq!(error.to_string(), "/nowhere/at/all: no such file");
        assert_eq!(crate::errors::status_of(&error, 125), 2);
    }
}
