//! Builds `core`, `compiler_builtins` and `alloc` for the bare-metal target from a compiler's packaged
//! source, for compilers that come without them (Debian's).
//!
//! This is the one place where `RUSTC_BOOTSTRAP` is set: the standard library itself cannot be compiled by a
//! stable compiler. The kernel never sees it. The libraries carry LLVM bitcode (`-Cembed-bitcode=yes`)
//! and keep the target's default code and relocation models, as fat link-time optimisation needs.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::toolchain::{TARGET, clean, host_triple};
use crate::{cmd, paths};

/// The flags of every library in the sysroot.
const FLAGS: &[&str] = &[
    "--edition=2024",
    "--crate-type=rlib",
    "--target",
    TARGET,
    "-Copt-level=3",
    "-Cpanic=abort",
    "-Cembed-bitcode=yes",
    "-Cforce-frame-pointers=yes",
    "-Cdebuginfo=line-tables-only",
    "-Cextra-filename=-exo",
    "-Cmetadata=exo",
    "--cap-lints=warn",
    "-Awarnings",
    "-Zforce-unstable-if-unmarked",
];

/// Returns the path of a sysroot for `rustc`, building it from `library` if it is not there yet.
///
/// The path holds a hash of the compiler's version and the flags, because cargo does not notice when a sysroot
/// changes under the same path.
///
/// # Errors
/// If the library's source does not compile.
pub(crate) fn ensure(rustc: &Path, library: &Path) -> Result<PathBuf> {
    let version = cmd::capture(tool(rustc).arg("-vV"))?;
    let key = fnv1a(format!("{version}\n{}\n{}", FLAGS.join(" "), library.display()).as_bytes());
    let sysroot = paths::target().join(format!("sysroot-{key:016x}"));
    if sysroot.is_dir() {
        return Ok(sysroot);
    }
    cmd::progress("building the Rust core library for the bare machine (once, about a minute)");
    let scratch = paths::target().join(format!("sysroot-{key:016x}.{}", std::process::id()));
    let built = build(rustc, library, &scratch);
    if built.is_ok() && std::fs::rename(&scratch, &sysroot).is_err() && !sysroot.is_dir() {
        bail!("cannot rename {} to {}", scratch.display(), sysroot.display());
    }
    // Left over when the build failed or when another process was faster: of no use either way.
    let _ = std::fs::remove_dir_all(&scratch);
    built.map(|()| sysroot)
}

fn build(rustc: &Path, library: &Path, sysroot: &Path) -> Result<()> {
    let out = sysroot.join("lib/rustlib").join(TARGET).join("lib");
    std::fs::create_dir_all(&out).with_context(|| format!("cannot make {}", out.display()))?;

    cmd::progress("  core");
    compile(rustc, &library.join("core/src/lib.rs"), "core", &out, &[])?;

    cmd::progress("  compiler_builtins");
    let builtins = library.join("compiler-builtins/compiler-builtins");
    let config = configure_builtins(rustc, &builtins, sysroot)?;
    compile(rustc, &builtins.join("src/lib.rs"), "compiler_builtins", &out, &config)?;

    cmd::progress("  alloc");
    compile(rustc, &library.join("alloc/src/lib.rs"), "alloc", &out, &[])
}

fn compile(rustc: &Path, source: &Path, name: &str, out: &Path, config: &[Directive]) -> Result<()> {
    let mut command = tool(rustc);
    command.env("RUSTC_BOOTSTRAP", "1").args(["--crate-name", name]).args(FLAGS);
    command.arg("--out-dir").arg(out).arg("-L").arg(out);
    match name {
        "core" => {}
        "compiler_builtins" => {
            // One object file for each function, so that the linker takes single ones.
            command.arg("-Ccodegen-units=10000").args(["--extern", "core"]);
            command.args(["--cfg", "feature=\"compiler-builtins\"", "--cfg", "feature=\"mem\""]);
        }
        _ => {
            command.args(["-Ccodegen-units=1", "--extern", "core", "--extern", "compiler_builtins"]);
        }
    }
    if name == "core" {
        command.arg("-Ccodegen-units=1");
    }
    for directive in config {
        match directive {
            Directive::Cfg(cfg) => command.args(["--cfg", cfg]),
            Directive::Env(key, value) => command.env(key, value),
        };
    }
    cmd::run_quietly(command.arg(source))
}

/// What a build script told cargo to do.
#[derive(Debug, PartialEq, Eq)]
enum Directive {
    Cfg(String),
    Env(String, String),
}

/// Compiles and runs the build script of `compiler_builtins`, as cargo would, and returns its answers.
fn configure_builtins(rustc: &Path, package: &Path, scratch: &Path) -> Result<Vec<Directive>> {
    let script = scratch.join("configure-builtins");
    let mut command = tool(rustc);
    command.args(["--edition=2024", "-Awarnings", "-o"]).arg(&script).arg(package.join("build.rs"));
    cmd::run_quietly(&mut command)?;
    let mut command = Command::new(&script);
    command.current_dir(package).env("TARGET", TARGET).env("HOST", host_triple(rustc)?);
    command.env("OUT_DIR", scratch).env("OPT_LEVEL", "3");
    command.env("CARGO_FEATURE_COMPILER_BUILTINS", "1").env("CARGO_FEATURE_MEM", "1");
    for line in cmd::capture(tool(rustc).args(["--print", "cfg", "--target", TARGET]))?.lines() {
        if let Some((key, value)) = line.split_once('=') {
            let key = format!("CARGO_CFG_{}", key.to_uppercase());
            let value = value.trim_matches('"');
            // Keys such as `target_feature` come once for each value.
            let value = command
                .get_envs()
                .find(|(name, _)| *name == key.as_str())
                .and_then(|(_, old)| old)
                .map_or_else(|| value.to_owned(), |old| format!("{},{value}", old.to_string_lossy()));
            command.env(key, value);
        }
    }
    command.env("CARGO_CFG_TARGET_VENDOR", "unknown").env("CARGO_CFG_TARGET_ENV", "");
    let answers = cmd::capture(&mut command)?;
    std::fs::remove_file(&script).context("cannot remove the build script")?;
    Ok(answers.lines().filter_map(parse_directive).collect())
}

fn parse_directive(line: &str) -> Option<Directive> {
    let text = line.strip_prefix("cargo::").or_else(|| line.strip_prefix("cargo:"))?;
    if let Some(cfg) = text.strip_prefix("rustc-cfg=") {
        return Some(Directive::Cfg(cfg.to_owned()));
    }
    let (key, value) = text.strip_prefix("rustc-env=")?.split_once('=')?;
    Some(Directive::Env(key.to_owned(), value.to_owned()))
}

/// Returns a compiler command that the environment of an outer cargo or rustup does not reach.
fn tool(rustc: &Path) -> Command {
    let mut command = clean(rustc);
    command.env_remove("LD_LIBRARY_PATH").env_remove("RUSTUP_TOOLCHAIN");
    command
}

/// Hashes bytes the same way on every run and with every compiler (FNV-1a, 64 bits).
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn build_script_answers_are_understood_in_both_spellings() {
        assert_eq!(
            parse_directive("cargo:rustc-cfg=feature=\"mem\""),
            Some(Directive::Cfg("feature=\"mem\"".into()))
        );
        assert_eq!(parse_directive("cargo::rustc-cfg=thumb"), Some(Directive::Cfg("thumb".into())));
        assert_eq!(
            parse_directive("cargo:rustc-env=CFG_OPT_LEVEL=3"),
            Some(Directive::Env("CFG_OPT_LEVEL".into(), "3".into()))
        );
        assert_eq!(parse_directive("cargo:rustc-check-cfg=cfg(thumb)"), None);
    }

    #[test]
    fn the_hash_is_the_published_one() {
        assert_eq!(fnv1a(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a(b"a"), 0xaf63_dc4c_8601_ec8c);
    }
}
