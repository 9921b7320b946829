// wait4(2), waitid(2): which child, which change, what is reported.
#include "t.h"

static pid_t child(int code)
{
    pid_t pid = fork();

    if (pid == 0)
        _exit(code);
    return pid;
}

static pid_t sleeper(void)
{
    pid_t pid = fork();

    if (pid == 0)
        for (;;)
            pause();
    return pid;
}

static void show_info(const char *what, const siginfo_t *info, pid_t expected)
{
    printf("%s: signo %d code %d status %d pid %s\n", what, info->si_signo, info->si_code, info->si_status,
           info->si_pid == expected ? "ok" : info->si_pid == 0 ? "0" : "other");
}

static int status;
static siginfo_t info;
static struct rusage usage;
static pid_t a, b;
static int ends[2];
static char text[8];

static void part_nothing(void)
{
    // Nothing to wait for.
    R(wait(&status));
    R(waitpid(1, &status, 0));
    R(waitpid(getpid(), &status, WNOHANG));
    R(waitpid(-getpgrp(), &status, WNOHANG));
    R(waitpid(-1, &status, 0x40000));
    R(waitid(P_ALL, 0, &info, WEXITED));
    R(waitid(P_ALL, 0, &info, 0));
    R(waitid(77, 0, &info, WEXITED));
    R(waitid(P_PID, 0, &info, WEXITED));
    R(syscall(SYS_wait4, INT_MIN, NULL, 0, NULL));
}

static void part_codes(void)
{
    // Codes.
    for (int code = 0; code < 300; code += 128) {
        a = child(code);
        R(waitpid(a, &status, 0) == a);
        show_status("child", status);
        R(waitpid(a, &status, 0));
    }

    // Two children, in the order asked for.
    a = child(1), b = child(2);
    R(waitpid(b, &status, 0) == b);
    show_status("second", status);
    R(waitpid(a, &status, 0) == a);
    show_status("first", status);
}

static void part_changes(void)
{
    // Nobody has ended yet.
    a = sleeper();
    R(waitpid(a, &status, WNOHANG));
    R(waitpid(-1, &status, WNOHANG));
    memset(&info, 0xff, sizeof info);
    R(waitid(P_PID, a, &info, WEXITED | WNOHANG));
    show_info("nothing", &info, a);

    // Stopped, reported once; continued; killed.
    kill(a, SIGSTOP);
    R(waitpid(a, &status, WUNTRACED) == a);
    show_status("change", status);
    R(waitpid(a, &status, WUNTRACED | WNOHANG));
    kill(a, SIGCONT);
    R(waitpid(a, &status, WCONTINUED) == a);
    show_status("change", status);
    R(waitpid(a, &status, WCONTINUED | WNOHANG));
    kill(a, SIGSTOP);
    R(waitid(P_PID, a, &info, WSTOPPED | WNOWAIT));
    show_info("stopped, kept", &info, a);
    R(waitid(P_PID, a, &info, WSTOPPED));
    show_info("stopped", &info, a);
    kill(a, SIGCONT);
    R(waitid(P_PID, a, &info, WCONTINUED));
    show_info("continued", &info, a);
    kill(a, SIGUSR1);
    R(waitid(P_PID, a, &info, WEXITED | WNOWAIT));
    show_info("killed, kept", &info, a);
    R(kill(a, 0));
    R(waitid(P_ALL, 0, &info, WEXITED));
    show_info("killed", &info, a);
    R(kill(a, 0));
    a = child(42);
    R(waitid(P_PID, a, &info, WEXITED));
    show_info("exited", &info, a);
    CHECK("user of the child", info.si_uid == getuid());
}

static void part_killed_stopped(void)
{
    // A killed stopped process goes without a continue.
    a = sleeper();
    kill(a, SIGSTOP);
    waitpid(a, &status, WUNTRACED);
    kill(a, SIGKILL);
    waitpid(a, &status, 0);
    show_status("killed while stopped", status);

    // Core dumping signals say so only when they dump.
    a = fork();
    if (a == 0) {
        setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
        abort();
    }
    waitpid(a, &status, 0);
    show_status("abort", status);
    printf("dumped: %d\n", WCOREDUMP(status) != 0);
}

static void part_groups(void)
{
    // By process group.
    a = sleeper(), b = sleeper();
    setpgid(a, a), setpgid(b, a);
    kill(-a, SIGKILL);
    int found = 0;
    for (pid_t pid; (pid = waitpid(-a, &status, 0)) > 0;)
        found += pid == a || pid == b;
    printf("group of %d, then %s\n", found, error_name(errno));
    R(waitid(P_PGID, a, &info, WEXITED));
    a = child(9);
    R(waitpid(0, &status, 0) == a);
}

static void part_usage(void)
{
    // Resource usage.
    a = fork();
    if (a == 0) {
        clock_t end = clock() + CLOCKS_PER_SEC / 10;
        while (clock() < end)
            ;
        _exit(0);
    }
    R(wait4(a, &status, 0, &usage) == a);
    long us = usage.ru_utime.tv_sec * 1000000 + usage.ru_utime.tv_usec + usage.ru_stime.tv_sec * 1000000 + usage.ru_stime.tv_usec;
    CHECK("time of the child", us >= 50000 && us < 5000000);
    CHECK("memory of the child", usage.ru_maxrss > 0);
    getrusage(RUSAGE_CHILDREN, &usage);
    long all = usage.ru_utime.tv_sec * 1000000 + usage.ru_utime.tv_usec + usage.ru_stime.tv_sec * 1000000 + usage.ru_stime.tv_usec;
    CHECK("time of all children", all >= us);
    R(getrusage(77, &usage));
}

static void part_reaping(void)
{
    // Automatic reaping.
    signal(SIGCHLD, SIG_IGN);
    a = child(1);
    R(waitpid(a, &status, 0));
    signal(SIGCHLD, SIG_DFL);
    struct sigaction action = { .sa_handler = SIG_DFL, .sa_flags = SA_NOCLDWAIT };
    sigaction(SIGCHLD, &action, NULL);
    a = child(1);
    R(wait(&status));
    action.sa_flags = 0;
    sigaction(SIGCHLD, &action, NULL);
}

static void part_orphans(void)
{
    // A grandchild goes to process 1; the middle one can be waited for.
    pipe(ends);
    a = fork();
    if (a == 0) {
        if (fork() == 0) {
            while (getppid() != 1)
                pause_ms(5);
            write(ends[1], "adopted", 7);
            _exit(0);
        }
        _exit(0);
    }
    waitpid(a, &status, 0);
    read(ends[0], text, 7);
    printf("%s\n", text);
    R(wait(NULL));
}

static void part_subreaper(void)
{
    // An orphan can be kept by a subreaper.
    R(syscall(SYS_prctl, 36, 1, 0, 0, 0));
    a = fork();
    if (a == 0) {
        if (fork() == 0) {
            pause_ms(50);
            _exit(11);
        }
        _exit(10);
    }
    waitpid(a, &status, 0);
    show_status("middle", status);
    R(wait(&status) > 0);
    show_status("grandchild", status);
    R(syscall(SYS_prctl, 36, 0, 0, 0, 0));
}

static void part_parent_death(void)
{
    // The parent's death can be a signal.
    pipe(ends);
    a = fork();
    if (a == 0) {
        b = fork();
        if (b == 0) {
            syscall(SYS_prctl, 1, SIGKILL, 0, 0, 0);
            write(ends[1], "r", 1);
            for (;;)
                pause();
        }
        read(ends[0], text, 1);
        _exit(0);
    }
    waitpid(a, NULL, 0);
    close(ends[1]);
    R(read(ends[0], text, 1));
}

static void part_zombies(void)
{
    // Zombies do not run, have no memory, and take no signal.
    a = child(1);
    wait_state(a, 'Z');
    printf("state %c\n", process_state(a));
    R(kill(a, SIGKILL));
    R(getpgid(a) == getpgrp());
    R(waitpid(a, &status, 0) == a);
    show_status("after the kill", status);
}

static void part_sessions(void)
{
    // Process groups and sessions.
    a = sleeper();
    R(setpgid(a, 999999));
    R(setpgid(a, -1));
    R(setpgid(1, 1));
    R(setpgid(a, a));
    R(getpgid(a) == a);
    R(getpgid(999999));
    R(getsid(999999));
    kill(a, SIGKILL);
    waitpid(a, NULL, 0);
    IN_CHILD("session") {
        R(setsid() == getpid());
        R(setsid());
        R(getsid(0) == getpid() && getpgrp() == getpid());
        R(setpgid(0, 0));
        R(setpgid(0, getppid()));
    }
    a = fork();
    if (a == 0) {
        execl("/bin/sleep", "sleep", "100", (char *)0);
        _exit(1);
    }
    char path[40], name[32] = "";
    snprintf(path, sizeof path, "/proc/%d/comm", a);
    for (int i = 0; i < 500 && strcmp(name, "sleep\n"); i++) {
        int fd = open(path, O_RDONLY);
        name[0] = 0;
        name[read(fd, name, 31)] = 0;
        close(fd);
        pause_ms(10);
    }
    R(setpgid(a, a));
    kill(a, SIGKILL);
    waitpid(a, NULL, 0);
}

PARTS({ "nothing", part_nothing },
      { "codes", part_codes },
      { "changes", part_changes },
      { "killed_stopped", part_killed_stopped },
      { "groups", part_groups },
      { "usage", part_usage },
      { "reaping", part_reaping },
      { "orphans", part_orphans },
      { "subreaper", part_subreaper },
      { "parent_death", part_parent_death },
      { "zombies", part_zombies },
      { "sessions", part_sessions })
