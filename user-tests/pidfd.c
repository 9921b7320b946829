// pidfd_open(2), pidfd_send_signal(2), pidfd_getfd(2), CLONE_PIDFD, waitid(P_PIDFD): results, readiness and every error.
#include "t.h"
#include <pthread.h>
#include <sys/epoll.h>

#ifndef P_PIDFD
#define P_PIDFD 3
#endif
#ifndef CLONE_PIDFD
#define CLONE_PIDFD 0x1000
#endif

struct clone_args {
    uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup;
};

static int pidfd_open_(pid_t pid, unsigned flags) { return syscall(SYS_pidfd_open, pid, flags); }
static int send_(int fd, int signal, siginfo_t *info, unsigned flags) { return syscall(SYS_pidfd_send_signal, fd, signal, info, flags); }
static int getfd_(int fd, int other, unsigned flags) { return syscall(SYS_pidfd_getfd, fd, other, flags); }
static int waitid_(int kind, int id, siginfo_t *info, int flags) { return syscall(SYS_waitid, kind, id, info, flags, NULL); }

static pid_t sleeper(void)
{
    pid_t pid = fork();

    if (!pid) {
        for (;;)
            pause();
    }
    return pid;
}

static int readable(int fd)
{
    struct pollfd p = { fd, POLLIN | POLLOUT, 0 };

    poll(&p, 1, 0);
    return p.revents;
}

static void info_of(int fd)
{
    char path[40], line[100];

    snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
    FILE *f = fopen(path, "r");
    while (f && fgets(line, sizeof line, f)) {
        int value;
        if (sscanf(line, "Pid:\t%d", &value) == 1)
            printf("Pid %s\n", value == getpid() ? "self" : value > 0 ? "other" : value == 0 ? "0" : "-1");
    }
    fclose(f);
}

static void *second(void *tid)
{
    *(pid_t *)tid = syscall(SYS_gettid);
    R(pidfd_open_(*(pid_t *)tid, 0));
    return NULL;
}

static void basics(void)
{
    char link[64];
    siginfo_t info;

    R(pidfd_open_(0, 0));
    R(pidfd_open_(-1, 0));
    R(pidfd_open_(4000000, 0));
    R(pidfd_open_(getpid(), 1));
    R(pidfd_open_(getpid(), O_CLOEXEC));
    int self = pidfd_open_(getpid(), 0);
    R(fcntl(self, F_GETFD));
    R(fcntl(self, F_GETFL) & (O_ACCMODE | O_NONBLOCK));
    snprintf(link, sizeof link, "/proc/self/fd/%d", self);
    char target[64];
    printf("%.*s\n", (int)readlink(link, target, sizeof target), target);
    info_of(self);
    R(read(self, target, 1));
    R(write(self, target, 1));
    R(lseek(self, 0, SEEK_SET));
    R(ftruncate(self, 0));
    R(readable(self));
    pthread_t thread;
    pid_t tid = 0;
    pthread_create(&thread, NULL, second, &tid);
    pthread_join(thread, NULL);

    pid_t child = sleeper();
    int fd = pidfd_open_(child, 0);
    R(readable(fd));
    R(send_(fd, 0, NULL, 0));
    R(send_(fd, 0, NULL, 1));
    R(send_(fd, 65, NULL, 0));
    R(send_(0, 0, NULL, 0));
    R(send_(99, 0, NULL, 0));
    R(send_(fd, SIGUSR1, (void *)8, 0));
    memset(&info, 0, sizeof info);
    info.si_signo = SIGUSR2;
    R(send_(fd, SIGUSR1, &info, 0));
    info.si_code = SI_USER;
    R(send_(fd, SIGUSR2, &info, 0));
    info.si_code = SI_TKILL;
    R(send_(fd, SIGUSR2, &info, 0));
    R(send_(fd, SIGTERM, NULL, 0));
    struct pollfd p = { fd, POLLIN, 0 };
    R(poll(&p, 1, 5000));
    R(p.revents);
    R(send_(fd, 0, NULL, 0));
    R(getfd_(fd, 0, 0));
    memset(&info, 0, sizeof info);
    R(waitid_(P_PIDFD, fd, &info, WEXITED | WNOWAIT));
    printf("code %d status %d pid %d\n", info.si_code, info.si_status, info.si_pid == child);
    R(waitid_(P_PIDFD, fd, &info, WEXITED));
    R(waitid_(P_PIDFD, fd, &info, WEXITED));
    R(send_(fd, 0, NULL, 0));
    R(getfd_(fd, 0, 0));
    R(readable(fd));
    info_of(fd);
    R(pidfd_open_(child, 0));
    R(waitid_(P_PIDFD, self, &info, WEXITED));
    R(waitid_(P_PIDFD, 0, &info, WEXITED));
    R(waitid_(P_PIDFD, -1, &info, WEXITED));
    R(waitid_(P_PIDFD, 99, &info, WEXITED));

    // A descriptor that is not to be waited for.
    child = sleeper();
    fd = pidfd_open_(child, O_NONBLOCK);
    R(fcntl(fd, F_GETFL) & O_NONBLOCK);
    R(waitid_(P_PIDFD, fd, &info, WEXITED));
    R(waitid_(P_PIDFD, fd, &info, WEXITED | WNOHANG));
    int epoll = epoll_create1(0);
    struct epoll_event event = { .events = EPOLLIN };
    R(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event));
    R(epoll_wait(epoll, &event, 1, 0));
    kill(child, SIGKILL);
    R(epoll_wait(epoll, &event, 1, 5000));
    R(waitid_(P_PIDFD, fd, &info, WEXITED));
    printf("code %d status %d\n", info.si_code, info.si_status);
}

static void descriptors(void)
{
    int ends[2];

    pipe(ends);
    int secret = open("/tmp", O_RDONLY | O_DIRECTORY);
    pid_t child = sleeper();
    close(secret);
    int fd = pidfd_open_(child, 0);
    int copy = R(getfd_(fd, ends[1], 0));
    R(fcntl(copy, F_GETFD));
    R(write(copy, "abc", 3));
    char buffer[8] = "";
    R(read(ends[0], buffer, 8));
    puts(buffer);
    R(getfd_(fd, secret, 0) >= 0);
    R(getfd_(fd, 99, 0));
    R(getfd_(fd, -1, 0));
    R(getfd_(fd, 0, 1));
    R(getfd_(0, 0, 0));
    // Another user may not.
    fflush(stdout);
    if (!fork()) {
        setgid(1000);
        setuid(1000);
        R(getfd_(fd, 0, 0));
        R(send_(fd, SIGTERM, NULL, 0));
        R(send_(fd, 0, NULL, 0));
        fflush(stdout);
        _exit(0);
    }
    wait(NULL);
    R(send_(fd, SIGKILL, NULL, 0));
    int status;
    waitpid(child, &status, 0);
    show_status("child", status);
}

static void clones(void)
{
    struct clone_args args = { .flags = CLONE_PIDFD, .exit_signal = SIGCHLD };
    int fd = -1;
    siginfo_t info;

    args.pidfd = (uintptr_t)&fd;
    pid_t pid = syscall(SYS_clone3, &args, sizeof args);
    if (!pid)
        _exit(fd == -1 ? 5 : 6);
    R(fcntl(fd, F_GETFD));
    R(waitid_(P_PIDFD, fd, &info, WEXITED));
    printf("code %d status %d pid %d\n", info.si_code, info.si_status, info.si_pid == pid);
    close(fd);

    fd = -1;
    pid = syscall(SYS_clone, CLONE_PIDFD | SIGCHLD, NULL, &fd, NULL, 0);
    if (!pid)
        _exit(7);
    R(waitid_(P_PIDFD, fd, &info, WEXITED));
    printf("code %d status %d\n", info.si_code, info.si_status);
    R(syscall(SYS_clone, CLONE_PIDFD | CLONE_PARENT_SETTID | SIGCHLD, NULL, &fd, NULL, 0));
    R(syscall(SYS_clone, CLONE_PIDFD | 0x400000 | SIGCHLD, NULL, &fd, NULL, 0));
    R(syscall(SYS_clone, CLONE_PIDFD | SIGCHLD, NULL, 8, NULL, 0));
    args.parent_tid = args.pidfd;
    args.flags |= CLONE_PARENT_SETTID;
    R(syscall(SYS_clone3, &args, sizeof args));
    args.pidfd = 8;
    R(syscall(SYS_clone3, &args, sizeof args));
    args.flags = CLONE_PIDFD | CLONE_THREAD | CLONE_SIGHAND | CLONE_VM;
    args.exit_signal = 0;
    args.pidfd = (uintptr_t)&fd;
    R(syscall(SYS_clone3, &args, sizeof args));
    args = (struct clone_args){ .flags = 0x400000, .exit_signal = SIGCHLD };
    R(syscall(SYS_clone3, &args, sizeof args));
    R(waitid_(P_ALL, 0, &info, WEXITED | WNOHANG));
    // A bad place for the id does not undo the clone.
    pid = syscall(SYS_clone, CLONE_PARENT_SETTID | SIGCHLD, NULL, 8, NULL, 0);
    if (!pid)
        _exit(0);
    R(pid > 0);
    R(waitpid(pid, NULL, 0) == pid);
    // No descriptor was lost on the way.
    R(dup(0) == fd);
}

int main(int argc, char **argv)
{
    const char *part = argc > 1 ? argv[1] : "";

    if (!strcmp(part, "basics"))
        basics();
    else if (!strcmp(part, "descriptors"))
        descriptors();
    else if (!strcmp(part, "clones"))
        clones();
    else
        return 2;
    return 0;
}
