//! Measures what a kernel's services cost: prints one line of JSON for each operation, on any Linux and on Exo-OS.
//!
//! `cargo xtask bench` runs it in a machine whose time stamp counter counts instructions and makes a table of it.

mod calls;
mod files;
mod footprint;
mod harness;
mod memory;
mod pipes;
mod polling;
mod processes;
mod row;
mod scheduling;
mod signals;
mod sys;

use std::path::PathBuf;
use std::process::ExitCode;

use harness::{Clock, Settings};
use row::{Row, print};

const GROUPS: &[&[Row]] = &[
    calls::ROWS,
    files::ROWS,
    pipes::ROWS,
    scheduling::ROWS,
    polling::ROWS,
    signals::ROWS,
    memory::ROWS,
    processes::ROWS,
    footprint::ROWS,
];

const USAGE: &str = "\
usage: bench [OPTIONS]
Prints one line of JSON for each operation measured.
  --list             print the names of the rows and stop
  --only PATTERN     only rows in whose name this occurs, or the one row of this name (may be repeated)
  --after NAME       only rows behind this one
  --quick            shorter
  --wall             count nanoseconds instead of the time stamp counter
  --batches N        so many batches of each row, to watch it
  --dir DIR          make files below this directory instead of /tmp
";

/// What the command line asks for.
struct Options {
    settings: Settings,
    only: Vec<String>,
    after: Option<String>,
    directory: PathBuf,
    is_list: bool,
}

fn main() -> ExitCode {
    match parse(std::env::args().skip(1)) {
        Some(options) => run(&options),
        None => {
            eprint!("{USAGE}");
            ExitCode::from(2)
        }
    }
}

fn parse(mut words: impl Iterator<Item = String>) -> Option<Options> {
    let settings = Settings { clock: Clock::Instructions, is_quick: false, batches: None };
    let mut options =
        Options { settings, only: Vec::new(), after: None, directory: PathBuf::from("/tmp"), is_list: false };
    while let Some(word) = words.next() {
        match word.as_str() {
            "--list" => options.is_list = true,
            "--quick" => options.settings.is_quick = true,
            "--wall" => options.settings.clock = Clock::Wall,
            "--only" => options.only.push(words.next()?),
            "--after" => options.after = Some(words.next()?),
            "--batches" => options.settings.batches = Some(words.next()?.parse().ok().filter(|n| *n > 0)?),
            "--dir" => options.directory = PathBuf::from(words.next()?),
            _ => return None,
        }
    }
    Some(options)
}

/// Returns the rows that the options choose.
fn chosen(options: &Options) -> Vec<&'static Row> {
    let rows = GROUPS.iter().flat_map(|group| group.iter());
    let behind = rows.skip_while(|row| options.after.as_ref().is_some_and(|after| row.name != after));
    let behind = behind.skip(usize::from(options.after.is_some()));
    let is_whole = |part: &String| GROUPS.iter().any(|group| group.iter().any(|row| row.name == part));
    let fits =
        |row: &Row, part: &String| if is_whole(part) { row.name == part } else { row.name.contains(part) };
    let is_wanted = |row: &&Row| options.only.is_empty() || options.only.iter().any(|part| fits(row, part));
    behind.filter(is_wanted).collect()
}

fn run(options: &Options) -> ExitCode {
    let rows = chosen(options);
    if options.is_list {
        for row in rows {
            println!("{}", row.name);
        }
        return ExitCode::SUCCESS;
    }
    // Page tables come and go with mappings that have one to themselves, so that figures depend on where things lie.
    if let Err(error) = sys::begin_again_at_fixed_addresses() {
        eprintln!("bench: {error}; figures may depend on addresses");
    }
    match harness::calibrate(options.settings) {
        Ok(ratio) => print(&format!("{{\"calibration\":{ratio:.4}}}")),
        Err(error) => {
            eprintln!("bench: {error}");
            return ExitCode::FAILURE;
        }
    }
    for row in &rows {
        print(&format!("{{\"begin\":\"{}\"}}", row.name));
        let directory = options.directory.join(format!("bench-{}", std::process::id()));
        if let Err(error) = std::fs::create_dir(&directory) {
            eprintln!("bench: cannot make {}: {error}", directory.display());
            return ExitCode::FAILURE;
        }
        row.run(options.settings, &directory);
        if let Err(error) = std::fs::remove_dir_all(&directory) {
            eprintln!("bench: cannot remove {}: {error}", directory.display());
            return ExitCode::FAILURE;
        }
    }
    print(&format!("{{\"end\":{}}}", rows.len()));
    ExitCode::SUCCESS
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(words: &[&str]) -> Option<Options> {
        parse(words.iter().map(|word| (*word).to_owned()))
    }

    #[test]
    fn rows_are_chosen_by_parts_of_their_names_and_by_place() {
        let all = chosen(&options(&[]).expect("valid"));
        let calls = chosen(&options(&["--only", "calls/"]).expect("valid"));
        assert_eq!(calls.len(), calls::ROWS.len());
        let fork = chosen(&options(&["--only", "processes/fork, exit, wait"]).expect("valid"));
        assert_eq!(fork.len(), 1, "a whole name is that row's alone");
        let rest = chosen(&options(&["--after", all[0].name]).expect("valid"));
        assert_eq!(rest.len(), all.len() - 1);
        assert!(options(&["--batches", "0"]).is_none());
        assert!(options(&["--what"]).is_none());
    }

    #[test]
    fn names_are_unique_and_need_no_quoting_in_json() {
        let mut names: Vec<&str> = GROUPS.iter().flat_map(|group| group.iter()).map(|row| row.name).collect();
        let count = names.len();
        assert!(names.iter().all(|name| name.contains('/') && !name.contains(['"', '\\'])));
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
