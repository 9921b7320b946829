//! The kernel command line, read as Linux reads it.
//!
//! Words are separated by blanks; double quotes protect blanks. A word we know sets an option; a `key=value` nobody
//! knows goes to init's environment, any other unknown word to its arguments; after `--` every word is an argument.
//! A word with a dot before its `=` addresses a module: unknown ones are dropped, as Linux drops them.

use alloc::string::String;
use alloc::vec::Vec;

/// Linux gives init at most this many arguments and as many environment strings.
const MAX_INIT_STRINGS: usize = 32;

/// What the command line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandLine {
    /// `init=`: the program to run as process 1 from the real root.
    pub init: Option<String>,
    /// `rdinit=`: the program to run as process 1 from the initial RAM file system.
    pub rdinit: Option<String>,
    /// `root=`: the device of the real root.
    pub root: Option<String>,
    /// `rootfstype=`.
    pub root_type: Option<String>,
    /// `rootflags=`.
    pub root_flags: Option<String>,
    /// `console=`, in order; the last is `/dev/console`.
    pub consoles: Vec<String>,
    /// Console log level from `quiet`, `debug` and `loglevel=`.
    pub log_level: u8,
    /// `panic=`: seconds before a restart after a panic; 0 waits for ever, negative restarts at once.
    pub panic_seconds: i32,
    /// `maxcpus=` and `nosmp`: CPUs to start.
    pub max_cpus: Option<usize>,
    /// `isolcpus=`: CPUs (bit n: CPU n) that run only threads that ask for them.
    pub isolated_cpus: u64,
    /// `rw` (and not `ro`): mount the real root writable.
    pub root_writable: bool,
    /// `exo.strace=`: whose calls to log ([`selection`](crate::process::watch::selection)).
    pub strace: Option<String>,
    /// `exo.trace=`: the number of the scheduler's events to keep for each CPU.
    pub trace_events: usize,
    /// `exo.boot_report`: print the boot's cost when the first program starts.
    pub boot_report: bool,
    /// `exo.bench`: measure the kernel instead of starting a program.
    pub bench: bool,
    /// Arguments for init, without its own name.
    pub init_arguments: Vec<String>,
    /// Environment for init, `HOME=/` and `TERM=linux` first.
    pub init_environment: Vec<String>,
}

impl Default for CommandLine {
    fn default() -> Self {
        Self {
            init: None,
            rdinit: None,
            root: None,
            root_type: None,
            root_flags: None,
            consoles: Vec::new(),
            log_level: 7,
            panic_seconds: 0,
            max_cpus: None,
            isolated_cpus: 0,
            root_writable: false,
            strace: None,
            trace_events: 0,
            boot_report: false,
            bench: false,
            init_arguments: Vec::new(),
            init_environment: alloc::vec![String::from("HOME=/"), String::from("TERM=linux")],
        }
    }
}

impl CommandLine {
    /// Reads a command line. Nothing in it is an error: what makes no sense is passed on or left alone.
    pub fn parse(text: &[u8]) -> Self {
        let text = String::from_utf8_lossy(text);
        let mut line = Self::default();
        let mut words = split_words(&text).into_iter();
        for word in words.by_ref() {
            if word == "--" {
                break;
            }
            if !line.set_option(&word) {
                line.pass_to_init(word);
            }
        }
        for word in words {
            line.add_argument(word);
        }
        line
    }

    /// Applies a word that names an option; answers whether it did.
    fn set_option(&mut self, word: &str) -> bool {
        let (key, value) = word.split_once('=').map_or((word, None), |(key, value)| (key, Some(value)));
        let owned = || value.map(String::from);
        match (key, value) {
            ("init", Some(_)) => {
                self.init = owned();
                self.init_arguments.clear();
            }
            ("rdinit", Some(_)) => {
                self.rdinit = owned();
                self.init_arguments.clear();
            }
            ("root", Some(_)) => self.root = owned(),
            ("rootfstype", Some(_)) => self.root_type = owned(),
            ("rootflags", Some(_)) => self.root_flags = owned(),
            ("console", Some(name)) => self.consoles.push(String::from(name)),
            ("quiet", None) => self.log_level = 4,
            ("debug", None) => self.log_level = 10,
            ("loglevel", Some(level)) => self.log_level = level.parse().unwrap_or(self.log_level),
            ("panic", Some(seconds)) => self.panic_seconds = seconds.parse().unwrap_or(self.panic_seconds),
            ("maxcpus", Some(count)) => self.max_cpus = count.parse().ok().map(|count: usize| count.max(1)),
            ("isolcpus", Some(list)) => self.isolated_cpus = parse_cpu_list(list).unwrap_or(0),
            ("nosmp", None) => self.max_cpus = Some(1),
            ("ro", None) => self.root_writable = false,
            ("rw", None) => self.root_writable = true,
            ("exo.strace", Some(_)) => self.strace = owned(),
            ("exo.trace", Some(events)) => self.trace_events = events.parse().unwrap_or(0),
            ("exo.boot_report", None) => self.boot_report = true,
            ("exo.bench", None) => self.bench = true,
            // Read before the kernel proper runs, or meant for hardware we treat the same either way.
            (
                "mem" | "earlyprintk" | "nokaslr" | "rootwait" | "rootdelay" | "reboot" | "acpi" | "pci"
                | "noapic" | "nopcid",
                _,
            )
            | (
                "exo.heap" | "nolapic" | "apic" | "tsc" | "clocksource" | "mitigations" | "lsm" | "audit"
                | "selinux",
                _,
            )
            | ("randomize_kstack_offset" | "init_on_alloc" | "init_on_free" | "hardened_usercopy", _) => {}
            _ => return false,
        }
        true
    }

    fn pass_to_init(&mut self, word: String) {
        let key = word.split('=').next().unwrap_or_default();
        if key.contains('.') {
            return;
        }
        if word.contains('=') {
            let prefix = alloc::format!("{key}=");
            let known = self.init_environment.iter().position(|entry| entry.starts_with(&prefix));
            if let Some(index) = known {
                self.init_environment[index] = word;
            } else if self.init_environment.len() < MAX_INIT_STRINGS {
                self.init_environment.push(word);
            } else {
                log::warn!("too many boot environment words at '{word}'");
            }
        } else {
            self.add_argument(word);
        }
    }

    fn add_argument(&mut self, word: String) {
        if self.init_arguments.len() < MAX_INIT_STRINGS {
            self.init_arguments.push(word);
        } else {
            log::warn!("too many boot arguments at '{word}'");
        }
    }
}

/// Reads a list of CPUs (`1,3-5`), which Linux lets names of kinds of isolation precede; `None` if it is none.
fn parse_cpu_list(list: &str) -> Option<u64> {
    let is_kind = |word: &&str| matches!(*word, "domain" | "nohz" | "managed_irq");
    let mut mask = 0;
    for range in list.split(',').skip_while(is_kind) {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last): (u32, u32) = (first.parse().ok()?, last.parse().ok()?);
        if first > last || last >= u64::BITS {
            return None;
        }
        mask |= u64::MAX >> (u64::BITS - 1 - (last - first)) << first;
    }
    Some(mask)
}

/// Splits at blanks outside double quotes; quotes around a whole word or a whole value are taken off.
fn split_words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut is_quoted = false;
    for character in text.trim_matches('\0').chars() {
        match character {
            '"' => {
                is_quoted = !is_quoted;
                word.push(character);
            }
            character if character.is_ascii_whitespace() && !is_quoted => {
                if !word.is_empty() {
                    words.push(unquote(&core::mem::take(&mut word)));
                }
            }
            character => word.push(character),
        }
    }
    if !word.is_empty() {
        words.push(unquote(&word));
    }
    words
}

fn unquote(word: &str) -> String {
    if let Some(rest) = word.strip_prefix('"') {
        return String::from(rest.strip_suffix('"').unwrap_or(rest));
    }
    match word.split_once("=\"") {
        Some((key, value)) => alloc::format!("{key}={}", value.strip_suffix('"').unwrap_or(value)),
        None => String::from(word),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> CommandLine {
        CommandLine::parse(text.as_bytes())
    }

    #[test]
    fn options_are_taken_and_the_rest_goes_to_init() {
        let line = parse("console=ttyS0 quiet panic=-1 single FOO=bar mod.x=1 rdinit=/init -- -c 'x' a=b");
        assert_eq!(line.consoles, ["ttyS0"]);
        assert_eq!(line.log_level, 4);
        assert_eq!(line.panic_seconds, -1);
        assert_eq!(line.rdinit.as_deref(), Some("/init"));
        assert_eq!(
            line.init_arguments,
            ["-c", "'x'", "a=b"],
            "words before rdinit= are dropped, as on Linux"
        );
        assert_eq!(line.init_environment, ["HOME=/", "TERM=linux", "FOO=bar"]);
    }

    #[test]
    fn words_after_init_are_its_arguments() {
        let line = parse("early init=/bin/sh single 3");
        assert_eq!(line.init.as_deref(), Some("/bin/sh"));
        assert_eq!(line.init_arguments, ["single", "3"]);
    }

    #[test]
    fn a_known_variable_is_replaced() {
        assert_eq!(parse("TERM=vt100 HOME=/root").init_environment, ["HOME=/root", "TERM=vt100"]);
    }

    #[test]
    fn lists_of_cpus_are_read() {
        assert_eq!(parse("isolcpus=1,3-5").isolated_cpus, 0b11_1010);
        assert_eq!(parse("isolcpus=managed_irq,domain,0-63").isolated_cpus, u64::MAX);
        for bad in ["", "x", "5-3", "64", "1,,2", "-1", "domain"] {
            assert_eq!(parse(&alloc::format!("isolcpus={bad}")).isolated_cpus, 0, "{bad}");
        }
    }

    #[test]
    fn quotes_protect_blanks() {
        let line = parse("A=\"x y\" \"B=p q\" word");
        assert_eq!(line.init_environment[2..], ["A=x y", "B=p q"]);
        assert_eq!(line.init_arguments, ["word"]);
    }

    #[test]
    fn nonsense_changes_nothing() {
        let line = parse("loglevel=high panic= maxcpus=0 \"");
        assert_eq!((line.log_level, line.panic_seconds, line.max_cpus), (7, 0, Some(1)));
        assert_eq!(CommandLine::parse(&[0xff, 0xfe, b' ', 0]).init_arguments.len(), 1);
    }

    #[test]
    fn too_many_words_are_cut() {
        let words: Vec<String> = (0..100).map(|index| alloc::format!("w{index}")).collect();
        assert_eq!(parse(&words.join(" ")).init_arguments.len(), 32);
    }
}
