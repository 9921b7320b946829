// Unix sockets that are streams: pairs, names, connections.
#include "unix.h"

static int s[2];
static char big[1 << 20];

static void nothing(int n) { (void)n; }

static void part_create(void)
{
    R(socket(AF_UNIX, SOCK_STREAM, 0) >= 0);
    R(socket(AF_UNIX, SOCK_STREAM, 1) >= 0);
    R(socket(AF_UNIX, SOCK_STREAM, 2));
    R(socket(AF_UNIX, SOCK_RAW, 0) >= 0);
    R(socket(AF_UNIX, SOCK_RDM, 0));
    R(socket(AF_UNIX, 0, 0));
    R(socket(AF_UNIX, 11, 0));
    R(socket(AF_UNIX, 15, 0));
    R(socket(AF_UNIX, SOCK_STREAM | 0x100, 0));
    R(socket(-1, SOCK_STREAM, 0));
    R(socket(46, SOCK_STREAM, 0));
    R(socket(0, SOCK_STREAM, 0));
    R(socketpair(AF_UNIX, SOCK_STREAM, 2, s));
    R(socketpair(AF_UNIX, SOCK_STREAM | 0x100, 0, s));
    R(syscall(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, 8));
    R(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, s));
    R(fcntl(s[0], F_GETFD));
    R(fcntl(s[1], F_GETFL) == (O_RDWR | O_NONBLOCK));
    struct stat st;
    R(fstat(s[0], &st));
    printf("mode %o links %d size %d\n", (unsigned)st.st_mode, (int)st.st_nlink, (int)st.st_size);
    char path[40], link[64] = "";
    snprintf(path, sizeof path, "/proc/self/fd/%d", s[0]);
    R(readlink(path, link, sizeof link - 1) > 0);
    printf("%.8s %s\n", link, strtoul(link + 8, NULL, 10) == st.st_ino ? "its inode" : "another inode");
    R(open(path, O_RDWR));
    R(lseek(s[0], 0, SEEK_SET));
    R(pread(s[0], big, 1, 0));
    R(ftruncate(s[0], 0));
    R(mmap(NULL, 4096, PROT_READ, MAP_SHARED, s[0], 0) == MAP_FAILED ? -1 : 0);
    R(fsync(s[0]));
    int p[2];
    R(pipe(p));
    R(send(p[1], "x", 1, 0));
    R(recv(p[0], big, 1, 0));
    R(shutdown(p[0], SHUT_RD));
    R(listen(p[0], 1));
    R(send(-1, "x", 1, 0));
    R(getsockname(p[0], NULL, NULL));
}

static void part_pair(void)
{
    R(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
    show_names("pair", s[0]);
    show_events("empty", s[0]);
    R(write(s[0], "hello ", 6));
    R(send(s[0], "world", 5, 0));
    show_events("with data", s[1]);
    int n = -1;
    R(ioctl(s[1], FIONREAD, &n));
    printf("FIONREAD %d\n", n);
    show_recv("peek", s[1], 4, MSG_PEEK);
    show_recv("four", s[1], 4, 0);
    show_recv("rest", s[1], 100, 0);
    R(recv(s[1], big, 1, MSG_DONTWAIT));
    R(recv(s[1], big, 0, MSG_DONTWAIT));
    R(read(s[1], big, 0));
    R(write(s[1], "", 0));
    R(send(s[1], "back", 4, MSG_DONTWAIT | MSG_NOSIGNAL));
    show_recv("back", s[0], 100, MSG_TRUNC);
    struct iovec parts[3] = { { "ab", 2 }, { "", 0 }, { "cdef", 4 } };
    char one[3], two[8] = "";
    struct iovec room[2] = { { one, 3 }, { two, 8 } };
    R(writev(s[0], parts, 3));
    R(readv(s[1], room, 2));
    printf("%.3s %.3s\n", one, two);
    R(send(s[0], NULL, 4, 0));
    R(send(s[0], (void *)8, 4, 0));
    R(send(s[0], "abcd", 4, 0));
    R(recv(s[1], (void *)8, 4, 0));
    show_recv("still there", s[1], 10, 0);
    R(send(s[0], "x", 1, MSG_OOB | MSG_DONTWAIT) >= -1);
}

static void part_full(void)
{
    R(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, s));
    memset(big, 'x', sizeof big);
    ssize_t n, total = 0;
    while ((n = write(s[0], big, 4096)) > 0)
        total += n;
    printf("full: %s, %s\n", error_name(errno), total > 100000 && total < 300000 ? "some hundred thousand" : "odd");
    show_events("full, sender", s[0]);
    show_events("full, receiver", s[1]);
    ssize_t taken = 0;
    while (taken < total && (n = read(s[1], big, 10000)) > 0)
        taken += n;
    CHECK("all came out", taken == total);
    show_events("empty, sender", s[0]);
    n = write(s[0], big, sizeof big);
    CHECK("a large write is cut", n > 100000 && n < (ssize_t)sizeof big);
}

static void part_blocked(void)
{
    R(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
    memset(big, 'y', sizeof big);
    pid_t child = fork();
    if (child == 0) {
        close(s[1]);
        ssize_t n = write(s[0], big, sizeof big);
        _exit(n == sizeof big ? 7 : 1);
    }
    close(s[0]);
    wait_state(child, 'S');
    ssize_t n, total = 0;
    while ((n = read(s[1], big, 60000)) > 0)
        total += n;
    printf("read %zd, then %zd\n", total, n);
    int status;
    waitpid(child, &status, 0);
    show_status("writer", status);
    R(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
    child = fork();
    if (child == 0) {
        char data[10];
        ssize_t got = recv(s[1], data, 6, MSG_WAITALL);
        _exit(got == 6 && memcmp(data, "abcdef", 6) == 0 ? 8 : 1);
    }
    R(write(s[0], "abc", 3));
    wait_state(child, 'S');
    R(write(s[0], "defg", 4));
    waitpid(child, &status, 0);
    show_status("all or nothing", status);
    show_recv("left", s[1], 10, 0);
}

static void part_interrupted(void)
{
    R(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
    struct sigaction action = { .sa_handler = nothing };
    sigaction(SIGALRM, &action, NULL);
    struct itimerval soon = { .it_value = { 0, 50000 } };
    setitimer(ITIMER_REAL, &soon, NULL);
    R(read(s[0], big, 1));
    action.sa_flags = SA_RESTART;
    sigaction(SIGALRM, &action, NULL);
    struct timeval limit = { 5, 0 };
    R(setsockopt(s[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit));
    setitimer(ITIMER_REAL, &soon, NULL);
    R(read(s[0], big, 1));
    limit.tv_sec = 0;
    limit.tv_usec = 20000;
    R(setsockopt(s[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit));
    R(read(s[0], big, 1));
    R(setsockopt(s[0], SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit));
    ssize_t n = write(s[0], big, sizeof big);
    CHECK("a write that times out is cut", n > 0 && n < (ssize_t)sizeof big);
    R(write(s[0], big, 1));
    limit.tv_usec = 1000000;
    R(setsockopt(s[0], SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit));
    R(setsockopt(s[0], SOL_SOCKET, SO_SNDTIMEO, &limit, 4));
}

static int broken;
static void count_broken(int n) { (void)n; broken++; }

static void part_close(void)
{
    signal(SIGPIPE, count_broken);
    R(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
    R(write(s[0], "last", 4));
    R(close(s[0]));
    show_events("peer closed, data left", s[1]);
    show_recv("the last", s[1], 10, 0);
    show_recv("the end", s[1], 10, 0);
    show_events("peer closed", s[1]);
    R(write(s[1], "x", 1));
    printf("SIGPIPE %d\n", broken);
    R(send(s[1], "x", 1, MSG_NOSIGNAL));
    printf("SIGPIPE %d\n", broken);
    R(write(s[1], "", 0));
    printf("SIGPIPE %d\n", broken);
    show_option("error", s[1], SO_ERROR);
    R(close(s[1]));
    R(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
    R(write(s[0], "unread", 6));
    R(write(s[1], "both", 4));
    R(close(s[1]));
    show_events("reset", s[0]);
    show_recv("what is left", s[0], 10, 0);
    show_recv("reset", s[0], 10, 0);
    show_recv("told once", s[0], 10, 0);
    R(close(s[0]));
    R(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
    R(write(s[0], "unread", 6));
    R(close(s[1]));
    show_option("error", s[0], SO_ERROR);
    show_option("error", s[0], SO_ERROR);
}

static void part_shutdown(void)
{
    signal(SIGPIPE, count_broken);
    R(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
    R(shutdown(s[0], 3));
    R(shutdown(s[0], -1));
    R(write(s[0], "abc", 3));
    R(shutdown(s[0], SHUT_WR));
    show_events("sender", s[0]);
    show_events("receiver", s[1]);
    R(write(s[0], "x", 1));
    printf("SIGPIPE %d\n", broken);
    show_recv("data", s[1], 10, 0);
    show_recv("end", s[1], 10, 0);
    R(write(s[1], "other way", 9));
    show_recv("other way", s[0], 20, 0);
    R(shutdown(s[0], SHUT_RD));
    show_events("both", s[0]);
    R(write(s[1], "x", 1));
    R(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
    R(write(s[1], "before", 6));
    R(shutdown(s[0], SHUT_RD));
    R(write(s[1], "after", 5));
    show_recv("what came before", s[0], 10, 0);
    show_recv("end", s[0], 10, 0);
    int alone = socket(AF_UNIX, SOCK_STREAM, 0);
    R(shutdown(alone, SHUT_RDWR));
    show_events("alone", alone);
}

static void part_bind(void)
{
    int a = socket(AF_UNIX, SOCK_STREAM, 0), b = socket(AF_UNIX, SOCK_STREAM, 0);
    struct sockaddr_un address;
    struct stat st;

    show_names("new", a);
    umask(027);
    R(bind_to(a, "one"));
    R(stat("one", &st));
    printf("mode %o\n", (unsigned)st.st_mode);
    show_names("bound", a);
    R(bind_to(a, "two"));
    R(access("two", F_OK));
    R(bind_to(b, "one"));
    R(bind_to(b, "missing/name"));
    R(bind_to(b, "one/name"));
    R(bind_to(b, "@abstract"));
    show_names("abstract", b);
    int c = socket(AF_UNIX, SOCK_STREAM, 0), d = socket(AF_UNIX, SOCK_DGRAM, 0);
    R(bind_to(c, "@abstract"));
    R(bind_to(d, "@abstract"));
    name(&address, "x");
    R(bind(c, (struct sockaddr *)&address, 1));
    R(bind(c, (struct sockaddr *)&address, 111));
    R(bind(c, (struct sockaddr *)&address, 129));
    R(bind(c, (struct sockaddr *)&address, -1));
    R(bind(c, NULL, 10));
    address.sun_family = 2;
    R(bind(c, (struct sockaddr *)&address, 10));
    address.sun_family = AF_UNIX;
    R(bind(c, (struct sockaddr *)&address, 2));
    socklen_t len = sizeof address;
    memset(&address, 0, sizeof address);
    R(getsockname(c, (struct sockaddr *)&address, &len));
    int digits = 1;
    for (int i = 1; i < 6; i++)
        digits = digits && strchr("0123456789abcdef", address.sun_path[i]) && address.sun_path[i];
    printf("autobind: len %u first %d digits %d\n", (unsigned)len, address.sun_path[0], digits);
    len = 5;
    memset(&address, 'z', sizeof address);
    R(getsockname(a, (struct sockaddr *)&address, &len));
    printf("cut: len %u \"%.4s\"\n", (unsigned)len, address.sun_path);
    len = -1;
    R(getsockname(a, (struct sockaddr *)&address, &len));
    R(getsockname(a, NULL, NULL));
    memset(big, 'p', 108);
    int e = socket(AF_UNIX, SOCK_STREAM, 0);
    memset(address.sun_path, 'p', 108);
    address.sun_family = AF_UNIX;
    R(bind(e, (struct sockaddr *)&address, 110));
    len = sizeof address;
    R(getsockname(e, (struct sockaddr *)&address, &len));
    printf("longest: len %u\n", (unsigned)len);
    R(open("one", O_RDWR));
    R(rename("one", "three"));
    R(listen(a, 1));
    int f = socket(AF_UNIX, SOCK_STREAM, 0);
    R(connect_to(f, "one"));
    R(connect_to(f, "three"));
    show_names("client", f);
    R(unlink("three"));
    R(bind_to(e, "three"));
    int g = socket(AF_UNIX, SOCK_STREAM, 0);
    fchmod(g, 0600);
    R(bind_to(g, "three"));
    R(stat("three", &st));
    printf("mode %o\n", (unsigned)st.st_mode);
}

static void part_connect(void)
{
    int l = socket(AF_UNIX, SOCK_STREAM, 0), a = socket(AF_UNIX, SOCK_STREAM, 0);

    R(listen(l, 1));
    R(connect_to(a, "nowhere"));
    put_file("file", "");
    R(connect_to(a, "file"));
    R(bind_to(l, "name"));
    R(connect_to(a, "name"));
    show_events("bound", l);
    R(accept(l, NULL, NULL));
    R(listen(l, 1));
    show_events("listening", l);
    show_option("accepts", l, SO_ACCEPTCONN);
    R(connect_to(a, "name"));
    show_events("a connection waits", l);
    R(write(a, "early", 5));
    show_names("client", a);
    R(connect_to(a, "name"));
    R(bind_to(a, "client"));
    struct sockaddr_un address;
    socklen_t len = sizeof address;
    int c = accept(l, (struct sockaddr *)&address, &len);
    CHECK("accepted", c >= 0);
    show_address("from", &address, len);
    show_names("server", c);
    show_recv("early", c, 10, 0);
    R(write(c, "answer", 6));
    show_recv("answer", a, 10, 0);
    int d = socket(AF_UNIX, SOCK_DGRAM, 0), q = socket(AF_UNIX, SOCK_SEQPACKET, 0);
    R(connect_to(d, "name"));
    R(connect_to(q, "name"));
    R(connect_to(l, "name"));
    R(read(l, big, 1));
    R(write(l, "x", 1));
    R(listen(c, 1));
    R(syscall(SYS_accept4, l, NULL, NULL, 1));
    R(accept(a, NULL, NULL));
    R(accept(d, NULL, NULL));
    R(listen(d, 1));
    fcntl(l, F_SETFL, O_NONBLOCK);
    R(accept(l, NULL, NULL));
    int e = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    R(send_to(e, "x", 1, 0, "name"));
    R(send(e, "x", 1, 0));
    R(recv(e, big, 1, 0));
    show_events("not connected", e);
    R(connect_to(e, "name"));
    R(send_to(e, "x", 1, 0, "name"));
    int f = accept4(l, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    printf("flags %x %x\n", fcntl(f, F_GETFL) == (O_RDWR | O_NONBLOCK), fcntl(f, F_GETFD));
    R(close(l));
    int g = socket(AF_UNIX, SOCK_STREAM, 0);
    R(connect_to(g, "name"));
    name(&address, "name");
    address.sun_family = AF_UNSPEC;
    R(connect(g, (struct sockaddr *)&address, sizeof address));
    R(connect(g, (struct sockaddr *)&address, 0));
}

static void part_backlog(void)
{
    int l = socket(AF_UNIX, SOCK_STREAM, 0), c[5];

    R(bind_to(l, "@backlog"));
    R(listen(l, 1));
    for (int i = 0; i < 5; i++) {
        c[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
        R(connect_to(c[i], "@backlog"));
    }
    R(listen(l, 2));
    R(connect_to(c[2], "@backlog"));
    R(connect_to(c[3], "@backlog"));
    pid_t child = fork();
    if (child == 0) {
        fcntl(c[3], F_SETFL, 0);
        _exit(connect_to(c[3], "@backlog") == 0 ? 3 : 1);
    }
    wait_state(child, 'S');
    int first = accept(l, NULL, NULL);
    CHECK("accepted", first >= 0);
    int status;
    waitpid(child, &status, 0);
    show_status("it could connect", status);
    child = fork();
    if (child == 0) {
        close(l);
        fcntl(c[4], F_SETFL, 0);
        _exit(connect_to(c[4], "@backlog") == -1 && errno == ECONNREFUSED ? 4 : 1);
    }
    wait_state(child, 'S');
    R(close(l));
    waitpid(child, &status, 0);
    show_status("it was refused", status);
    show_events("accepted peer lives", c[0]);
    show_events("never accepted", c[1]);
    show_recv("never accepted", c[1], 1, 0);
    show_recv("never accepted", c[1], 1, 0);
    struct timeval limit = { 0, 20000 };
    l = socket(AF_UNIX, SOCK_STREAM, 0);
    R(bind_to(l, "@again"));
    R(listen(l, 0));
    R(setsockopt(l, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit));
    R(accept(l, NULL, NULL));
    R(shutdown(l, SHUT_RD));
    R(accept(l, NULL, NULL));
    int d = socket(AF_UNIX, SOCK_STREAM, 0);
    R(connect_to(d, "@again"));
}

static void part_permission(void)
{
    int l = socket(AF_UNIX, SOCK_STREAM, 0);

    umask(0);
    R(mkdir("dir", 0755));
    R(bind_to(l, "dir/name"));
    R(listen(l, 5));
    R(chmod("dir/name", 0666));
    IN_CHILD("may") {
        if (setgid(1000) || setuid(1000))
            break;
        int a = socket(AF_UNIX, SOCK_STREAM, 0);
        R(connect_to(a, "dir/name"));
        R(bind_to(a, "dir/other"));
    }
    R(chmod("dir/name", 0444));
    IN_CHILD("may not") {
        if (setgid(1000) || setuid(1000))
            break;
        R(connect_to(socket(AF_UNIX, SOCK_STREAM, 0), "dir/name"));
    }
    R(chmod("dir/name", 0222));
    R(chmod("dir", 0700));
    IN_CHILD("may not search") {
        if (setgid(1000) || setuid(1000))
            break;
        R(connect_to(socket(AF_UNIX, SOCK_STREAM, 0), "dir/name"));
    }
    R(chmod("dir", 0755));
    IN_CHILD("write is enough") {
        if (setgid(1000) || setuid(1000))
            break;
        R(connect_to(socket(AF_UNIX, SOCK_STREAM, 0), "dir/name"));
    }
    R(symlink("dir/name", "link"));
    R(connect_to(socket(AF_UNIX, SOCK_STREAM, 0), "link"));
    R(bind_to(socket(AF_UNIX, SOCK_STREAM, 0), "link"));
}

PARTS({ "create", part_create }, { "pair", part_pair }, { "full", part_full }, { "blocked", part_blocked },
      { "interrupted", part_interrupted }, { "close", part_close }, { "shutdown", part_shutdown }, { "bind", part_bind },
      { "connect", part_connect }, { "backlog", part_backlog }, { "permission", part_permission })
