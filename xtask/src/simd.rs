//! The check that the kernel is soft-float: its code names no vector register outside of what switches the FPU.
//!
//! The FPU belongs to user programs. The target forbids vector code to the compiler, but assembly and crates
//! with code chosen at run time could bring it in.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};

use crate::cmd;
use crate::packages::{self, Need};

/// Checks an image.
///
/// # Errors
/// If a function outside the FPU switch names a vector register; the message lists them.
pub(crate) fn check(image: &Path) -> Result<()> {
    packages::ensure(&[Need::new("objdump", "binutils")])?;
    let mut objdump = Command::new("objdump");
    objdump.args(["--disassemble", "--demangle", "--no-show-raw-insn"]).arg(image);
    let culprits = culprits(&cmd::capture(&mut objdump)?);
    if !culprits.is_empty() {
        let list: Vec<String> = culprits.iter().map(|(name, line)| format!("{name}: {line}")).collect();
        bail!("vector registers outside the FPU switch:\n{}", list.join("\n"));
    }
    Ok(())
}

/// Returns the functions that name a vector register, each with its first such instruction.
fn culprits(disassembly: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut function = "";
    for line in disassembly.lines() {
        if let Some(name) =
            line.strip_suffix(">:").and_then(|line| line.split_once(" <")).map(|(_, name)| name)
        {
            function = name;
        } else if ["%xmm", "%ymm", "%zmm"].iter().any(|register| line.contains(register))
            && !function.to_ascii_lowercase().contains("fpu")
        {
            found.entry(function.to_owned()).or_insert_with(|| line.trim().to_owned());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vector_registers_are_found_outside_the_fpu_switch_only() {
        let text = "\
0000000000001000 <hal::fpu::save>:
    1000:\tmovaps %xmm0,(%rdi)
0000000000001010 <kernel::copy<u8>>:
    1010:\tmov    %rax,%rbx
    1013:\tmovups (%rsi),%xmm1
    1016:\tmovups %xmm1,(%rdi)
";
        let found = culprits(text);
        assert_eq!(found.len(), 1);
        assert!(found["kernel::copy<u8>"].starts_with("1013:"));
    }
}
