// splice(2), tee(2), vmsplice(2), sendfile(2): what moves from where to where, how much, and every error.
#include "t.h"
#include <sys/eventfd.h>
#include <sys/sendfile.h>
#include <sys/socket.h>

static int a[2], b[2];
static char buffer[200000];

static void on_pipe(int signal)
{
    printf("signal %d\n", signal);
}

static void start(void)
{
    signal(SIGPIPE, on_pipe);
    pipe(a);
    pipe(b);
}

static void got(int fd, size_t max)
{
    ssize_t n = read(fd, buffer, max);
    if (n < 0)
        show("read", n);
    else
        printf("read %zd: %.*s\n", n, n > 60 ? 60 : (int)n, buffer);
}

static int queued(int fd)
{
    int n = -1;
    ioctl(fd, FIONREAD, &n);
    return n;
}

static void between(void)
{
    start();
    write(a[1], "hello", 5);
    write(a[1], " world", 6);
    R(splice(a[0], NULL, b[1], NULL, 3, 0));
    R(splice(a[0], NULL, b[1], NULL, 100, 0));
    printf("%d %d\n", queued(a[0]), queued(b[0]));
    got(b[0], 100);
    R(splice(a[0], NULL, b[1], NULL, 1, SPLICE_F_NONBLOCK));
    fcntl(a[0], F_SETFL, O_NONBLOCK);
    R(splice(a[0], NULL, b[1], NULL, 1, 0));
    fcntl(a[0], F_SETFL, 0);
    fcntl(b[1], F_SETFL, O_NONBLOCK);
    R(splice(a[0], NULL, b[1], NULL, 1, 0));
    write(a[1], "abc", 3);
    R(tee(a[0], b[1], 2, 0));
    R(tee(a[0], b[1], 100, 0));
    got(b[0], 100);
    got(a[0], 100);
    R(tee(a[0], b[1], 1, 0));
    // What was shared is not written over.
    write(a[1], "123", 3);
    R(tee(a[0], b[1], 100, 0));
    write(a[1], "456", 3);
    write(b[1], "789", 3);
    got(a[0], 100);
    got(b[0], 100);
    // A full target.
    memset(buffer, 'x', sizeof buffer);
    R(write(b[1], buffer, sizeof buffer));
    write(a[1], "q", 1);
    R(splice(a[0], NULL, b[1], NULL, 1, 0));
    R(tee(a[0], b[1], 1, SPLICE_F_NONBLOCK));
    got(a[0], 10);
    close(a[1]);
    fcntl(b[1], F_SETFL, 0);
    read(b[0], buffer, 8192);
    R(splice(a[0], NULL, b[1], NULL, 1, 0));
    R(tee(a[0], b[1], 1, 0));
    close(b[0]);
    pipe(a);
    write(a[1], "q", 1);
    R(splice(a[0], NULL, b[1], NULL, 1, 0));
    R(tee(a[0], b[1], 1, 0));
}

static void files(void)
{
    start();
    put_file("f", "0123456789");
    int f = open("f", O_RDWR);
    R(splice(f, NULL, a[1], NULL, 4, 0));
    printf("at %ld\n", (long)lseek(f, 0, SEEK_CUR));
    loff_t at = 8;
    R(splice(f, &at, a[1], NULL, 4, SPLICE_F_MOVE | SPLICE_F_MORE | SPLICE_F_GIFT));
    printf("%ld, at %ld\n", (long)at, (long)lseek(f, 0, SEEK_CUR));
    R(splice(f, &at, a[1], NULL, 4, 0));
    at = 1000;
    R(splice(f, &at, a[1], NULL, 4, 0));
    printf("%d\n", queued(a[0]));
    int g = open("g", O_RDWR | O_CREAT | O_TRUNC, 0644);
    R(splice(a[0], NULL, g, NULL, 3, 0));
    at = 10;
    R(splice(a[0], NULL, g, &at, 100, 0));
    printf("%ld, at %ld\n", (long)at, (long)lseek(g, 0, SEEK_CUR));
    ssize_t n = pread(g, buffer, 100, 0);
    for (int i = 0; i < n; i++)
        putchar(buffer[i] ? buffer[i] : '.');
    putchar('\n');
    R(splice(a[0], NULL, g, NULL, 1, SPLICE_F_NONBLOCK));
    // More than the pipe holds.
    ftruncate(f, 300000);
    lseek(f, 0, SEEK_SET);
    R(splice(f, NULL, a[1], NULL, 300000, 0));
    R(splice(f, NULL, a[1], NULL, 1, SPLICE_F_NONBLOCK));
    fcntl(a[1], F_SETFL, O_NONBLOCK);
    R(splice(f, NULL, a[1], NULL, 1, 0));
    R(splice(a[0], NULL, g, NULL, 300000, 0));
    close(a[1]);
    R(splice(a[0], NULL, g, NULL, 300000, 0));
    close(b[0]);
    lseek(f, 0, SEEK_SET);
    R(splice(f, NULL, b[1], NULL, 1, 0));
}

static void others(void)
{
    start();
    int null = open("/dev/null", O_RDWR), zero = open("/dev/zero", O_RDWR), full = open("/dev/full", O_RDWR);
    write(a[1], "hello", 5);
    R(splice(a[0], NULL, null, NULL, 2, 0));
    R(splice(a[0], NULL, zero, NULL, 1, 0));
    R(splice(a[0], NULL, full, NULL, 1, 0));
    got(a[0], 9);
    R(splice(null, NULL, a[1], NULL, 2, 0));
    R(splice(zero, NULL, a[1], NULL, 2, 0));
    int random = open("/dev/urandom", O_RDONLY);
    R(splice(random, NULL, a[1], NULL, 7, 0));
    read(a[0], buffer, 100);
    int version = open("/proc/version", O_RDONLY);
    R(splice(version, NULL, a[1], NULL, 5, 0));
    got(a[0], 100);
    int e = eventfd(1, 0);
    R(splice(e, NULL, a[1], NULL, 8, 0));
    write(a[1], "12345678", 8);
    R(splice(a[0], NULL, e, NULL, 8, 0));
    read(a[0], buffer, 100);
    int dir = open("/", O_RDONLY);
    R(splice(dir, NULL, a[1], NULL, 8, 0));
    int s[2];
    socketpair(AF_UNIX, SOCK_STREAM, 0, s);
    write(a[1], "to a socket", 11);
    R(splice(a[0], NULL, s[0], NULL, 100, 0));
    R(splice(s[1], NULL, a[1], NULL, 2, 0));
    R(splice(s[1], NULL, a[1], NULL, 200, 0));
    got(a[0], 100);
    R(splice(s[1], NULL, a[1], NULL, 200, SPLICE_F_NONBLOCK));
    fcntl(s[1], F_SETFL, O_NONBLOCK);
    R(splice(s[1], NULL, a[1], NULL, 200, 0));
    loff_t at = 0;
    R(splice(s[1], &at, a[1], NULL, 200, 0));
    write(a[1], "x", 1);
    R(splice(a[0], NULL, s[0], &at, 1, 0));
    close(s[1]);
    R(splice(a[0], NULL, s[0], NULL, 1, 0));
    // A terminal.
    int master = posix_openpt(O_RDWR | O_NOCTTY);
    grantpt(master);
    unlockpt(master);
    int slave = open(ptsname(master), O_RDWR | O_NOCTTY);
    write(a[1], "line\n", 5);
    R(splice(a[0], NULL, slave, NULL, 100, 0));
    got(master, 100);
    write(master, "typed\n", 6);
    R(splice(slave, NULL, a[1], NULL, 100, 0));
    got(a[0], 100);
}

static void errors(void)
{
    start();
    loff_t at = 0;
    put_file("f", "0123456789");
    int f = open("f", O_RDWR), append = open("f", O_WRONLY | O_APPEND), path = open("f", O_PATH);
    write(a[1], "abcdef", 6);
    R(splice(99, NULL, 98, NULL, 0, 77));
    R(splice(99, NULL, 98, NULL, 1, 77));
    R(splice(99, NULL, a[1], NULL, 1, 0));
    R(splice(f, NULL, 99, NULL, 1, 0));
    R(splice(f, NULL, f, NULL, 1, 0));
    R(splice(path, NULL, a[1], NULL, 1, 0));
    R(splice(a[1], NULL, f, NULL, 1, 0));
    R(splice(f, NULL, a[0], NULL, 1, 0));
    R(splice(append, NULL, a[1], NULL, 1, 0));
    R(splice(a[0], NULL, a[1], NULL, 1, 0));
    R(splice(a[0], &at, f, NULL, 1, 0));
    R(splice(f, NULL, a[1], &at, 1, 0));
    R(splice(a[0], &at, b[1], NULL, 1, 0));
    R(splice(a[0], NULL, append, NULL, 1, 0));
    R(splice(a[0], NULL, f, (loff_t *)8, 1, 0));
    at = -5;
    R(splice(a[0], NULL, f, &at, 1, 0));
    R(splice(f, &at, a[1], NULL, 1, 0));
    R(tee(99, 98, 0, 77));
    R(tee(99, 98, 0, 0));
    R(tee(99, 98, 1, 0));
    R(tee(a[0], f, 1, 0));
    R(tee(f, a[1], 1, 0));
    R(tee(a[1], b[1], 1, 0));
    R(tee(a[0], b[0], 1, 0));
    R(tee(a[0], a[1], 1, 0));
    got(a[0], 100);
}

static void memory(void)
{
    start();
    struct iovec v[2] = { { "hello ", 6 }, { "world", 5 } };
    R(vmsplice(a[1], v, 2, 0));
    got(a[0], 100);
    R(vmsplice(99, v, 2, 0));
    R(vmsplice(a[1], v, 2, 64));
    R(vmsplice(a[1], v, 2000, 0));
    R(vmsplice(a[1], (void *)8, 1, 0));
    R(vmsplice(a[1], v, 0, 0));
    put_file("f", "0123456789");
    int f = open("f", O_RDWR);
    R(vmsplice(f, v, 2, 0));
    R(vmsplice(f, v, 0, 0));
    R(vmsplice(open("f", O_PATH), v, 2, 0));
    struct iovec bad = { (void *)8, 10 };
    R(vmsplice(a[1], &bad, 1, 0));
    // Filled up.
    static _Alignas(4096) char pages[20 * 4096];
    struct iovec big = { pages, sizeof pages };
    R(vmsplice(a[1], &big, 1, SPLICE_F_GIFT));
    R(vmsplice(a[1], &big, 1, SPLICE_F_NONBLOCK));
    R(queued(a[0]));
    // Out of a pipe.
    write(b[1], "hello", 5);
    write(b[1], " you", 4);
    char x[3] = "", y[20] = "";
    struct iovec out[2] = { { x, 2 }, { y, 19 } };
    R(vmsplice(b[0], out, 2, 0));
    printf("%s|%s\n", x, y);
    R(vmsplice(b[0], out, 2, SPLICE_F_NONBLOCK));
    write(b[1], "abc", 3);
    R(vmsplice(b[0], out, 1, 0));
    got(b[0], 10);
    close(b[1]);
    R(vmsplice(b[0], out, 1, 0));
    close(a[0]);
    R(vmsplice(a[1], v, 2, 0));
}

static void sending(void)
{
    start();
    put_file("f", "0123456789");
    int f = open("f", O_RDWR), g = open("g", O_RDWR | O_CREAT | O_TRUNC, 0644), append = open("g", O_WRONLY | O_APPEND);
    off_t at = 2;
    R(sendfile(g, f, &at, 3));
    printf("%ld, at %ld\n", (long)at, (long)lseek(f, 0, SEEK_CUR));
    R(sendfile(a[1], f, NULL, 4));
    got(a[0], 100);
    R(sendfile(a[1], f, NULL, 100));
    got(a[0], 100);
    R(sendfile(a[1], f, NULL, 100));
    R(sendfile(g, a[0], NULL, 1));
    R(sendfile(g, a[0], &at, 1));
    R(sendfile(append, f, NULL, 1));
    R(sendfile(99, f, NULL, 1));
    R(sendfile(g, 99, NULL, 1));
    R(sendfile(g, f, (off_t *)8, 1));
    R(sendfile(99, f, (off_t *)8, 1));
    at = -1;
    R(sendfile(g, f, &at, 1));
    R(sendfile(append, g, NULL, 1));
    R(sendfile(g, open("/dev/zero", O_RDONLY), NULL, 1));
    R(sendfile(a[1], open("/dev/zero", O_RDONLY), NULL, 1));
    R(sendfile(a[1], open("/", O_RDONLY), NULL, 1));
    R(sendfile(g, open("/", O_RDONLY), NULL, 1));
    R(sendfile(g, f, NULL, 0));
    ftruncate(f, 300000);
    lseek(f, 0, SEEK_SET);
    R(sendfile(a[1], f, NULL, 300000));
    fcntl(a[1], F_SETFL, O_NONBLOCK);
    R(sendfile(a[1], f, NULL, 300000));
    close(a[0]);
    R(sendfile(a[1], f, NULL, 300000));
}

static void waiting(void)
{
    start();
    pid_t child = fork();
    if (!child) {
        pause_ms(100);
        write(a[1], "late", 4);
        pause_ms(100);
        got(b[0], 100);
        _exit(0);
    }
    R(splice(a[0], NULL, b[1], NULL, 100, 0));
    waitpid(child, NULL, 0);
    child = fork();
    if (!child) {
        close(a[1]);
        close(b[1]);
        pause_ms(100);
        _exit(0);
    }
    close(a[1]);
    R(splice(a[0], NULL, b[1], NULL, 100, 0));
    waitpid(child, NULL, 0);
    struct sigaction sa = { .sa_handler = on_pipe };
    sigaction(SIGALRM, &sa, NULL);
    struct itimerval soon = { .it_value.tv_usec = 100000 };
    setitimer(ITIMER_REAL, &soon, NULL);
    pipe(a);
    R(splice(a[0], NULL, b[1], NULL, 100, 0));
    setitimer(ITIMER_REAL, &soon, NULL);
    R(tee(a[0], b[1], 100, 0));
}

PARTS({ "between", between }, { "files", files }, { "others", others }, { "errors", errors }, { "memory", memory },
    { "sending", sending }, { "waiting", waiting })
