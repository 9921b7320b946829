//! The check of the dependencies: only licences on the list of `deny.toml`, no crate in two versions without
//! a reason there. It reads cargo-deny's format, of which it needs little.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use anyhow::{Context, Result, bail};

use crate::toolchain::host_cargo;
use crate::{cmd, paths};

/// What `deny.toml` says.
#[derive(Debug, Default, PartialEq, Eq)]
struct Policy {
    allow: BTreeSet<String>,
    /// Crates that may occur beside another version: `name@version prefix`.
    skip: BTreeSet<String>,
}

/// Checks all dependencies, for every target.
///
/// # Errors
/// If one breaks the policy; the message names all that do.
pub(crate) fn check() -> Result<()> {
    let path = paths::root().join("deny.toml");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let policy = parse_policy(&text)?;
    let mut tree = host_cargo("tree");
    tree.args(["--workspace", "--locked", "--target", "all", "--prefix", "none", "--format", "{p}|{l}"]);
    let violations = violations(&policy, &cmd::capture(&mut tree)?);
    if !violations.is_empty() {
        bail!("{}", violations.join("\n"));
    }
    Ok(())
}

fn violations(policy: &Policy, tree: &str) -> Vec<String> {
    let mut found = BTreeSet::new();
    let mut versions: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for line in tree.lines() {
        let Some((package, licence)) = line.split_once('|') else { continue };
        let mut words = package.split_whitespace();
        let (Some(name), Some(version)) = (words.next(), words.next()) else { continue };
        let version = version.trim_start_matches('v');
        versions.entry(name).or_default().insert(version);
        let licence = licence.trim_end_matches(" (*)");
        if !is_allowed(licence, &policy.allow) {
            found
                .insert(format!("{name} {version}: its licence ({licence}) is not in the list of deny.toml"));
        }
    }
    let mut used = BTreeSet::new();
    for (name, versions) in &versions {
        let skipped = |version: &&&str| {
            let rule = policy.skip.iter().find(|rule| matches(rule, name, version));
            used.extend(rule);
            rule.is_some()
        };
        if versions.len() > 1 && versions.len() - versions.iter().filter(skipped).count() > 1 {
            let list: Vec<&str> = versions.iter().copied().collect();
            found.insert(format!(
                "{name} occurs in versions {}; deny.toml has no reason for it",
                list.join(", ")
            ));
        }
    }
    for rule in policy.skip.iter().filter(|rule| !used.contains(rule)) {
        found.insert(format!("deny.toml excuses {rule}, which is not needed any more"));
    }
    found.into_iter().collect()
}

/// Returns whether `name@2` or `name@2.1` speaks of this crate.
fn matches(rule: &str, name: &str, version: &str) -> bool {
    let Some((rule_name, rule_version)) = rule.split_once('@') else { return rule == name };
    let rest = version.strip_prefix(rule_version);
    rule_name == name && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

fn parse_policy(text: &str) -> Result<Policy> {
    let mut policy = Policy::default();
    let (mut section, mut list) = ("", "");
    for line in text.lines().map(str::trim) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']'))
            && list.is_empty()
        {
            section = name;
        } else if let Some(name) = line.strip_suffix("= [") {
            list = name.trim();
        } else if line == "]" {
            list = "";
        } else if (section, list) == ("licenses", "allow") {
            policy.allow.extend(quoted(line).map(str::to_owned));
        } else if (section, list) == ("bans", "skip") {
            let mut strings = quoted(line);
            let (Some(name), Some(reason)) = (strings.next(), strings.next()) else {
                bail!("deny.toml: an exception needs a crate and a reason: {line}");
            };
            if !line.contains("reason") || reason.is_empty() {
                bail!("deny.toml: {name} is excused without a reason");
            }
            policy.skip.insert(name.to_owned());
        }
    }
    Ok(policy)
}

fn quoted(line: &str) -> impl Iterator<Item = &str> {
    line.split('"').skip(1).step_by(2)
}

/// Evaluates an SPDX expression. `WITH` makes one term with its exception; `/` is an old way to write `OR`.
fn is_allowed(expression: &str, allow: &BTreeSet<String>) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let tokens: Vec<&str> = spaced.split_whitespace().collect();
    let mut parser = Expression { tokens: &tokens, allow };
    let allowed = parser.any();
    allowed && parser.tokens.is_empty()
}

struct Expression<'a> {
    tokens: &'a [&'a str],
    allow: &'a BTreeSet<String>,
}

impl Expression<'_> {
    fn any(&mut self) -> bool {
        let mut allowed = self.all();
        while self.take("OR") {
            allowed |= self.all();
        }
        allowed
    }

    fn all(&mut self) -> bool {
        let mut allowed = self.term();
        while self.take("AND") {
            allowed &= self.term();
        }
        allowed
    }

    fn term(&mut self) -> bool {
        if self.take("(") {
            let allowed = self.any();
            return self.take(")") && allowed;
        }
        let Some((name, rest)) = self.tokens.split_first() else { return false };
        let mut name = (*name).to_owned();
        self.tokens = rest;
        if self.take("WITH")
            && let Some((exception, rest)) = self.tokens.split_first()
        {
            name = format!("{name} WITH {exception}");
            self.tokens = rest;
        }
        self.allow.contains(&name)
    }

    fn take(&mut self, word: &str) -> bool {
        match self.tokens.split_first() {
            Some((first, rest)) if *first == word => {
                self.tokens = rest;
                true
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: &str = r#"
[licenses]
allow = [
    "MIT",
    "Apache-2.0 WITH LLVM-exception",
    "Unicode-3.0",
]
[bans]
skip = [
    { crate = "syn@2", reason = "old friend" },
]
"#;

    #[test]
    fn expressions_are_evaluated() {
        let allow = parse_policy(POLICY).expect("right").allow;
        for expression in ["MIT", "GPL-2.0 OR MIT", "MIT/GPL-2.0", "(MIT OR GPL-2.0) AND Unicode-3.0"] {
            assert!(is_allowed(expression, &allow), "{expression}");
        }
        assert!(is_allowed("Apache-2.0 WITH LLVM-exception", &allow));
        for expression in ["", "GPL-2.0", "MIT AND GPL-2.0", "Apache-2.0", "(MIT", "MIT MIT"] {
            assert!(!is_allowed(expression, &allow), "{expression}");
        }
    }

    #[test]
    fn licences_and_doubles_are_found() {
        let policy = parse_policy(POLICY).expect("right");
        let good = "a v1.0.0|MIT\nsyn v2.0.1|MIT\nsyn v3.0.0|MIT (*)\n";
        assert_eq!(violations(&policy, good), Vec::<String>::new());
        let bad = "a v1.0.0|GPL-3.0\nb v1.0.0|MIT\nb v2.0.0 (proc-macro)|MIT\nsyn v2.0.0|MIT\n";
        let found = violations(&policy, bad);
        assert_eq!(found.len(), 3, "{found:?}");
    }

    #[test]
    fn an_exception_needs_a_reason() {
        assert!(parse_policy("[bans]\nskip = [\n{ crate = \"a@1\" },\n]\n").is_err());
    }
}
