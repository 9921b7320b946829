// seccomp(2): strict mode, filters and each of their answers, what is refused, threads, inheritance.
#include "t.h"
#include <pthread.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <ucontext.h>

// What the kernel's headers have, which are not there.
struct sock_filter { uint16_t code; uint8_t jt, jf; uint32_t k; };
struct sock_fprog { unsigned short len; struct sock_filter *filter; };
struct seccomp_data { int nr; uint32_t arch; uint64_t instruction_pointer, args[6]; };
enum {
    BPF_LD = 0, BPF_ST = 2, BPF_ALU = 4, BPF_JMP = 5, BPF_RET = 6, BPF_MISC = 7, BPF_W = 0, BPF_H = 8, BPF_IMM = 0,
    BPF_ABS = 0x20, BPF_IND = 0x40, BPF_MEM = 0x60, BPF_ADD = 0, BPF_DIV = 0x30, BPF_OR = 0x40, BPF_LSH = 0x60,
    BPF_MOD = 0x90, BPF_JA = 0, BPF_JEQ = 0x10, BPF_K = 0, BPF_X = 8, BPF_A = 0x10, BPF_TAX = 0,
};
#define BPF_STMT(code, k) { (unsigned short)(code), 0, 0, (k) }
#define BPF_JUMP(code, k, jt, jf) { (unsigned short)(code), (jt), (jf), (k) }
#define SECCOMP_MODE_STRICT 1
#define SECCOMP_MODE_FILTER 2
#define SECCOMP_SET_MODE_STRICT 0
#define SECCOMP_SET_MODE_FILTER 1
#define SECCOMP_GET_ACTION_AVAIL 2
#define SECCOMP_FILTER_FLAG_TSYNC 1
#define SECCOMP_FILTER_FLAG_LOG 2
#define SECCOMP_FILTER_FLAG_SPEC_ALLOW 4
#define SECCOMP_FILTER_FLAG_TSYNC_ESRCH 16
#define SECCOMP_RET_KILL_PROCESS 0x80000000u
#define SECCOMP_RET_KILL_THREAD 0u
#define SECCOMP_RET_TRAP 0x00030000u
#define SECCOMP_RET_ERRNO 0x00050000u
#define SECCOMP_RET_USER_NOTIF 0x7fc00000u
#define SECCOMP_RET_TRACE 0x7ff00000u
#define SECCOMP_RET_LOG 0x7ffc0000u
#define SECCOMP_RET_ALLOW 0x7fff0000u

#define NR(call) \
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)), \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (call), 0, 1)
#define RET(answer) BPF_STMT(BPF_RET | BPF_K, (answer))

static long seccomp(unsigned operation, unsigned flags, void *argument)
{
    return syscall(SYS_seccomp, operation, flags, argument);
}

static long install(struct sock_filter *filter, int count, unsigned flags)
{
    struct sock_fprog program = { count, filter };
    return seccomp(SECCOMP_SET_MODE_FILTER, flags, &program);
}

// Answers `answer` to `call` from now on.
static long answer(int call, unsigned what, unsigned flags)
{
    struct sock_filter filter[] = { NR(call), RET(what), RET(SECCOMP_RET_ALLOW) };
    return install(filter, 4, flags);
}

static void status(void)
{
    char line[100];
    FILE *f = fopen("/proc/self/status", "r");
    while (fgets(line, sizeof line, f))
        if (!strncmp(line, "Seccomp", 7) || !strncmp(line, "NoNewPrivs", 10))
            printf("%s", line);
    fclose(f);
}

static void strict(void)
{
    status();
    R(prctl(PR_GET_SECCOMP));
    IN_CHILD("read and write") {
        R(prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT, 0, 0, 0));
        write(1, "written\n", 8);
        syscall(SYS_exit, 5);
    }
    IN_CHILD("getpid") {
        R(seccomp(SECCOMP_SET_MODE_STRICT, 0, NULL));
        syscall(SYS_getpid);
    }
    IN_CHILD("exit_group") {
        R(seccomp(SECCOMP_SET_MODE_STRICT, 0, NULL));
        syscall(SYS_exit_group, 5);
    }
    IN_CHILD("no such call") {
        R(seccomp(SECCOMP_SET_MODE_STRICT, 0, NULL));
        syscall(1000);
    }
    IN_CHILD("after a filter") {
        R(answer(SYS_getppid, SECCOMP_RET_ERRNO | EPERM, 0));
        R(seccomp(SECCOMP_SET_MODE_STRICT, 0, NULL));
    }
    R(prctl(PR_SET_SECCOMP, 0, 0, 0, 0));
    R(prctl(PR_SET_SECCOMP, 3, 0, 0, 0));
}

static void answers(void)
{
    R(answer(SYS_getppid, SECCOMP_RET_ERRNO | EPERM, 0));
    R(syscall(SYS_getppid));
    status();
    R(prctl(PR_GET_SECCOMP));
    R(answer(SYS_getuid, SECCOMP_RET_ERRNO | 0, 0));
    R(syscall(SYS_getuid));
    R(answer(SYS_getgid, SECCOMP_RET_ERRNO | 0xffff, 0));
    R(syscall(SYS_getgid));
    R(answer(SYS_geteuid, SECCOMP_RET_TRACE | 7, 0));
    R(syscall(SYS_geteuid));
    R(answer(SYS_getegid, SECCOMP_RET_USER_NOTIF, 0));
    R(syscall(SYS_getegid));
    R(answer(SYS_getpgrp, SECCOMP_RET_LOG, SECCOMP_FILTER_FLAG_LOG | SECCOMP_FILTER_FLAG_SPEC_ALLOW));
    CHECK("logged and served", syscall(SYS_getpgrp) >= 0);
    // The graver answer counts, whichever came first.
    R(answer(SYS_getppid, SECCOMP_RET_TRACE, 0));
    R(syscall(SYS_getppid));
    R(answer(SYS_getppid, SECCOMP_RET_ERRNO | EACCES, 0));
    R(syscall(SYS_getppid));
    R(answer(1000, SECCOMP_RET_ERRNO | EEXIST, 0));
    R(syscall(1000));
    status();
    IN_CHILD("kill process") {
        answer(SYS_getsid, SECCOMP_RET_KILL_PROCESS, 0);
        signal(SIGSYS, SIG_IGN);
        syscall(SYS_getsid, 0);
    }
    IN_CHILD("kill thread") {
        answer(SYS_getsid, SECCOMP_RET_KILL_THREAD, 0);
        syscall(SYS_getsid, 0);
    }
    IN_CHILD("unknown") {
        answer(SYS_getsid, 0x00010000, 0);
        syscall(SYS_getsid, 0);
    }
    IN_CHILD("inherited") {
        R(syscall(SYS_getppid));
        status();
    }
    IN_CHILD("executed") {
        execl("/bin/grep", "grep", "Seccomp", "/proc/self/status", NULL);
    }
}

static volatile long traps;

static void on_trap(int signal, siginfo_t *info, void *context)
{
    ucontext_t *uc = context;
    long *regs = (long *)uc->uc_mcontext.gregs;
    traps++;
    printf("signal %d code %d errno %d call %d arch %x rax %ld, address %s\n", signal, info->si_code, info->si_errno,
        info->si_syscall, info->si_arch, regs[13], info->si_call_addr == (void *)regs[16] ? "ok" : "wrong");
    regs[13] = 77;
}

static void trap(void)
{
    struct sigaction sa = { .sa_sigaction = on_trap, .sa_flags = SA_SIGINFO };
    sigaction(SIGSYS, &sa, NULL);
    R(answer(SYS_getppid, SECCOMP_RET_TRAP | 55, 0));
    R(syscall(SYS_getppid));
    R(syscall(SYS_getppid));
    printf("%ld\n", traps);
    IN_CHILD("default") {
        signal(SIGSYS, SIG_DFL);
        syscall(SYS_getppid);
    }
    IN_CHILD("ignored") {
        signal(SIGSYS, SIG_IGN);
        syscall(SYS_getppid);
    }
    IN_CHILD("blocked") {
        sigset_t s;
        sigemptyset(&s);
        sigaddset(&s, SIGSYS);
        sigprocmask(SIG_BLOCK, &s, NULL);
        syscall(SYS_getppid);
    }
}

static void arguments(void)
{
    // By arguments, architecture and arithmetic.
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0xc000003e, 1, 0),
        RET(SECCOMP_RET_KILL_PROCESS),
        NR(SYS_lseek),
        BPF_STMT(BPF_JMP | BPF_JA, 1),
        RET(SECCOMP_RET_ALLOW),
        // The error is the sum of both halves of the second argument, plus twice the third.
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1])),
        BPF_STMT(BPF_ST, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1]) + 4),
        BPF_STMT(BPF_MISC | BPF_TAX, 0),
        BPF_STMT(BPF_LD | BPF_MEM, 3),
        BPF_STMT(BPF_ALU | BPF_ADD | BPF_X, 0),
        BPF_STMT(BPF_MISC | BPF_TAX, 0),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2])),
        BPF_STMT(BPF_ALU | BPF_LSH | BPF_K, 1),
        BPF_STMT(BPF_ALU | BPF_ADD | BPF_X, 0),
        BPF_STMT(BPF_ALU | BPF_OR | BPF_K, SECCOMP_RET_ERRNO),
        BPF_STMT(BPF_RET | BPF_A, 0),
    };
    R(install(filter, sizeof filter / sizeof *filter, 0));
    R(syscall(SYS_lseek, 0, 1, 0));
    R(syscall(SYS_lseek, 0, 1L << 32 | 2, 1));
    R(syscall(SYS_lseek, 0, 0, 0));
}

static void errors(void)
{
    struct sock_filter allow[] = { RET(SECCOMP_RET_ALLOW) };
    struct sock_fprog program = { 1, allow }, empty = { 0, allow }, nowhere = { 1, (void *)8 }, long_one = { 4097, allow };
    R(seccomp(99, 0, NULL));
    R(seccomp(SECCOMP_SET_MODE_STRICT, 1, NULL));
    R(seccomp(SECCOMP_SET_MODE_STRICT, 0, &program));
    R(seccomp(SECCOMP_SET_MODE_FILTER, 64, &program));
    R(seccomp(SECCOMP_SET_MODE_FILTER, 0, NULL));
    R(seccomp(SECCOMP_SET_MODE_FILTER, 0, &empty));
    R(seccomp(SECCOMP_SET_MODE_FILTER, 0, &long_one));
    R(seccomp(SECCOMP_SET_MODE_FILTER, 0, &nowhere));
    struct sock_filter bad[][3] = {
        { BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 64), RET(0) },
        { BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 1), RET(0) },
        { BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 0), RET(0) },
        { BPF_STMT(BPF_LD | BPF_W | BPF_IND, 0), RET(0) },
        { BPF_STMT(BPF_ALU | BPF_DIV | BPF_K, 0), RET(0) },
        { BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, 2), RET(0) },
        { BPF_STMT(BPF_ALU | BPF_LSH | BPF_K, 32), RET(0) },
        { BPF_STMT(BPF_LD | BPF_MEM, 0), RET(0) },
        { BPF_STMT(BPF_ST, 16), RET(0) },
        { BPF_STMT(BPF_JMP | BPF_JA, 1), RET(0) },
        { BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1), RET(0) },
        { RET(0), BPF_STMT(BPF_LD | BPF_IMM, 0) },
        { BPF_STMT(0xffff, 0), RET(0) },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        R(install(bad[i], 2, 0));
    unsigned actions[] = { SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_KILL_THREAD, SECCOMP_RET_TRAP, SECCOMP_RET_ERRNO,
        SECCOMP_RET_TRACE, SECCOMP_RET_LOG, SECCOMP_RET_ALLOW, 0x10000, SECCOMP_RET_ERRNO | 1 };
    for (size_t i = 0; i < sizeof actions / sizeof *actions; i++)
        R(seccomp(SECCOMP_GET_ACTION_AVAIL, 0, &actions[i]));
    R(seccomp(SECCOMP_GET_ACTION_AVAIL, 1, &actions[0]));
    R(seccomp(SECCOMP_GET_ACTION_AVAIL, 0, (void *)8));
    IN_CHILD("a user") {
        setresuid(1000, 1000, 1000);
        R(install(allow, 1, 0));
        R(seccomp(SECCOMP_SET_MODE_FILTER, 0, &nowhere));
        R(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
        R(install(allow, 1, 0));
        R(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program));
        status();
    }
    IN_CHILD("many") {
        static struct sock_filter big[4096];
        for (int i = 0; i < 4096; i++)
            big[i] = (struct sock_filter)RET(SECCOMP_RET_ALLOW);
        int n = 0;
        while (!install(big, 4096, 0))
            n++;
        printf("%d %s\n", n, error_name(errno));
    }
}

static volatile int stage;
static pthread_t other;
static volatile int other_tid;

static void *thread(void *argument)
{
    other_tid = syscall(SYS_gettid);
    if (argument)
        R(answer(SYS_getpgrp, SECCOMP_RET_ERRNO | EBUSY, 0));
    stage = 1;
    while (stage == 1)
        usleep(1000);
    R(syscall(SYS_getppid));
    return NULL;
}

static void threads(void)
{
    pthread_create(&other, NULL, thread, NULL);
    while (stage != 1)
        usleep(1000);
    R(answer(SYS_getppid, SECCOMP_RET_ERRNO | ENOTDIR, SECCOMP_FILTER_FLAG_TSYNC));
    stage = 2;
    pthread_join(other, NULL);
    stage = 0;
    pthread_create(&other, NULL, thread, "");
    while (stage != 1)
        usleep(1000);
    CHECK("a thread cannot follow", answer(SYS_getppid, SECCOMP_RET_ERRNO | EROFS, SECCOMP_FILTER_FLAG_TSYNC) == other_tid);
    R(answer(SYS_getppid, SECCOMP_RET_ERRNO | EROFS, SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_TSYNC_ESRCH));
    stage = 2;
    pthread_join(other, NULL);
    R(syscall(SYS_getppid));
}

static void *dies(void *argument)
{
    answer(SYS_getsid, SECCOMP_RET_KILL_THREAD, 0);
    syscall(SYS_getsid, 0);
    printf("not reached\n");
    return argument;
}

static void one_thread(void)
{
    IN_CHILD("one of two") {
        pthread_t t;
        pthread_create(&t, NULL, dies, NULL);
        pause_ms(100);
        printf("the other lives\n");
        _exit(3);
    }
}

PARTS({ "strict", strict }, { "answers", answers }, { "trap", trap }, { "arguments", arguments }, { "errors", errors },
    { "threads", threads }, { "one_thread", one_thread })
