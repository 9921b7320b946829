// Every system call gets every pointer bad: the answer is an error, never the end of the process or of the kernel.
#include "t.h"

// Bad pointers, in the order of the columns.
enum { KINDS = 8 };
static const char *const kind_names[KINDS] = { "null", "low", "unmapped", "direct map", "kernel image", "non-canonical", "wrapping", "half" };
static unsigned long kinds[KINDS];

// Arguments of the table: a pointer to be tested, and what stands there while another one is tested.
#define P 0x7e570001L // a zeroed buffer
#define Z 0x7e570002L // NULL
#define S 0x7e570003L // the name of a file
#define N 0x7e570004L // a name that does not exist

// Descriptors that every child has.
enum { FILE_FD = 10, DIR_FD, ZERO_FD, PIPE_IN, PIPE_OUT, TTY_FD, NULL_FD };

struct call {
    int number;
    const char *name;
    long arguments[6];
};

#define C(name, ...) { SYS_##name, #name, { __VA_ARGS__ } }
static const struct call io_calls[] = {
    C(read, ZERO_FD, P, 64), C(read, FILE_FD, P, 64), C(read, DIR_FD, P, 64), C(write, FILE_FD, P, 64),
    C(write, NULL_FD, P, 64), C(write, PIPE_OUT, P, 64), C(read, PIPE_IN, P, 4), C(open, S, O_RDONLY),
    C(open, N, O_CREAT | O_WRONLY, 0600), C(creat, N, 0600), C(fstat, FILE_FD, P), C(poll, P, 1, 0),
    C(pread64, FILE_FD, P, 64, 0), C(pwrite64, FILE_FD, P, 64, 0), C(readv, FILE_FD, P, 1), C(writev, FILE_FD, P, 1),
    C(preadv, FILE_FD, P, 1, 0), C(pwritev, FILE_FD, P, 1, 0), C(pipe, P), C(pipe2, P, 0), C(select, 4, Z, Z, Z, P),
    C(pselect6, 4, Z, Z, Z, P, Z), C(ppoll, P, 1, P, Z, 8), C(getdents64, DIR_FD, P, 4096), C(getdents, DIR_FD, P, 4096),
    C(sendfile, NULL_FD, FILE_FD, Z, 10), C(fcntl, FILE_FD, F_GETLK, P), C(fcntl, FILE_FD, F_SETLK, P),
    C(mincore, P, 4096, P), C(mmap, 0, 0, P),
};

static const struct call names_calls[] = {
    C(stat, S, P), C(lstat, S, P), C(access, S, F_OK), C(getcwd, P, 100), C(chdir, S), C(mkdir, N, 0700), C(rmdir, N),
    C(unlink, N), C(link, S, N), C(symlink, S, N), C(readlink, S, P, 100), C(rename, N, N),
    C(renameat, AT_FDCWD, N, AT_FDCWD, N), C(renameat2, AT_FDCWD, N, AT_FDCWD, N, 0), C(chmod, S, 0600),
    C(fchmodat, AT_FDCWD, S, 0600), C(chown, S, 0, 0), C(lchown, S, 0, 0), C(fchownat, AT_FDCWD, S, 0, 0, 0),
    C(truncate, S, 4096), C(mknod, N, S_IFREG | 0600, 0), C(mknodat, AT_FDCWD, N, S_IFREG | 0600, 0),
    C(openat, AT_FDCWD, S, O_RDONLY), C(mkdirat, AT_FDCWD, N, 0700), C(unlinkat, AT_FDCWD, N, 0),
    C(linkat, AT_FDCWD, S, AT_FDCWD, N, 0), C(symlinkat, S, AT_FDCWD, N), C(readlinkat, AT_FDCWD, S, P, 100),
    C(faccessat, AT_FDCWD, S, 0), C(newfstatat, AT_FDCWD, S, P, 0), C(statx, AT_FDCWD, S, 0, 0x7ff, P),
    C(utimensat, AT_FDCWD, S, Z, 0), C(utimes, S, Z), C(utime, S, Z), C(statfs, S, P), C(fstatfs, FILE_FD, P),
    C(execve, N, Z, Z), C(mount, S, S, Z, 0, Z), C(umount2, N, 0), C(chroot, N), C(faccessat2, AT_FDCWD, S, 0, 0),
};

static const struct call signals_calls[] = {
    C(rt_sigaction, SIGUSR1, Z, Z, 8), C(rt_sigprocmask, SIG_BLOCK, Z, Z, 8), C(rt_sigpending, P, 8),
    C(rt_sigtimedwait, P, Z, P, 8), C(rt_sigsuspend, P, 8), C(sigaltstack, Z, Z), C(rt_sigqueueinfo, 999999, SIGUSR1, P),
};

static const struct call time_calls[] = {
    C(nanosleep, P, Z), C(clock_nanosleep, 0, 0, P, Z), C(clock_gettime, 0, P), C(clock_getres, 0, P), C(gettimeofday, P, Z),
    C(time, P), C(times, P), C(getitimer, 0, P), C(setitimer, 1, P, Z), C(settimeofday, Z, Z), C(clock_settime, 0, P),
};

static const struct call process_calls[] = {
    C(getrusage, 0, P), C(sysinfo, P), C(uname, P), C(getrlimit, 3, P), C(setrlimit, 4, P), C(prlimit64, 0, 4, Z, Z),
    C(wait4, -1, Z, WNOHANG, Z), C(waitid, P_ALL, 0, Z, WEXITED | WNOHANG, Z), C(set_tid_address, P), C(futex, P, 1, 1),
    C(futex, P, 0, 1, Z), C(getgroups, 10, P), C(setgroups, 4, P), C(getresuid, P, P, P), C(getresgid, P, P, P),
    C(sethostname, P, 8), C(sched_getaffinity, 0, 128, P), C(sched_setaffinity, 0, 8, P), C(sched_getparam, 0, P),
    C(sched_setparam, 0, P), C(sched_setscheduler, 0, 0, P), C(sched_rr_get_interval, 0, P), C(getcpu, Z, Z, 0),
    C(getrandom, P, 64, 0), C(capget, P, Z), C(syslog, 3, P, 4096), C(arch_prctl, 0x1003, P), C(prctl, 16, P),
    C(prctl, 15, P), C(set_robust_list, P, 24), C(get_robust_list, 0, P, P),
};

static const struct call terminal_calls[] = {
    C(ioctl, TTY_FD, TCGETS, P), C(ioctl, TTY_FD, TCSETS, P), C(ioctl, TTY_FD, TIOCGWINSZ, P),
    C(ioctl, TTY_FD, TIOCSWINSZ, P), C(ioctl, TTY_FD, FIONREAD, P), C(ioctl, PIPE_IN, FIONREAD, P),
    C(ioctl, TTY_FD, TIOCGPGRP, P),
};

// Calls that a shell and its tools do without.
static const struct call other_calls[] = {
    C(copy_file_range, FILE_FD, Z, FILE_FD, Z, 4, 0), C(adjtimex, P), C(preadv2, FILE_FD, P, 1, 0, 0, 0), C(acct, N),
    C(swapon, N, 0), C(memfd_create, S, 0), C(epoll_ctl, FILE_FD, 1, FILE_FD, P), C(openat2, AT_FDCWD, S, P, 24), C(clone3, P, 88),
};

// Calls that are not made with rubbish, since they do what they are asked to.
static const int never[] = {
    SYS_exit, SYS_exit_group, SYS_fork, SYS_vfork, SYS_clone, SYS_kill, SYS_tkill, SYS_tgkill, SYS_rt_sigreturn, SYS_reboot,
    SYS_sethostname, SYS_setdomainname, SYS_vhangup, SYS_kexec_load, SYS_sync, SYS_settimeofday, SYS_munmap, SYS_seccomp,
};

enum { RESULTS = 6 * KINDS };
static long *results;
static char *good, *half;

static void nothing(int number) { (void)number; }

static void prepare_pointers(void)
{
    good = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    results = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    // The hole stays one: nothing is mapped after this.
    char *pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(pages + 4096, 4096);
    half = pages + 4095;
    *half = 'f';
    // A call that waits is interrupted.
    struct sigaction action = { .sa_handler = nothing };
    sigaction(SIGALRM, &action, NULL);
    kinds[0] = 0;
    kinds[1] = 16;
    kinds[2] = 0x70000000;
    kinds[3] = 0xffff888000000000;
    kinds[4] = 0xffffffff81000000;
    kinds[5] = 0x800000000000;
    kinds[6] = ~0ul - 7;
    kinds[7] = (unsigned long)half;
}

static void prepare_descriptors(void)
{
    int p[2], number, unlock = 0;
    char name[32];

    put_file("f", "some content of a file that is longer than any of the buffers that are tried on it, to be sure\n");
    dup2(open("f", O_RDWR), FILE_FD);
    dup2(open(".", O_RDONLY | O_DIRECTORY), DIR_FD);
    dup2(open("/dev/zero", O_RDWR), ZERO_FD);
    pipe(p);
    dup2(p[0], PIPE_IN);
    dup2(p[1], PIPE_OUT);
    fcntl(PIPE_IN, F_SETFL, O_NONBLOCK);
    fcntl(PIPE_OUT, F_SETFL, O_NONBLOCK);
    int master = open("/dev/ptmx", O_RDWR | O_NOCTTY);
    ioctl(master, TIOCSPTLCK, &unlock);
    ioctl(master, TIOCGPTN, &number);
    snprintf(name, sizeof name, "/dev/pts/%d", number);
    dup2(open(name, O_RDWR | O_NOCTTY), TTY_FD);
    dup2(open("/dev/null", O_WRONLY), NULL_FD);
}

static int is_pointer(long argument) { return argument == P || argument == Z || argument == S || argument == N; }

static long good_value(long argument)
{
    switch (argument) {
    case P: return (long)good;
    case Z: return 0;
    case S: return (long)"f";
    case N: return (long)"none/x";
    default: return argument;
    }
}

// Makes one call; -errno or the result.
static long invoke(int number, const long *a)
{
    struct itimerval timer = { { 0, 100000 }, { 0, 100000 } };
    setitimer(ITIMER_REAL, &timer, NULL);
    long result = syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
    return result == -1 ? -errno : result;
}

// In a child: every pointer of the call bad in every way.
static void try_call(const struct call *call)
{
    for (int i = 0; i < 6; i++)
        for (int k = 0; is_pointer(call->arguments[i]) && k < KINDS; k++) {
            long a[6];
            for (int j = 0; j < 6; j++)
                a[j] = good_value(call->arguments[j]);
            a[i] = (long)kinds[k];
            memset(good, 0, 4096);
            lseek(FILE_FD, 0, SEEK_SET);
            lseek(DIR_FD, 0, SEEK_SET);
            results[i * KINDS + k] = 1;
            results[i * KINDS + k] = invoke(call->number, a);
        }
}

// Prints the answers for one pointer: one word when they agree.
static void show_row(const struct call *call, int argument)
{
    const long *row = results + argument * KINDS;
    char text[KINDS][24];
    int same = 1;

    for (int k = 0; k < KINDS; k++) {
        if (row[k] < 0)
            snprintf(text[k], sizeof text[k], "%s", error_name((int)-row[k]));
        else if (row[k] > 4096 || call->number == SYS_times || call->number == SYS_set_tid_address || call->number == SYS_openat || call->number == SYS_open)
            strcpy(text[k], "done");
        else
            snprintf(text[k], sizeof text[k], "%ld", row[k]);
        same &= strcmp(text[k], text[0]) == 0;
    }
    printf("%s %d:", call->name, argument);
    for (int k = 0; k < (same ? 1 : KINDS); k++)
        printf(" %s", text[k]);
    printf("\n");
}

static void try_table(const struct call *table, size_t count)
{
    prepare_pointers();
    printf("columns:");
    for (int k = 0; k < KINDS; k++)
        printf(" %s,", kind_names[k]);
    printf("\n");
    for (size_t c = 0; c < count; c++) {
        int status;
        memset(results, 0, RESULTS * sizeof *results);
        pid_t pid = fork();
        if (pid == 0) {
            prepare_descriptors();
            try_call(&table[c]);
            _exit(0);
        }
        waitpid(pid, &status, 0);
        if (status) {
            printf("%s ", table[c].name);
            show_status("was not survived", status);
        }
        for (int i = 0; i < 6; i++)
            if (is_pointer(table[c].arguments[i]))
                show_row(&table[c], i);
        unlink("f");
    }
}

static void part_io(void) { try_table(io_calls, sizeof io_calls / sizeof *io_calls); }
static void part_names(void) { try_table(names_calls, sizeof names_calls / sizeof *names_calls); }
static void part_signals(void) { try_table(signals_calls, sizeof signals_calls / sizeof *signals_calls); }
static void part_time(void) { try_table(time_calls, sizeof time_calls / sizeof *time_calls); }
static void part_process(void) { try_table(process_calls, sizeof process_calls / sizeof *process_calls); }
static void part_terminal(void) { try_table(terminal_calls, sizeof terminal_calls / sizeof *terminal_calls); }
static void part_other(void) { try_table(other_calls, sizeof other_calls / sizeof *other_calls); }

// Every number of the table with rubbish in all arguments; only what must not happen is printed.
static void part_rubbish(void)
{
    int tried = 0, killed = 0;

    prepare_pointers();
    for (int number = 0; number <= 462; number++) {
        int skip = number > 334 && number < 424;
        for (size_t i = 0; i < sizeof never / sizeof *never; i++)
            skip |= never[i] == number;
        if (skip)
            continue;
        int status;
        pid_t pid = fork();
        if (pid == 0) {
            setpgid(0, 0);
            for (int k = 0; k < KINDS; k++) {
                long same[6] = { kinds[k], kinds[k], kinds[k], kinds[k], kinds[k], kinds[k] };
                invoke(number, same);
                long first[6] = { 0, kinds[k], kinds[k], kinds[k], kinds[k], kinds[k] };
                invoke(number, first);
                long small[6] = { kinds[k], 8, 8, 8, 8, 8 };
                invoke(number, small);
            }
            _exit(0);
        }
        waitpid(pid, &status, 0);
        tried++;
        if (WIFSIGNALED(status)) {
            printf("call %d: killed by %d\n", number, WTERMSIG(status));
            killed++;
        }
    }
    printf("%d calls tried, %d killed the caller\n", tried, killed);
}

// Numbers that no table has.
static void part_numbers(void)
{
    static const long numbers[] = { 335, 400, 423, 500, 511, 512, 1000, 0x7fffffff, 0x80000000, 0xffffffff, 0x40000000, 0x40000001, -1, -2, INT64_MIN, 1l << 32 };
    int wrong = 0;

    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (syscall(numbers[i], 0, 0, 0, 0, 0, 0) != -1 || errno != ENOSYS) {
            // Only the low half of the register counts.
            printf("%lx is known\n", numbers[i]);
            wrong++;
        }
    printf("%d are known\n", wrong);
}

// Signal frames: a bad stack pointer at the time of a signal, a bad frame at its return.
static void part_frames(void)
{
    prepare_pointers();
    for (int k = 0; k < KINDS; k++) {
        IN_CHILD(kind_names[k]) {
            struct sigaction action = { .sa_handler = nothing };
            setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
            sigaction(SIGUSR1, &action, NULL);
            // kill(getpid(), SIGUSR1) with that stack pointer.
            __asm__ volatile("movq %0, %%rsp; movl $62, %%eax; syscall; movl $60, %%eax; xorl %%edi, %%edi; syscall"
                             :: "r"(kinds[k]), "D"((long)getpid()), "S"((long)SIGUSR1) : "rcx", "r11", "memory");
        }
        IN_CHILD("return from a frame that is not there") {
            setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
            __asm__ volatile("movq %0, %%rsp; movl $15, %%eax; syscall; ud2" :: "r"(kinds[k]) : "rcx", "r11", "memory");
        }
    }
    IN_CHILD("return to the kernel") {
        static unsigned long frame[200];
        memset(frame, 0, sizeof frame);
        frame[5 + 16] = 0xffffffff81000000;     // instruction pointer
        frame[5 + 15] = 0xffff888000001000;     // stack pointer
        frame[5 + 17] = 0x3000;                 // flags: I/O privilege
        frame[5 + 18] = 0x33 | 0x002b000000000000;
        __asm__ volatile("movq %0, %%rsp; movl $15, %%eax; syscall; ud2" :: "r"(frame) : "rcx", "r11", "memory");
    }
    IN_CHILD("return with kernel segments") {
        static unsigned long frame[200];
        memset(frame, 0, sizeof frame);
        frame[5 + 16] = (unsigned long)nothing;
        frame[5 + 15] = (unsigned long)(frame + 150);
        frame[5 + 18] = 0x10 | 0x0018000000000000;
        __asm__ volatile("movq %0, %%rsp; movl $15, %%eax; syscall; ud2" :: "r"(frame) : "rcx", "r11", "memory");
    }
}

PARTS({ "io", part_io }, { "names", part_names }, { "signals", part_signals }, { "time", part_time }, { "process", part_process }, { "terminal", part_terminal }, { "other", part_other },
      { "rubbish", part_rubbish }, { "numbers", part_numbers }, { "frames", part_frames })
