//! Running other programs, with errors that say which one failed and how.

use std::ffi::OsStr;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// Prints one progress line on standard error.
pub(crate) fn progress(text: impl AsRef<str>) {
    eprintln!("xtask: {}", text.as_ref());
}

/// Runs `command` to its end with this process's own standard streams.
///
/// # Errors
/// If it cannot be started or does not succeed.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot start {}", show(command)))?;
    if !status.success() {
        bail!("{} failed ({status})", show(command));
    }
    Ok(())
}

/// Runs `command` to its end with its output on standard error, so that standard output stays ours.
///
/// # Errors
/// If it cannot be started or does not succeed.
pub(crate) fn run_quietly(command: &mut Command) -> Result<()> {
    run(command.stdout(std::io::stderr()))
}

/// Runs `command` to its end and prints the progress line `text` only if that takes longer than a moment.
///
/// # Errors
/// If it cannot be started or does not succeed.
pub(crate) fn run_patiently(command: &mut Command, text: &str) -> Result<()> {
    command.stdout(std::io::stderr());
    let mut child = command.spawn().with_context(|| format!("cannot start {}", show(command)))?;
    let started = Instant::now();
    let mut told = false;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if !told && started.elapsed() > Duration::from_secs(1) {
            progress(text);
            told = true;
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    if !status.success() {
        bail!("{} failed ({status})", show(command));
    }
    Ok(())
}

/// Runs `command` and returns what it wrote to standard output.
///
/// # Errors
/// If it cannot be started, does not succeed (its standard error is part of the message) or prints no UTF-8.
pub(crate) fn capture(command: &mut Command) -> Result<String> {
    let output = output(command)?;
    if !output.status.success() {
        let errors = String::from_utf8_lossy(&output.stderr);
        bail!("{} failed ({})\n{}", show(command), output.status, errors.trim_end());
    }
    String::from_utf8(output.stdout).with_context(|| format!("{} did not print UTF-8", show(command)))
}

/// Runs `command` and returns its status and everything it printed.
///
/// # Errors
/// If it cannot be started.
pub(crate) fn output(command: &mut Command) -> Result<Output> {
    command.stdin(Stdio::null()).output().with_context(|| format!("cannot start {}", show(command)))
}

/// Formats a command as one would type it, without its environment.
pub(crate) fn show(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(quote).collect::<Vec<_>>().join(" ")
}

/// Quotes one word for a POSIX shell where that is needed.
pub(crate) fn quote(word: &OsStr) -> String {
    let word = word.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@%^".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.into_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoting_leaves_plain_words_and_protects_the_rest() {
        assert_eq!(quote(OsStr::new("-Ctarget=a/b.c")), "-Ctarget=a/b.c");
        assert_eq!(quote(OsStr::new("")), "''");
        assert_eq!(quote(OsStr::new("it's $HOME")), r"'it'\''s $HOME'");
    }

    #[test]
    fn a_failing_program_is_named_in_the_error() {
        let error = run(&mut Command::new("false")).expect_err("false fails");
        assert!(error.to_string().contains("false"), "{error}");
        assert!(capture(&mut Command::new("/nonexistent/program")).is_err());
    }
}
