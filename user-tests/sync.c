// What programs synchronise threads with beyond locks: many futexes at once, restartable sequences, membarrier(2).
#include "t.h"
#include <pthread.h>
#include <ucontext.h>

#define FUTEX_WAIT 0
#define FUTEX_WAKE 1
#define FUTEX_REQUEUE 3
#define FUTEX_WAIT_BITSET 9
#define FUTEX_PRIVATE_FLAG 128
#define SIZE_U32 2
#define SYS_waitv 449
#define SYS_rseq_ 334
#define SYS_membarrier_ 324

struct waitv { uint64_t value, addr; uint32_t flags, reserved; };

static long waitv(void *words, unsigned count, unsigned flags, void *time, int clock)
{
    return syscall(SYS_waitv, words, count, flags, time, clock);
}

static long futex(void *word, int op, uint32_t value, const void *time, void *other, uint32_t third)
{
    return syscall(SYS_futex, word, op, value, time, other, third);
}

static pid_t tid(void) { return syscall(SYS_gettid); }

static void wait_asleep(volatile pid_t *id)
{
    while (!*id)
        pause_ms(1);
    for (int i = 0; i < 2000; i++) {
        char path[64], text[512] = "";
        snprintf(path, sizeof path, "/proc/self/task/%d/stat", (int)*id);
        int fd = open(path, O_RDONLY);
        if (fd >= 0 && read(fd, text, sizeof text - 1) < 0)
            text[0] = 0;
        close(fd);
        char *at = strrchr(text, ')');
        if (at && at[2] == 'S')
            break;
        pause_ms(1);
    }
    pause_ms(5);
}

static struct timespec soon(clockid_t clock, long ms)
{
    struct timespec at;

    clock_gettime(clock, &at);
    at.tv_nsec += ms * 1000000;
    at.tv_sec += at.tv_nsec / 1000000000;
    at.tv_nsec %= 1000000000;
    return at;
}

static uint32_t words[128];
static volatile pid_t sleeper;
static volatile long result, result_errno;
static struct waitv vector[129];

static void *sleep_at_many(void *argument)
{
    sleeper = tid();
    result = waitv(vector, (unsigned)(long)argument, 0, NULL, 0);
    result_errno = result < 0 ? errno : 0;
    return NULL;
}

static void note_signal(int signal) { (void)signal; }

static void part_waitv(void)
{
    struct timespec at = { 0, 1000000000 };
    pthread_t t;

    for (int i = 0; i < 128; i++)
        vector[i] = (struct waitv){ 0, (uint64_t)(uintptr_t)&words[i], SIZE_U32 | FUTEX_PRIVATE_FLAG, 0 };
    R(waitv(vector, 0, 0, NULL, 0));
    R(waitv(vector, 129, 0, NULL, 0));
    R(waitv(NULL, 1, 0, NULL, 0));
    R(waitv(vector, 1, 1, NULL, 0));
    R(waitv((void *)8, 1, 0, NULL, 0));
    R(waitv(vector, 1, 0, &at, CLOCK_MONOTONIC));
    R(waitv(vector, 1, 0, (void *)8, CLOCK_MONOTONIC));
    at.tv_nsec = 0;
    R(waitv(vector, 1, 0, &at, CLOCK_BOOTTIME));
    R(waitv(vector, 128, 0, &at, CLOCK_MONOTONIC));
    at = soon(CLOCK_REALTIME, 20);
    R(waitv(vector, 2, 0, &at, CLOCK_REALTIME));
    vector[1].value = 5;
    R(waitv(vector, 2, 0, NULL, CLOCK_BOOTTIME));
    vector[1].value = 1ull << 32;
    at = soon(CLOCK_MONOTONIC, 20);
    R(waitv(vector, 2, 0, &at, CLOCK_MONOTONIC));
    vector[1].value = 0;
    vector[1].flags = FUTEX_PRIVATE_FLAG;
    R(waitv(vector, 2, 0, NULL, 0));
    vector[1].flags = SIZE_U32 | 4;
    R(waitv(vector, 2, 0, NULL, 0));
    vector[1].flags = SIZE_U32;
    vector[1].reserved = 1;
    R(waitv(vector, 2, 0, NULL, 0));
    vector[1].reserved = 0;
    vector[1].addr++;
    R(waitv(vector, 2, 0, NULL, 0));
    vector[1].addr = 8;
    R(waitv(vector, 2, 0, NULL, 0));
    vector[1].addr = (uint64_t)(uintptr_t)&words[1];
    pthread_create(&t, NULL, sleep_at_many, (void *)128);
    wait_asleep(&sleeper);
    R(futex(&words[99], FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 10, NULL, NULL, 0));
    pthread_join(t, NULL);
    printf("woken %ld\n", result);
    sleeper = 0;
    pthread_create(&t, NULL, sleep_at_many, (void *)3);
    wait_asleep(&sleeper);
    R(futex(&words[2], FUTEX_REQUEUE | FUTEX_PRIVATE_FLAG, 0, (void *)1, &words[50], 0));
    R(futex(&words[2], FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1, NULL, NULL, 0));
    R(futex(&words[50], FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1, NULL, NULL, 0));
    pthread_join(t, NULL);
    printf("woken %ld\n", result);
    for (int restart = 0; restart < 2; restart++) {
        struct sigaction action = { .sa_handler = note_signal, .sa_flags = restart ? SA_RESTART : 0 };
        sigaction(SIGUSR1, &action, NULL);
        sleeper = 0;
        pthread_create(&t, NULL, sleep_at_many, (void *)2);
        wait_asleep(&sleeper);
        pthread_kill(t, SIGUSR1);
        pause_ms(20);
        futex(&words[1], FUTEX_WAKE, 1, NULL, NULL, 0);
        pthread_join(t, NULL);
        printf("signal: %ld %s\n", result, result_errno ? error_name((int)result_errno) : "-");
    }
}

static volatile int order[4], arrived;
static volatile pid_t ids[4];

static void *wait_in_turn(void *argument)
{
    long index = (long)argument;
    struct sched_param param = { .sched_priority = (int)index * 10 };

    if (index > 1)
        syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, &param);
    ids[index] = tid();
    futex(&words[0], FUTEX_WAIT, 0, NULL, NULL, 0);
    order[arrived++] = (int)index;
    return NULL;
}

// The most urgent first, then in the order of arrival.
static void part_turns(void)
{
    pthread_t t[4];

    for (long i = 0; i < 4; i++) {
        pthread_create(&t[i], NULL, wait_in_turn, (void *)i);
        wait_asleep(&ids[i]);
    }
    for (int i = 0; i < 4; i++) {
        futex(&words[0], FUTEX_WAKE, 1, NULL, NULL, 0);
        while (arrived <= i)
            pause_ms(1);
    }
    for (int i = 0; i < 4; i++)
        pthread_join(t[i], NULL);
    printf("order %d %d %d %d\n", order[0], order[1], order[2], order[3]);
}

static void *wait_as_told(void *argument)
{
    struct timespec left = { 20, 0 }, at = soon(CLOCK_MONOTONIC, 20000);
    long kind = (long)argument;

    sleeper = tid();
    result = kind == 0   ? futex(words, FUTEX_WAIT, 0, NULL, NULL, 0)
             : kind == 1 ? futex(words, FUTEX_WAIT, 0, &left, NULL, 0)
             : kind == 2 ? futex(words, FUTEX_WAIT_BITSET, 0, NULL, NULL, 1)
                         : futex(words, FUTEX_WAIT_BITSET, 0, &at, NULL, 1);
    result_errno = result < 0 ? errno : 0;
    return NULL;
}

// Whether a wait goes on after a handler.
static void part_interrupted(void)
{
    pthread_t t;

    for (long kind = 0; kind < 4; kind++)
        for (int restart = 0; restart < 2; restart++) {
            struct sigaction action = { .sa_handler = note_signal, .sa_flags = restart ? SA_RESTART : 0 };
            sigaction(SIGUSR1, &action, NULL);
            sleeper = 0;
            pthread_create(&t, NULL, wait_as_told, (void *)kind);
            wait_asleep(&sleeper);
            pthread_kill(t, SIGUSR1);
            pause_ms(20);
            futex(words, FUTEX_WAKE, 1, NULL, NULL, 0);
            pthread_join(t, NULL);
            printf("wait %ld, restart %d: %ld %s\n", kind, restart, result,
                   result_errno ? error_name((int)result_errno) : "-");
        }
}

#define SIGNATURE 0x53053053u

struct sequence { uint32_t version, flags; uint64_t start, length, abort; } __attribute__((aligned(32)));
struct area { uint32_t cpu_start, cpu; uint64_t sequence; uint32_t flags, rest[3]; } __attribute__((aligned(32)));

static struct area area, second_area;
static struct sequence section;

// Counts in a sequence until told to stop (0) or thrown out of it (1).
extern long run_section(void *current, void *sequence, volatile long *count, volatile int *stop);
extern const char section_start[], section_end[], section_abort[];
__asm__(".text\n"
        "run_section: movq %rsi, (%rdi)\n"
        "section_start: incq (%rdx)\n"
        "cmpl $0, (%rcx)\n"
        "je section_start\n"
        "section_end: xorl %eax, %eax\n"
        "ret\n"
        ".byte 0x0f, 0xb9, 0x3d\n"
        ".long 0x53053053\n"
        "section_abort: movl $1, %eax\n"
        "ret\n");

static volatile long counted;
static volatile int stop;

static long rseq(void *at, unsigned length, int flags, unsigned signature)
{
    return syscall(SYS_rseq_, at, length, flags, signature);
}

static void prepare(void)
{
    section = (struct sequence){ 0, 0, (uint64_t)(uintptr_t)section_start,
                                 (uint64_t)(section_end - section_start), (uint64_t)(uintptr_t)section_abort };
    counted = stop = 0;
    area = (struct area){ 0, -1, 0, 0, { 7, 7, 7 } };
}

static void *register_second(void *argument)
{
    (void)argument;
    R(rseq(&area, 32, 1, SIGNATURE));
    R(rseq(&second_area, 32, 0, SIGNATURE));
    CHECK("cpu of a thread", second_area.cpu < 64);
    return NULL;
}

static void part_rseq(void)
{
    pthread_t t;
    unsigned cpu;

    prepare();
    R(rseq(&area, 31, 0, SIGNATURE));
    R(rseq(&area, 64, 0, SIGNATURE));
    R(rseq((char *)&area + 16, 32, 0, SIGNATURE));
    R(rseq(&area, 32, 2, SIGNATURE));
    R(rseq(&area, 32, 3, SIGNATURE));
    R(rseq((void *)0x7fffffffffe0, 32, 0, SIGNATURE));
    R(rseq((void *)0xffff800000000000, 32, 0, SIGNATURE));
    R(rseq(&area, 32, 1, SIGNATURE));
    R(rseq(&area, 32, 0, SIGNATURE));
    syscall(SYS_getcpu, &cpu, NULL, NULL);
    CHECK("cpu", area.cpu < 64 && area.cpu_start == area.cpu);
    printf("rest %x %x %x\n", area.rest[0], area.rest[1], area.rest[2]);
    R(rseq(&area, 32, 0, SIGNATURE));
    R(rseq(&area, 32, 0, SIGNATURE + 1));
    R(rseq(&second_area, 32, 0, SIGNATURE));
    R(rseq(&area, 64, 0, SIGNATURE));
    R(rseq(&area, 32, 1, SIGNATURE + 1));
    R(rseq(&second_area, 32, 1, SIGNATURE));
    pthread_create(&t, NULL, register_second, NULL);
    pthread_join(t, NULL);
    area.cpu = -1;
    IN_CHILD("child") {
        CHECK("cpu of a child", area.cpu < 64);
        R(rseq(&area, 32, 1, SIGNATURE));
    }
    R(rseq(&area, 32, 1, SIGNATURE));
    printf("unregistered: %d %u\n", (int)area.cpu, area.cpu_start);
    R(rseq(&area, 32, 1, SIGNATURE));
}

static void part_rseq_cpu(void)
{
    uint64_t all, wrong = 0;

    prepare();
    R(rseq(&area, 32, 0, SIGNATURE));
    syscall(SYS_sched_getaffinity, 0, sizeof all, &all);
    for (int round = 0; round < 20; round++)
        for (unsigned cpu = 0; cpu < 64; cpu++) {
            uint64_t one = 1ull << cpu;
            if (all & one && syscall(SYS_sched_setaffinity, 0, sizeof one, &one) == 0)
                wrong += area.cpu != cpu || area.cpu_start != cpu;
        }
    printf("wrong %d\n", (int)wrong);
}

static volatile uintptr_t interrupted_at;

static void look(int signal, siginfo_t *info, void *context)
{
    (void)signal;
    (void)info;
    interrupted_at = (uintptr_t)((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];
}

static void *disturb(void *argument)
{
    (void)argument;
    pause_ms(30);
    return NULL;
}

// A signal, and another thread on the same CPU, throw it out.
static void part_rseq_abort(void)
{
    struct sigaction action = { .sa_sigaction = look, .sa_flags = SA_SIGINFO };
    struct itimerval timer = { .it_value = { 0, 20000 } };
    uint64_t one = 1;
    pthread_t t;

    prepare();
    R(rseq(&area, 32, 0, SIGNATURE));
    R(syscall(SYS_sched_setaffinity, 0, sizeof one, &one));
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &timer, NULL);
    R(run_section(&area.sequence, &section, &counted, &stop));
    CHECK("counted", counted > 0);
    CHECK("area is empty", area.sequence == 0);
    while (!interrupted_at)
        pause_ms(1);
    CHECK("handler returns outside", interrupted_at < (uintptr_t)section_start || interrupted_at >= (uintptr_t)section_end);
    pthread_create(&t, NULL, disturb, NULL);
    R(run_section(&area.sequence, &section, &counted, &stop));
    pthread_join(t, NULL);
    stop = 1;
    R(run_section(&area.sequence, &section, &counted, &stop));
}

static void spoil(const char *name, void (*how)(void))
{
    IN_CHILD(name) {
        prepare();
        rseq(&area, 32, 0, SIGNATURE);
        how();
        struct itimerval timer = { .it_value = { 0, 20000 } };
        setitimer(ITIMER_REAL, &timer, NULL);
        printf("%ld\n", run_section(&area.sequence, &section, &counted, &stop));
    }
}

static void bad_version(void) { section.version = 1; }
static void bad_flags(void) { section.flags = 1; }
static void bad_area_flags(void) { area.flags = 4; }
static void bad_abort(void) { section.abort = section.start + 1; }
static void bad_signature(void) { section.abort++; }
static void bad_start(void) { section.start = 1ull << 63; }
static void bad_length(void) { section.length = 1ull << 63; }
static void bad_nothing(void) { }

static void part_rseq_broken(void)
{
    signal(SIGALRM, note_signal);
    spoil("nothing", bad_nothing);
    spoil("version", bad_version);
    spoil("flags", bad_flags);
    spoil("flags of the area", bad_area_flags);
    spoil("abort inside", bad_abort);
    spoil("signature", bad_signature);
    spoil("start", bad_start);
    spoil("length", bad_length);
    IN_CHILD("pointer") {
        prepare();
        rseq(&area, 32, 0, SIGNATURE);
        area.sequence = 8;
        raise(SIGALRM);
        printf("alive\n");
    }
    IN_CHILD("area gone") {
        void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        R(rseq(page, 32, 0, SIGNATURE));
        munmap(page, 4096);
        raise(SIGALRM);
        printf("alive\n");
    }
}

static long barrier(int command, unsigned flags, int cpu)
{
    return syscall(SYS_membarrier_, command, flags, cpu);
}

static void *run_until_thrown_out(void *argument)
{
    (void)argument;
    rseq(&second_area, 32, 0, SIGNATURE);
    sleeper = tid();
    result = run_section(&second_area.sequence, &section, &counted, &stop);
    return NULL;
}

static void part_membarrier(void)
{
    pthread_t t;

    R(barrier(0, 0, 0));
    R(barrier(0, 1, 0));
    R(barrier(1, 0, 0));
    R(barrier(2, 0, 0));
    for (int command = 8; command <= 128; command *= 4) {
        printf("command %d\n", command);
        R(barrier(command, 0, 0));
        R(barrier(command * 2, 1, 0));
        R(barrier(command * 2, 0, 0));
        R(barrier(command * 2, 0, 0));
        R(barrier(command, 0, 0));
        R(barrier(command, 1, 0));
        R(barrier(command, 1, 1000));
        R(barrier(command, 1, -1));
        R(barrier(command, 2, 0));
    }
    R(barrier(4, 0, 0));
    R(barrier(3, 0, 0));
    R(barrier(512, 0, 0));
    R(barrier(-1, 0, 0));
    IN_CHILD("child") {
        R(barrier(8, 0, 0));
        R(barrier(128, 0, 0));
        execl("/proc/self/exe", "sync", "membarrier_exec", NULL);
    }
    prepare();
    pthread_create(&t, NULL, run_until_thrown_out, NULL);
    while (!sleeper || !counted)
        sched_yield();
    R(barrier(128, 0, 0));
    pthread_join(t, NULL);
    printf("thrown out %ld\n", result);
}

static void part_membarrier_exec(void)
{
    R(barrier(8, 0, 0));
    R(barrier(128, 0, 0));
}

PARTS({ "waitv", part_waitv }, { "turns", part_turns }, { "interrupted", part_interrupted }, { "rseq", part_rseq },
      { "rseq_cpu", part_rseq_cpu }, { "rseq_abort", part_rseq_abort }, { "rseq_broken", part_rseq_broken },
      { "membarrier", part_membarrier }, { "membarrier_exec", part_membarrier_exec })
