// Who may run how: policies, priorities, their limits and permissions, groups, as programs set and see them.
#include "t.h"
#include <pthread.h>

struct attr {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
    uint32_t util_min, util_max;
};

#define RESET_ON_FORK 0x40000000
#ifndef RLIMIT_RTTIME
#define RLIMIT_RTTIME 15
#endif

static long set_policy(int policy, int priority)
{
    struct sched_param param = { .sched_priority = priority };

    return syscall(SYS_sched_setscheduler, 0, policy, &param);
}

static long set_attr(struct attr attr)
{
    return syscall(SYS_sched_setattr, 0, &attr, 0);
}

static void show_attr(const char *what)
{
    struct attr attr;

    memset(&attr, 0x55, sizeof attr);
    if (syscall(SYS_sched_getattr, 0, &attr, sizeof attr, 0))
        printf("%s: %s\n", what, error_name(errno));
    else
        printf("%s: policy %u, flags %llu, nice %d, priority %u\n", what, attr.policy, (unsigned long long)attr.flags,
               attr.nice, attr.priority);
}

static void limit(int which, unsigned long soft, unsigned long hard)
{
    struct rlimit value = { soft, hard };

    if (setrlimit(which, &value))
        printf("cannot set limit %d\n", which);
}

static void part_attr(void)
{
    struct { struct attr attr; uint32_t more[4]; } large = { .attr = { .size = sizeof large, .nice = 3 } };
    struct attr attr;

    R(set_attr((struct attr){ .size = 48, .policy = SCHED_BATCH, .nice = 5 }));
    show_attr("batch");
    R(set_attr((struct attr){ .size = 48, .policy = 0, .nice = 100 }));
    show_attr("nice 100");
    R(set_attr((struct attr){ .size = 48, .policy = SCHED_FIFO, .nice = 7, .priority = 4 }));
    show_attr("fifo");
    R(getpriority(PRIO_PROCESS, 0));
    R(set_attr((struct attr){ .size = 48, .policy = SCHED_RR, .priority = 100 }));
    R(set_attr((struct attr){ .size = 48, .policy = SCHED_RR, .priority = 0 }));
    R(set_attr((struct attr){ .size = 48, .policy = SCHED_RR, .priority = -1 }));
    R(set_attr((struct attr){ .size = 48, .policy = 0, .priority = 1 }));
    R(set_attr((struct attr){ .size = 48, .policy = 4 }));
    R(set_attr((struct attr){ .size = 48, .policy = 7 }));
    R(set_attr((struct attr){ .size = 48, .policy = -1 }));
    R(set_attr((struct attr){ .size = 48, .policy = SCHED_RR, .priority = 9, .flags = 1 }));
    show_attr("reset on fork");
    R(syscall(SYS_sched_getscheduler, 0));
    R(set_attr((struct attr){ .size = 48, .flags = 8 | 16 }));
    show_attr("keep all");
    R(set_attr((struct attr){ .size = 48, .flags = 16, .policy = 0 }));
    show_attr("keep parameters");
    R(set_attr((struct attr){ .size = 48, .flags = 8, .nice = -3 }));
    show_attr("keep policy");
    R(set_attr((struct attr){ .size = 48, .flags = 0x80 }));
    R(set_attr((struct attr){ .size = 0, .nice = 2 }));
    R(set_attr((struct attr){ .size = 47 }));
    R(set_attr((struct attr){ .size = 5000 }));
    R(syscall(SYS_sched_setattr, 0, &large, 0));
    show_attr("large");
    large.more[3] = 1;
    R(syscall(SYS_sched_setattr, 0, &large, 0));
    printf("size %u\n", large.attr.size);
    large.attr.size = 3;
    R(syscall(SYS_sched_setattr, 0, &large, 0));
    printf("size %u\n", large.attr.size);
    R(syscall(SYS_sched_setattr, 0, NULL, 0));
    R(syscall(SYS_sched_setattr, 0, 8, 0));
    R(syscall(SYS_sched_setattr, -1, &large, 0));
    R(syscall(SYS_sched_setattr, 0, &large, 1));
    R(syscall(SYS_sched_getattr, 0, &attr, 47, 0));
    R(syscall(SYS_sched_getattr, 0, &attr, 4097, 0));
    R(syscall(SYS_sched_getattr, 0, &attr, 48, 1));
    R(syscall(SYS_sched_getattr, 0, NULL, 48, 0));
    R(syscall(SYS_sched_getattr, -1, &attr, 48, 0));
    R(syscall(SYS_sched_getattr, 999999, &attr, 48, 0));
    R(syscall(SYS_sched_getattr, 0, &attr, 48, 0));
    printf("size %u\n", attr.size);
    R(set_policy(SCHED_IDLE, 0));
    show_attr("idle");
    R(set_policy(SCHED_FIFO | RESET_ON_FORK, 5));
    show_attr("fifo, reset on fork");
    R(set_policy(0, 0));
    show_attr("other");
    R(set_policy(-1, 0));
    R(set_policy(8, 0));
    R(set_policy(SCHED_FIFO, 0));
    R(set_policy(0, 1));
    R(syscall(SYS_sched_setscheduler, 0, 0, NULL));
    R(syscall(SYS_sched_setscheduler, -1, 0, &attr));
    R(syscall(SYS_sched_setscheduler, 999999, 0, &(struct sched_param){ 0 }));
}

static void part_fork(void)
{
    R(set_policy(SCHED_FIFO | RESET_ON_FORK, 5));
    IN_CHILD("child") { show_attr("of fifo"); }
    R(set_policy(SCHED_RR, 6));
    IN_CHILD("child") { show_attr("of rr"); }
    R(set_policy(RESET_ON_FORK, 0));
    R(setpriority(PRIO_PROCESS, 0, -5));
    IN_CHILD("child") { show_attr("of nice -5"); }
    R(setpriority(PRIO_PROCESS, 0, 5));
    IN_CHILD("child") { show_attr("of nice 5"); }
    R(set_policy(SCHED_BATCH | RESET_ON_FORK, 0));
    IN_CHILD("child") { show_attr("of batch"); }
    R(set_policy(SCHED_IDLE | RESET_ON_FORK, 0));
    IN_CHILD("child") { show_attr("of idle"); }
}

static void become_user(void)
{
    if (setgid(1000) || setuid(1000))
        printf("cannot become a user\n");
}

static void part_limits(void)
{
    IN_CHILD("without") {
        become_user();
        R(set_policy(SCHED_FIFO, 1));
        R(set_policy(SCHED_BATCH, 0));
        R(set_policy(SCHED_IDLE, 0));
        R(set_policy(0, 0));
        R(setpriority(PRIO_PROCESS, 0, 3));
        R(setpriority(PRIO_PROCESS, 0, 2));
        R(setpriority(PRIO_PROCESS, 0, 3));
        R(setpriority(PRIO_PROCESS, getppid(), 3));
        R(syscall(SYS_sched_setscheduler, getppid(), 0, &(struct sched_param){ 0 }));
        uint64_t all = -1;
        R(syscall(SYS_sched_setaffinity, getppid(), 8, &all));
        R(set_attr((struct attr){ .size = 48, .nice = 1 }));
        R(set_attr((struct attr){ .size = 48, .nice = 4 }));
    }
    IN_CHILD("with") {
        limit(RLIMIT_RTPRIO, 10, 10);
        limit(RLIMIT_NICE, 25, 25);
        become_user();
        R(set_policy(SCHED_FIFO, 11));
        R(set_policy(SCHED_FIFO, 10));
        R(set_policy(SCHED_RR, 10));
        R(set_policy(SCHED_RR | RESET_ON_FORK, 3));
        R(set_policy(SCHED_RR, 3));
        R(set_policy(RESET_ON_FORK, 0));
        R(setpriority(PRIO_PROCESS, 0, -5));
        R(setpriority(PRIO_PROCESS, 0, -6));
        R(set_policy(SCHED_IDLE | RESET_ON_FORK, 0));
        R(set_policy(RESET_ON_FORK, 0));
    }
    IN_CHILD("lowered") {
        limit(RLIMIT_RTPRIO, 10, 10);
        become_user();
        R(set_policy(SCHED_FIFO, 8));
        limit(RLIMIT_RTPRIO, 2, 10);
        R(set_policy(SCHED_FIFO, 8));
        R(set_policy(SCHED_FIFO, 7));
        R(set_policy(SCHED_FIFO, 8));
        R(set_policy(SCHED_RR, 7));
        limit(RLIMIT_RTPRIO, 0, 10);
        R(set_policy(SCHED_RR, 6));
        R(set_policy(SCHED_FIFO, 6));
        R(set_policy(0, 0));
        R(set_policy(SCHED_FIFO, 1));
    }
}

static void part_rttime(void)
{
    for (int hard = 0; hard < 2; hard++)
        IN_CHILD(hard ? "hard" : "soft") {
            limit(RLIMIT_RTTIME, 100000, hard ? 200000 : 60000000);
            if (hard)
                signal(SIGXCPU, SIG_IGN);
            R(set_policy(SCHED_RR, 1));
            for (;;)
                ;
        }
    IN_CHILD("sleeper") {
        limit(RLIMIT_RTTIME, 500000, 600000);
        R(set_policy(SCHED_RR, 1));
        struct timespec start, now;
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &start);
        do {
            for (volatile int i = 0; i < 20000; i++)
                ;
            pause_ms(1);
            clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
        } while ((now.tv_sec - start.tv_sec) * 1000 + (now.tv_nsec - start.tv_nsec) / 1000000 < 700);
    }
}

#define IO(class, level) ((class) << 13 | (level))

static void part_ioprio(void)
{
    R(syscall(SYS_ioprio_get, 1, 0));
    R(syscall(SYS_ioprio_set, 1, 0, IO(2, 3)));
    R(syscall(SYS_ioprio_get, 1, 0));
    R(syscall(SYS_ioprio_set, 1, 0, IO(2, 8)));
    R(syscall(SYS_ioprio_set, 1, 0, IO(1, 7)));
    R(syscall(SYS_ioprio_set, 1, 0, IO(3, 5)));
    R(syscall(SYS_ioprio_get, 1, 0));
    R(syscall(SYS_ioprio_set, 1, 0, IO(4, 0)));
    R(syscall(SYS_ioprio_set, 1, 0, IO(0, 1)));
    R(syscall(SYS_ioprio_set, 1, 0, -1));
    R(syscall(SYS_ioprio_set, 0, 0, IO(2, 0)));
    R(syscall(SYS_ioprio_set, 4, 0, IO(2, 0)));
    R(syscall(SYS_ioprio_set, 1, 999999, IO(2, 0)));
    R(syscall(SYS_ioprio_set, 2, 999999, IO(2, 0)));
    R(syscall(SYS_ioprio_get, 0, 0));
    R(syscall(SYS_ioprio_get, 4, 0));
    R(syscall(SYS_ioprio_get, 1, 999999));
    R(syscall(SYS_ioprio_get, 2, 999999));
    R(syscall(SYS_ioprio_get, 3, 54321));
    IN_CHILD("child") {
        R(syscall(SYS_ioprio_get, 1, 0));
        become_user();
        R(syscall(SYS_ioprio_set, 1, 0, IO(1, 0)));
        R(syscall(SYS_ioprio_set, 1, 0, IO(3, 0)));
        R(syscall(SYS_ioprio_set, 1, getppid(), IO(3, 0)));
        R(syscall(SYS_ioprio_get, 1, getppid()));
    }
    R(syscall(SYS_ioprio_set, 1, 0, 0));
    R(syscall(SYS_ioprio_get, 1, 0));
    IN_CHILD("group") {
        setpgid(0, 0);
        R(syscall(SYS_ioprio_get, 2, 0));
        setpriority(PRIO_PROCESS, 0, 10);
        R(syscall(SYS_ioprio_get, 2, 0));
        set_policy(SCHED_FIFO, 1);
        R(syscall(SYS_ioprio_get, 2, 0));
        set_policy(SCHED_IDLE, 0);
        R(syscall(SYS_ioprio_get, 2, 0));
        R(syscall(SYS_ioprio_set, 2, 0, IO(2, 1)));
        R(syscall(SYS_ioprio_get, 2, 0));
    }
}

static volatile int stop;

static void *awaited(void *argument)
{
    sigset_t set;
    int signal_number = 0;

    (void)argument;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGCHLD);
    for (int i = 0; i < 3; i++) {
        sigwait(&set, &signal_number);
        printf("came: %d\n", signal_number);
        stop = i + 1;
    }
    return NULL;
}

// A signal that is waited for does not do what it would do else.
static void part_sigwait(void)
{
    pthread_t t;
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, NULL);
    pthread_create(&t, NULL, awaited, NULL);
    pause_ms(30);
    pthread_kill(t, SIGUSR1);
    while (stop < 1)
        pause_ms(1);
    pause_ms(30);
    kill(getpid(), SIGUSR1);
    while (stop < 2)
        pause_ms(1);
    pause_ms(30);
    kill(getpid(), SIGCHLD);
    pthread_join(t, NULL);
}

static long autogroup(const char *text)
{
    int fd = open("/proc/self/autogroup", O_WRONLY);
    long n = write(fd, text, strlen(text));
    int error = errno;

    close(fd);
    errno = error;
    return n;
}

static void show_autogroup(const char *what)
{
    char text[64] = "", *at;
    int fd = open("/proc/self/autogroup", O_RDONLY);

    if (fd < 0 || read(fd, text, sizeof text - 1) < 0)
        printf("%s: cannot read\n", what);
    close(fd);
    at = strstr(text, " nice ");
    printf("%s: %.11s%s", what, text, at ? at : "\n");
}

static void part_autogroup(void)
{
    IN_CHILD("session") {
        setsid();
        show_autogroup("new");
        R(autogroup("5"));
        show_autogroup("changed");
        R(autogroup("20"));
        R(autogroup("-21"));
        R(autogroup("x"));
        IN_CHILD("child") {
            show_autogroup("inherited");
            pause_ms(200);
            become_user();
            R(autogroup("-1"));
        }
        show_autogroup("kept");
        setsid();
    }
    R(access("/proc/self/task", F_OK));
    char path[64];
    snprintf(path, sizeof path, "/proc/self/task/%d/autogroup", getpid());
    R(access(path, F_OK));
}

PARTS({ "attr", part_attr }, { "fork", part_fork }, { "limits", part_limits }, { "rttime", part_rttime },
      { "ioprio", part_ioprio }, { "sigwait", part_sigwait }, { "autogroup", part_autogroup })
