//! What the kernel recorded, as it prints it in `/proc/exo/trace`.

use anyhow::{Context, Result, bail};

/// The record of a run.
#[derive(Debug, PartialEq)]
pub(super) struct Record {
    /// Ticks of the time stamp counter in a second.
    pub(super) tsc_hz: u64,
    /// Events that were overwritten.
    pub(super) lost: u64,
    /// The others, in order of time.
    pub(super) events: Vec<Event>,
}

#[derive(Debug, PartialEq)]
pub(super) struct Event {
    pub(super) cpu: u32,
    pub(super) tsc: u64,
    pub(super) what: What,
}

#[derive(Debug, PartialEq)]
pub(super) enum What {
    /// The CPU went from one thread, left in a state, to another; thread 0 stands for idling.
    Switch { previous: i32, state: char, next: i32, name: String },
    /// A thread became ready on a CPU.
    Wake { thread: i32, on: u32 },
    /// A thread went from one CPU to another.
    Migrate { thread: i32, from: u32, to: u32 },
}

impl Record {
    /// Reads the text.
    ///
    /// # Errors
    /// If it is none.
    pub(super) fn parse(text: &str) -> Result<Self> {
        let mut record = Self { tsc_hz: 0, lost: 0, events: Vec::new() };
        let mut is_whole = false;
        for line in text.lines() {
            let words: Vec<&str> = line.splitn(6, ' ').collect();
            match words[..] {
                ["tsc_hz", hz] => record.tsc_hz = hz.parse()?,
                ["on", _] => {}
                ["lost", count] => (record.lost, is_whole) = (count.parse()?, true),
                [cpu, tsc, ref what @ ..] => {
                    let what = What::parse(what).with_context(|| format!("not understood: {line:?}"))?;
                    record.events.push(Event { cpu: cpu.parse()?, tsc: tsc.parse()?, what });
                }
                _ => bail!("not understood: {line:?}"),
            }
        }
        if record.tsc_hz == 0 || !is_whole {
            bail!("the record is not whole");
        }
        // Each CPU's are in order; of two at the same time on two CPUs a wake-up may be the cause.
        record.events.sort_by_key(|event| (event.tsc, matches!(event.what, What::Switch { .. })));
        Ok(record)
    }
}

impl What {
    fn parse(words: &[&str]) -> Result<Self> {
        let part = |rest: &str, index: usize| -> Result<u32> {
            Ok(rest.split(' ').nth(index).context("too short")?.parse()?)
        };
        Ok(match *words {
            ["switch", previous, state, next_and_name] => {
                let (next, name) = next_and_name.split_once(' ').unwrap_or((next_and_name, ""));
                Self::Switch {
                    previous: previous.parse()?,
                    state: state.chars().next().context("no state")?,
                    next: next.parse()?,
                    name: name.to_owned(),
                }
            }
            ["wake", thread, "on", cpu] => Self::Wake { thread: thread.parse()?, on: cpu.parse()? },
            ["migrate", thread, "from", rest] => {
                Self::Migrate { thread: thread.parse()?, from: part(rest, 0)?, to: part(rest, 2)? }
            }
            _ => bail!("no event"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_and_put_in_order() {
        let text = "tsc_hz 1000000000\non 0\n0 70 switch 12 S 34 a name  with blanks\n0 90 switch 34 R 0 idle\n\
                    1 80 wake 12 on 1\n1 80 migrate 12 from 0 to 1\nlost 3\n";
        let record = Record::parse(text).unwrap();
        assert_eq!((record.lost, record.events.len()), (3, 4));
        assert_eq!(
            record.events[0].what,
            What::Switch { previous: 12, state: 'S', next: 34, name: "a name  with blanks".into() }
        );
        assert_eq!(record.events[2].what, What::Migrate { thread: 12, from: 0, to: 1 });
        assert_eq!(record.events[3].tsc, 90);
    }

    #[test]
    fn what_is_cut_off_or_garbage_is_refused() {
        assert!(Record::parse("tsc_hz 1\n0 1 wake 1 on 0\n").is_err());
        assert!(Record::parse("lost 0\n").is_err());
        assert!(Record::parse("tsc_hz 1\n0 1 dance 3\nlost 0\n").is_err());
        assert!(Record::parse("tsc_hz 1\n0 1 migrate 3 from 4\nlost 0\n").is_err());
    }
}
