//! The first process: made from nothing, where every other is a copy of its parent.

use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use linux_abi::errno::Errno;
use linux_abi::signal::SigSet;

use super::credentials::Credentials;
use super::exec::{self, Strings};
use super::limits::{self, Limits};
use super::signal::Actions;
use super::{Image, Process, UserThread, tree, watch};
use crate::fs::vfs::{Base, Caller, FileTable, FsContext, OpenParameters};
use crate::memory::address_space::AddressSpace;
use crate::memory::physical::buddy_allocator;
use crate::scheduler::{self, SCHEDULER, Thread};
use linux_abi::open::OpenFlags;

static BOOT_TSC: AtomicU64 = AtomicU64::new(0);
static BOOT_REPORT: AtomicBool = AtomicBool::new(false);

/// Keeps what the boot report needs.
pub fn remember_boot(entry_tsc: u64, is_report_wanted: bool) {
    BOOT_TSC.store(entry_tsc, Ordering::Relaxed);
    BOOT_REPORT.store(is_report_wanted, Ordering::Relaxed);
}

/// Loads `program` and starts it as process 1, with `/dev/console` as its three standard files.
///
/// # Errors
/// Those of path lookup and of [`exec::prepare`]. Nothing remains of the attempt.
pub fn start_first_process(program: &[u8], arguments: Strings, environment: Strings) -> Result<(), Errno> {
    let credentials = Arc::new(Credentials::root());
    let fs = FsContext::new(crate::fs::root());
    let caller = Caller { fs: &fs, credentials: &credentials };
    let files = Arc::new(FileTable::new());
    let file = caller.open_program(Base::WorkingDirectory, program, true)?;
    limits::set_max_threads(limits::default_max_threads());
    let limits = Limits::initial(limits::max_threads() as u64 / 2);

    let space = AddressSpace::new()?;
    let process = Arc::new(Process::new(1, space, Actions::default(), Image::default(), limits));
    let name = exec::Name { path: program.to_vec(), is_inaccessible: false };
    let prepared = exec::prepare(&caller, &process, &name, file, arguments, environment)
        .map_err(exec::Failure::errno)?;
    let old = process.set_address_space(Some(prepared.space.clone()));
    drop(old);
    process.set_image(prepared.image);

    let parameters =
        OpenParameters { flags: OpenFlags::O_RDWR | OpenFlags::O_NOCTTY, ..OpenParameters::read_only() };
    match caller.open(Base::WorkingDirectory, b"/dev/console", &parameters) {
        Ok(console) => {
            for _ in 0..3 {
                files.insert(console.clone(), false, 3)?;
            }
        }
        Err(errno) => log::error!("Warning: unable to open an initial console: {errno}"),
    }

    let pid = tree::lock().allocate_pid()?;
    debug_assert_eq!(pid, 1);
    let user = UserThread::new(process.clone(), files, fs, credentials, SigSet::EMPTY);
    let thread = Thread::new_user(pid, &scheduler::current(), user, prepared.regs)?;
    thread.set_name(&prepared.comm);
    watch::selection::consider(&thread);
    thread.task.set_space(Some(prepared.space.space()));
    process.add_thread(thread.clone())?;
    {
        let mut tree = tree::lock();
        tree.insert_process(process, None);
        tree.insert_thread(pid, thread.clone());
    }
    log::info!("Run {} as init process", alloc::string::String::from_utf8_lossy(program));
    report_boot();
    SCHEDULER.start(thread);
    Ok(())
}

/// Prints what the boot cost, just before the first user instruction (`exo.boot_report`).
fn report_boot() {
    if BOOT_REPORT.load(Ordering::Relaxed) {
        let used = buddy_allocator::total_bytes() - buddy_allocator::free_bytes();
        let line = alloc::format!(
            "exo: boot: {} {} {used}\r\n",
            BOOT_TSC.load(Ordering::Relaxed),
            hal::time::tsc(),
        );
        hal::console::write_early(line.as_bytes());
    }
}
