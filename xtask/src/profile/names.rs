//! The functions behind addresses, those inlined into others included.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use super::Names;

/// Asks binutils' addr2line for the functions at each address of an image.
///
/// # Errors
/// If it cannot be started or fails.
pub(super) fn of(image: &Path, addresses: &BTreeSet<u64>) -> Result<Names> {
    let mut command = Command::new("addr2line");
    command.arg("--exe").arg(image).args(["--addresses", "--functions", "--inlines", "--demangle"]);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().context("cannot start addr2line")?;
    let mut input = child.stdin.take().context("no pipe")?;
    let mut question = String::new();
    for address in addresses {
        // Writing to a string cannot fail.
        let _ = writeln!(question, "{address:#x}");
    }
    // In a thread of its own: it answers while it is asked.
    let asking = std::thread::spawn(move || input.write_all(question.as_bytes()));
    let output = child.wait_with_output().context("addr2line")?;
    if !output.status.success() || !matches!(asking.join(), Ok(Ok(()))) {
        bail!("addr2line failed ({})", output.status);
    }
    Ok(parse(&String::from_utf8_lossy(&output.stdout)))
}

/// Reads the answers: the address, then for each function its name and its place, the innermost first.
fn parse(text: &str) -> Names {
    let mut names = Names::new();
    let mut address = 0;
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(digits) = line.strip_prefix("0x") {
            address = u64::from_str_radix(digits, 16).unwrap_or(0);
            continue;
        }
        let place = lines.next().unwrap_or_default();
        let name = if line == "??" { format!("?? {address:#x}") } else { full(line, place) };
        names.entry(address).or_default().insert(0, name);
    }
    names
}

/// Returns a function's name with its module and without generic arguments. Inlined functions come without a
/// module; their file tells it.
fn full(name: &str, place: &str) -> String {
    let name = match name.rsplit_once("::h") {
        Some((name, hash)) if hash.len() == 16 && hash.bytes().all(|b| b.is_ascii_hexdigit()) => name,
        _ => name,
    };
    let name = without_generics(name);
    match module(place) {
        Some(module) if !name.contains("::") => format!("{module}::{name}"),
        _ => name,
    }
}

/// Returns the module that a file of Rust is.
fn module(place: &str) -> Option<String> {
    let file = place.rsplit_once(':')?.0.strip_suffix(".rs")?;
    let (root, path) = file.rsplit_once("/src/")?;
    let owner = root.rsplit('/').next()?;
    let path = path.trim_end_matches("/mod").replace('/', "::");
    Some(if path == "lib" { owner.to_owned() } else { format!("{owner}::{path}") })
}

/// Takes away what is between angle brackets behind a name; `<A as B>::c` keeps the outer ones.
fn without_generics(name: &str) -> String {
    let (mut out, mut depth) = (String::new(), 0);
    let mut before = ' ';
    for c in name.chars() {
        let opens = c == '<' && (depth > 0 || before.is_alphanumeric() || before == '_' || before == ':');
        if opens {
            depth += 1;
        } else if c == '>' && depth > 0 && before != '-' {
            depth -= 1;
        } else if depth == 0 {
            out.push(c);
        }
        before = c;
    }
    out.replace("::::", "::")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inlined_functions_are_inside_of_those_that_hold_them() {
        let text = "0x00000000000000ff\ninner<u8>\n/x/kernel/src/fs/mod.rs:1\nouter::h0123456789abcdef\nb.rs:2\n\
                    0x0000000000000100\n??\n??:0\n";
        let names = parse(text);
        assert_eq!(names[&0xff], ["outer", "kernel::fs::inner"]);
        assert_eq!(names[&0x100], ["?? 0x100"]);
    }

    #[test]
    fn names_lose_their_generic_arguments() {
        assert_eq!(without_generics("alloc::vec::Vec<u8, A<B>>::push"), "alloc::vec::Vec::push");
        assert_eq!(without_generics("<exo::Exo as hal::Kernel<T>>::free"), "<exo::Exo as hal::Kernel>::free");
        assert_eq!(without_generics("f<fn(u8) -> u8>"), "f");
        assert_eq!(without_generics("a::<impl b::C<D> for E>::f"), "a::f");
    }
}
