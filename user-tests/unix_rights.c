// What goes with bytes through Unix sockets: descriptors, credentials.
#include "unix.h"

static int s[2], fds[300];
static char data[4096];

static int is_pipe_end(int fd, const char *what)
{
    struct stat st;
    int ok = fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode);

    printf("%s: %s\n", what, ok ? "a pipe" : "no pipe");
    return ok;
}

static void part_pass(void)
{
    int p[2];

    R(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
    R(pipe(p));
    R(send_fds(s[0], "x", 1, p, 2, 0));
    R(close(p[0]));
    R(close(p[1]));
    int n = show_message("two", s[1], 10, 200, 0, fds, 2);
    if (n == 2) {
        is_pipe_end(fds[0], "first");
        R(write(fds[1], "through", 7));
        R(read(fds[0], data, 100));
        R(fcntl(fds[0], F_GETFD));
    }
    int fd = fds[1];
    R(send_fds(s[0], "y", 1, &fd, 1, 0));
    R(show_message("peek", s[1], 10, 200, MSG_PEEK, fds, 2));
    R(show_message("cloexec", s[1], 10, 200, MSG_CMSG_CLOEXEC, fds, 2));
    R(fcntl(fds[0], F_GETFD));
    R(send_fds(s[0], "z", 1, &fd, 1, 0));
    show_recv("not asked for", s[1], 10, 0);
    R(send_fds(s[0], "", 0, &fd, 1, 0));
    R(recv(s[1], data, 1, MSG_DONTWAIT));
    R(write(s[0], "before", 6));
    R(send_fds(s[0], "with", 4, &fd, 1, 0));
    R(write(s[0], "after", 5));
    show_message("ends at the descriptor", s[1], 100, 200, 0, fds, 2);
    show_message("then the rest", s[1], 100, 200, 0, fds, 2);
    R(send_fds(s[0], "parts", 5, &fd, 1, 0));
    show_message("with the first part", s[1], 2, 200, 0, fds, 2);
    show_message("not again", s[1], 100, 200, 0, fds, 2);
}

static void part_bad(void)
{
    char control[256];
    struct iovec part = { "x", 1 };
    struct msghdr m = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = control };
    struct cmsghdr *h = (struct cmsghdr *)control;

    R(socketpair(AF_UNIX, SOCK_DGRAM, 0, s));
    fds[0] = 77;
    R(send_fds(s[0], "x", 1, fds, 1, 0));
    fds[0] = -1;
    R(send_fds(s[0], "x", 1, fds, 1, 0));
    for (int i = 0; i < 300; i++)
        fds[i] = 0;
    R(send_fds(s[0], "x", 1, fds, 254, 0));
    R(send_fds(s[0], "x", 1, fds, 253, 0));
    static const struct { int level, type; size_t len, room; } wrong[] = {
        { SOL_SOCKET, SCM_RIGHTS, 0, 24 }, { SOL_SOCKET, SCM_RIGHTS, 15, 24 }, { SOL_SOCKET, SCM_RIGHTS, 25, 24 },
        { SOL_SOCKET, SCM_RIGHTS, 16, 24 }, { SOL_SOCKET, SCM_RIGHTS, 19, 24 }, { SOL_SOCKET, SCM_RIGHTS, ~0ul, 24 },
        { SOL_SOCKET, SCM_RIGHTS, 20, 15 }, { SOL_SOCKET, 99, 16, 16 }, { 99, 99, 16, 16 },
        { SOL_SOCKET, SCM_CREDENTIALS, 27, 32 }, { SOL_SOCKET, SCM_CREDENTIALS, 32, 32 },
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        memset(control, 0, sizeof control);
        h->cmsg_level = wrong[i].level;
        h->cmsg_type = wrong[i].type;
        h->cmsg_len = wrong[i].len;
        m.msg_controllen = wrong[i].room;
        printf("%zu: ", i);
        R(syscall(SYS_sendmsg, s[0], &m, 0));
    }
    m.msg_control = (void *)8;
    m.msg_controllen = 16;
    R(syscall(SYS_sendmsg, s[0], &m, 0));
    m.msg_controllen = 1 << 20;
    R(syscall(SYS_sendmsg, s[0], &m, 0));
    m.msg_control = NULL;
    m.msg_controllen = 16;
    R(syscall(SYS_sendmsg, s[0], &m, 0));
    m.msg_controllen = 0;
    R(syscall(SYS_sendmsg, s[0], &m, 0));
    R(syscall(SYS_sendmsg, s[0], NULL, 0));
    R(syscall(SYS_recvmsg, s[1], NULL, 0));
    int p[2], n = 0;
    R(pipe(p));
    while (recv(s[1], data, 10, MSG_DONTWAIT) > 0)
        n++;
    printf("%d went through\n", n);
    R(send_fds(p[1], "x", 1, p, 1, 0));
}

static void part_room(void)
{
    int three[3] = { 0, 1, 2 };

    R(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
    static const size_t rooms[] = { 0, 8, 16, 19, 20, 23, 24, 27, 28, 32, 40 };
    for (size_t i = 0; i < sizeof rooms / sizeof *rooms; i++) {
        char what[20];
        snprintf(what, sizeof what, "room %zu", rooms[i]);
        send_fds(s[0], "x", 1, three, 3, 0);
        int n = show_message(what, s[1], 10, rooms[i], 0, fds, 3);
        for (int j = 0; j < n; j++)
            close(fds[j]);
    }
    struct rlimit limit = { 8, 1024 };
    R(setrlimit(RLIMIT_NOFILE, &limit));
    while (dup(0) >= 0)
        ;
    close(7);
    send_fds(s[0], "x", 1, three, 3, 0);
    show_message("one number left", s[1], 10, 100, 0, fds, 3);
    send_fds(s[0], "x", 1, three, 3, 0);
    show_message("none left", s[1], 10, 100, 0, fds, 3);
}

static ssize_t send_credentials(int fd, pid_t pid, uid_t uid, gid_t gid)
{
    char control[CMSG_SPACE(sizeof(struct ucred))];
    struct iovec part = { "c", 1 };
    struct msghdr m = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control };
    struct ucred who = { pid, uid, gid };
    memset(control, 0, sizeof control);
    struct cmsghdr *h = CMSG_FIRSTHDR(&m);

    h->cmsg_level = SOL_SOCKET;
    h->cmsg_type = SCM_CREDENTIALS;
    h->cmsg_len = CMSG_LEN(sizeof who);
    memcpy(CMSG_DATA(h), &who, sizeof who);
    return syscall(SYS_sendmsg, fd, &m, 0);
}

static void part_credentials(void)
{
    R(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
    R(write(s[0], "plain", 5));
    R(set_option(s[1], SO_PASSCRED, 1));
    show_message("sent before", s[1], 10, 100, 0, fds, 0);
    R(write(s[0], "asked", 5));
    show_message("sent after", s[1], 10, 100, 0, fds, 0);
    R(write(s[0], "asked", 5));
    show_message("no room", s[1], 10, 0, 0, fds, 0);
    R(write(s[0], "asked", 5));
    show_message("little room", s[1], 10, 20, 0, fds, 0);
    R(send_credentials(s[0], getpid(), 0, 0));
    show_message("mine", s[1], 10, 100, 0, fds, 0);
    R(send_credentials(s[0], getppid(), 7, 8));
    show_message("root may say anything", s[1], 10, 100, 0, fds, 0);
    R(send_credentials(s[0], 999999, 0, 0));
    R(write(s[0], "root", 4));
    IN_CHILD("user") {
        if (setgid(1000) || setuid(1000))
            break;
        R(send_credentials(s[0], getpid(), 1000, 1000));
        R(send_credentials(s[0], getppid(), 1000, 1000));
        R(send_credentials(s[0], getpid(), 0, 1000));
        R(send_credentials(s[0], getpid(), 1000, 0));
        R(write(s[0], "user", 4));
        show_message("not joined", s[1], 100, 100, 0, fds, 0);
        show_message("not joined", s[1], 100, 100, 0, fds, 0);
    }
    R(socketpair(AF_UNIX, SOCK_DGRAM, 0, s));
    R(set_option(s[0], SO_PASSCRED, 1));
    R(write(s[0], "d", 1));
    struct sockaddr_un address;
    socklen_t address_len = sizeof address;
    R(getsockname(s[0], (struct sockaddr *)&address, &address_len));
    printf("named by sending: len %u\n", (unsigned)address_len);
    int fd = 0;
    R(set_option(s[1], SO_PASSCRED, 1));
    R(send_fds(s[0], "both", 4, &fd, 1, 0));
    show_message("sender asked", s[1], 10, 100, 0, fds, 0);
    show_message("with a descriptor", s[1], 10, 100, 0, fds, 1);
}

static int unreached(int fd)
{
    // Whether the other end has gone.
    struct pollfd one = { .fd = fd, .events = POLLIN };

    for (int i = 0; i < 200; i++) {
        if (poll(&one, 1, 10) == 1)
            return read(fd, data, 1) == 0;
    }
    return 0;
}

static void part_cycles(void)
{
    int p[2], q[2];

    // A socket in its own inbox, with the end of a pipe.
    R(pipe(p));
    R(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
    int both[2] = { s[1], p[1] };
    R(send_fds(s[0], "x", 1, both, 2, 0));
    close(p[1]);
    close(s[1]);
    close(s[0]);
    R(socketpair(AF_UNIX, SOCK_STREAM, 0, q));
    close(q[0]);
    close(q[1]);
    CHECK("its own inbox", unreached(p[0]));
    // Two that hold each other.
    R(pipe(p));
    R(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
    R(socketpair(AF_UNIX, SOCK_STREAM, 0, q));
    both[0] = s[1];
    R(send_fds(q[0], "x", 1, both, 2, 0) == -1 ? -1 : 0);
    both[0] = q[1];
    both[1] = p[1];
    R(send_fds(s[0], "x", 1, both, 2, 0));
    close(p[1]);
    close(s[0]), close(s[1]), close(q[0]), close(q[1]);
    R(socketpair(AF_UNIX, SOCK_STREAM, 0, q));
    close(q[0]);
    close(q[1]);
    CHECK("each other's inbox", unreached(p[0]));
    // A listening socket, with a connection nobody accepts that leads back to it.
    R(pipe(p));
    int l = socket(AF_UNIX, SOCK_STREAM, 0), c = socket(AF_UNIX, SOCK_STREAM, 0);
    R(bind_to(l, "@cycle"));
    R(listen(l, 1));
    R(connect_to(c, "@cycle"));
    both[0] = l;
    both[1] = p[1];
    R(send_fds(c, "x", 1, both, 2, 0));
    close(p[1]);
    close(l);
    close(c);
    R(socketpair(AF_UNIX, SOCK_STREAM, 0, q));
    close(q[0]);
    close(q[1]);
    CHECK("waiting to be accepted", unreached(p[0]));
    // What can be reached stays.
    R(pipe(p));
    R(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
    R(socketpair(AF_UNIX, SOCK_STREAM, 0, q));
    R(send_fds(q[0], "in", 2, &p[1], 1, 0));
    both[0] = q[1];
    both[1] = q[0];
    R(send_fds(s[0], "out", 3, both, 2, 0));
    close(q[0]), close(q[1]), close(p[1]);
    int r[2];
    R(socketpair(AF_UNIX, SOCK_STREAM, 0, r));
    close(r[0]), close(r[1]);
    R(show_message("outer", s[1], 10, 100, 0, fds, 2));
    int inner[1];
    R(show_message("inner", fds[0], 10, 100, 0, inner, 1));
    R(write(inner[0], "alive", 5));
    show_recv("not a socket", p[0], 1, 0);
    R(read(p[0], data, 10));
}

static void part_chain(void)
{
    // Each in the inbox of the next, thousands deep: closing the last closes all.
    int p[2], depth = 0;

    R(pipe(p));
    int carried = p[1];
    for (; depth < 3000; depth++) {
        if (socketpair(AF_UNIX, SOCK_STREAM, 0, s) != 0 || send_fds(s[0], "x", 1, &carried, 1, 0) != 1)
            break;
        close(s[0]);
        close(carried);
        carried = s[1];
    }
    printf("%d deep\n", depth);
    close(carried);
    CHECK("all gone", unreached(p[0]));
}

static void part_limit(void)
{
    struct rlimit limit = { 50, 50 };
    int fd = 0, count = 0;

    IN_CHILD("user") {
        R(setrlimit(RLIMIT_NOFILE, &limit));
        if (setgid(1000) || setuid(1000))
            break;
        R(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
        while (count < 200 && send_fds(s[0], "x", 1, &fd, 1, MSG_DONTWAIT) == 1)
            count++;
        printf("%d in flight, then %s\n", count, error_name(errno));
        show_message("one", s[1], 1, 100, 0, fds, 1);
        R(send_fds(s[0], "x", 1, &fd, 1, MSG_DONTWAIT));
        R(send_fds(s[0], "x", 1, &fd, 1, MSG_DONTWAIT));
    }
}

PARTS({ "pass", part_pass }, { "bad", part_bad }, { "room", part_room }, { "credentials", part_credentials },
      { "cycles", part_cycles }, { "chain", part_chain }, { "limit", part_limit })
