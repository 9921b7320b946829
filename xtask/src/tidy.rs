//! `cargo xtask tidy`: rules of the source tree that no compiler checks.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::paths;

/// Words that mark unfinished work. Put together here, so that this file does not name them itself.
const UNFINISHED: [&str; 5] = [
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("XX", "X"),
    concat!("todo", "!"),
    concat!("unimplemented", "!"),
];
const ALLOW_UNSAFE: &str = concat!("allow(", "unsafe_code)");
const FORBID_UNSAFE: &str = "forbid(unsafe_code)";
/// The modules of the kernel that every other may use.
const COMMON: [&str; 3] = ["errno", "lock_order", "klog"];

/// A source file: its path from the root, and its text.
struct Source {
    path: String,
    text: String,
}

/// Checks the tree and prints what breaks a rule.
pub(crate) fn main() -> Result<()> {
    let report = check()?;
    println!("{report}");
    Ok(())
}

/// Checks the tree and returns a line of figures.
///
/// # Errors
/// If a rule is broken; the message holds every place.
pub(crate) fn check() -> Result<String> {
    let sources = sources()?;
    let mut problems = Vec::new();
    for source in &sources {
        problems.extend(unfinished(source));
        if source.path.ends_with(".rs") && !source.text.starts_with("//!") {
            problems.push(format!("{}: does not begin with a `//!` line that says what it is", source.path));
        }
    }
    problems.extend(unsafe_fence(&sources));
    let architecture = paths::root().join("ARCHITECTURE.md");
    match fs::read_to_string(&architecture) {
        Ok(text) => problems.extend(dependencies(&sources, &parse_table(&text)?)),
        Err(_) => println!("left out: module dependencies; there is no {}", architecture.display()),
    }
    if !problems.is_empty() {
        bail!("{} places break a rule:\n{}", problems.len(), problems.join("\n"));
    }
    let lines = |prefix: &str| -> usize {
        let of_crate =
            sources.iter().filter(|source| source.path.starts_with(prefix) && source.path.ends_with(".rs"));
        of_crate.map(|source| source.text.lines().count()).sum()
    };
    // The crate that may say `unsafe`; its tests are crates of their own, which may not.
    let (hal, total) = (lines("hal/src/"), lines(""));
    let per_mille = (1000 * hal).checked_div(total).unwrap_or(0);
    Ok(format!(
        "{} files are tidy; {hal} of {total} lines ({}.{} %) are in hal, the aim is at most 10 %",
        sources.len(),
        per_mille / 10,
        per_mille % 10
    ))
}

/// Reads the files under the rules.
fn sources() -> Result<Vec<Source>> {
    const ENDINGS: [&str; 7] = ["rs", "ld", "toml", "c", "S", "sh", "md"];
    let root = paths::root();
    let mut pending = vec![root.clone()];
    let mut sources = Vec::new();
    while let Some(dir) = pending.pop() {
        for entry in fs::read_dir(&dir).with_context(|| format!("cannot read {}", dir.display()))?.flatten() {
            let path = entry.path();
            let name = entry.file_name();
            let file_type = entry.file_type()?;
            if file_type.is_dir() {
                if name != "target" && name != ".git" {
                    pending.push(path);
                }
            } else if file_type.is_file() && has_ending(&path, &ENDINGS) {
                let text =
                    fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
                let path = path.strip_prefix(&root).unwrap_or(&path).to_string_lossy().into_owned();
                sources.push(Source { path, text });
            }
        }
    }
    sources.sort_by(|left, right| left.path.cmp(&right.path));
    Ok(sources)
}

fn has_ending(path: &Path, endings: &[&str]) -> bool {
    path.extension().is_some_and(|ending| endings.iter().any(|known| ending == *known))
}

/// Finds marks of unfinished work. A mark with an issue's number in parentheses behind it is a reference.
fn unfinished(source: &Source) -> Vec<String> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut found = Vec::new();
    for (number, line) in (1..).zip(source.text.lines()) {
        for word in UNFINISHED {
            let bare = line.match_indices(word).any(|(at, _)| {
                let before = line[..at].chars().next_back();
                let after = &line[at + word.len()..];
                !before.is_some_and(is_word) && !after.starts_with(is_word) && !after.starts_with("(#")
            });
            if bare {
                found.push(format!("{}:{number}: {word}: finish it or name its issue", source.path));
            }
        }
    }
    found
}

/// Checks that `hal` alone may say `unsafe`, and says so once.
fn unsafe_fence(sources: &[Source]) -> Vec<String> {
    let mut problems = Vec::new();
    for source in sources.iter().filter(|source| source.path.ends_with(".rs")) {
        let expected = usize::from(source.path == "hal/src/lib.rs");
        let count = source.text.matches(ALLOW_UNSAFE).count();
        if count != expected {
            problems.push(format!("{}: has {count} times `{ALLOW_UNSAFE}`, not {expected}", source.path));
        }
        const OTHER_ROOTS: [&str; 2] = ["xtask/src/main.rs", "hal/tests/hal/main.rs"];
        let crate_root = source.path.ends_with("src/lib.rs") || OTHER_ROOTS.contains(&source.path.as_str());
        if crate_root && expected == 0 && !source.text.contains(FORBID_UNSAFE) {
            problems.push(format!("{}: does not say `#![{FORBID_UNSAFE}]`", source.path));
        }
    }
    problems
}

/// What each module may use; `None` stands for everything.
type Table = BTreeMap<String, Option<BTreeSet<String>>>;

/// Reads the table from the fenced block under the heading "Module dependencies".
fn parse_table(text: &str) -> Result<Table> {
    let mut lines = text.lines();
    if !lines.any(|line| line.starts_with('#') && line.ends_with("Module dependencies")) {
        bail!("ARCHITECTURE.md has no heading \"Module dependencies\"");
    }
    let block = lines.skip_while(|line| !line.starts_with("```")).skip(1);
    let mut table = Table::new();
    for line in block.take_while(|line| !line.starts_with("```")) {
        let line = line.split('#').next().unwrap_or_default().trim();
        if line.is_empty() {
            continue;
        }
        let (module, allowed) =
            line.split_once(':').with_context(|| format!("ARCHITECTURE.md: no colon in \"{line}\""))?;
        let words = allowed.split(|c: char| c.is_whitespace() || c == ',').filter(|word| !word.is_empty());
        let allowed: BTreeSet<String> = words.map(str::to_owned).collect();
        let allowed = if allowed.contains("*") { None } else { Some(allowed) };
        table.insert(module.trim().to_owned(), allowed);
    }
    if table.is_empty() {
        bail!("ARCHITECTURE.md has no table under \"Module dependencies\"");
    }
    Ok(table)
}

/// Compares the kernel's modules with the table.
fn dependencies(sources: &[Source], table: &Table) -> Vec<String> {
    let mut problems = BTreeSet::new();
    for source in sources {
        let Some(module) = kernel_module(&source.path) else { continue };
        for used in used_modules(&source.text) {
            let allowed = match table.get(&module) {
                Some(None) => true,
                Some(Some(allowed)) => allowed.contains(&used),
                None => false,
            };
            if used != module && !COMMON.contains(&used.as_str()) && !allowed {
                problems.insert(format!(
                    "{}: {module} uses {used}, which ARCHITECTURE.md does not allow",
                    source.path
                ));
            }
        }
    }
    problems.into_iter().collect()
}

/// Returns the top-level module of a file of the kernel; `None` for the crate's root and for tests.
fn kernel_module(path: &str) -> Option<String> {
    let inside = path.strip_prefix("kernel/src/")?;
    let name = PathBuf::from(inside).file_name()?.to_string_lossy().into_owned();
    if inside == "lib.rs" || name == "tests.rs" || inside.contains("/tests/") || !name.ends_with(".rs") {
        return None;
    }
    Some(inside.split('/').next()?.trim_end_matches(".rs").to_owned())
}

/// Returns the modules that come directly behind `crate::`, outside of comments and of tests.
fn used_modules(text: &str) -> BTreeSet<String> {
    let code: String =
        text.lines().take_while(|line| line.trim() != "#[cfg(test)]").fold(String::new(), |code, line| {
            let line = line.split("//").next().unwrap_or_default();
            code + line + "\n"
        });
    let mut used = BTreeSet::new();
    for (at, name) in code.match_indices("crate::") {
        // `$crate::` of a macro is the macro's own crate and counts; `some_crate::` is another word.
        if code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_') {
            continue;
        }
        let rest = &code[at + name.len()..];
        match rest.strip_prefix('{') {
            Some(group) => used.extend(first_words(group)),
            None => used.extend(identifier(rest)),
        }
    }
    used
}

/// Returns the first word of each item of a `use` group, up to the brace that ends it.
fn first_words(group: &str) -> Vec<String> {
    let (mut depth, mut start, mut words) = (0, 0, Vec::new());
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            '}' => {
                words.extend(identifier(group[start..at].trim_start()));
                break;
            }
            ',' if depth == 0 => {
                words.extend(identifier(group[start..at].trim_start()));
                start = at + 1;
            }
            _ => {}
        }
    }
    words
}

/// Returns the module's name at the start of a path; a type or a macro of the crate's root is none.
fn identifier(text: &str) -> Option<String> {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    let is_module = word.starts_with(|c: char| c.is_ascii_lowercase()) && !rest.starts_with(['!', '(']);
    (is_module && word != "self").then(|| word.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(path: &str, text: &str) -> Source {
        Source { path: path.to_owned(), text: text.to_owned() }
    }

    #[test]
    fn bare_marks_are_found_and_references_are_not() {
        let text = [
            UNFINISHED[0],
            " later\nmktemp ",
            UNFINISHED[2],
            UNFINISHED[2],
            "\n",
            UNFINISHED[1],
            "(#12) known\n",
        ]
        .concat();
        let found = unfinished(&source("a.rs", &text));
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with("a.rs:1:"));
    }

    #[test]
    fn modules_are_found_in_every_form_of_use() {
        let text = "use crate::memory::{a, b};\nuse crate::{\n    fs::{x, y::z},\n    ipc, Exo,\n};\n\
                    // crate::comment\nlet x = crate::time::now(); crate::log!(1); other_crate::drivers::f();\n\
                    #[cfg(test)]\nuse crate::testing;\n";
        let used: Vec<String> = used_modules(text).into_iter().collect();
        assert_eq!(used, ["fs", "ipc", "memory", "time"]);
    }

    #[test]
    fn the_table_decides() {
        let table = parse_table(
            "# Map\n### Module dependencies\nText.\n```text\nmemory: uio, random\nsyscall: *\nuio:\n```\nx: y\n",
        )
        .expect("a table");
        assert_eq!(table.len(), 3);
        let sources = [
            source(
                "kernel/src/memory/mod.rs",
                "use crate::uio::X; use crate::errno::Y; use crate::memory::Z;",
            ),
            source("kernel/src/syscall/a.rs", "use crate::memory::X;"),
            source("kernel/src/uio.rs", "use crate::memory::X;"),
            source("kernel/src/lib.rs", "use crate::memory::X;"),
        ];
        let problems = dependencies(&sources, &table);
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].contains("uio uses memory"));
        assert!(parse_table("# Map\n").is_err());
    }

    #[test]
    fn the_fence_has_one_gate() {
        let gate = format!("//! x\n#![{ALLOW_UNSAFE}]\n");
        let safe = format!("//! x\n#![{FORBID_UNSAFE}]\n");
        let good = [source("hal/src/lib.rs", &gate), source("kernel/src/lib.rs", &safe)];
        assert_eq!(unsafe_fence(&good), Vec::<String>::new());
        let bad = [source("hal/src/lib.rs", &safe), source("kernel/src/lib.rs", &gate)];
        assert_eq!(unsafe_fence(&bad).len(), 3);
    }
}
