//! System calls: a program of some fifty bytes calls the kernel, from where everything on the way counts.
//!
//! Two calls are registered for it. One does nothing: what it costs is the way there and back. The other takes the cycles
//! of a batch of those; when it has enough it prints the rows and switches the machine off.

use alloc::vec::Vec;

use arrayvec::ArrayVec;
use hal::sync::SpinLock;
use hal::task::UserRegs;
use linux_abi::errno::Errno;
use linux_abi::open::{OpenFlags, ResolveFlags};

use super::harness::{Line, Row, median, say, tenths};
use crate::fs::vfs::{Base, Caller, FsContext, IoFlags, OpenParameters};
use crate::lock_order;
use crate::process::credentials::Credentials;
use crate::process::exec::Strings;
use crate::process::start::start_first_process;
use crate::syscall::{Args, Context, SyscallError, TABLE_SLOTS, dispatch, register_syscall};
use crate::uio::Source;
use crate::{fs, power};

/// The numbers of the two calls: the last of the table.
const NOTHING: usize = TABLE_SLOTS - 2;
const REPORT: usize = TABLE_SLOTS - 1;
/// Calls in a batch, batches that count, and batches before.
const CALLS: u32 = 1000;
const BATCHES: usize = 11;
const WARM_UP: usize = 2;
/// What the design allows for finding a call's handler and calling it.
const DISPATCH: Option<u32> = Some(60);

const PATH: &[u8] = b"/exo.bench";
const BASE: u64 = 0x40_0000;

/// Rows printed before, and the cycles of each batch.
struct State {
    rows: usize,
    batches: ArrayVec<u64, { WARM_UP + BATCHES }>,
}

static STATE: SpinLock<State> =
    SpinLock::new(lock_order::LEAF, State { rows: 0, batches: ArrayVec::new_const() });

/// Starts the program as process 1. `rows` have been printed before.
///
/// # Errors
/// Those of creating a file and of starting a program.
pub(super) fn start(rows: usize) -> Result<(), Errno> {
    STATE.lock().rows = rows;
    register_syscall(NOTHING, nothing)?;
    register_syscall(REPORT, report)?;
    fs::prepare_root();
    let context = FsContext::new(fs::root());
    let caller = Caller { fs: &context, credentials: &Credentials::root() };
    let how = OpenParameters {
        flags: OpenFlags::O_WRONLY | OpenFlags::O_CREAT,
        permissions: 0o755,
        scope: ResolveFlags::empty(),
    };
    let file = caller.open(Base::WorkingDirectory, PATH, &how)?;
    file.write(&mut Source::kernel(&program()), IoFlags::empty())?;
    // A file that is open for writing is not executed.
    drop(file);
    start_first_process(PATH, Strings::new(), Strings::new())
}

/// Returns the program: for ever, a batch of calls that do nothing, then the report of what it took.
fn program() -> Vec<u8> {
    const RDTSC_RDX: [u8; 9] = [
        0x0f, 0x31, // rdtsc
        0x48, 0xc1, 0xe2, 32, // shl rdx, 32
        0x48, 0x09, 0xc2, // or rdx, rax
    ];
    let call = |number: usize| {
        let [a, b, c, d] = (number as u32).to_le_bytes();
        [0xb8, a, b, c, d, 0x0f, 0x05] // mov eax, number; syscall
    };
    let back_to = |start: usize, end: usize| (start.wrapping_sub(end + 2)).to_le_bytes()[0];
    let mut code = Vec::from(RDTSC_RDX);
    code.extend([0x49, 0x89, 0xd4]); // mov r12, rdx
    code.push(0xbb);
    code.extend(CALLS.to_le_bytes()); // mov ebx, CALLS
    let again = code.len();
    code.extend(call(NOTHING));
    code.extend([0xff, 0xcb]); // dec ebx
    code.extend([0x75, back_to(again, code.len())]); // jnz again
    code.extend(RDTSC_RDX);
    code.extend([0x4c, 0x29, 0xe2, 0x48, 0x89, 0xd7]); // sub rdx, r12; mov rdi, rdx
    code.extend(call(REPORT));
    code.extend([0xeb, back_to(0, code.len())]); // jmp to the start

    let headers = elf::EXECUTABLE_HEADERS_SIZE as u64;
    let size = headers + code.len() as u64;
    let mut file = elf::executable_headers(BASE, BASE + headers, size, size).to_vec();
    file.extend(code);
    file
}

/// The call that does nothing.
fn nothing(_cx: &Context, _args: &Args) -> Result<usize, SyscallError> {
    Ok(0)
}

/// The call that takes the cycles of a batch, argument 0.
fn report(_cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let rows = {
        let mut state = STATE.lock();
        // Full once it has all batches, and then the machine is switched off.
        let _ = state.batches.try_push(args.u64(0));
        if !state.batches.is_full() {
            return Ok(0);
        }
        let figures = state.batches[WARM_UP..].iter().map(|&cycles| tenths(cycles, u64::from(CALLS)));
        let figure = Ok(median(&mut figures.collect::<Vec<u64>>()));
        let line =
            Line { name: "call/from a program and back, its loop of 3 included", target: None, figure };
        say(format_args!("{line}"));
        state.rows + 2
    };
    Row::new("call/dispatch", DISPATCH, |watch| {
        let frame = UserRegs { orig_rax: NOTHING as u64, ..UserRegs::start(0, 0) }.syscall_frame();
        watch.each(CALLS as usize, || _ = dispatch(core::hint::black_box(&frame)));
        Ok(())
    })
    .run();
    say(format_args!("end of {rows} rows"));
    power::power_off()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_can_be_loaded_and_jumps_back_into_itself() {
        let file = program();
        let header = elf::Header::parse(&file[..elf::HEADER_SIZE]).expect("an executable");
        assert_eq!(header.entry(), BASE + elf::EXECUTABLE_HEADERS_SIZE as u64);
        let code = &file[elf::EXECUTABLE_HEADERS_SIZE..];
        let jump = code.iter().rposition(|&byte| byte == 0xeb).expect("ends in a jump");
        assert_eq!(jump + 2, code.len());
        assert_eq!((jump + 2).wrapping_add_signed(isize::from(code[jump + 1].cast_signed())), 0);
    }
}
