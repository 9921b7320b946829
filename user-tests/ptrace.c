// ptrace(2): how a tracer sees signals, calls and events of what it traces, and what it may change.
#include "t.h"
#include <elf.h>
#include <stddef.h>
#include <sys/ptrace.h>
#include <sys/user.h>

// The kernel's headers and the library's do not go together.
#define GET_SYSCALL_INFO 0x420e
struct call_info {
    uint8_t op;
    uint8_t pad[3];
    uint32_t arch;
    uint64_t ip, sp;
    uint64_t nr;
    uint64_t args[6];
};

static volatile long word = 0x1122334455667788;
static volatile int caught;

static void on_signal(int signal)
{
    caught = signal;
}

// Waits for news of a thread, and prints them.
static int news(pid_t pid, const char *what)
{
    int status = 0;
    pid_t got = waitpid(pid, &status, __WALL);

    if (got == -1) {
        printf("%s: %s\n", what, error_name(errno));
        return -1;
    }
    if (WIFSTOPPED(status) && status >> 16)
        printf("%s: event %d, signal %d\n", what, status >> 16, WSTOPSIG(status));
    else
        show_status(what, status);
    return status;
}

// A child that is traced from its first stop on, and then runs `body`.
static pid_t traced_child(void (*body)(void))
{
    pid_t pid = fork();

    if (pid == 0) {
        if (ptrace(PTRACE_TRACEME, 0, 0, 0) == -1)
            _exit(99);
        raise(SIGSTOP);
        body();
        _exit(7);
    }
    news(pid, "first stop");
    return pid;
}

static void finish(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, __WALL);
}

static void nothing(void)
{
}

static void part_traceme(void)
{
    pid_t pid = traced_child(nothing);

    R(ptrace(PTRACE_CONT, pid, 0, 0));
    news(pid, "end");
    pid = fork();
    if (pid == 0) {
        R(ptrace(PTRACE_TRACEME, 0, 0, 0));
        R(ptrace(PTRACE_TRACEME, 0, 0, 0));
        _exit(3);
    }
    news(pid, "twice");
}

static void send_some(void)
{
    signal(SIGUSR1, on_signal);
    raise(SIGUSR1);
    if (caught != 0)
        _exit(caught);
    raise(SIGUSR1);
    _exit(caught == SIGUSR1 ? 42 : 1);
}

static void part_signals(void)
{
    pid_t pid = traced_child(send_some);

    ptrace(PTRACE_CONT, pid, 0, 0);
    news(pid, "a signal with a handler");
    siginfo_t info;
    R(ptrace(PTRACE_GETSIGINFO, pid, 0, &info));
    printf("signal %d, code %d, of itself %d\n", info.si_signo, info.si_code, info.si_pid == pid);
    // It never comes.
    ptrace(PTRACE_CONT, pid, 0, 0);
    news(pid, "the next");
    R(ptrace(PTRACE_CONT, pid, 0, SIGUSR1));
    news(pid, "end");

    pid = traced_child(send_some);
    ptrace(PTRACE_CONT, pid, 0, 0);
    news(pid, "a signal");
    R(ptrace(PTRACE_CONT, pid, 0, SIGTERM));
    news(pid, "another instead");
}

static void ignore_some(void)
{
    signal(SIGUSR2, SIG_IGN);
    raise(SIGUSR2);
    raise(SIGWINCH);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    raise(SIGUSR1);
}

static void part_ignored(void)
{
    pid_t pid = traced_child(ignore_some);

    for (int i = 0; i < 3; i++) {
        ptrace(PTRACE_CONT, pid, 0, 0);
        int status = news(pid, "ignored, or nobody cares");
        if (!WIFSTOPPED(status))
            break;
    }
}

static void call_some(void)
{
    syscall(SYS_getppid);
    syscall(SYS_close, -1);
}

static void part_calls(void)
{
    pid_t pid = traced_child(call_some);
    struct user_regs_struct regs;

    R(ptrace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESYSGOOD));
    ptrace(PTRACE_SYSCALL, pid, 0, 0);
    // The end of the call that has sent the signal comes first.
    for (int i = 0; i < 8; i++) {
        int status;
        waitpid(pid, &status, __WALL);
        if (!WIFSTOPPED(status)) {
            show_status("end", status);
            return;
        }
        ptrace(PTRACE_GETREGS, pid, 0, &regs);
        struct call_info info = { 0 };
        long len = ptrace(GET_SYSCALL_INFO, pid, sizeof info, &info);
        if (regs.orig_rax == SYS_getppid || regs.orig_rax == SYS_close || regs.orig_rax == SYS_exit_group) {
            printf("signal %#x, call %lld, rax %lld", WSTOPSIG(status), (long long)regs.orig_rax,
                   regs.orig_rax == SYS_getppid && info.op == 2 ? 0 : (long long)regs.rax);
            printf(", info %ld: op %d, arch %x, place %d", len, info.op, info.arch, info.ip == regs.rip && info.sp == regs.rsp);
            if (info.op == 1)
                printf(", nr %d, first %lld", (int)info.nr, regs.orig_rax == SYS_getppid ? 0 : (long long)info.args[0]);
            else if (info.op == 2)
                printf(", error %d", (int)(info.args[0] & 0xff));
            printf("\n");
        }
        ptrace(PTRACE_SYSCALL, pid, 0, 0);
    }
    finish(pid);
}

static void ask_pid(void)
{
    if (syscall(SYS_getpid) != 12345)
        _exit(1);
    _exit(syscall(SYS_getppid) == -ENOSYS || errno == ENOSYS ? 5 : 2);
}

// Goes from call to call until the thread stands at this one; 0 at its beginning, 1 at its end.
static void run_to(pid_t pid, long call, int end, struct user_regs_struct *regs)
{
    for (int i = 0; i < 50; i++) {
        int status;
        ptrace(PTRACE_SYSCALL, pid, 0, 0);
        waitpid(pid, &status, __WALL);
        if (!WIFSTOPPED(status)) {
            show_status("lost", status);
            return;
        }
        struct call_info info = { 0 };
        ptrace(GET_SYSCALL_INFO, pid, sizeof info, &info);
        ptrace(PTRACE_GETREGS, pid, 0, regs);
        if ((long)regs->orig_rax == call && info.op == end + 1)
            return;
    }
}

static void part_change_calls(void)
{
    pid_t pid = traced_child(ask_pid);
    struct user_regs_struct regs;

    ptrace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESYSGOOD);
    run_to(pid, SYS_getpid, 1, &regs);
    regs.rax = 12345;
    R(ptrace(PTRACE_SETREGS, pid, 0, &regs));
    run_to(pid, SYS_getppid, 0, &regs);
    // Not made at all.
    R(ptrace(PTRACE_POKEUSER, pid, offsetof(struct user_regs_struct, orig_rax), -1));
    ptrace(PTRACE_CONT, pid, 0, 0);
    news(pid, "end");
}

static void check_word(void)
{
    _exit(word == 0x0102030405060708 ? 11 : 12);
}

static void part_memory(void)
{
    pid_t pid = traced_child(check_word);

    errno = 0;
    printf("peek %lx\n", ptrace(PTRACE_PEEKDATA, pid, &word, 0));
    R(ptrace(PTRACE_POKEDATA, pid, &word, 0x0102030405060708));
    printf("peek %lx, here %lx\n", ptrace(PTRACE_PEEKTEXT, pid, &word, 0), word);
    R(ptrace(PTRACE_PEEKDATA, pid, 8, 0));
    R(ptrace(PTRACE_POKEDATA, pid, 8, 0));
    // Text is not for writing, but a debugger's break points are put there.
    long text = ptrace(PTRACE_PEEKTEXT, pid, part_memory, 0);
    R(ptrace(PTRACE_POKETEXT, pid, part_memory, 0x9090909090909090));
    printf("text %d, ours %d\n", ptrace(PTRACE_PEEKTEXT, pid, part_memory, 0) == (long)0x9090909090909090,
           *(long *)part_memory == text);
    ptrace(PTRACE_CONT, pid, 0, 0);
    news(pid, "end");
}

static void part_registers(void)
{
    pid_t pid = traced_child(nothing);
    struct user_regs_struct regs, set;
    struct iovec vector = { &set, sizeof set };

    R(ptrace(PTRACE_GETREGS, pid, 0, &regs));
    R(ptrace(PTRACE_GETREGSET, pid, NT_PRSTATUS, &vector));
    printf("%zu bytes, the same %d\n", vector.iov_len, memcmp(&regs, &set, sizeof set) == 0);
    printf("cs %llx ss %llx\n", (long long)regs.cs, (long long)regs.ss);
    vector.iov_len = 16;
    R(ptrace(PTRACE_GETREGSET, pid, NT_PRSTATUS, &vector));
    printf("%zu bytes\n", vector.iov_len);
    vector.iov_len = 15;
    R(ptrace(PTRACE_GETREGSET, pid, NT_PRSTATUS, &vector));
    R(ptrace(PTRACE_GETREGSET, pid, 12345, &vector));
    errno = 0;
    long rsp = ptrace(PTRACE_PEEKUSER, pid, offsetof(struct user, regs.rsp), 0);
    printf("rsp %d\n", rsp == (long)regs.rsp && errno == 0);
    R(ptrace(PTRACE_PEEKUSER, pid, 3, 0));
    R(ptrace(PTRACE_PEEKUSER, pid, sizeof(struct user), 0));
    R(ptrace(PTRACE_PEEKUSER, pid, -8, 0));
    finish(pid);
}

static void part_step(void)
{
    pid_t pid = traced_child(nothing);
    struct user_regs_struct before, after;
    siginfo_t info;
    int moved = 0;

    for (int i = 0; i < 20; i++) {
        ptrace(PTRACE_GETREGS, pid, 0, &before);
        if (ptrace(PTRACE_SINGLESTEP, pid, 0, 0) == -1)
            break;
        int status;
        waitpid(pid, &status, __WALL);
        if (!WIFSTOPPED(status) || WSTOPSIG(status) != SIGTRAP)
            break;
        ptrace(PTRACE_GETREGS, pid, 0, &after);
        moved += before.rip != after.rip;
    }
    printf("moved %d times\n", moved);
    ptrace(PTRACE_GETSIGINFO, pid, 0, &info);
    printf("signal %d, code %d\n", info.si_signo, info.si_code);
    ptrace(PTRACE_CONT, pid, 0, 0);
    news(pid, "end");
}

static void make_child(void)
{
    pid_t pid = fork();

    if (pid == 0)
        _exit(4);
    int status;
    waitpid(pid, &status, 0);
    _exit(WEXITSTATUS(status) + 1);
}

static void part_fork(void)
{
    pid_t pid = traced_child(make_child);
    unsigned long child = 0;

    ptrace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACEFORK);
    ptrace(PTRACE_CONT, pid, 0, 0);
    news(pid, "fork");
    R(ptrace(PTRACE_GETEVENTMSG, pid, 0, &child));
    news(child, "the child begins");
    R(ptrace(PTRACE_CONT, child, 0, 0));
    news(child, "the child's end");
    ptrace(PTRACE_CONT, pid, 0, 0);
    // It may be told of its child's end first.
    int status = news(pid, "news");
    if (WIFSTOPPED(status)) {
        ptrace(PTRACE_CONT, pid, 0, 0);
        news(pid, "end");
    }
}

static void run_true(void)
{
    execl("/bin/true", "true", NULL);
    _exit(1);
}

static void part_exec(void)
{
    pid_t pid = traced_child(run_true);
    unsigned long message = 0;

    ptrace(PTRACE_CONT, pid, 0, 0);
    news(pid, "exec, without the option");
    R(ptrace(PTRACE_CONT, pid, 0, 0));
    news(pid, "end");
    pid = traced_child(run_true);
    ptrace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACEEXEC | PTRACE_O_TRACEEXIT);
    ptrace(PTRACE_CONT, pid, 0, 0);
    news(pid, "exec");
    ptrace(PTRACE_GETEVENTMSG, pid, 0, &message);
    printf("former id: %d\n", message == (unsigned long)pid);
    ptrace(PTRACE_CONT, pid, 0, 0);
    news(pid, "exit");
    ptrace(PTRACE_GETEVENTMSG, pid, 0, &message);
    printf("status %lx\n", message);
    ptrace(PTRACE_CONT, pid, 0, 0);
    news(pid, "end");
}

static void part_seize(void)
{
    pid_t pid = fork();
    siginfo_t info;

    if (pid == 0)
        for (;;)
            pause();
    wait_state(pid, 'S');
    R(ptrace(PTRACE_SEIZE, pid, 0, PTRACE_O_TRACESYSGOOD));
    R(ptrace(PTRACE_GETSIGINFO, pid, 0, &info));
    R(ptrace(PTRACE_INTERRUPT, pid, 0, 0));
    news(pid, "interrupted");
    printf("state %c\n", process_state(pid));
    R(ptrace(PTRACE_GETSIGINFO, pid, 0, &info));
    printf("signal %d, code %#x\n", info.si_signo, info.si_code);
    R(ptrace(PTRACE_LISTEN, pid, 0, 0));
    R(ptrace(PTRACE_CONT, pid, 0, 0));
    R(ptrace(PTRACE_INTERRUPT, pid, 0, 0));
    news(pid, "interrupted while it listens");
    R(ptrace(PTRACE_CONT, pid, 0, 0));
    kill(pid, SIGSTOP);
    news(pid, "a stop signal");
    R(ptrace(PTRACE_CONT, pid, 0, SIGSTOP));
    news(pid, "stopped with its process");
    R(ptrace(PTRACE_LISTEN, pid, 0, 0));
    R(ptrace(PTRACE_GETSIGINFO, pid, 0, &info));
    kill(pid, SIGCONT);
    news(pid, "goes on");
    R(ptrace(PTRACE_CONT, pid, 0, 0));
    news(pid, "the signal that did it");
    R(ptrace(PTRACE_DETACH, pid, 0, SIGTERM));
    news(pid, "end");
}

static void part_attach(void)
{
    pid_t pid = fork();
    int status;

    if (pid == 0)
        for (;;)
            pause();
    R(ptrace(PTRACE_ATTACH, pid, 0, 0));
    news(pid, "attached");
    R(ptrace(PTRACE_ATTACH, pid, 0, 0));
    R(ptrace(PTRACE_INTERRUPT, pid, 0, 0));
    R(ptrace(PTRACE_DETACH, pid, 0, 0));
    wait_state(pid, 'S');
    printf("state %c, news %d\n", process_state(pid), waitpid(pid, &status, WNOHANG | WUNTRACED));
    R(ptrace(PTRACE_CONT, pid, 0, 0));
    // One that is stopped already.
    kill(pid, SIGSTOP);
    wait_state(pid, 'T');
    R(ptrace(PTRACE_ATTACH, pid, 0, 0));
    news(pid, "attached, being stopped");
    // No signal comes of this: it does not stand at one.
    R(ptrace(PTRACE_DETACH, pid, 0, SIGKILL));
    wait_state(pid, 'T');
    printf("state %c\n", process_state(pid));
    kill(pid, SIGKILL);
    news(pid, "end");
}

static void part_errors(void)
{
    pid_t pid = traced_child(nothing);
    long value;

    R(ptrace(PTRACE_SETOPTIONS, pid, 0, 1 << 30));
    R(ptrace(1234, pid, 0, 0));
    R(ptrace(PTRACE_CONT, pid, 0, 65));
    R(ptrace(PTRACE_CONT, pid, 0, -1));
    R(ptrace(PTRACE_GETREGS, pid, 0, 8));
    R(ptrace(PTRACE_GETEVENTMSG, pid, 0, 8));
    R(ptrace(PTRACE_CONT, getpid(), 0, 0));
    R(ptrace(PTRACE_ATTACH, getpid(), 0, 0));
    R(ptrace(PTRACE_ATTACH, 999999, 0, 0));
    R(ptrace(PTRACE_SEIZE, pid, 1, 0));
    R(ptrace(PTRACE_SEIZE, 1 << 20, 0, 0));
    R(ptrace(PTRACE_PEEKDATA, 1, &value, 0));
    ptrace(PTRACE_CONT, pid, 0, 0);
    news(pid, "end");
    R(ptrace(PTRACE_CONT, pid, 0, 0));
    IN_CHILD("another user") {
        pid_t victim = fork();
        if (victim == 0)
            for (;;)
                pause();
        setresuid(1000, 1000, 0);
        R(ptrace(PTRACE_ATTACH, getppid(), 0, 0));
        R(ptrace(PTRACE_SEIZE, victim, 0, 0));
        setresuid(0, 0, 0);
        kill(victim, SIGKILL);
    }
}

// A tracer that ends lets its tracees go on, or ends them.
static void part_tracer_ends(void)
{
    for (int kills = 0; kills < 2; kills++) {
        pid_t pid = fork();
        if (pid == 0)
            for (;;)
                pause();
        wait_state(pid, 'S');
        IN_CHILD("the tracer") {
            ptrace(PTRACE_SEIZE, pid, 0, kills ? PTRACE_O_EXITKILL : 0);
            ptrace(PTRACE_INTERRUPT, pid, 0, 0);
            int status;
            waitpid(pid, &status, __WALL);
            char text[40], line[200];
            snprintf(text, sizeof text, "/proc/%d/status", pid);
            FILE *file = fopen(text, "r");
            while (fgets(line, sizeof line, file))
                if (strncmp(line, "TracerPid:", 10) == 0)
                    printf("traced by the tracer: %d\n", atoi(line + 10) == getpid());
        }
        if (!kills) {
            wait_state(pid, 'S');
            printf("state %c\n", process_state(pid));
            kill(pid, SIGTERM);
        }
        news(pid, "end");
    }
}

PARTS(
    { "traceme", part_traceme },
    { "signals", part_signals },
    { "ignored", part_ignored },
    { "calls", part_calls },
    { "change_calls", part_change_calls },
    { "memory", part_memory },
    { "registers", part_registers },
    { "step", part_step },
    { "fork", part_fork },
    { "exec", part_exec },
    { "seize", part_seize },
    { "attach", part_attach },
    { "errors", part_errors },
    { "tracer_ends", part_tracer_ends })
