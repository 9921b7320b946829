//! `/proc/exo/trace`: what the scheduler recorded, and the switch for it.

use core::fmt::{self, Write};

use hal::cpu::CpuId;
use linux_abi::errno::Errno;

use crate::fs::vfs::text::Text;
use crate::scheduler::trace::{self, Event, What};

/// Shows how time is counted, then a line for each event: the CPU, the time stamp counter, what happened.
///
/// ```text
/// tsc_hz 1000000000
/// on 0
/// 0 8123456 switch 12 S 34 name of the thread 34, to the end of the line
/// 0 8123499 wake 12 on 1
/// 1 8123600 migrate 34 from 0 to 1
/// lost 0
/// ```
pub(super) fn show(text: &mut Text) -> fmt::Result {
    writeln!(text, "tsc_hz {}", hal::time::tsc_hz())?;
    writeln!(text, "on {}", u8::from(trace::is_on()))?;
    let mut lost = 0;
    for cpu in 0..hal::cpu::count() {
        lost += trace::for_each(CpuId::new(cpu), |event| show_event(text, cpu, event));
    }
    writeln!(text, "lost {lost}")
}

/// What does not fit is noted in the text.
fn show_event(text: &mut Text, cpu: usize, event: Event) {
    let _ = write!(text, "{cpu} {} ", event.tsc);
    let _ = match event.what {
        What::Switch { previous, state, next, name } => {
            let name = name.as_bytes().escape_ascii();
            writeln!(text, "switch {previous} {} {next} {name}", state.letter())
        }
        What::Wake { thread, cpu } => writeln!(text, "wake {thread} on {cpu}"),
        What::Migrate { thread, from, to } => writeln!(text, "migrate {thread} from {from} to {to}"),
    };
}

/// Takes the number of events to keep for each CPU, which turns the trace on anew; 0 turns it off.
///
/// # Errors
/// `EINVAL`: no number. `ENOMEM`: no memory for so many.
pub(super) fn store(value: &[u8]) -> Result<(), Errno> {
    let text = core::str::from_utf8(value).map_err(|_| Errno::EINVAL)?;
    trace::turn(text.trim().parse().map_err(|_| Errno::EINVAL)?)
}
