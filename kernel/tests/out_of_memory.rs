//! Running out of memory in the middle of a system call: each allocation of each call fails once, one after the other.
//! The call answers with an error, the kernel lives, and what it had taken is free again.

use hal::PAGE_SIZE;
use hal::sim::{Machine, SimUser};
use kernel::memory::{self, MemoryStatistics};
use kernel::sim::{print, run};
use kernel::syscall::syscall_numbers as nr;

const ENOMEM: isize = -12;
const EAGAIN: isize = -11;
const ENOLCK: isize = -37;

/// Allocations that one call may make before the test takes it for endless.
const MOST_ALLOCATIONS: u64 = 2000;

/// A piece of work that leaves nothing behind; answers with the first error.
type Work = fn(&mut SimUser) -> Result<(), isize>;

const WORKS: &[(&str, Work)] = &[
    ("fork", fork),
    ("exec", exec),
    ("exec with long arguments", exec_with_long_arguments),
    ("mmap", mmap),
    ("mremap and mprotect", mremap_and_mprotect),
    ("open", open),
    ("file contents", file_contents),
    ("names", names),
    ("pipe", pipe),
    ("descriptors", descriptors),
    ("events", events),
    ("poll", poll),
    ("mount", mount),
    ("signals", signals),
    ("timers", timers),
    ("groups", groups),
    ("extended attributes", extended_attributes),
    ("locks", locks),
    ("memfd", memfd),
    ("terminals", terminals),
    ("proc", proc_files),
];

#[test]
fn each_allocation_may_fail() {
    let output = run(
        Machine::builder().memory_mib(32),
        || (),
        |user| {
            if call(user, nr::GETPID, &[]) != Ok(1) {
                // The program that `exec` starts.
                let _ = call(user, nr::EXIT_GROUP, &[0]);
            }
            let dir = user.push_str("/dir");
            call(user, nr::MKDIR, &[dir, 0o755]).unwrap();
            for (kind, at) in [("devtmpfs", "/dev"), ("devpts", "/dev/pts"), ("proc", "/proc")] {
                let [kind, at] = [kind, at].map(|text| user.push_str(text));
                // The directory may be there already.
                let _ = call(user, nr::MKDIR, &[at, 0o755]);
                call(user, nr::MOUNT, &[kind, at, kind, 0, 0]).unwrap();
            }
            for &(name, work) in WORKS {
                let failures = fail_each(user, name, work);
                print(user, &format!("{name}: {failures} failures\n"));
                assert!(failures > 0, "{name} allocates nothing: what does it test?");
            }
        },
    );
    for (name, _) in WORKS {
        assert!(output.contains(&format!("{name}: ")), "{name} is missing:\n{output}");
    }
}

/// Does some work again and again, with another allocation failing each time, until none is left to fail. Answers how
/// many failed.
fn fail_each(user: &mut SimUser, name: &str, work: Work) -> u64 {
    let machine = Machine::current();
    let stack = user.regs().rsp;
    for _ in 0..2 {
        // The first time may leave things behind that the second one finds.
        assert_eq!(work(user), Ok(()), "{name}, with all memory it wants");
        user.regs_mut().rsp = stack;
    }
    for n in 0..MOST_ALLOCATIONS {
        // A first failure may leave something behind for ever, such as a table of the kernel's that has grown; what the
        // second leaves behind every one does.
        let mut attempt = || {
            machine.fail_one_allocation_after(n);
            let outcome = work(user);
            let has_failed = !machine.is_failure_to_come();
            machine.allow_allocations();
            user.regs_mut().rsp = stack;
            (outcome, has_failed, books(user, machine))
        };
        let (outcome, has_failed, before) = attempt();
        assert_eq!(before, attempt().2, "{name}: something is left when allocation {n} has failed");
        if !has_failed {
            assert_eq!(outcome, Ok(()), "{name}, and nothing failed");
            let audit = memory::audit::audit(|| 0, &[]).expect("memory for the list of owners");
            assert_eq!((audit.unaccounted, audit.broken), (0, 0), "{name}: {audit:?}");
            return n;
        }
        if let Err(errno) = outcome {
            assert!([ENOMEM, EAGAIN, ENOLCK].contains(&errno), "{name}: allocation {n} fails with {errno}");
        }
    }
    panic!("{name} does not come to an end");
}

/// What must be the same before and after, once all that ends by itself has ended.
fn books(user: &mut SimUser, machine: Machine) -> (usize, MemoryStatistics) {
    for _ in 0..10 {
        let _ = call(user, nr::SCHED_YIELD, &[]);
        user.compute_ns(2_000_000);
    }
    let statistics = memory::statistics();
    (machine.free_frames(), MemoryStatistics { heap: 0, page_tables: 0, ..statistics })
}

fn call(user: &mut SimUser, number: usize, args: &[usize]) -> Result<usize, isize> {
    let mut all = [0; 6];
    all.iter_mut().zip(args).for_each(|(to, from)| *to = *from as u64);
    let result = user.syscall(number as u64, all);
    usize::try_from(result).map_err(|_| result)
}

/// Keeps the first error.
fn all(outcomes: impl IntoIterator<Item = Result<usize, isize>>) -> Result<(), isize> {
    outcomes.into_iter().try_for_each(|outcome| outcome.map(|_| ()))
}

fn push_words(user: &mut SimUser, words: &[u64]) -> usize {
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
    user.push(&bytes)
}

fn wait_for(user: &mut SimUser, child: isize) -> Result<(), isize> {
    if child < 0 {
        return Err(child);
    }
    let status = push_words(user, &[0]);
    call(user, nr::WAIT4, &[child as usize, status, 0, 0])?;
    match user.load::<i32>(status) {
        0 => Ok(()),
        // The child tells which error it met; one that was killed met none that it could tell.
        status if status & 0x7f == 0 => Err(-((status >> 8) as isize)),
        _ => Err(ENOMEM),
    }
}

fn fork(user: &mut SimUser) -> Result<(), isize> {
    let child = user.fork(|user| {
        let _ = call(user, nr::EXIT_GROUP, &[0]);
    });
    wait_for(user, child)
}

fn exec(user: &mut SimUser) -> Result<(), isize> {
    exec_with(user, &["init", "child"])
}

fn exec_with_long_arguments(user: &mut SimUser) -> Result<(), isize> {
    let long = "x".repeat(30_000);
    exec_with(user, &["init", &long, &long, ""])
}

fn exec_with(user: &mut SimUser, arguments: &[&str]) -> Result<(), isize> {
    let path = user.push_str("/init");
    let mut pointers: Vec<u64> = arguments.iter().map(|argument| user.push_str(argument) as u64).collect();
    pointers.push(0);
    let argv = push_words(user, &pointers);
    let child = user.fork(move |user| {
        let errno = call(user, nr::EXECVE, &[path, argv, 0]).map_or_else(|errno| -errno, |_| 0);
        let _ = call(user, nr::EXIT_GROUP, &[errno as usize]);
    });
    wait_for(user, child)
}

const PROT_RW: usize = 3;
const MAP_PRIVATE_ANONYMOUS: usize = 0x22;
const MAP_SHARED_ANONYMOUS: usize = 0x21;
const MAP_POPULATE: usize = 0x8000;

fn map(user: &mut SimUser, pages: usize, flags: usize) -> Result<usize, isize> {
    call(user, nr::MMAP, &[0, pages * PAGE_SIZE, PROT_RW, flags, usize::MAX, 0])
}

fn mmap(user: &mut SimUser) -> Result<(), isize> {
    for flags in [MAP_PRIVATE_ANONYMOUS, MAP_SHARED_ANONYMOUS] {
        let at = map(user, 20, flags | MAP_POPULATE)?;
        user.store(at, &1u64);
        call(user, nr::MUNMAP, &[at, 20 * PAGE_SIZE])?;
    }
    Ok(())
}

fn mremap_and_mprotect(user: &mut SimUser) -> Result<(), isize> {
    let at = map(user, 8, MAP_PRIVATE_ANONYMOUS)?;
    user.store(at, &1u64);
    let protected = call(user, nr::MPROTECT, &[at + 2 * PAGE_SIZE, PAGE_SIZE, 1]);
    let grown = call(user, nr::MREMAP, &[at, PAGE_SIZE, 400 * PAGE_SIZE, 1]);
    // A part of a mapping cannot be unmapped when there is no room to note that; all of it can.
    let unmapped = call(user, nr::MUNMAP, &[at, 8 * PAGE_SIZE]);
    if unmapped.is_err() {
        call(user, nr::MUNMAP, &[at, 8 * PAGE_SIZE])?;
    }
    let gone = grown.and_then(|at| call(user, nr::MUNMAP, &[at, 400 * PAGE_SIZE]));
    all([protected, grown, unmapped, gone])
}

const O_CREAT_RDWR: usize = 0o102;

fn open(user: &mut SimUser) -> Result<(), isize> {
    let path = user.push_str("/dir/file");
    let fd = call(user, nr::OPEN, &[path, O_CREAT_RDWR, 0o644]);
    let closed = fd.and_then(|fd| call(user, nr::CLOSE, &[fd]));
    let unlinked = remove(user, nr::UNLINK, path);
    all([fd, closed, unlinked])
}

/// Removes a name if it is there.
fn remove(user: &mut SimUser, number: usize, path: usize) -> Result<usize, isize> {
    const ENOENT: isize = -2;
    match call(user, number, &[path]) {
        Err(ENOENT) => Ok(0),
        // The failure may have come here: then this is the second attempt of a program that wants to be rid of it.
        Err(errno) => call(user, number, &[path]).and(Err(errno)),
        ok => ok,
    }
}

fn file_contents(user: &mut SimUser) -> Result<(), isize> {
    let path = user.push_str("/dir/contents");
    let buffer = map(user, 4, MAP_PRIVATE_ANONYMOUS | MAP_POPULATE)?;
    let fd = call(user, nr::OPEN, &[path, O_CREAT_RDWR, 0o644]);
    let written = fd.and_then(|fd| call(user, nr::WRITE, &[fd, buffer, 4 * PAGE_SIZE]));
    let far = fd.and_then(|fd| call(user, nr::PWRITE64, &[fd, buffer, 10, 1 << 33]));
    let kept = fd.and_then(|fd| call(user, nr::FTRUNCATE, &[fd, 100]));
    let copied = fd.and_then(|fd| call(user, nr::SENDFILE, &[fd, fd, 0, 10]));
    let closed = fd.and_then(|fd| call(user, nr::CLOSE, &[fd]));
    let unlinked = remove(user, nr::UNLINK, path);
    let unmapped = call(user, nr::MUNMAP, &[buffer, 4 * PAGE_SIZE]);
    all([fd, written, far, kept, copied, closed, unlinked, unmapped])
}

fn names(user: &mut SimUser) -> Result<(), isize> {
    let [dir, file, link, other] =
        ["/dir/sub", "/dir/sub/fifo", "/dir/sub/link", "/dir/sub/other"].map(|name| user.push_str(name));
    let buffer = user.push(&[0; 1024]);
    let made = call(user, nr::MKDIR, &[dir, 0o755]);
    let fifo = call(user, nr::MKNOD, &[file, 0o010_644, 0]);
    let linked = call(user, nr::SYMLINK, &[file, link]);
    let renamed = call(user, nr::RENAME, &[link, other]);
    let read = call(user, nr::READLINK, &[other, buffer, 100]);
    let list = call(user, nr::OPEN, &[dir, 0, 0]);
    let listed = list.and_then(|fd| call(user, nr::GETDENTS64, &[fd, buffer, 1024]));
    let closed = list.and_then(|fd| call(user, nr::CLOSE, &[fd]));
    let gone = [file, link, other].map(|name| remove(user, nr::UNLINK, name));
    let removed = remove(user, nr::RMDIR, dir);
    const ENOENT: isize = -2;
    let is_sequel = |outcome: &Result<usize, isize>| *outcome == Err(ENOENT);
    let outcomes = [made, fifo, linked, renamed, read, list, listed, closed];
    // Where a directory or a name could not be made, what wants to use it finds nothing.
    let first = outcomes.iter().find(|outcome| outcome.is_err() && !is_sequel(outcome));
    all(first.copied())?;
    all(gone.into_iter().chain([removed]))
}

fn pipe(user: &mut SimUser) -> Result<(), isize> {
    let fds = push_words(user, &[0]);
    let buffer = user.push(&[1; 5000]);
    call(user, nr::PIPE, &[fds])?;
    let [reader, writer] = [user.load::<u32>(fds) as usize, user.load::<u32>(fds + 4) as usize];
    let written = call(user, nr::WRITE, &[writer, buffer, 5000]);
    let read = if written.is_ok() { call(user, nr::READ, &[reader, buffer, 5000]) } else { Ok(0) };
    let closed = [reader, writer].map(|fd| call(user, nr::CLOSE, &[fd]));
    all([written, read].into_iter().chain(closed))
}

/// Does what makes a table grow that never shrinks: it must be that of a child.
fn in_child(user: &mut SimUser, work: Work) -> Result<(), isize> {
    let child = user.fork(move |user| {
        let errno = work(user).map_or_else(|errno| -errno, |()| 0);
        let _ = call(user, nr::EXIT_GROUP, &[errno as usize]);
    });
    wait_for(user, child)
}

fn descriptors(user: &mut SimUser) -> Result<(), isize> {
    in_child(user, |user| call(user, nr::DUP2, &[1, 900]).map(|_| ()))
}

fn events(user: &mut SimUser) -> Result<(), isize> {
    let event = push_words(user, &[1, 0]);
    let counter = call(user, nr::EVENTFD2, &[1, 0]);
    let timer = call(user, nr::TIMERFD_CREATE, &[1, 0]);
    let epoll = call(user, nr::EPOLL_CREATE1, &[0]);
    let mut outcomes = vec![counter, timer, epoll];
    if let (Ok(counter), Ok(timer), Ok(epoll)) = (counter, timer, epoll) {
        const ADD: usize = 1;
        outcomes.push(call(user, nr::EPOLL_CTL, &[epoll, ADD, counter, event]));
        outcomes.push(call(user, nr::EPOLL_CTL, &[epoll, ADD, timer, event]));
        outcomes.push(call(user, nr::EPOLL_WAIT, &[epoll, event, 1, 0]));
    }
    for fd in [counter, timer, epoll].into_iter().flatten() {
        outcomes.push(call(user, nr::CLOSE, &[fd]));
    }
    all(outcomes)
}

fn poll(user: &mut SimUser) -> Result<(), isize> {
    let fds = push_words(user, &[0]);
    call(user, nr::PIPE, &[fds])?;
    let [reader, writer] = [user.load::<u32>(fds), user.load::<u32>(fds + 4)];
    let entries = push_words(user, &[u64::from(reader) | 1 << 32; 700]);
    let polled = call(user, nr::POLL, &[entries, 700, 2]);
    let sets = push_words(user, &[1 << reader; 16]);
    let time = push_words(user, &[0, 2000]);
    let selected = call(user, nr::SELECT, &[reader as usize + 1, sets, 0, 0, time]);
    let closed = [reader, writer].map(|fd| call(user, nr::CLOSE, &[fd as usize]));
    all([polled, selected].into_iter().chain(closed))
}

fn mount(user: &mut SimUser) -> Result<(), isize> {
    let [kind, at, file] = ["tmpfs", "/dir", "/dir/in it"].map(|text| user.push_str(text));
    call(user, nr::MOUNT, &[kind, at, kind, 0, 0])?;
    let fd = call(user, nr::OPEN, &[file, O_CREAT_RDWR, 0o644]);
    let closed = fd.and_then(|fd| call(user, nr::CLOSE, &[fd]));
    let unmounted = call(user, nr::UMOUNT2, &[at, 0]);
    if unmounted.is_err() {
        call(user, nr::UMOUNT2, &[at, 0])?;
    }
    all([fd, closed, unmounted])
}

fn signals(user: &mut SimUser) -> Result<(), isize> {
    in_child(user, queue_signals)
}

fn queue_signals(user: &mut SimUser) -> Result<(), isize> {
    const REAL_TIME: usize = 40;
    let set = push_words(user, &[1 << (REAL_TIME - 1)]);
    let info = user.push(&[0; 128]);
    user.store(info, &[REAL_TIME as i32, 0, -1]);
    let zero = push_words(user, &[0, 0]);
    call(user, nr::RT_SIGPROCMASK, &[0, set, 0, 8])?;
    let pid = call(user, nr::GETPID, &[])?;
    let outcomes: Vec<_> =
        (0..30).map(|_| call(user, nr::RT_SIGQUEUEINFO, &[pid, REAL_TIME, info])).collect();
    while call(user, nr::RT_SIGTIMEDWAIT, &[set, 0, zero, 8]).is_ok() {}
    all(outcomes)
}

fn timers(user: &mut SimUser) -> Result<(), isize> {
    let mut outcomes = Vec::new();
    for _ in 0..20 {
        let id = push_words(user, &[0]);
        let made = call(user, nr::TIMER_CREATE, &[1, 0, id]);
        outcomes.push(made);
        if made.is_ok() {
            outcomes.push(Ok(user.load::<i32>(id) as usize));
        }
    }
    let deleted: Vec<_> = outcomes.chunks(2).filter_map(|pair| pair.get(1).copied()?.ok()).collect();
    for id in deleted {
        let _ = call(user, nr::TIMER_DELETE, &[id]);
    }
    all(outcomes)
}

fn groups(user: &mut SimUser) -> Result<(), isize> {
    let list = map(user, 8, MAP_PRIVATE_ANONYMOUS | MAP_POPULATE)?;
    let set = call(user, nr::SETGROUPS, &[8000, list]);
    let read = call(user, nr::GETGROUPS, &[8000, list]);
    let cleared = call(user, nr::SETGROUPS, &[0, 0]);
    let unmapped = call(user, nr::MUNMAP, &[list, 8 * PAGE_SIZE]);
    all([set, read, cleared, unmapped])
}

fn extended_attributes(user: &mut SimUser) -> Result<(), isize> {
    const ENODATA: isize = -61;
    let [path, name] = ["/dir", "trusted.test"].map(|text| user.push_str(text));
    let value = map(user, 16, MAP_PRIVATE_ANONYMOUS | MAP_POPULATE)?;
    let set = call(user, nr::SETXATTR, &[path, name, value, 60_000, 0]);
    let read = if set.is_ok() { call(user, nr::GETXATTR, &[path, name, value, 65_536]) } else { Ok(0) };
    let listed = call(user, nr::LISTXATTR, &[path, value, 65_536]);
    let removed = match call(user, nr::REMOVEXATTR, &[path, name]) {
        Err(ENODATA) => Ok(0),
        Err(errno) => call(user, nr::REMOVEXATTR, &[path, name]).and(Err(errno)),
        ok => ok,
    };
    let unmapped = call(user, nr::MUNMAP, &[value, 16 * PAGE_SIZE]);
    all([set, read, listed, removed, unmapped])
}

fn locks(user: &mut SimUser) -> Result<(), isize> {
    let path = user.push_str("/dir/locked");
    let fd = call(user, nr::OPEN, &[path, O_CREAT_RDWR, 0o644]);
    let unlinked = remove(user, nr::UNLINK, path);
    let fd = fd?;
    const SET_LOCK: usize = 6;
    let mut outcomes = vec![unlinked];
    for start in (0..20u64).map(|index| index * 10) {
        // l_type F_WRLCK, l_whence SEEK_SET, l_start, l_len, l_pid.
        let lock = push_words(user, &[1, start, 5, 0]);
        outcomes.push(call(user, nr::FCNTL, &[fd, SET_LOCK, lock]));
    }
    outcomes.push(call(user, nr::FLOCK, &[fd, 2]));
    outcomes.push(call(user, nr::CLOSE, &[fd]));
    all(outcomes)
}

fn memfd(user: &mut SimUser) -> Result<(), isize> {
    let name = user.push_str("memory");
    let fd = call(user, nr::MEMFD_CREATE, &[name, 0])?;
    let grown = call(user, nr::FTRUNCATE, &[fd, 8 * PAGE_SIZE]);
    let at = call(user, nr::MMAP, &[0, 8 * PAGE_SIZE, PROT_RW, 1 | MAP_POPULATE, fd, 0]);
    let unmapped = at.and_then(|at| call(user, nr::MUNMAP, &[at, 8 * PAGE_SIZE]));
    let closed = call(user, nr::CLOSE, &[fd]);
    all([grown, at, unmapped, closed])
}

fn terminals(user: &mut SimUser) -> Result<(), isize> {
    let path = user.push_str("/dev/ptmx");
    let text = user.push(b"typed\n");
    let master = call(user, nr::OPEN, &[path, 2, 0])?;
    let typed = call(user, nr::WRITE, &[master, text, 6]);
    let closed = call(user, nr::CLOSE, &[master]);
    all([typed, closed])
}

fn proc_files(user: &mut SimUser) -> Result<(), isize> {
    let buffer = map(user, 2, MAP_PRIVATE_ANONYMOUS | MAP_POPULATE)?;
    let mut outcomes = Vec::new();
    for name in ["/proc/self/status", "/proc/self/maps", "/proc/meminfo", "/proc/self/cmdline"] {
        let path = user.push_str(name);
        let fd = call(user, nr::OPEN, &[path, 0, 0]);
        outcomes.push(fd);
        if let Ok(fd) = fd {
            outcomes.push(call(user, nr::READ, &[fd, buffer, 2 * PAGE_SIZE]));
            outcomes.push(call(user, nr::CLOSE, &[fd]));
        }
    }
    outcomes.push(call(user, nr::MUNMAP, &[buffer, 2 * PAGE_SIZE]));
    all(outcomes)
}
