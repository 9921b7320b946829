// What every test program shares: results are printed as `expression = value` or `expression = ENAME`.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define E(name) { name, #name }
static const struct { int number; const char *name; } errno_names[] = {
    E(EPERM), E(ENOENT), E(ESRCH), E(EINTR), E(EIO), E(ENXIO), E(E2BIG), E(ENOEXEC), E(EBADF), E(ECHILD), E(EAGAIN),
    E(ENOMEM), E(EACCES), E(EFAULT), E(ENOTBLK), E(EBUSY), E(EEXIST), E(EXDEV), E(ENODEV), E(ENOTDIR), E(EISDIR),
    E(EINVAL), E(ENFILE), E(EMFILE), E(ENOTTY), E(ETXTBSY), E(EFBIG), E(ENOSPC), E(ESPIPE), E(EROFS), E(EMLINK),
    E(EPIPE), E(EDOM), E(ERANGE), E(EDEADLK), E(ENAMETOOLONG), E(ENOLCK), E(ENOSYS), E(ENOTEMPTY), E(ELOOP),
    E(EOVERFLOW), E(EOPNOTSUPP), E(ENOTSOCK), E(ETIMEDOUT), E(EAFNOSUPPORT), E(ENODATA), E(ELIBBAD), E(EILSEQ),
    E(EDESTADDRREQ), E(EMSGSIZE), E(EPROTONOSUPPORT), E(EALREADY), E(ENOTCONN), E(EADDRINUSE), E(ESTALE),
    E(EISCONN), E(ECONNREFUSED), E(ECONNRESET), E(ECONNABORTED), E(EPROTOTYPE), E(ENOPROTOOPT), E(ESOCKTNOSUPPORT),
    E(ENOBUFS), E(ETOOMANYREFS),
};
#undef E

// Names an error number.
__attribute__((unused)) static const char *error_name(int number)
{
    static char other[24];

    for (size_t i = 0; i < sizeof errno_names / sizeof *errno_names; i++)
        if (errno_names[i].number == number)
            return errno_names[i].name;
    snprintf(other, sizeof other, "errno %d", number);
    return other;
}

// Prints one result; -1 is shown as the error's name.
__attribute__((unused)) static long show(const char *what, long value)
{
    if (value == -1)
        printf("%s = %s\n", what, error_name(errno));
    else
        printf("%s = %ld\n", what, value);
    return value;
}

// Evaluates the expression and prints it with its result.
#define R(expression) show(#expression, (long)(expression))
// Prints whether the condition holds.
#define CHECK(name, condition) printf("%s: %s\n", name, (condition) ? "ok" : "FAILED")

// Prints how a child ended or changed.
__attribute__((unused)) static void show_status(const char *what, int status)
{
    if (WIFEXITED(status))
        printf("%s: exited %d\n", what, WEXITSTATUS(status));
    else if (WIFSIGNALED(status))
        printf("%s: killed by %d\n", what, WTERMSIG(status));
    else if (WIFSTOPPED(status))
        printf("%s: stopped by %d\n", what, WSTOPSIG(status));
    else if (WIFCONTINUED(status))
        printf("%s: continued\n", what);
    else
        printf("%s: status %x\n", what, status);
}

// Runs the body in a child and prints how it ended. Usage: IN_CHILD("name") { ... }
static int child_status_;
#define IN_CHILD(name) \
    for (pid_t child_ = fork(); child_ != -2; \
         child_ == 0 ? _exit(0) : (void)(waitpid(child_, &child_status_, 0), show_status(name, child_status_)), child_ = -2) \
        if (child_ == 0)

// Sleeps for so many milliseconds whatever signals come.
__attribute__((unused)) static void pause_ms(long ms)
{
    struct timespec left = { ms / 1000, ms % 1000 * 1000000 };

    while (nanosleep(&left, &left) == -1 && errno == EINTR)
        ;
}

// Writes a whole file; ends the program when it cannot.
__attribute__((unused)) static void put_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

    if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text)) {
        printf("cannot write %s: %s\n", path, error_name(errno));
        exit(1);
    }
    close(fd);
}

// The letter of the state of a process in /proc, or '?' when it is not there.
__attribute__((unused)) static char process_state(pid_t pid)
{
    char path[40], text[512];

    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    int fd = open(path, O_RDONLY);
    if (fd < 0)
        return '?';
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    if (n <= 0)
        return '?';
    text[n] = 0;
    char *end = strrchr(text, ')');
    return end ? end[2] : '?';
}

// Waits until the process is in the state (of /proc), five seconds at most.
__attribute__((unused)) static void wait_state(pid_t pid, char state)
{
    for (int i = 0; i < 500 && process_state(pid) != state; i++)
        pause_ms(10);
}

// Every program begins here: lines are written whole, also after a fork.
__attribute__((constructor)) static void line_by_line(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    child_status_ = 0;
}

// A program is made of parts; a case runs one by its name, without a name all are run.
struct part {
    const char *name;
    void (*run)(void);
};

__attribute__((unused)) static int run_parts(int argc, char **argv, const struct part *parts, size_t count)
{
    int found = argc < 2;

    for (size_t i = 0; i < count; i++)
        if (argc < 2 || strcmp(argv[1], parts[i].name) == 0) {
            found = 1;
            parts[i].run();
        }
    if (!found)
        printf("no part %s\n", argv[1]);
    return !found;
}

// Defines main over the parts: PARTS({ "name", function }, ...).
#define PARTS(...) \
    int main(int argc, char **argv) \
    { \
        static const struct part parts[] = { __VA_ARGS__ }; \
        return run_parts(argc, argv, parts, sizeof parts / sizeof *parts); \
    }
