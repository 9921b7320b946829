// signalfd(2): what is read of each kind of signal, masks, blocking, poll and epoll, and every error.
#include "t.h"
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>

static sigset_t set(int a, int b)
{
    sigset_t s;

    sigemptyset(&s);
    if (a)
        sigaddset(&s, a);
    if (b)
        sigaddset(&s, b);
    return s;
}

static void print(const char *what, const struct signalfd_siginfo *i)
{
    printf("%s: signo %u errno %d code %d pid %s uid %u status %d int %d ptr %llx overrun %u fd %d band %x\n", what,
        i->ssi_signo, i->ssi_errno, i->ssi_code, i->ssi_pid == (unsigned)getpid() ? "self" : i->ssi_pid ? "other" : "0",
        i->ssi_uid, i->ssi_status, i->ssi_int, (unsigned long long)i->ssi_ptr, i->ssi_overrun, i->ssi_fd, i->ssi_band);
}

static void next(int fd, const char *what)
{
    struct signalfd_siginfo info;
    ssize_t count = read(fd, &info, sizeof info);

    if (count == sizeof info)
        print(what, &info);
    else
        show(what, count);
}

static void kinds(void)
{
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    int fd = R(signalfd(-1, &all, SFD_NONBLOCK));

    next(fd, "nothing");
    kill(getpid(), SIGUSR1);
    next(fd, "kill");
    next(fd, "once");
    raise(SIGUSR2);
    next(fd, "tkill");
    union sigval value = { .sival_ptr = (void *)0x123456789a };
    sigqueue(getpid(), SIGRTMIN + 3, value);
    value.sival_int = 7;
    sigqueue(getpid(), SIGRTMIN + 3, value);
    kill(getpid(), SIGTERM);
    next(fd, "standard first");
    next(fd, "queued");
    next(fd, "queued again");
    next(fd, "empty");
    if (!fork())
        _exit(5);
    usleep(300000);
    next(fd, "child");
    wait(NULL);
    alarm(1);
    struct pollfd p = { fd, POLLIN | POLLOUT, 0 };
    R(poll(&p, 1, 3000));
    printf("revents %x\n", p.revents);
    next(fd, "alarm");
    timer_t timer;
    struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN, .sigev_value.sival_int = 9 };
    struct itimerspec once = { .it_value.tv_nsec = 1000000 };
    timer_create(CLOCK_MONOTONIC, &event, &timer);
    timer_settime(timer, 0, &once, NULL);
    R(poll(&p, 1, 3000));
    next(fd, "timer");
    int ends[2];
    pipe(ends);
    write(ends[1], "x", 1);
    close(ends[0]);
    write(ends[1], "x", 1);
    next(fd, "pipe");
    // Two at once, with room for three.
    struct signalfd_siginfo three[3];
    kill(getpid(), SIGUSR2);
    kill(getpid(), SIGUSR1);
    ssize_t count = R(read(fd, three, sizeof three));
    for (int i = 0; i < count / (int)sizeof *three; i++)
        print("of several", &three[i]);
    kill(getpid(), SIGUSR2);
    kill(getpid(), SIGUSR1);
    R(read(fd, three, sizeof *three + 100));
    print("first", three);
    R(read(fd, three, sizeof *three - 1));
    R(read(fd, (void *)8, sizeof *three));
    next(fd, "lost with the bad address");
}

static void errors(void)
{
    sigset_t s = set(SIGUSR1, 0);
    int fd = R(signalfd(-1, &s, 0) > 0 ? 3 : -1);

    R(syscall(SYS_signalfd4, -1, &s, 8, 1));
    R(syscall(SYS_signalfd4, -1, &s, 7, 0));
    R(syscall(SYS_signalfd4, -1, &s, 128, 0));
    R(syscall(SYS_signalfd4, -1, 8, 8, 0));
    R(syscall(SYS_signalfd4, 0, &s, 8, 0));
    R(syscall(SYS_signalfd4, 99, &s, 8, 0));
    R(syscall(SYS_signalfd4, -2, &s, 8, 0));
    R(syscall(SYS_signalfd4, fd, &s, 8, 0));
    R(syscall(SYS_signalfd, fd, &s, 8));
    R(write(fd, &s, 128));
    R(lseek(fd, 0, SEEK_SET));
    R(lseek(fd, 5, SEEK_END));
    R(lseek(fd, 0, 9));
    R(lseek(epoll_create1(0), 5, SEEK_SET));
    R(lseek(eventfd(0, 0), 5, SEEK_SET));
    R(lseek(timerfd_create(CLOCK_MONOTONIC, 0), 5, SEEK_SET));
    R(pread(fd, &s, 128, 0));
    R(fcntl(fd, F_GETFL) & O_ACCMODE);
    R(fcntl(fd, F_GETFD));
    int other = signalfd(-1, &s, SFD_CLOEXEC | SFD_NONBLOCK);
    R(fcntl(other, F_GETFD));
    R(fcntl(other, F_GETFL) & O_NONBLOCK);
    char link[64], path[32];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(path, link, sizeof link);
    printf("%.*s\n", (int)length, link);
    sigaddset(&s, SIGKILL);
    sigaddset(&s, SIGSTOP);
    signalfd(fd, &s, 0);
    snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
    FILE *f = fopen(path, "r");
    char line[100];
    while (fgets(line, sizeof line, f))
        if (!strncmp(line, "sigmask", 7))
            printf("%s", line);
}

static void on_signal(int number) { (void)number; }

static void waiting(void)
{
    sigset_t s = set(SIGUSR1, SIGUSR2);
    sigprocmask(SIG_BLOCK, &s, NULL);
    s = set(SIGUSR1, 0);
    int fd = signalfd(-1, &s, 0);
    pid_t parent = getpid();

    // A blocking read is woken by the signal, not by another blocked one.
    if (!fork()) {
        usleep(100000);
        kill(parent, SIGUSR2);
        usleep(100000);
        kill(parent, SIGUSR1);
        _exit(0);
    }
    next(fd, "woken");
    wait(NULL);
    struct pollfd p = { fd, POLLIN, 0 };
    R(poll(&p, 1, 0));
    // A new set sees what is pending already.
    s = set(SIGUSR2, 0);
    R(signalfd(fd, &s, 0) == fd);
    R(poll(&p, 1, 0));
    next(fd, "by the new set");
    // A handler interrupts the read.
    struct sigaction action = { .sa_handler = on_signal };
    sigaction(SIGALRM, &action, NULL);
    struct itimerval soon = { .it_value.tv_usec = 50000 };
    setitimer(ITIMER_REAL, &soon, NULL);
    next(fd, "interrupted");
    // epoll tells of it, level triggered.
    int epoll = epoll_create1(0);
    struct epoll_event event = { .events = EPOLLIN, .data.u32 = 5 };
    R(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event));
    R(epoll_wait(epoll, &event, 1, 0));
    kill(getpid(), SIGUSR2);
    R(epoll_wait(epoll, &event, 1, 1000));
    printf("events %x data %u\n", event.events, event.data.u32);
    next(fd, "after epoll");
    R(epoll_wait(epoll, &event, 1, 0));
    // A signal that is not blocked and has a handler goes to the handler.
    sigaction(SIGUSR2, &action, NULL);
    s = set(SIGUSR2, 0);
    sigprocmask(SIG_UNBLOCK, &s, NULL);
    kill(getpid(), SIGUSR2);
    R(poll(&p, 1, 0));
    // A child reads its own signals through the inherited descriptor.
    sigprocmask(SIG_BLOCK, &s, NULL);
    kill(getpid(), SIGUSR2);
    fflush(stdout);
    if (!fork()) {
        R(poll(&p, 1, 0));
        kill(getpid(), SIGUSR2);
        next(fd, "child's own");
        fflush(stdout);
        _exit(0);
    }
    wait(NULL);
    next(fd, "still the parent's");
}

int main(int argc, char **argv)
{
    const char *part = argc > 1 ? argv[1] : "";

    if (!strcmp(part, "kinds"))
        kinds();
    else if (!strcmp(part, "errors"))
        errors();
    else if (!strcmp(part, "waiting"))
        waiting();
    else
        return 2;
    return 0;
}
