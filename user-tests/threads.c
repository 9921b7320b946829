// Threads: clone(2) as a C library uses it, futex(2), thread-local storage, signals and exits of threads.
#include "t.h"
#include <pthread.h>
#include <semaphore.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static int shared, turn;
static __thread int own = 5;
static volatile int count;
static volatile pid_t handled_by;

static void *add(void *argument)
{
    for (long i = 0; i < (long)argument; i++) {
        pthread_mutex_lock(&mutex);
        shared++;
        pthread_mutex_unlock(&mutex);
    }
    return (void *)(long)(own++);
}

static void part_join(void)
{
    pthread_t t[8];
    void *result;
    long sum = 0;

    for (int i = 0; i < 8; i++)
        R(pthread_create(&t[i], NULL, add, (void *)2000));
    for (int i = 0; i < 8; i++) {
        pthread_join(t[i], &result);
        sum += (long)result;
    }
    printf("shared %d, thread-local sum %ld, own %d\n", shared, sum, own);
}

static void *ping(void *argument)
{
    int me = (int)(long)argument;

    for (int i = 0; i < 200; i++) {
        pthread_mutex_lock(&mutex);
        while (turn != me)
            pthread_cond_wait(&condition, &mutex);
        turn = !me;
        pthread_cond_broadcast(&condition);
        pthread_mutex_unlock(&mutex);
    }
    return NULL;
}

static void part_conditions(void)
{
    pthread_t a, b;

    pthread_create(&a, NULL, ping, (void *)0);
    pthread_create(&b, NULL, ping, (void *)1);
    pthread_join(a, NULL);
    pthread_join(b, NULL);
    printf("200 turns each, next %d\n", turn);
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += 20000000;
    if (until.tv_nsec >= 1000000000)
        until.tv_sec++, until.tv_nsec -= 1000000000;
    pthread_mutex_lock(&mutex);
    R(pthread_cond_timedwait(&condition, &mutex, &until) == ETIMEDOUT);
    pthread_mutex_unlock(&mutex);
    sem_t sem;
    sem_init(&sem, 0, 1);
    R(sem_wait(&sem));
    R(sem_trywait(&sem));
    clock_gettime(CLOCK_REALTIME, &until);
    R(sem_timedwait(&sem, &until));
}

static void *names(void *argument)
{
    pid_t *tid = argument;

    *tid = (pid_t)syscall(SYS_gettid);
    return (void *)(long)(getpid());
}

static void part_identity(void)
{
    pthread_t t;
    pid_t tid = 0;
    void *result;
    char path[64];
    struct stat st;

    pthread_create(&t, NULL, names, &tid);
    pthread_join(t, &result);
    CHECK("same process", (pid_t)(long)result == getpid());
    CHECK("own thread number", tid != getpid() && tid > 0);
    R(syscall(SYS_gettid) == getpid());
    snprintf(path, sizeof path, "/proc/self/task/%d", tid);
    for (int i = 0; i < 100 && stat(path, &st) == 0; i++)
        pause_ms(10);
    R(stat(path, &st));
    R(syscall(SYS_tgkill, getpid(), tid, 0));
    R(syscall(SYS_prctl, 15, "renamed", 0, 0, 0));
    char name[16];
    R(syscall(SYS_prctl, 16, name, 0, 0, 0));
    printf("%s\n", name);
}

static void *sleeps(void *argument)
{
    (void)argument;
    for (;;)
        pause();
    return NULL;
}

static int threads_of(pid_t pid)
{
    char path[64], line[200];
    int n = -1;

    snprintf(path, sizeof path, "/proc/%d/status", pid);
    FILE *f = fopen(path, "r");
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "Threads: %d", &n) == 1)
            break;
    if (f)
        fclose(f);
    return n;
}

static void part_exits(void)
{
    pthread_t t;

    IN_CHILD("exit of the whole group") {
        for (int i = 0; i < 5; i++)
            pthread_create(&t, NULL, sleeps, NULL);
        printf("%d threads\n", threads_of(getpid()));
        _exit(3);
    }
    IN_CHILD("killed by a signal") {
        for (int i = 0; i < 5; i++)
            pthread_create(&t, NULL, sleeps, NULL);
        kill(getpid(), SIGTERM);
        pause();
    }
    IN_CHILD("exec from a group") {
        for (int i = 0; i < 5; i++)
            pthread_create(&t, NULL, sleeps, NULL);
        execl("/bin/sh", "sh", "-c", "grep Threads /proc/self/status", (char *)0);
    }
    IN_CHILD("fork from a thread has one thread") {
        pthread_create(&t, NULL, sleeps, NULL);
        IN_CHILD("child")
            printf("%d threads\n", threads_of(getpid()));
    }
}

static void *leader_goes(void *argument)
{
    (void)argument;
    while (process_state(getpid()) != 'Z')
        pause_ms(10);
    printf("the leader is a zombie, the thread runs\n");
    exit(6);
}

static void *executes(void *argument)
{
    (void)argument;
    pid_t before = getpid();
    char text[80];
    snprintf(text, sizeof text, "[ $$ = %d ] && echo same number", before);
    execl("/bin/sh", "sh", "-c", text, (char *)0);
    return NULL;
}

static void part_leader(void)
{
    pthread_t t;

    IN_CHILD("leader ends first") {
        pthread_create(&t, NULL, leader_goes, NULL);
        syscall(SYS_exit, 1);
    }
    IN_CHILD("exec from another thread") {
        pthread_create(&t, NULL, executes, NULL);
        for (;;)
            pause();
    }
}

static void handler(int number)
{
    (void)number;
    count++;
    handled_by = (pid_t)syscall(SYS_gettid);
}

static volatile pid_t worker;
static volatile int stop;

static void *works(void *argument)
{
    (void)argument;
    worker = (pid_t)syscall(SYS_gettid);
    while (!stop)
        pause_ms(5);
    return NULL;
}

static void *waits_for_signal(void *argument)
{
    sigset_t *set = argument;
    int number = 0;

    sigwait(set, &number);
    return (void *)(long)number;
}

static void part_signals(void)
{
    pthread_t t;
    sigset_t set;
    void *result;
    struct sigaction action = { .sa_handler = handler };

    sigaction(SIGUSR1, &action, NULL);
    pthread_create(&t, NULL, works, NULL);
    while (!worker)
        pause_ms(1);
    // To one thread.
    syscall(SYS_tgkill, getpid(), worker, SIGUSR1);
    while (!count)
        pause_ms(1);
    CHECK("handled by the one meant", handled_by == worker);
    // To the process: whoever does not block it.
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    kill(getpid(), SIGUSR1);
    while (count < 2)
        pause_ms(1);
    CHECK("handled by the one that does not block", handled_by == worker);
    // Pending for one thread is not taken by another.
    syscall(SYS_tgkill, getpid(), getpid(), SIGUSR1);
    pause_ms(30);
    printf("count %d\n", count);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    CHECK("handled here now", count == 3 && handled_by == getpid());
    stop = 1;
    pthread_join(t, NULL);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    pthread_create(&t, NULL, waits_for_signal, &set);
    pause_ms(20);
    kill(getpid(), SIGUSR1);
    pthread_join(t, &result);
    printf("sigwait %ld\n", (long)result);
    // A stop stops all threads.
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        volatile int *n = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        (void)n;
        pthread_create(&t, NULL, sleeps, NULL);
        raise(SIGSTOP);
        _exit(8);
    }
    waitpid(pid, &status, WUNTRACED);
    show_status("child", status);
    kill(pid, SIGCONT);
    waitpid(pid, &status, 0);
    show_status("child", status);
}

static void *faults(void *argument)
{
    *(volatile int *)argument = 1;
    return NULL;
}

static void part_fault(void)
{
    pthread_t t;

    IN_CHILD("a fault in a thread kills all") {
        setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
        pthread_create(&t, NULL, faults, NULL);
        for (;;)
            pause();
    }
}

static void part_futex(void)
{
    static uint32_t word = 1;
    struct timespec delay = { 0, 10000000 };

    R(syscall(SYS_futex, &word, 0, 2, NULL));
    R(syscall(SYS_futex, &word, 0, 1, &delay));
    R(syscall(SYS_futex, &word, 1, 10));
    R(syscall(SYS_futex, (char *)&word + 1, 0, 1, NULL));
    R(syscall(SYS_futex, NULL, 0, 1, NULL));
    R(syscall(SYS_futex, 0xffff888000000000, 0, 1, NULL));
    R(syscall(SYS_futex, &word, 99, 1, NULL));
    R(syscall(SYS_futex, &word, 9, 1, NULL, NULL, 0));
    delay.tv_nsec = 1000000000;
    R(syscall(SYS_futex, &word, 0, 1, &delay));
    delay.tv_nsec = -1;
    R(syscall(SYS_futex, &word, 0, 1, &delay));
    // Between processes over shared memory.
    uint32_t *shared_word = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    IN_CHILD("waiter of another process") {
        pid_t pid = fork();
        if (pid == 0) {
            while (*(volatile uint32_t *)shared_word == 0)
                syscall(SYS_futex, shared_word, 0, 0, NULL);
            _exit(0);
        }
        wait_state(pid, 'S');
        *(volatile uint32_t *)shared_word = 1;
        R(syscall(SYS_futex, shared_word, 1, 1));
        wait(NULL);
    }
}

static char clone_stack[65536] __attribute__((aligned(16)));

static int cloned(void *argument)
{
    *(int *)argument = 77;
    return 5;
}

static void part_clone(void)
{
    int status, value = 0, parent_tid = 0;

    // A child with shared memory, files and directory, that is waited for.
    pid_t pid = clone(cloned, clone_stack + sizeof clone_stack, CLONE_VM | CLONE_FILES | CLONE_FS | SIGCHLD, &value);
    R(waitpid(pid, &status, 0) == pid);
    printf("value %d\n", value);
    show_status("clone", status);
    value = 0;
    pid = clone(cloned, clone_stack + sizeof clone_stack, SIGCHLD | CLONE_PARENT_SETTID, &value, &parent_tid);
    CHECK("parent's word", parent_tid == pid);
    waitpid(pid, &status, 0);
    printf("value %d\n", value);
    // Without a signal it is only found by __WALL or __WCLONE.
    pid = clone(cloned, clone_stack + sizeof clone_stack, CLONE_VM, &value);
    R(waitpid(pid, &status, 0));
    R(waitpid(pid, &status, 0x80000000) == pid);
    // Contradictory flags.
    R(syscall(SYS_clone, CLONE_SIGHAND | SIGCHLD, 0, 0, 0, 0));
    R(syscall(SYS_clone, CLONE_THREAD | SIGCHLD, 0, 0, 0, 0));
    R(syscall(SYS_clone, CLONE_FS | CLONE_NEWNS | SIGCHLD, 0, 0, 0, 0));
    R(syscall(435, NULL, 88));
    R(syscall(435, &value, 8));
}

static void *nothing(void *argument) { return argument; }

static void part_many(void)
{
    pthread_t t;
    int made = 0;
    pthread_attr_t attributes;

    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 16384);
    for (int i = 0; i < 150; i++) {
        if (pthread_create(&t, &attributes, nothing, NULL) == 0) {
            pthread_join(t, NULL);
            made++;
        }
    }
    printf("%d one after another\n", made);
    static pthread_t all[64];
    made = 0;
    for (int i = 0; i < 64; i++)
        made += pthread_create(&all[i], &attributes, add, (void *)100) == 0;
    for (int i = 0; i < 64; i++)
        pthread_join(all[i], NULL);
    printf("%d at once, shared %d\n", made, shared);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    for (int i = 0; i < 50; i++)
        pthread_create(&t, &attributes, nothing, NULL);
    for (int i = 0; i < 300 && threads_of(getpid()) != 1; i++)
        pause_ms(10);
    printf("%d left\n", threads_of(getpid()));
}

enum { CROWD = 10000 };
static unsigned gate, waiting;

static void *waits_at_gate(void *argument)
{
    __atomic_fetch_add(&waiting, 1, __ATOMIC_SEQ_CST);
    while (!__atomic_load_n(&gate, __ATOMIC_SEQ_CST))
        syscall(SYS_futex, &gate, 128 /* wait, private */, 0, NULL);
    return argument;
}

static void part_crowd(void)
{
    static pthread_t all[CROWD];
    pthread_attr_t attributes;
    long made = 0, sum = 0;

    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 16384);
    while (made < CROWD && pthread_create(&all[made], &attributes, waits_at_gate, (void *)made) == 0)
        made++;
    for (int i = 0; i < 3000 && __atomic_load_n(&waiting, __ATOMIC_SEQ_CST) != made; i++)
        pause_ms(10);
    printf("%ld threads, %u wait, status shows %d\n", made, waiting, threads_of(getpid()));
    __atomic_store_n(&gate, 1, __ATOMIC_SEQ_CST);
    syscall(SYS_futex, &gate, 129 /* wake, private */, CROWD);
    for (long i = 0; i < made; i++) {
        void *result = NULL;

        pthread_join(all[i], &result);
        sum += (long)result;
    }
    printf("sum %ld\n", sum);
    for (int i = 0; i < 300 && threads_of(getpid()) != 1; i++)
        pause_ms(10);
    printf("%d left\n", threads_of(getpid()));
}

PARTS({ "join", part_join }, { "conditions", part_conditions }, { "identity", part_identity }, { "exits", part_exits },
      { "leader", part_leader }, { "signals", part_signals }, { "fault", part_fault }, { "futex", part_futex },
      { "clone", part_clone }, { "many", part_many }, { "crowd", part_crowd })
