// Pipes and FIFOs: atomicity, ends, blocking, poll.
#include "t.h"

static int p[2];

static void show_poll(const char *what, int fd, short events)
{
    struct pollfd one = { .fd = fd, .events = events };
    int n = poll(&one, 1, 0);

    printf("%s: %d%s%s%s%s%s\n", what, n, one.revents & POLLIN ? " IN" : "", one.revents & POLLOUT ? " OUT" : "",
           one.revents & POLLHUP ? " HUP" : "", one.revents & POLLERR ? " ERR" : "", one.revents & POLLNVAL ? " NVAL" : "");
}

static void nothing(int n) { (void)n; }

static char buffer[1 << 20];
static int n;

static void part_basics(void)
{
    // The basics, without blocking.
    R(pipe2(p, 0x1));
    R(pipe2(p, O_CLOEXEC | O_NONBLOCK));
    R(fcntl(p[0], F_GETFD));
    R(fcntl(p[0], F_GETFL));
    R(fcntl(p[1], F_GETFL));
    R(read(p[0], buffer, 10));
    R(write(p[0], buffer, 1));
    R(read(p[1], buffer, 1));
    R(lseek(p[0], 0, SEEK_SET));
    R(pread(p[0], buffer, 1, 0));
    R(pwrite(p[1], buffer, 1, 0));
    R(ftruncate(p[1], 0));
    R(fsync(p[0]));
    show_poll("empty, reading end", p[0], POLLIN | POLLOUT);
    show_poll("empty, writing end", p[1], POLLIN | POLLOUT);
    R(write(p[1], "abc", 3));
    R(ioctl(p[0], FIONREAD, &n));
    printf("FIONREAD %d\n", n);
    show_poll("three bytes, reading end", p[0], POLLIN | POLLOUT);
    R(read(p[0], buffer, 2));
    R(read(p[0], buffer, 0));
    R(read(p[0], buffer, 100));
    R(write(p[1], buffer, 0));
    R(fcntl(p[1], F_GETPIPE_SZ));
    R(write(p[1], buffer, 65536));
    R(write(p[1], buffer, 1));
    show_poll("full, writing end", p[1], POLLOUT);
    R(read(p[0], buffer, 4095));
    R(write(p[1], buffer, 4096));
    show_poll("4095 free", p[1], POLLOUT);
    R(read(p[0], buffer, 1));
    R(write(p[1], buffer, 4096));
    R(read(p[0], buffer, sizeof buffer));
    R(write(p[1], buffer, 100000));
    R(read(p[0], buffer, 30000));
    R(read(p[0], buffer, 70000));
    R(fcntl(p[1], F_SETPIPE_SZ, 4096));
    R(write(p[1], buffer, 100000));
    R(fcntl(p[1], F_SETPIPE_SZ, 200000));
    R(read(p[0], buffer, 100000));
}

static void part_no_writer(void)
{
    // The last writer goes: end of file after the rest.
    pipe(p);
    R(write(p[1], "rest", 4));
    close(p[1]);
    show_poll("writer gone, data left", p[0], POLLIN);
    R(read(p[0], buffer, 100));
    R(read(p[0], buffer, 100));
    show_poll("writer gone, empty", p[0], POLLIN);
    close(p[0]);
}

static void part_no_reader(void)
{
    // The last reader goes.
    signal(SIGPIPE, SIG_IGN);
    pipe(p);
    close(p[0]);
    show_poll("reader gone", p[1], POLLOUT);
    R(write(p[1], "x", 1));
    R(write(p[1], "", 0));
    signal(SIGPIPE, SIG_DFL);
    IN_CHILD("writes to nobody") {
        write(p[1], "x", 1);
        printf("not reached\n");
    }
    signal(SIGPIPE, nothing);
    R(write(p[1], "x", 1));
    close(p[1]);
}

static void part_atomic(void)
{
    // Writes of up to PIPE_BUF bytes are never mixed.
    pipe(p);
    for (int k = 0; k < 4; k++)
        if (fork() == 0) {
            static char block[4096];
            memset(block, 'a' + k, sizeof block);
            for (int i = 0; i < 40; i++)
                write(p[1], block, sizeof block);
            _exit(0);
        }
    close(p[1]);
    size_t have = 0;
    while (have < sizeof buffer && (n = read(p[0], buffer + have, sizeof buffer - have)) > 0)
        have += n;
    int mixed = 0;
    for (size_t i = 0; i < have; i += 4096)
        for (int j = 1; j < 4096; j++)
            mixed += buffer[i + j] != buffer[i];
    printf("four writers: %zu bytes, %d mixed\n", have, mixed);
    while (wait(NULL) > 0)
        ;
    close(p[0]);
}

static void part_blocked(void)
{
    // A blocked writer goes on when room is made; a blocked reader wakes.
    pipe(p);
    pid_t pid = fork();
    if (pid == 0) {
        close(p[0]);
        write(p[1], buffer, 300000);
        _exit(0);
    }
    close(p[1]);
    wait_state(pid, 'S');
    long total = 0;
    while ((n = read(p[0], buffer, 10000)) > 0)
        total += n;
    printf("blocked writer wrote %ld\n", total);
    waitpid(pid, NULL, 0);
}

static void part_interrupted(void)
{
    // A signal interrupts a blocked read; a partial write is counted.
    pipe(p);
    struct sigaction action = { .sa_handler = nothing };
    sigaction(SIGALRM, &action, NULL);
    struct itimerval soon = { { 0, 50000 }, { 0, 50000 } };
    setitimer(ITIMER_REAL, &soon, NULL);
    R(read(p[0], buffer, 1));
    R(write(p[1], buffer, 70000));
    R(write(p[1], buffer, 10));
    soon = (struct itimerval){ { 0, 0 }, { 0, 0 } };
    setitimer(ITIMER_REAL, &soon, NULL);
    close(p[0]), close(p[1]);
}

static void part_vectors(void)
{
    // Vectors.
    pipe(p);
    struct iovec parts[3] = { { "one", 3 }, { "", 0 }, { "two", 3 } };
    R(writev(p[1], parts, 3));
    char a[4], b[8];
    struct iovec into[2] = { { a, 4 }, { b, 8 } };
    R(readv(p[0], into, 2));
    printf("%.4s %.2s\n", a, b);
    R(writev(p[1], parts, 0));
    R(writev(p[1], parts, -1));
    R(writev(p[1], parts, 1025));
    parts[1].iov_len = -1;
    R(writev(p[1], parts, 3));
}

static void part_select(void)
{
    // select on both ends.
    char a[4];
    pipe(p);
    fd_set in, out;
    struct timeval none = { 0, 0 };
    FD_ZERO(&in);
    FD_ZERO(&out);
    FD_SET(p[0], &in);
    FD_SET(p[1], &out);
    R(select(p[1] + 1, &in, &out, NULL, &none));
    printf("readable %d writable %d\n", FD_ISSET(p[0], &in) != 0, FD_ISSET(p[1], &out) != 0);
    write(p[1], "x", 1);
    FD_ZERO(&in);
    FD_SET(p[0], &in);
    R(select(p[1] + 1, &in, NULL, NULL, NULL));
    struct timeval soon_over = { 0, 30000 };
    read(p[0], a, 1);
    R(select(p[1] + 1, &in, NULL, NULL, &soon_over));
    R(select(-1, NULL, NULL, NULL, &none));
    FD_ZERO(&in);
    FD_SET(900, &in);
    R(select(901, &in, NULL, NULL, &none));
    struct pollfd many[3] = { { p[0], POLLIN, 0 }, { -1, POLLIN, 0 }, { 900, POLLIN, 0 } };
    R(poll(many, 3, 0));
    printf("%d %d %d\n", many[0].revents, many[1].revents, many[2].revents);
    R(poll(NULL, 0, 10));
    R(poll(many, 2, 20));
}

static void part_fifos(void)
{
    // FIFOs.
    R(mkfifo("fifo", 0600));
    R(mkfifo("fifo", 0600));
    R(open("fifo", O_WRONLY | O_NONBLOCK));
    int both = open("fifo", O_RDWR);
    R(write(both, "fifo", 4));
    R(read(both, buffer, 100));
    show_poll("fifo open for both", both, POLLIN | POLLOUT);
    close(both);
    struct stat st;
    pipe(p);
    R(fstat(p[0], &st));
    printf("%o %ld\n", st.st_mode & S_IFMT, (long)st.st_size);
}

static void part_copies(void)
{
    // A pipe is passed on by dup; the end is only there when all copies are gone.
    pipe(p);
    int copy = dup(p[1]);
    close(p[1]);
    fcntl(p[0], F_SETFL, O_NONBLOCK);
    R(read(p[0], buffer, 1));
    close(copy);
    R(read(p[0], buffer, 1));
}

static void part_proc(void)
{
    // Opening through /proc gives a new description of the same pipe.
    pipe(p);
    char path[32];
    snprintf(path, sizeof path, "/proc/self/fd/%d", p[1]);
    int again = open(path, O_WRONLY);
    CHECK("pipe opened again", again >= 0);
    R(write(again, "again", 5));
    R(read(p[0], buffer, 100));
}

PARTS({ "basics", part_basics },
      { "no_writer", part_no_writer },
      { "no_reader", part_no_reader },
      { "atomic", part_atomic },
      { "blocked", part_blocked },
      { "interrupted", part_interrupted },
      { "vectors", part_vectors },
      { "select", part_select },
      { "fifos", part_fifos },
      { "copies", part_copies },
      { "proc", part_proc })
