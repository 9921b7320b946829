//! `cargo bench -p host-bench`: the kernel's pure code paths in nanoseconds of this host (and cycles, where cycles are the
//! design's target), beside the crates one would take instead. With `--features c-allocators` also beside allocators written in C.
//!
//! The kernel's code runs on the simulated machine, which looks statics up by machine and checks whose a frame is.

mod frames;
mod heaps;
mod random;
mod rivals;
mod threads;
mod time;

use hal::sim::Machine;

fn main() {
    // `cargo bench` passes `--bench`, `cargo test --benches` does not: then it is enough that everything works.
    let is_measured = std::env::args().any(|word| word == "--bench");
    let settings = time::Settings { rounds: if is_measured { 40 } else { 1 } };
    let machine = Machine::builder().memory_mib(256).cpus(threads::THREADS).build();
    println!("This host makes {:.2} cycles a nanosecond.\n", settings.cycles_per_ns());
    heaps::run(settings, machine);
    frames::run(settings);
    decisions();
}

/// Prints those rows of `exo.bench` that need no booted kernel.
fn decisions() {
    println!("| the kernel's own rows | ns |\n| --- | ---: |");
    for row in kernel::bench::pure_rows() {
        match row.measure(time::now_ns) {
            Ok(tenths) => println!("| {} | {}.{} |", row.name, tenths / 10, tenths % 10),
            Err(why) => println!("| {} | {why} |", row.name),
        }
    }
}
