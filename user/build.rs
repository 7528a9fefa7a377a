//! Links every program by `link.ld`: a plain static ELF file.

fn main() {
    let directory = std::env::var("CARGO_MANIFEST_DIR").expect("cargo sets it");
    println!("cargo:rerun-if-changed=link.ld");
    if std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "none") {
        println!("cargo:rustc-link-arg-bins=-T{directory}/link.ld");
        // Line tables would make up most of each file, and all of them go into the initramfs.
        println!("cargo:rustc-link-arg-bins=--strip-debug");
    }
}
