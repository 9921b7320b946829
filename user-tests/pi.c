// Locks with priority inheritance (futex(2)), by bare calls and as the C library uses them.
#include "t.h"
#include <pthread.h>

#define FUTEX_WAIT 0
#define FUTEX_WAKE 1
#define FUTEX_REQUEUE 3
#define FUTEX_LOCK_PI 6
#define FUTEX_UNLOCK_PI 7
#define FUTEX_TRYLOCK_PI 8
#define FUTEX_WAIT_REQUEUE_PI 11
#define FUTEX_CMP_REQUEUE_PI 12
#define FUTEX_LOCK_PI2 13
#define FUTEX_PRIVATE_FLAG 128
#define FUTEX_CLOCK_REALTIME 256
#define FUTEX_WAITERS 0x80000000u
#define FUTEX_OWNER_DIED 0x40000000u
#define FUTEX_TID_MASK 0x3fffffffu

static long futex(void *word, int op, uint32_t value, const void *time, void *other, uint32_t third)
{
    return syscall(SYS_futex, word, op, value, time, other, third);
}

#define LOCK(word) futex(word, FUTEX_LOCK_PI | FUTEX_PRIVATE_FLAG, 0, NULL, NULL, 0)
#define TRYLOCK(word) futex(word, FUTEX_TRYLOCK_PI | FUTEX_PRIVATE_FLAG, 0, NULL, NULL, 0)
#define UNLOCK(word) futex(word, FUTEX_UNLOCK_PI | FUTEX_PRIVATE_FLAG, 0, NULL, NULL, 0)

static pid_t tid(void) { return syscall(SYS_gettid); }

// Prints a lock word without ids.
static void show_word(const char *what, uint32_t word)
{
    printf("%s:%s%s%s\n", what, word & FUTEX_WAITERS ? " waiters" : "", word & FUTEX_OWNER_DIED ? " owner-died" : "",
           !(word & FUTEX_TID_MASK) ? " free" : (pid_t)(word & FUTEX_TID_MASK) == tid() ? " mine" : " other");
}

static long thread_field(pid_t id, int index)
{
    char path[64], text[512];

    snprintf(path, sizeof path, "/proc/self/task/%d/stat", (int)id);
    int fd = open(path, O_RDONLY);
    if (fd < 0)
        return -1000;
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    text[n > 0 ? n : 0] = 0;
    char *at = strrchr(text, ')');
    for (int field = 2; at && field < index; field++)
        at = strchr(at + 1, ' ');
    return !at ? -1001 : index == 3 ? at[1] : atol(at + 1);
}

// Waits until a thread of this process sleeps.
static void wait_asleep(volatile pid_t *id)
{
    while (!*id)
        pause_ms(1);
    for (int i = 0; i < 2000 && thread_field(*id, 3) != 'S'; i++)
        pause_ms(1);
    pause_ms(5);
}

static void set_rank(int policy, int rank)
{
    struct sched_param param = { .sched_priority = rank };

    if (syscall(SYS_sched_setscheduler, 0, policy, &param))
        printf("cannot set the policy: %s\n", error_name(errno));
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

static uint32_t a, b;

static void part_alone(void)
{
    R(LOCK(&a));
    show_word("locked", a);
    R(LOCK(&a));
    R(TRYLOCK(&a));
    R(UNLOCK(&a));
    show_word("unlocked", a);
    R(UNLOCK(&a));
    R(TRYLOCK(&a));
    show_word("locked by trying", a);
    a |= FUTEX_WAITERS;
    R(UNLOCK(&a));
    show_word("unlocked", a);
    a = FUTEX_OWNER_DIED;
    R(LOCK(&a));
    show_word("of a dead owner", a);
    R(UNLOCK(&a));
    a = FUTEX_WAITERS;
    R(LOCK(&a));
    show_word("with a stale bit", a);
    R(UNLOCK(&a));
    a = 0x3fffffff;
    R(LOCK(&a));
    show_word("nobody's", a);
    R(TRYLOCK(&a));
    R(UNLOCK(&a));
    a = 0;
    R(LOCK((char *)&a + 1));
    R(LOCK((void *)8));
    R(UNLOCK((void *)8));
    R(futex(&a, FUTEX_LOCK_PI2, 0, NULL, NULL, 0));
    R(futex(&a, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
    R(futex(&a, FUTEX_LOCK_PI | FUTEX_CLOCK_REALTIME, 0, NULL, NULL, 0));
    R(futex(&a, FUTEX_LOCK_PI2 | FUTEX_CLOCK_REALTIME, 0, NULL, NULL, 0));
    R(futex(&a, FUTEX_TRYLOCK_PI | FUTEX_CLOCK_REALTIME, 0, NULL, NULL, 0));
    R(UNLOCK(&a));
    struct timespec bad = { 0, 1000000000 };
    R(futex(&a, FUTEX_LOCK_PI, 0, &bad, NULL, 0));
    R(futex(&a, FUTEX_LOCK_PI, 0, (void *)8, NULL, 0));
    R(futex(&a, FUTEX_WAIT | FUTEX_CLOCK_REALTIME, 1, NULL, NULL, 0));
    const uint32_t *fixed = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    R(LOCK((void *)fixed));
}

static volatile pid_t waiters[4];
static volatile int order[4], arrived;
static volatile long results[4];

static void *lock_a(void *argument)
{
    long index = (long)argument;

    if (index > 1)
        set_rank(SCHED_FIFO, (int)index * 10);
    waiters[index] = tid();
    results[index] = LOCK(&a);
    order[arrived++] = (int)index;
    if (!results[index])
        UNLOCK(&a);
    return NULL;
}

// The lock goes to the most urgent waiter, then in the order of arrival; its owner runs at the rank of that waiter.
static void part_order(void)
{
    pthread_t t[4];

    R(LOCK(&a));
    printf("priority %ld\n", thread_field(tid(), 18));
    for (long i = 0; i < 4; i++) {
        pthread_create(&t[i], NULL, lock_a, (void *)i);
        wait_asleep(&waiters[i]);
        printf("%ld waiting: priority %ld, real-time %ld\n", i + 1, thread_field(tid(), 18), thread_field(tid(), 40));
    }
    show_word("contended", a);
    R(TRYLOCK(&a));
    R(UNLOCK(&a));
    for (int i = 0; i < 4; i++)
        pthread_join(t[i], NULL);
    printf("priority %ld; order %d %d %d %d\n", thread_field(tid(), 18), order[0], order[1], order[2], order[3]);
    show_word("after all", a);
}

static void *hold_a_want_b(void *argument)
{
    (void)argument;
    LOCK(&a);
    waiters[0] = tid();
    results[0] = LOCK(&b);
    UNLOCK(&b);
    UNLOCK(&a);
    return NULL;
}

static void *want_a(void *argument)
{
    set_rank(SCHED_RR, (int)(long)argument);
    waiters[1] = tid();
    results[1] = LOCK(&a);
    UNLOCK(&a);
    return NULL;
}


// Rank goes along a chain of owners; a circle is refused; a changed priority is passed on.
static void part_chain(void)
{
    pthread_t first, second;
    struct sched_param param = { .sched_priority = 70 };

    R(LOCK(&b));
    pthread_create(&first, NULL, hold_a_want_b, NULL);
    wait_asleep(&waiters[0]);
    printf("no rank: %ld %ld\n", thread_field(tid(), 18), thread_field(waiters[0], 18));
    R(LOCK(&a));
    pthread_create(&second, NULL, want_a, (void *)30);
    wait_asleep(&waiters[1]);
    printf("rank 30: %ld %ld\n", thread_field(tid(), 18), thread_field(waiters[0], 18));
    R(syscall(SYS_sched_setparam, waiters[1], &param));
    printf("rank 70: %ld %ld\n", thread_field(tid(), 18), thread_field(waiters[0], 18));
    param.sched_priority = 0;
    R(syscall(SYS_sched_setscheduler, waiters[1], SCHED_OTHER, &param));
    printf("rank gone: %ld %ld\n", thread_field(tid(), 18), thread_field(waiters[0], 18));
    R(UNLOCK(&b));
    pthread_join(first, NULL);
    pthread_join(second, NULL);
    printf("results %ld %ld\n", results[0], results[1]);
}

static void *timed(void *argument)
{
    struct timespec at = soon(CLOCK_REALTIME, 30);

    (void)argument;
    set_rank(SCHED_FIFO, 40);
    waiters[0] = tid();
    results[0] = futex(&a, FUTEX_LOCK_PI, 0, &at, NULL, 0) ? errno : 0;
    at = soon(CLOCK_MONOTONIC, 30);
    results[1] = futex(&a, FUTEX_LOCK_PI2, 0, &at, NULL, 0) ? errno : 0;
    at.tv_sec = 0;
    results[2] = futex(&a, FUTEX_LOCK_PI2, 0, &at, NULL, 0) ? errno : 0;
    return NULL;
}

static void part_timeout(void)
{
    pthread_t t;

    R(futex(&a, FUTEX_LOCK_PI, 0, NULL, NULL, 0));
    pthread_create(&t, NULL, timed, NULL);
    pthread_join(t, NULL);
    printf("%s %s %s; priority %ld\n", error_name(results[0]), error_name(results[1]), error_name(results[2]),
           thread_field(tid(), 18));
    show_word("given up", a);
    R(futex(&a, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
    show_word("unlocked", a);
}

static volatile int handled;

static void note_signal(int signal)
{
    (void)signal;
    handled++;
}

static void *interrupted(void *argument)
{
    (void)argument;
    waiters[0] = tid();
    results[0] = LOCK(&a) ? errno : 0;
    UNLOCK(&a);
    return NULL;
}

// A signal handler runs, and the lock is waited for again.
static void part_signal(void)
{
    pthread_t t;
    struct sigaction action = { .sa_handler = note_signal };

    sigaction(SIGUSR1, &action, NULL);
    R(LOCK(&a));
    pthread_create(&t, NULL, interrupted, NULL);
    wait_asleep(&waiters[0]);
    pthread_kill(t, SIGUSR1);
    while (!handled)
        pause_ms(1);
    wait_asleep(&waiters[0]);
    R(UNLOCK(&a));
    pthread_join(t, NULL);
    printf("handled %d, result %ld\n", handled, results[0]);
}

static void *die_with_lock(void *argument)
{
    LOCK(&a);
    waiters[0] = tid();
    while (!*(volatile int *)argument)
        pause_ms(1);
    return NULL;
}

// The owner ends with the lock: whoever waits gets it, and sees that.
static void part_owner_dies(void)
{
    pthread_t t;
    static volatile int go;

    pthread_create(&t, NULL, die_with_lock, (void *)&go);
    while (!waiters[0])
        pause_ms(1);
    pthread_t helper;
    waiters[3] = 0;
    pthread_create(&helper, NULL, lock_a, (void *)3);
    wait_asleep(&waiters[3]);
    go = 1;
    pthread_join(t, NULL);
    pthread_join(helper, NULL);
    printf("result %ld\n", results[3]);
    show_word("after", a);
    pid_t id = waiters[0];
    a = (uint32_t)id;
    R(LOCK(&a));
    a = 0;
}

static void *keep_robust(void *argument)
{
    pthread_mutex_lock(argument);
    return NULL;
}

// As the C library has it.
static void part_mutex(void)
{
    pthread_mutexattr_t attributes;
    pthread_mutex_t mutex;
    pthread_t t;

    pthread_mutexattr_init(&attributes);
    R(pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT));
    R(pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST));
    R(pthread_mutex_init(&mutex, &attributes));
    R(pthread_mutex_lock(&mutex));
    R(pthread_mutex_unlock(&mutex));
    pthread_create(&t, NULL, keep_robust, &mutex);
    pthread_join(t, NULL);
    printf("lock: %s\n", error_name(pthread_mutex_lock(&mutex)));
    R(pthread_mutex_consistent(&mutex));
    R(pthread_mutex_unlock(&mutex));
    R(pthread_mutex_lock(&mutex));
    R(pthread_mutex_unlock(&mutex));
}

static uint32_t condition;

static void *wait_for_move(void *argument)
{
    long index = (long)argument;
    struct timespec at = soon(CLOCK_MONOTONIC, 20000);

    if (index > 1)
        set_rank(SCHED_FIFO, (int)index * 10);
    waiters[index] = tid();
    results[index] = futex(&condition, FUTEX_WAIT_REQUEUE_PI | FUTEX_PRIVATE_FLAG, 0, &at, &a, 0) ? errno : 0;
    order[arrived++] = (int)index;
    if (!results[index]) {
        pause_ms(2);
        UNLOCK(&a);
    }
    return NULL;
}

#define REQUEUE(count, target, value) \
    futex(&condition, FUTEX_CMP_REQUEUE_PI | FUTEX_PRIVATE_FLAG, 1, (void *)(long)(count), target, value)

static void part_requeue(void)
{
    pthread_t t[4];

    R(REQUEUE(1, &a, 0));
    R(REQUEUE(1, &a, 1));
    R(REQUEUE(1, &condition, 0));
    R(REQUEUE(-1, &a, 0));
    R(futex(&condition, FUTEX_CMP_REQUEUE_PI | FUTEX_PRIVATE_FLAG, 2, (void *)1, &a, 0));
    R(futex(&condition, FUTEX_WAIT_REQUEUE_PI | FUTEX_PRIVATE_FLAG, 1, NULL, &a, 0));
    R(futex(&condition, FUTEX_WAIT_REQUEUE_PI | FUTEX_PRIVATE_FLAG, 0, NULL, &condition, 0));
    struct timespec at = soon(CLOCK_MONOTONIC, 20);
    R(futex(&condition, FUTEX_WAIT_REQUEUE_PI | FUTEX_PRIVATE_FLAG, 0, &at, &a, 0));
    for (long i = 0; i < 4; i++) {
        pthread_create(&t[i], NULL, wait_for_move, (void *)i);
        wait_asleep(&waiters[i]);
    }
    R(futex(&condition, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1, NULL, NULL, 0));
    R(futex(&condition, FUTEX_REQUEUE | FUTEX_PRIVATE_FLAG, 0, (void *)1, &b, 0));
    R(REQUEUE(1, &b, 0));
    R(LOCK(&a));
    R(REQUEUE(1, &a, 0));
    printf("priority %ld\n", thread_field(tid(), 18));
    show_word("two moved", a);
    R(futex(&a, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1, NULL, NULL, 0));
    R(UNLOCK(&a));
    while (arrived < 2 || a)
        pause_ms(1);
    R(REQUEUE(0, &a, 0));
    while (arrived < 3 || a)
        pause_ms(1);
    R(REQUEUE(100, &a, 0));
    for (int i = 0; i < 4; i++)
        pthread_join(t[i], NULL);
    printf("order %d %d %d %d, results %ld %ld %ld %ld\n", order[0], order[1], order[2], order[3], results[0],
           results[1], results[2], results[3]);
    show_word("after all", a);
}

static void *wait_plainly(void *argument)
{
    (void)argument;
    waiters[0] = tid();
    results[0] = futex(&a, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, a, NULL, NULL, 0);
    return NULL;
}

// One word used in both ways is refused.
static void part_mixed(void)
{
    pthread_t t, owner;
    static volatile int go;

    a = 0;
    pthread_create(&t, NULL, wait_plainly, NULL);
    wait_asleep(&waiters[0]);
    R(LOCK(&a));
    a = (uint32_t)tid();
    R(UNLOCK(&a));
    R(futex(&a, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1, NULL, NULL, 0));
    pthread_join(t, NULL);
    a = 0;
    waiters[0] = 0;
    pthread_create(&owner, NULL, die_with_lock, (void *)&go);
    while (!waiters[0])
        pause_ms(1);
    pthread_create(&t, NULL, lock_a, (void *)1);
    wait_asleep(&waiters[1]);
    R(futex(&a, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1, NULL, NULL, 0));
    R(futex(&a, FUTEX_REQUEUE | FUTEX_PRIVATE_FLAG, 0, (void *)1, &b, 0));
    uint32_t word = a;
    a = (uint32_t)tid();
    R(UNLOCK(&a));
    R(LOCK(&a));
    a = (uint32_t)tid() + 100000;
    R(LOCK(&a));
    a = word;
    go = 1;
    pthread_join(owner, NULL);
    pthread_join(t, NULL);
    printf("result %ld\n", results[1]);
}

static void *contend(void *argument)
{
    long *sum = argument;

    for (int i = 0; i < 300; i++) {
        uint32_t none = 0;
        if (!__atomic_compare_exchange_n(&a, &none, (uint32_t)tid(), 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST) && LOCK(&a))
            return (void *)1;
        long seen = *sum;
        if (i % 16 == 0)
            sched_yield();
        *sum = seen + 1;
        uint32_t mine = (uint32_t)tid();
        if (!__atomic_compare_exchange_n(&a, &mine, 0, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST) && UNLOCK(&a))
            return (void *)2;
    }
    return NULL;
}

static void part_contended(void)
{
    pthread_t t[8];
    long sum = 0, failed = 0;
    void *result;

    for (int i = 0; i < 8; i++)
        pthread_create(&t[i], NULL, contend, &sum);
    for (int i = 0; i < 8; i++) {
        pthread_join(t[i], &result);
        failed += (long)result;
    }
    printf("sum %ld, failed %ld, word %x\n", sum, failed, a);
}

// Between processes, in shared memory.
static void part_shared(void)
{
    uint32_t *word = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int status;

    pid_t child = fork();
    if (!child) {
        long result = futex(word, FUTEX_LOCK_PI, 0, NULL, NULL, 0);
        word[1] = 1;
        while (!word[2])
            pause_ms(1);
        _exit((int)result);
    }
    while (!word[1])
        pause_ms(1);
    pid_t second = fork();
    if (!second) {
        long result = futex(word, FUTEX_LOCK_PI, 0, NULL, NULL, 0);
        word[3] = *word & ~FUTEX_TID_MASK;
        _exit(result ? 1 : futex(word, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0) ? 2 : 3);
    }
    wait_state(second, 'S');
    word[2] = 1;
    waitpid(child, &status, 0);
    show_status("owner", status);
    waitpid(second, &status, 0);
    show_status("waiter", status);
    show_word("inherited", word[3]);
    show_word("after", *word);
}

PARTS({ "alone", part_alone }, { "order", part_order }, { "chain", part_chain }, { "timeout", part_timeout },
      { "signal", part_signal }, { "owner_dies", part_owner_dies }, { "mutex", part_mutex }, { "requeue", part_requeue },
      { "mixed", part_mixed }, { "contended", part_contended }, { "shared", part_shared })
