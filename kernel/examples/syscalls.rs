//! Prints the table of system calls as a page of Markdown; `cargo xtask syscalls` keeps it in `docs/syscalls.md`.

use std::collections::BTreeMap;

use kernel::syscall::syscall_numbers;
use kernel::syscall::table::{FULL_ROWS, ROWS, Support};

/// Columns of the page's text.
const WIDTH: usize = 120;

fn main() {
    let rows = ROWS.iter().map(|row| (row.number, row.support));
    let all: BTreeMap<usize, Support> =
        rows.chain(FULL_ROWS.iter().map(|row| (row.number, row.support))).collect();
    let name = |number: usize| syscall_numbers::name(number).unwrap_or("?");
    let full = all.iter().filter(|row| *row.1 == Support::Full).map(|row| name(*row.0));
    let partial: Vec<(&str, &str)> = all
        .iter()
        .filter_map(|(&number, support)| match support {
            Support::Partial(missing) => Some((name(number), *missing)),
            Support::Full => None,
        })
        .collect();
    let missing = syscall_numbers::ALL.iter().filter(|call| !all.contains_key(&call.0)).map(|call| call.1);
    let (full, missing): (Vec<&str>, Vec<&str>) = (full.collect(), missing.collect());

    println!("# System calls\n");
    println!("Written by `cargo xtask syscalls` from [the table](../kernel/src/syscall/table.rs).\n");
    println!(
        "Of the {} calls of Linux on x86-64, {} work as on Linux and {} with the exceptions below. The others return",
        syscall_numbers::ALL.len(),
        full.len(),
        partial.len()
    );
    println!("`ENOSYS`, and the kernel log names each once.\n");
    println!("## With exceptions\n\n| Call | Exception |\n| --- | --- |");
    for (name, missing) in partial {
        println!("| `{name}` | {missing} |");
    }
    println!("\n## As on Linux\n");
    print_list(full);
    println!("\n## Not there\n");
    print_list(missing);
}

/// Prints names in alphabetical order, in lines of [`WIDTH`].
fn print_list(mut names: Vec<&str>) {
    names.sort_unstable();
    let last = names.len().saturating_sub(1);
    let mut line = String::new();
    for (index, name) in names.into_iter().enumerate() {
        let end = if index == last { "" } else { "," };
        if line.len() + name.len() + 4 > WIDTH {
            println!("{line}");
            line.clear();
        }
        let gap = if line.is_empty() { "" } else { " " };
        line = format!("{line}{gap}`{name}`{end}");
    }
    println!("{line}");
}
