// Signals: masks, queues, flags, stacks, what interrupts what.
#include "t.h"
#include <ucontext.h>

static volatile int count, last, code, value, nested, on_stack, mask_in_handler;
static volatile pid_t sender;
static void *volatile address;

static void plain(int number)
{
    count++;
    last = number;
}

static void detailed(int number, siginfo_t *info, void *context)
{
    ucontext_t *uc = context;
    stack_t now;
    sigset_t mask;

    count++;
    last = number;
    code = info->si_code;
    sender = info->si_pid;
    value = info->si_value.sival_int;
    address = info->si_addr;
    sigaltstack(NULL, &now);
    on_stack = (now.ss_flags & SS_ONSTACK) != 0;
    sigprocmask(SIG_SETMASK, NULL, &mask);
    mask_in_handler = sigismember(&mask, SIGUSR1) | sigismember(&mask, SIGUSR2) << 1;
    if (uc->uc_mcontext.gregs[16] == 0)
        printf("no instruction pointer in the context\n");
}

static void nesting(int number)
{
    static int depth;

    depth++;
    if (depth > nested)
        nested = depth;
    if (count++ < 3)
        raise(number);
    depth--;
}

static void install(int number, void (*handler)(int), int flags)
{
    struct sigaction action = { .sa_handler = handler, .sa_flags = flags };

    sigaction(number, &action, NULL);
}

static void install_info(int number, int flags)
{
    struct sigaction action = { .sa_sigaction = detailed, .sa_flags = SA_SIGINFO | flags };

    sigaction(number, &action, NULL);
}

// Sends SIGALRM again and again, so that one that comes before the call it is to interrupt does no harm; 0 ends it.
static void soon(long us)
{
    struct itimerval timer = { { 0, us }, { 0, us } };

    setitimer(ITIMER_REAL, &timer, NULL);
}

// Evaluates the expression while alarms come, and prints the result.
#define INTERRUPT(expression) do { soon(20000); R(expression); soon(0); } while (0)

static sigset_t set_of(int a, int b)
{
    sigset_t set;

    sigemptyset(&set);
    if (a)
        sigaddset(&set, a);
    if (b)
        sigaddset(&set, b);
    return set;
}

// Writes the low 32 signals that are pending.
static unsigned pending(void)
{
    sigset_t set;
    unsigned bits = 0;

    sigpending(&set);
    for (int i = 1; i < 32; i++)
        if (sigismember(&set, i))
            bits |= 1u << (i - 1);
    return bits;
}

static void default_actions(void)
{
    for (int number = 1; number <= 64; number++) {
        if (number == SIGSTOP || number == SIGTSTP || number == SIGTTIN || number == SIGTTOU || number == 32 || number == 33 || number == 34)
            continue;
        int status;
        pid_t pid = fork();
        if (pid == 0) {
            setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
            kill(getpid(), number);
            _exit(0);
        }
        waitpid(pid, &status, 0);
        printf("%d:%d ", number, WIFSIGNALED(status) ? WTERMSIG(status) : -WEXITSTATUS(status));
    }
    printf("\n");
}

static sigset_t set, old;
static siginfo_t info;
static struct timespec delay = { 0, 0 };
static struct sigaction was;
static int ends[2];
static char c;
static int status;
static pid_t pid;
static sigset_t none;

static void part_defaults(void)
{
    // Every default action.
    default_actions();
}

static void part_errors(void)
{
    // Errors.
    R(kill(getpid(), 65));
    R(kill(getpid(), -1));
    R(kill(getpid(), 0));
    R(kill(999999, 0));
    R(sigaction(SIGKILL, &(struct sigaction){ .sa_handler = plain }, NULL));
    R(sigaction(SIGSTOP, &(struct sigaction){ .sa_handler = SIG_IGN }, NULL));
    R(sigaction(SIGKILL, NULL, &was));
    R(syscall(SYS_rt_sigaction, 65, NULL, &was, 8));
    R(syscall(SYS_rt_sigaction, SIGUSR1, NULL, &was, 4));
    R(syscall(SYS_rt_sigprocmask, 9, &set, NULL, 8));
    R(syscall(SYS_rt_sigprocmask, 9, NULL, NULL, 8));
    R(syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, NULL, 16));
    R(syscall(SYS_tgkill, getpid(), getpid(), 0));
    R(syscall(SYS_tgkill, 0, getpid(), 0));
    R(syscall(SYS_tkill, getpid(), 0));
    R(syscall(SYS_tgkill, getpid(), 999999, 0));
}

static void part_masks(void)
{
    // A handler runs before kill returns; blocked signals wait and are merged.
    install(SIGUSR1, plain, 0);
    kill(getpid(), SIGUSR1);
    printf("handled at once: %d\n", count);
    set = set_of(SIGUSR1, SIGUSR2);
    sigprocmask(SIG_BLOCK, &set, &old);
    for (int i = 0; i < 5; i++)
        kill(getpid(), SIGUSR1);
    printf("blocked: count %d pending %x\n", count, pending());
    count = 0;
    sigprocmask(SIG_SETMASK, &old, NULL);
    printf("unblocked: count %d pending %x\n", count, pending());
}

static void part_realtime(void)
{
    // Real-time signals queue, in order of number, each with its value.
    sigset_t rt = set_of(SIGRTMIN + 1, SIGRTMIN + 2);
    sigprocmask(SIG_BLOCK, &rt, NULL);
    for (int i = 0; i < 3; i++) {
        sigqueue(getpid(), SIGRTMIN + 2, (union sigval){ .sival_int = 20 + i });
        sigqueue(getpid(), SIGRTMIN + 1, (union sigval){ .sival_int = 10 + i });
    }
    while (sigtimedwait(&rt, &info, &delay) > 0)
        printf("queued %d value %d code %d own %d\n", info.si_signo - SIGRTMIN, info.si_value.sival_int, info.si_code, info.si_pid == getpid());
    R(sigtimedwait(&rt, &info, &delay));
    delay.tv_nsec = 20000000;
    R(sigtimedwait(&rt, &info, &delay));
    delay.tv_nsec = -1;
    R(sigtimedwait(&rt, &info, &delay));
}

static void part_siginfo(void)
{
    // SA_SIGINFO of kill, tgkill, sigqueue, timers.
    install_info(SIGUSR1, 0);
    kill(getpid(), SIGUSR1);
    printf("kill: code %d sender ok %d\n", code, sender == getpid());
    raise(SIGUSR1);
    printf("raise: code %d\n", code);
    sigqueue(getpid(), SIGUSR1, (union sigval){ .sival_int = 77 });
    printf("sigqueue: code %d value %d\n", code, value);
    install_info(SIGALRM, 0);
    soon(1000);
    while (last != SIGALRM)
        ;
    soon(0);
    printf("timer: code %d\n", code);
    install_info(SIGCHLD, 0);
    pid = fork();
    if (pid == 0)
        _exit(5);
    while (last != SIGCHLD)
        ;
    printf("child: code %d sender ok %d\n", code, sender == pid);
    waitpid(pid, NULL, 0);
    signal(SIGCHLD, SIG_DFL);
}

static void part_flags(void)
{
    // Masks while a handler runs.
    struct sigaction masking = { .sa_sigaction = detailed, .sa_flags = SA_SIGINFO };
    masking.sa_mask = set_of(SIGUSR2, 0);
    sigaction(SIGUSR1, &masking, NULL);
    raise(SIGUSR1);
    printf("in handler with mask: %d\n", mask_in_handler);
    install_info(SIGUSR1, SA_NODEFER);
    raise(SIGUSR1);
    printf("in handler with SA_NODEFER: %d\n", mask_in_handler);
    sigprocmask(SIG_SETMASK, NULL, &old);
    printf("after: %d\n", sigismember(&old, SIGUSR1));
    count = 0;
    install(SIGUSR1, nesting, 0);
    raise(SIGUSR1);
    printf("deferred: count %d depth %d\n", count, nested);
    count = nested = 0;
    install(SIGUSR1, nesting, SA_NODEFER);
    raise(SIGUSR1);
    printf("nested: count %d depth %d\n", count, nested);
    install(SIGUSR1, plain, SA_RESETHAND);
    raise(SIGUSR1);
    sigaction(SIGUSR1, NULL, &was);
    printf("reset: %d\n", was.sa_handler == SIG_DFL);
}

static void part_stack(void)
{
    // The alternative stack.
    static char stack[32768];
    stack_t alternative = { .ss_sp = stack, .ss_size = sizeof stack };
    R(sigaltstack(&alternative, NULL));
    install_info(SIGUSR1, SA_ONSTACK);
    raise(SIGUSR1);
    printf("on the stack: %d\n", on_stack);
    install_info(SIGUSR1, 0);
    raise(SIGUSR1);
    printf("not on it: %d\n", on_stack);
    alternative.ss_size = 100;
    R(sigaltstack(&alternative, NULL));
    alternative.ss_flags = 77;
    R(sigaltstack(&alternative, NULL));
    alternative = (stack_t){ .ss_flags = SS_DISABLE };
    R(sigaltstack(&alternative, NULL));
    R(sigaltstack(NULL, &alternative));
    printf("disabled: %d\n", alternative.ss_flags);
}

static void part_interrupts(void)
{
    // What is interrupted and what is restarted.
    pipe(ends);
    install(SIGALRM, plain, 0);
    INTERRUPT(read(ends[0], &c, 1));
    INTERRUPT(pause());
    delay = (struct timespec){ 5, 0 };
    INTERRUPT(nanosleep(&delay, &delay));
    CHECK("time is left", delay.tv_sec == 4);
    INTERRUPT(poll(NULL, 0, 5000));
    pid = fork();
    if (pid == 0) {
        pause_ms(300);
        _exit(3);
    }
    INTERRUPT(wait(NULL) == pid);
    install(SIGALRM, plain, SA_RESTART);
    count = 0;
    INTERRUPT(wait(NULL) == pid || count == 0);
    pid = fork();
    if (pid == 0) {
        pause_ms(150);
        write(ends[1], "x", 1);
        _exit(0);
    }
    INTERRUPT(read(ends[0], &c, 1));
    printf("restarted read saw %d alarm\n", count > 0);
    waitpid(pid, NULL, 0);
    INTERRUPT(poll(NULL, 0, 5000));
    INTERRUPT(pause());
    signal(SIGALRM, SIG_IGN);
    delay = (struct timespec){ 0, 50000000 };
    INTERRUPT(nanosleep(&delay, NULL));
}

static void part_suspend(void)
{
    // sigsuspend swaps the mask for the wait only.
    install(SIGUSR1, plain, 0);
    set = set_of(SIGUSR1, 0);
    sigprocmask(SIG_BLOCK, &set, &old);
    raise(SIGUSR1);
    count = 0;
    R(sigsuspend(&none));
    printf("suspended: count %d, blocked again %x\n", count, (raise(SIGUSR1), pending()));
    R(sigwaitinfo(&set, &info));
    printf("taken: %d pending %x\n", info.si_signo, pending());
    sigprocmask(SIG_SETMASK, &old, NULL);
}

static void part_ppoll(void)
{
    // ppoll with a mask.
    set = set_of(SIGUSR1, 0);
    install(SIGUSR1, plain, 0);
    sigprocmask(SIG_BLOCK, &set, NULL);
    raise(SIGUSR1);
    delay = (struct timespec){ 5, 0 };
    count = 0;
    R(ppoll(NULL, 0, &delay, &none));
    printf("ppoll: count %d\n", count);
    delay = (struct timespec){ 0, 1000000 };
    R(ppoll(NULL, 0, &delay, &set));
    R(pselect(0, NULL, NULL, NULL, &delay, &set));
    sigprocmask(SIG_SETMASK, &old, NULL);
}

static void part_ignoring(void)
{
    set = set_of(SIGUSR1, 0);
    // Ignoring discards what is pending; SIGKILL and SIGSTOP cannot be blocked.
    sigprocmask(SIG_BLOCK, &set, NULL);
    raise(SIGUSR1);
    signal(SIGUSR1, SIG_IGN);
    printf("ignored: pending %x\n", pending());
    raise(SIGUSR1);
    printf("ignored and blocked: pending %x\n", pending());
    signal(SIGUSR1, SIG_IGN);
    printf("ignored once more: pending %x\n", pending());
    sigprocmask(SIG_SETMASK, &old, NULL);
    signal(SIGUSR1, SIG_DFL);
    IN_CHILD("blocks all") {
        sigfillset(&set);
        sigprocmask(SIG_SETMASK, &set, NULL);
        sigprocmask(SIG_SETMASK, NULL, &set);
        printf("KILL %d STOP %d TERM %d\n", sigismember(&set, SIGKILL), sigismember(&set, SIGSTOP), sigismember(&set, SIGTERM));
        kill(getpid(), SIGTERM);
        kill(getpid(), SIGKILL);
    }
}

static void part_exec(void)
{
    // Over exec: handlers are reset, ignored and blocked ones stay.
    signal(SIGUSR2, SIG_IGN);
    install(SIGHUP, plain, 0);
    IN_CHILD("exec") {
        execl("/bin/sh", "sh", "-c", "grep -E '^Sig(Blk|Ign)' /proc/self/status", (char *)0);
    }
}

static void part_stop(void)
{
    // Stop and continue.
    pid = fork();
    if (pid == 0) {
        install(SIGCONT, plain, 0);
        count = 0;
        raise(SIGSTOP);
        _exit(count ? last : 1);
    }
    waitpid(pid, &status, WUNTRACED);
    show_status("child", status);
    kill(pid, SIGTERM);
    kill(pid, SIGUSR2);
    printf("state %c\n", process_state(pid));
    kill(pid, SIGCONT);
    waitpid(pid, &status, 0);
    show_status("child", status);
}

static void part_stop_and_cont(void)
{
    // CONT removes a pending stop and a stop removes a pending CONT.
    set = set_of(SIGTSTP, SIGCONT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    raise(SIGTSTP);
    printf("pending %x\n", pending());
    raise(SIGCONT);
    printf("pending %x\n", pending());
    raise(SIGTSTP);
    printf("pending %x\n", pending());
    raise(SIGCONT);
    install(SIGCONT, plain, 0);
    sigprocmask(SIG_SETMASK, &old, NULL);
    printf("went on\n");
}

static void part_orphaned(void)
{
    // An orphaned process group ignores the stops of job control.
    IN_CHILD("orphaned group") {
        setsid();
        raise(SIGTSTP);
        printf("not stopped\n");
    }
}

static void part_timers(void)
{
    // Interval timers.
    install(SIGALRM, plain, SA_RESTART);
    count = 0;
    struct itimerval every = { { 0, 10000 }, { 0, 10000 } };
    R(setitimer(ITIMER_REAL, &every, NULL));
    while (count < 5)
        pause();
    R(getitimer(ITIMER_REAL, &every));
    CHECK("interval", every.it_interval.tv_usec == 10000 && every.it_value.tv_usec <= 10000);
    R(setitimer(ITIMER_REAL, &(struct itimerval){ { 0, 0 }, { 0, 0 } }, NULL));
    R(setitimer(9, &every, NULL));
    every.it_value.tv_usec = 1000000;
    R(setitimer(ITIMER_REAL, &every, NULL));
    install(SIGVTALRM, plain, 0);
    install(SIGPROF, plain, 0);
    R(setitimer(ITIMER_VIRTUAL, &(struct itimerval){ { 0, 0 }, { 0, 20000 } }, NULL));
    last = 0;
    while (last != SIGVTALRM)
        ;
    R(setitimer(ITIMER_PROF, &(struct itimerval){ { 0, 0 }, { 0, 20000 } }, NULL));
    while (last != SIGPROF)
        ;
    printf("virtual and profiling timers came\n");
    R(alarm(100));
    CHECK("alarm", alarm(0) >= 99);
}

static void part_group(void)
{
    // A signal for a group reaches all of it.
    pid_t leader = fork();
    if (leader == 0) {
        setpgid(0, 0);
        for (int i = 0; i < 3; i++)
            if (fork() == 0)
                for (;;)
                    pause();
        while (wait(NULL) > 0)
            ;
        _exit(0);
    }
    setpgid(leader, leader);
    pause_ms(100);
    R(kill(-leader, SIGTERM));
    waitpid(leader, &status, 0);
    show_status("leader", status);
    for (int i = 0; i < 300 && kill(-leader, 0) == 0; i++)
        pause_ms(10);
    R(kill(-leader, 0));
}

PARTS({ "defaults", part_defaults },
      { "errors", part_errors },
      { "masks", part_masks },
      { "realtime", part_realtime },
      { "siginfo", part_siginfo },
      { "flags", part_flags },
      { "stack", part_stack },
      { "interrupts", part_interrupts },
      { "suspend", part_suspend },
      { "ppoll", part_ppoll },
      { "ignoring", part_ignoring },
      { "exec", part_exec },
      { "stop", part_stop },
      { "stop_and_cont", part_stop_and_cont },
      { "orphaned", part_orphaned },
      { "timers", part_timers },
      { "group", part_group })
