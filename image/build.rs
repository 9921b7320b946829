//! Names the linker script when the image is linked for the bare machine.

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=link.ld");
    println!("cargo::rerun-if-changed=build.rs");
    if env::var("CARGO_CFG_TARGET_OS").as_deref() != Ok("none") {
        return;
    }
    let dir = env::var("CARGO_MANIFEST_DIR").expect("cargo sets it for every build script");
    println!("cargo::rustc-link-arg-bins=--script={dir}/link.ld");
    // The code is position-independent, as the prebuilt `core` is; the image is linked at one fixed address.
    println!("cargo::rustc-link-arg-bins=--no-pie");
    println!("cargo::rustc-link-arg-bins=--no-dynamic-linker");
    println!("cargo::rustc-link-arg-bins=--build-id=none");
    println!("cargo::rustc-link-arg-bins=--gc-sections");
    // Small pages keep the file free of padding; sections are page-aligned by the script.
    println!("cargo::rustc-link-arg-bins=-zmax-page-size=4096");
    println!("cargo::rustc-link-arg-bins=-znorelro");
    println!("cargo::rustc-link-arg-bins=-znognustack");
    println!("cargo::rustc-link-arg-bins=--orphan-handling=error");
}
