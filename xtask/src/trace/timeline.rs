//! A record as a timeline in the trace event format of Chrome, which Perfetto reads: a track for each CPU with a slice
//! for each time a thread ran there, an arrow from each wake-up to the slice it led to, and marks for migrations.

use std::collections::HashMap;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use super::record::{Record, What};

/// The number under which the tracks of CPUs are shown.
const PROCESS: u32 = 1;

/// What is drawn.
pub(super) struct Timeline {
    events: Vec<Value>,
}

/// A thread that runs.
struct Running {
    thread: i32,
    since: u64,
    /// The wake-up that led to it.
    wake: Option<u64>,
}

impl Timeline {
    /// Draws a record.
    pub(super) fn of(record: &Record) -> Self {
        let start = record.events.first().map_or(0, |event| event.tsc);
        let end = record.events.last().map_or(0, |event| event.tsc);
        let mut draw = Draw {
            start,
            tsc_hz: record.tsc_hz,
            events: Vec::new(),
            names: HashMap::new(),
            running: HashMap::new(),
            wakes: HashMap::new(),
        };
        let mut cpus: Vec<u32> = record.events.iter().map(|event| event.cpu).collect();
        cpus.sort_unstable();
        cpus.dedup();
        draw.events
            .push(json!({"ph": "M", "name": "process_name", "pid": PROCESS, "args": {"name": "CPUs"}}));
        for cpu in &cpus {
            let name = format!("CPU {cpu}");
            draw.events.push(
                json!({"ph": "M", "name": "thread_name", "pid": PROCESS, "tid": cpu, "args": {"name": name}}),
            );
        }
        for (number, event) in (0..).zip(&record.events) {
            draw.event(number, event.cpu, event.tsc, &event.what);
        }
        for cpu in cpus {
            draw.leave(cpu, end, 'R');
        }
        Self { events: draw.events }
    }

    /// The file's content.
    pub(super) fn to_json(&self) -> String {
        json!({"displayTimeUnit": "ns", "traceEvents": self.events}).to_string()
    }
}

struct Draw {
    start: u64,
    tsc_hz: u64,
    events: Vec<Value>,
    names: HashMap<i32, String>,
    /// By CPU; none for one that idles.
    running: HashMap<u32, Option<Running>>,
    /// By thread: the wake-up's number, time and CPU.
    wakes: HashMap<i32, (u64, u64, u32)>,
}

impl Draw {
    /// Microseconds since the start.
    fn time(&self, tsc: u64) -> f64 {
        tsc.saturating_sub(self.start) as f64 * 1e6 / self.tsc_hz as f64
    }

    fn event(&mut self, number: u64, cpu: u32, tsc: u64, what: &What) {
        match what {
            What::Switch { previous, state, next, name } => {
                // What ran before the first switch had run since the start.
                let start = self.start;
                self.running.entry(cpu).or_insert_with(|| {
                    (*previous != 0).then_some(Running { thread: *previous, since: start, wake: None })
                });
                self.leave(cpu, tsc, *state);
                self.names.insert(*next, name.clone());
                let wake = self.wakes.remove(next).map(|wake| self.arrow(wake, cpu, tsc));
                let running = (*next != 0).then_some(Running { thread: *next, since: tsc, wake });
                self.running.insert(cpu, running);
            }
            What::Wake { thread, on: _ } => {
                self.wakes.insert(*thread, (number, tsc, cpu));
            }
            What::Migrate { thread, from, to } => {
                let (name, time) = (self.name(*thread), self.time(tsc));
                self.events.push(json!({
                    "ph": "i", "s": "t", "pid": PROCESS, "tid": to, "ts": time, "cat": "migrate",
                    "name": format!("{name}: CPU {from} -> {to}"),
                }));
            }
        }
    }

    /// Ends what runs on a CPU.
    fn leave(&mut self, cpu: u32, tsc: u64, state: char) {
        let Some(Some(running)) = self.running.insert(cpu, None) else { return };
        let (from, to) = (self.time(running.since), self.time(tsc));
        let name = self.name(running.thread);
        self.events.push(json!({
            "ph": "X", "pid": PROCESS, "tid": cpu, "ts": from, "dur": to - from, "name": name, "cat": "run",
            "args": {"thread": running.thread, "left in state": state.to_string(), "wake": running.wake},
        }));
    }

    /// Draws the arrow from a wake-up to the switch it led to; answers its number.
    fn arrow(&mut self, (number, woken, waker): (u64, u64, u32), cpu: u32, switched: u64) -> u64 {
        let (from, to) = (self.time(woken), self.time(switched));
        for (phase, cpu, time) in [("s", waker, from), ("f", cpu, to)] {
            let mut arrow = json!({
                "ph": phase, "id": number, "pid": PROCESS, "tid": cpu, "ts": time, "name": "wake", "cat": "wake",
            });
            if phase == "f" {
                arrow["bp"] = json!("e");
            }
            self.events.push(arrow);
        }
        number
    }

    fn name(&self, thread: i32) -> String {
        self.names
            .get(&thread)
            .map_or_else(|| format!("thread {thread}"), |name| format!("{name} [{thread}]"))
    }
}

/// Looks at a timeline as a reader does: no two slices of a CPU overlap, no thread runs in two places, and each wake-up
/// comes before the switch it led to.
///
/// # Errors
/// If it is not so, or it is no timeline.
pub(super) fn check(json: &str) -> Result<()> {
    let timeline: Value = serde_json::from_str(json)?;
    let events = timeline["traceEvents"].as_array().context("no events")?;
    let number = |event: &Value, key: &str| event[key].as_f64().with_context(|| format!("no {key}: {event}"));
    // By CPU, and by thread.
    let mut slices: HashMap<(&str, u64), Vec<(f64, f64)>> = HashMap::new();
    let mut arrows: HashMap<u64, f64> = HashMap::new();
    for event in events {
        match event["ph"].as_str().context("no phase")? {
            "X" => {
                let (from, len) = (number(event, "ts")?, number(event, "dur")?);
                ensure!(len >= 0.0, "a slice ends before it begins: {event}");
                let cpu = event["tid"].as_u64().context("no CPU")?;
                let thread = event["args"]["thread"].as_u64().context("no thread")?;
                for track in [("CPU", cpu), ("thread", thread)] {
                    slices.entry(track).or_default().push((from, from + len));
                }
            }
            "s" => {
                arrows.insert(event["id"].as_u64().context("no id")?, number(event, "ts")?);
            }
            "f" => {
                let woken = arrows.get(&event["id"].as_u64().context("no id")?);
                let woken = woken.with_context(|| format!("an arrow from nowhere: {event}"))?;
                ensure!(*woken <= number(event, "ts")?, "switched to before it was woken: {event}");
            }
            "M" | "i" => {}
            phase => bail!("unknown phase {phase}"),
        }
    }
    for ((kind, index), slices) in &mut slices {
        slices.sort_by(|(one, _), (other, _)| one.total_cmp(other));
        for pair in slices.windows(2) {
            // Times are rounded to parts of a nanosecond.
            ensure!(pair[0].1 <= pair[1].0 + 1e-3, "{kind} {index} runs twice at a time: {pair:?}");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "tsc_hz 1000000000\non 0\n0 100 switch 12 S 34 cat\n0 300 switch 34 S 0 idle\n\
        1 120 wake 12 on 1\n1 150 switch 0 R 12 sh\n1 260 migrate 34 from 0 to 1\n1 400 switch 12 R 34 cat\n\
        1 500 switch 34 X 0 idle\nlost 0\n";

    fn slices(json: &str) -> Vec<(u64, String, f64, f64)> {
        let timeline: Value = serde_json::from_str(json).unwrap();
        let events = timeline["traceEvents"].as_array().unwrap();
        let of = |event: &Value| {
            let name = event["name"].as_str().unwrap().to_owned();
            (
                event["tid"].as_u64().unwrap(),
                name,
                event["ts"].as_f64().unwrap(),
                event["dur"].as_f64().unwrap(),
            )
        };
        events.iter().filter(|event| event["ph"] == "X").map(of).collect()
    }

    #[test]
    fn threads_become_slices_and_wake_ups_arrows() {
        let json = Timeline::of(&Record::parse(TEXT).unwrap()).to_json();
        check(&json).unwrap();
        let slices = slices(&json);
        assert_eq!(slices.len(), 4, "{slices:?}");
        assert!(slices.contains(&(1, "sh [12]".into(), 0.05, 0.25)), "{slices:?}");
        // It ran before anything was recorded, so nothing tells its name.
        assert!(slices.contains(&(0, "thread 12".into(), 0.0, 0.0)), "{slices:?}");
        assert!(json.contains(r#""ph":"s""#) && json.contains("CPU 0 -> 1"));
    }

    #[test]
    fn what_makes_no_sense_is_found() {
        let twice = TEXT.replace("0 300 switch 34", "0 450 switch 34");
        assert!(check(&Timeline::of(&Record::parse(&twice).unwrap()).to_json()).is_err());
        let slice = r#"{"ph":"X","tid":0,"ts":1,"dur":2,"args":{"thread":1}}"#;
        let other = r#"{"ph":"X","tid":0,"ts":2,"dur":2,"args":{"thread":2}}"#;
        assert!(check(&format!("{{\"traceEvents\":[{slice},{other}]}}")).is_err());
        let arrow = r#"{"ph":"s","id":1,"ts":5},{"ph":"f","id":1,"ts":4}"#;
        assert!(check(&format!("{{\"traceEvents\":[{arrow}]}}")).is_err());
        assert!(check("{}").is_err());
    }
}
