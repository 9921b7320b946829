// Clocks and sleeping.
#include "t.h"
#include <sys/timerfd.h>

static volatile int count;
static void handler(int number) { (void)number; count++; }

static int64_t ns(clockid_t clock)
{
    struct timespec t;

    if (clock_gettime(clock, &t))
        return -1;
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void part_read(void)
{
    struct timespec t;
    struct timeval v;

    for (int i = 0; i < 12; i++)
        printf("clock %d: %s\n", i, clock_gettime(i, &t) ? error_name(errno) : t.tv_nsec >= 0 && t.tv_nsec < 1000000000 ? "ok" : "bad");
    for (int i = 0; i < 12; i++)
        printf("resolution %d: %s\n", i, clock_getres(i, &t) ? error_name(errno) : t.tv_sec == 0 && t.tv_nsec > 0 ? "ok" : "bad");
    R(syscall(SYS_clock_gettime, 0, 1));
    R(syscall(SYS_clock_getres, 0, NULL));
    R(syscall(SYS_clock_getres, 99, NULL));
    R(syscall(SYS_gettimeofday, NULL, NULL));
    R(syscall(SYS_gettimeofday, 1, NULL));
    R(syscall(SYS_time, 1));
    gettimeofday(&v, NULL);
    clock_gettime(CLOCK_REALTIME, &t);
    CHECK("two ways agree", labs((long)(v.tv_sec - t.tv_sec)) <= 1 && labs((long)(time(NULL) - t.tv_sec)) <= 1);
    CHECK("it is after 2023", t.tv_sec > 1672531200);
    int64_t last = 0;
    int back = 0, same = 0;
    for (int i = 0; i < 100000; i++) {
        int64_t now = ns(CLOCK_MONOTONIC);
        back += now < last;
        same += now == last;
        last = now;
    }
    printf("monotonic went back %d times\n", back);
    CHECK("and advances", same < 90000);
    int64_t real = ns(CLOCK_REALTIME), mono = ns(CLOCK_MONOTONIC);
    pause_ms(100);
    int64_t difference = ns(CLOCK_REALTIME) - real - (ns(CLOCK_MONOTONIC) - mono);
    CHECK("both go at one speed", difference > -20000000 && difference < 20000000);
    CHECK("boot time is not before monotonic", ns(CLOCK_BOOTTIME) >= ns(CLOCK_MONOTONIC) - 1000000);
    int64_t coarse = ns(CLOCK_MONOTONIC_COARSE), fine = ns(CLOCK_MONOTONIC);
    CHECK("coarse is near", fine - coarse >= 0 && fine - coarse < 100000000);
}

static void part_across_cpus(void)
{
    // The clock does not go back from one processor to another.
    int64_t *seen = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    cpu_set_t all, one;
    int back = 0;

    sched_getaffinity(0, sizeof all, &all);
    for (int round = 0; round < 200; round++)
        for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
            if (!CPU_ISSET(cpu, &all))
                continue;
            CPU_ZERO(&one);
            CPU_SET(cpu, &one);
            sched_setaffinity(0, sizeof one, &one);
            int64_t now = ns(CLOCK_MONOTONIC);
            back += now < *seen;
            *seen = now;
            back += sched_getcpu() != cpu;
        }
    printf("went back %d times\n", back);
}

static void part_sleep(void)
{
    struct timespec t = { 0, 50000000 }, left = { 9, 9 };

    int64_t start = ns(CLOCK_MONOTONIC);
    R(nanosleep(&t, &left));
    int64_t took = ns(CLOCK_MONOTONIC) - start;
    CHECK("not shorter, not much longer", took >= 50000000 && took < 2000000000);
    printf("left is not touched: %ld\n", (long)left.tv_sec);
    t.tv_nsec = 1000000000;
    R(nanosleep(&t, NULL));
    t.tv_nsec = -1;
    R(nanosleep(&t, NULL));
    t = (struct timespec){ -1, 0 };
    R(nanosleep(&t, NULL));
    t = (struct timespec){ 0, 0 };
    R(nanosleep(&t, NULL));
    R(syscall(SYS_nanosleep, NULL, NULL));
    R(syscall(SYS_nanosleep, 1, NULL));
    R(clock_nanosleep(99, 0, &t, NULL));
    R(clock_nanosleep(CLOCK_THREAD_CPUTIME_ID, 0, &t, NULL));
    clock_gettime(CLOCK_MONOTONIC, &t);
    R(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL));
    start = ns(CLOCK_MONOTONIC);
    t = (struct timespec){ (start + 50000000) / 1000000000, (start + 50000000) % 1000000000 };
    R(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL));
    CHECK("until then", ns(CLOCK_MONOTONIC) >= start + 50000000);
    // Many short sleeps take their time in sum.
    start = ns(CLOCK_MONOTONIC);
    for (int i = 0; i < 20; i++) {
        t = (struct timespec){ 0, 2000000 };
        nanosleep(&t, NULL);
    }
    took = ns(CLOCK_MONOTONIC) - start;
    CHECK("twenty short ones", took >= 40000000 && took < 4000000000);
    R(poll(NULL, 0, 30));
    struct timeval v = { 0, 30000 };
    R(select(0, NULL, NULL, NULL, &v));
    printf("select leaves %ld\n", (long)v.tv_usec);
}

static void part_interrupted(void)
{
    struct sigaction action = { .sa_handler = handler };
    struct itimerval soon = { { 0, 100000 }, { 0, 100000 } };
    struct timespec t = { 3, 0 }, left;
    struct timeval v = { 3, 0 };

    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &soon, NULL);
    R(nanosleep(&t, &left));
    CHECK("what is left", left.tv_sec == 2 && left.tv_nsec < 1000000000);
    R(clock_nanosleep(CLOCK_MONOTONIC, 0, &t, &left));
    CHECK("what is left", left.tv_sec == 2);
    R(select(0, NULL, NULL, NULL, &v));
    CHECK("what is left", v.tv_sec == 2);
    setitimer(ITIMER_REAL, &(struct itimerval){ { 0, 0 }, { 0, 0 } }, NULL);
    // Stopping and continuing restarts the sleep with what is left of it.
    pid_t pid = fork();
    if (pid == 0) {
        int64_t start = ns(CLOCK_MONOTONIC);
        t = (struct timespec){ 0, 400000000 };
        int result = nanosleep(&t, &left);
        int64_t took = ns(CLOCK_MONOTONIC) - start;
        printf("result %d, %s\n", result, took >= 400000000 && took < 3000000000 ? "in time" : "not in time");
        _exit(0);
    }
    pause_ms(100);
    kill(pid, SIGSTOP);
    pause_ms(100);
    kill(pid, SIGCONT);
    waitpid(pid, NULL, 0);
}

static void part_alarm(void)
{
    struct itimerval value, old;

    signal(SIGALRM, handler);
    R(alarm(10));
    R(alarm(20));
    R(getitimer(ITIMER_REAL, &value));
    CHECK("twenty seconds", value.it_value.tv_sec == 19 || value.it_value.tv_sec == 20);
    R(setitimer(ITIMER_REAL, NULL, &old));
    R(alarm(0));
    value = (struct itimerval){ { 0, 0 }, { 0, -1 } };
    R(setitimer(ITIMER_REAL, &value, NULL));
    value = (struct itimerval){ { 0, 0 }, { -1, 0 } };
    R(setitimer(ITIMER_REAL, &value, NULL));
    R(alarm(1));
    R(pause());
    printf("rang %d\n", count);
    IN_CHILD("default action") {
        signal(SIGALRM, SIG_DFL);
        alarm(1);
        for (;;)
            pause();
    }
    IN_CHILD("survives exec") {
        signal(SIGALRM, SIG_DFL);
        alarm(1);
        execl("/bin/sleep", "sleep", "10", (char *)0);
    }
}

static void part_cpu_time(void)
{
    int64_t start = ns(CLOCK_PROCESS_CPUTIME_ID), thread = ns(CLOCK_THREAD_CPUTIME_ID);

    pause_ms(200);
    CHECK("sleeping costs nothing", ns(CLOCK_PROCESS_CPUTIME_ID) - start < 100000000);
    while (ns(CLOCK_PROCESS_CPUTIME_ID) - start < 100000000)
        ;
    CHECK("the thread's is as much", ns(CLOCK_THREAD_CPUTIME_ID) - thread >= 90000000);
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    long us = usage.ru_utime.tv_sec * 1000000 + usage.ru_utime.tv_usec + usage.ru_stime.tv_sec * 1000000 + usage.ru_stime.tv_usec;
    CHECK("getrusage agrees", us >= 80000);
    setrlimit(RLIMIT_CPU, &(struct rlimit){ 1, 3 });
    struct sigaction action = { .sa_handler = handler };
    sigaction(SIGXCPU, &action, NULL);
    while (count < 1)
        ;
    printf("SIGXCPU came\n");
    IN_CHILD("hard limit of processor time") {
        setrlimit(RLIMIT_CPU, &(struct rlimit){ 1, 1 });
        for (;;)
            ;
    }
}

static void part_set(void)
{
    struct timespec t;

    R(syscall(SYS_clock_settime, CLOCK_MONOTONIC, &t));
    R(syscall(SYS_clock_settime, 99, &t));
    clock_gettime(CLOCK_REALTIME, &t);
    int64_t before = ns(CLOCK_MONOTONIC);
    t.tv_sec += 1000;
    R(clock_settime(CLOCK_REALTIME, &t));
    CHECK("set forward", time(NULL) >= t.tv_sec);
    t.tv_sec -= 1000;
    R(clock_settime(CLOCK_REALTIME, &t));
    int64_t took = ns(CLOCK_MONOTONIC) - before;
    CHECK("monotonic does not care", took >= 0 && took < 5000000000);
    t.tv_nsec = 1000000000;
    R(clock_settime(CLOCK_REALTIME, &t));
    setuid(1000);
    t.tv_nsec = 0;
    R(clock_settime(CLOCK_REALTIME, &t));
}

// The overruns that are known of a timer.
static int overruns(timer_t timer)
{
    return syscall(SYS_timer_getoverrun, timer);
}

static void part_overrun(void)
{
    // Expiries that are pending together are one signal, which says how many they are.
    struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 1, .sigev_value.sival_int = 5 };
    struct timespec zero = { 0, 0 };
    siginfo_t info;
    sigset_t set;
    timer_t timer, other;

    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN + 1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    R(timer_create(CLOCK_MONOTONIC, &event, &timer));
    R(overruns(timer));
    R(timer_settime(timer, 0, &(struct itimerspec){ { 0, 2000000 }, { 0, 2000000 } }, NULL));
    pause_ms(100);
    R(overruns(timer));
    CHECK("taken", sigtimedwait(&set, &info, &zero) == SIGRTMIN + 1);
    printf("code %d value %d\n", info.si_code, info.si_value.sival_int);
    CHECK("counted", info.si_overrun >= 10 && info.si_overrun < 2000);
    CHECK("asked", overruns(timer) == info.si_overrun);
    R(timer_settime(timer, 0, &(struct itimerspec){ { 0, 0 }, { 0, 0 } }, NULL));
    while (sigtimedwait(&set, &info, &zero) != -1)
        ;
    R(timer_settime(timer, 0, &(struct itimerspec){ { 0, 0 }, { 0, 1000000 } }, NULL));
    pause_ms(20);
    R(overruns(timer));
    CHECK("one shot", sigtimedwait(&set, &info, &zero) == SIGRTMIN + 1 && info.si_overrun == 0);
    R(sigtimedwait(&set, &info, &zero));
    // Two timers with one signal are two signals, even of the standard kind, and kill adds no third to one of these.
    event.sigev_signo = SIGUSR1;
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    R(timer_delete(timer));
    R(timer_create(CLOCK_MONOTONIC, &event, &timer));
    event.sigev_value.sival_int = 6;
    R(timer_create(CLOCK_MONOTONIC, &event, &other));
    R(timer_settime(timer, 0, &(struct itimerspec){ { 0, 0 }, { 0, 1000000 } }, NULL));
    pause_ms(20);
    R(timer_settime(other, 0, &(struct itimerspec){ { 0, 0 }, { 0, 1000000 } }, NULL));
    pause_ms(20);
    kill(getpid(), SIGUSR1);
    while (sigtimedwait(&set, &info, &zero) != -1)
        printf("signal: code %d value %d\n", info.si_code, info.si_value.sival_int);
}

static void part_queue_limit(void)
{
    sigset_t set;
    siginfo_t info;
    struct timespec zero = { 0, 0 };

    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGUSR2);
    sigprocmask(SIG_BLOCK, &set, NULL);
    R(setrlimit(RLIMIT_SIGPENDING, &(struct rlimit){ 3, 3 }));
    for (int i = 0; i < 5; i++)
        R(sigqueue(getpid(), SIGRTMIN, (union sigval){ .sival_int = i }));
    R(sigqueue(getpid(), SIGUSR1, (union sigval){ .sival_int = 9 }));
    R(kill(getpid(), SIGRTMIN));
    R(kill(getpid(), SIGUSR2));
    while (sigtimedwait(&set, &info, &zero) != -1)
        printf("signal %d: code %d value %d\n", info.si_signo, info.si_code, info.si_code < 0 ? info.si_value.sival_int : 0);
}

static void part_cancel(void)
{
    // A descriptor that is to notice when the clock is set.
    struct itimerspec late = { { 0, 0 }, { 0, 0 } };
    struct pollfd poll_timer;
    struct timespec t;
    uint64_t n;
    int fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK), plain = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK);

    clock_gettime(CLOCK_REALTIME, &t);
    late.it_value.tv_sec = t.tv_sec + 5000;
    R(timerfd_settime(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &late, NULL));
    R(timerfd_settime(plain, TFD_TIMER_ABSTIME, &late, NULL));
    R(read(fd, &n, 8));
    poll_timer = (struct pollfd){ .fd = fd, .events = POLLIN };
    R(poll(&poll_timer, 1, 0));
    t.tv_sec += 1000;
    R(clock_settime(CLOCK_REALTIME, &t));
    R(poll(&poll_timer, 1, 0));
    R(read(plain, &n, 8));
    R(read(fd, &n, 8));
    R(read(fd, &n, 8));
    t.tv_sec -= 1000;
    R(clock_settime(CLOCK_REALTIME, &t));
    R(timerfd_settime(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &late, NULL));
    R(timerfd_settime(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &late, NULL));
    R(read(fd, &n, 8));
    // Setting the clock beyond the time makes it expire as well.
    t.tv_sec += 6000;
    R(clock_settime(CLOCK_REALTIME, &t));
    poll_timer.fd = plain;
    R(poll(&poll_timer, 1, 5000));
    R(read(plain, &n, 8));
    printf("%d times\n", (int)n);
    R(read(fd, &n, 8));
    t.tv_sec -= 6000;
    R(clock_settime(CLOCK_REALTIME, &t));
    // It is for absolute times of the real clock only.
    int monotonic = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    R(timerfd_settime(monotonic, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &late, NULL));
    R(timerfd_settime(fd, TFD_TIMER_CANCEL_ON_SET, &late, NULL));
    t.tv_sec += 10;
    R(clock_settime(CLOCK_REALTIME, &t));
    R(read(monotonic, &n, 8));
    R(read(fd, &n, 8));
    t.tv_sec -= 10;
    R(clock_settime(CLOCK_REALTIME, &t));
    R(timerfd_settime(fd, 8, &late, NULL));
    // A sleep until a time ends when the clock passes it.
    IN_CHILD("sleeping") {
        if (fork() == 0) {
            pause_ms(100);
            clock_gettime(CLOCK_REALTIME, &t);
            t.tv_sec += 3000;
            clock_settime(CLOCK_REALTIME, &t);
            _exit(0);
        }
        clock_gettime(CLOCK_REALTIME, &t);
        t.tv_sec += 2000;
        R(clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &t, NULL));
        wait(NULL);
        clock_gettime(CLOCK_REALTIME, &t);
        t.tv_sec -= 3000;
        clock_settime(CLOCK_REALTIME, &t);
    }
    // A wait is cancelled, too.
    late.it_value.tv_sec = t.tv_sec + 5000;
    int slow = timerfd_create(CLOCK_REALTIME, 0);
    R(timerfd_settime(slow, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &late, NULL));
    IN_CHILD("waiting") {
        if (fork() == 0) {
            pause_ms(100);
            clock_gettime(CLOCK_REALTIME, &t);
            t.tv_sec += 1;
            clock_settime(CLOCK_REALTIME, &t);
            t.tv_sec -= 1;
            clock_settime(CLOCK_REALTIME, &t);
            _exit(0);
        }
        R(read(slow, &n, 8));
    }
}

PARTS({ "read", part_read }, { "across_cpus", part_across_cpus }, { "sleep", part_sleep }, { "interrupted", part_interrupted },
      { "alarm", part_alarm }, { "cpu_time", part_cpu_time }, { "set", part_set },
      { "overrun", part_overrun }, { "queue_limit", part_queue_limit }, { "cancel", part_cancel })
