// Options of Unix sockets, epoll and select on them, /proc/net/unix, sendfile.
#include "unix.h"
#include <sys/epoll.h>
#include <sys/sendfile.h>
#include <grp.h>

static int s[2];
static char data[1 << 18];

static void show_credentials(const char *what, int fd)
{
    struct ucred who = { -5, 5, 5 };
    socklen_t len = sizeof who;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) == 0)
        printf("%s: pid %s uid %d gid %d len %u\n", what, who.pid == getpid() ? "mine" : who.pid == getppid() ? "parent" : who.pid ? "another" : "0",
               (int)who.uid, (int)who.gid, (unsigned)len);
    else
        printf("%s: %s\n", what, error_name(errno));
}

static void part_values(void)
{
    R(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, s));
    show_option("type", s[0], SO_TYPE);
    show_option("domain", s[0], SO_DOMAIN);
    show_option("protocol", s[0], SO_PROTOCOL);
    show_option("error", s[0], SO_ERROR);
    show_option("accepts", s[0], SO_ACCEPTCONN);
    show_option("send buffer", s[0], SO_SNDBUF);
    show_option("receive buffer", s[0], SO_RCVBUF);
    show_option("low water", s[0], SO_RCVLOWAT);
    show_option("send low water", s[0], SO_SNDLOWAT);
    show_option("reuse", s[0], SO_REUSEADDR);
    show_option("priority", s[0], SO_PRIORITY);
    show_option("pass credentials", s[0], SO_PASSCRED);
    show_option("unknown", s[0], 9999);
    R(set_option(s[0], 9999, 1));
    R(set_option(s[0], SO_TYPE, 1));
    R(set_option(s[0], SO_ERROR, 1));
    R(set_option(s[0], SO_ACCEPTCONN, 1));
    R(set_option(s[0], SO_PEERCRED, 1));
    R(set_option(s[0], SO_SNDLOWAT, 1));
    R(set_option(s[0], SO_REUSEADDR, 7));
    show_option("reuse", s[0], SO_REUSEADDR);
    R(set_option(s[0], SO_KEEPALIVE, 1));
    show_option("keep alive", s[0], SO_KEEPALIVE);
    R(set_option(s[0], SO_RCVLOWAT, -1));
    show_option("low water", s[0], SO_RCVLOWAT);
    R(set_option(s[0], SO_RCVLOWAT, 0));
    show_option("low water", s[0], SO_RCVLOWAT);
    R(set_option(s[0], SO_PRIORITY, 6));
    R(set_option(s[0], SO_PRIORITY, 7));
    show_option("priority", s[0], SO_PRIORITY);
    R(set_option(s[0], SO_DEBUG, 1));
    R(set_option(s[0], SO_MARK, 5));
    show_option("mark", s[0], SO_MARK);
    struct linger linger = { 1, 30 };
    socklen_t len = sizeof linger;
    R(setsockopt(s[0], SOL_SOCKET, SO_LINGER, &linger, 4));
    R(setsockopt(s[0], SOL_SOCKET, SO_LINGER, &linger, sizeof linger));
    R(getsockopt(s[0], SOL_SOCKET, SO_LINGER, &linger, &len));
    printf("linger %d %d %u\n", linger.l_onoff, linger.l_linger, (unsigned)len);
    int value = 1;
    R(setsockopt(s[0], SOL_SOCKET, SO_REUSEADDR, &value, 3));
    R(setsockopt(s[0], SOL_SOCKET, SO_REUSEADDR, &value, -1));
    R(setsockopt(s[0], SOL_SOCKET, SO_REUSEADDR, NULL, 4));
    R(setsockopt(s[0], 6, 1, &value, 4));
    len = 2;
    value = -1;
    R(getsockopt(s[0], SOL_SOCKET, SO_TYPE, &value, &len));
    printf("two bytes: %x %u\n", (unsigned)value, (unsigned)len);
    len = -1;
    R(getsockopt(s[0], SOL_SOCKET, SO_TYPE, &value, &len));
    R(getsockopt(s[0], SOL_SOCKET, SO_TYPE, NULL, &len));
    len = 4;
    R(getsockopt(s[0], SOL_SOCKET, SO_TYPE, NULL, &len));
    R(getsockopt(s[0], SOL_SOCKET, SO_TYPE, &value, NULL));
    R(getsockopt(s[0], 6, 1, &value, &len));
    struct timeval time = { 3, 248000 };
    R(setsockopt(s[0], SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time));
    len = sizeof time;
    R(getsockopt(s[0], SOL_SOCKET, SO_RCVTIMEO, &time, &len));
    printf("time %ld %ld %u\n", (long)time.tv_sec, (long)time.tv_usec, (unsigned)len);
    time.tv_sec = -1;
    R(setsockopt(s[0], SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time));
    R(recv(s[0], data, 1, 0));
}

static void part_buffers(void)
{
    R(socketpair(AF_UNIX, SOCK_DGRAM, 0, s));
    R(set_option(s[0], SO_SNDBUF, 0));
    show_option("least", s[0], SO_SNDBUF);
    R(set_option(s[0], SO_RCVBUF, 0));
    show_option("least", s[0], SO_RCVBUF);
    R(set_option(s[0], SO_SNDBUF, 10000));
    show_option("twice", s[0], SO_SNDBUF);
    R(write(s[0], data, 20000 - 32));
    R(write(s[0], data, 20000 - 31));
    R(set_option(s[0], SO_SNDBUF, 1 << 30));
    show_option("most", s[0], SO_SNDBUF);
    R(set_option(s[0], SO_SNDBUFFORCE, 1 << 20));
    show_option("more", s[0], SO_SNDBUF);
    R(set_option(s[0], SO_SNDBUFFORCE, -1));
    show_option("less", s[0], SO_SNDBUF);
    IN_CHILD("user") {
        if (setuid(1000))
            break;
        R(set_option(s[0], SO_SNDBUFFORCE, 1 << 20));
        R(set_option(s[0], SO_RCVBUFFORCE, 1 << 20));
        R(set_option(s[0], SO_PRIORITY, 6));
        R(set_option(s[0], SO_PRIORITY, 7));
        R(set_option(s[0], SO_DEBUG, 1));
        R(set_option(s[0], SO_DEBUG, 0));
        R(set_option(s[0], SO_MARK, 1));
    }
    R(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, s));
    R(set_option(s[0], SO_SNDBUF, 5000));
    int n = write(s[0], data, sizeof data);
    CHECK("a small buffer takes little", n > 0 && n < 40000);
    show_events("full", s[0]);
    int queued = 0;
    R(ioctl(s[0], 0x5411, &queued));
    CHECK("on its way", queued >= n);
    while (read(s[1], data, 1000) > 0)
        ;
    R(ioctl(s[0], 0x5411, &queued));
    printf("SIOCOUTQ %d\n", queued);
    R(set_option(s[1], SO_RCVLOWAT, 5));
    R(write(s[0], "abc", 3));
    show_recv("less than the low water", s[1], 10, 0);
}

static void part_peer(void)
{
    int l = socket(AF_UNIX, SOCK_STREAM, 0), a = socket(AF_UNIX, SOCK_STREAM, 0), groups[3] = { -1, -1, -1 };
    socklen_t len = sizeof groups;

    show_credentials("new", a);
    R(getsockopt(a, SOL_SOCKET, SO_PEERGROUPS, groups, &len));
    R(bind_to(l, "@peer"));
    show_credentials("bound", l);
    R(listen(l, 2));
    show_credentials("listening", l);
    IN_CHILD("user") {
        gid_t more[2] = { 5, 7 };
        if (setgroups(2, more) || setgid(1000) || setuid(1000))
            break;
        R(connect_to(a, "@peer"));
        show_credentials("client", a);
    }
    int c = accept(l, NULL, NULL);
    show_credentials("server", c);
    len = sizeof groups;
    R(getsockopt(c, SOL_SOCKET, SO_PEERGROUPS, groups, &len));
    printf("groups %d %d, len %u\n", groups[0], groups[1], (unsigned)len);
    len = 4;
    R(getsockopt(c, SOL_SOCKET, SO_PEERGROUPS, groups, &len));
    printf("len %u\n", (unsigned)len);
    R(socketpair(AF_UNIX, SOCK_DGRAM, 0, s));
    show_credentials("pair", s[0]);
    struct ucred who;
    len = 6;
    R(getsockopt(s[0], SOL_SOCKET, SO_PEERCRED, &who, &len));
    printf("len %u\n", (unsigned)len);
    struct sockaddr_un address;
    len = 8;
    memset(&address, 0, sizeof address);
    R(getsockopt(a, SOL_SOCKET, SO_PEERNAME, &address, &len));
    printf("family %d len %u\n", address.sun_family, (unsigned)len);
    len = sizeof address;
    R(getsockopt(a, SOL_SOCKET, SO_PEERNAME, &address, &len));
    R(getsockopt(l, SOL_SOCKET, SO_PEERNAME, &address, &len));
}

static void show_epoll(const char *what, int e)
{
    struct epoll_event event = { 0 };
    int n = epoll_wait(e, &event, 1, 0);

    printf("%s: %d %x\n", what, n, n > 0 ? event.events : 0);
}

static void part_epoll(void)
{
    int e = epoll_create1(0);
    struct epoll_event wish = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET };

    R(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
    R(epoll_ctl(e, EPOLL_CTL_ADD, s[0], &wish));
    show_epoll("writable", e);
    show_epoll("nothing new", e);
    R(write(s[1], "x", 1));
    show_epoll("data", e);
    R(write(s[1], "x", 1));
    show_epoll("more data", e);
    R(shutdown(s[1], SHUT_WR));
    show_epoll("half closed", e);
    R(close(s[1]));
    show_epoll("closed", e);
    R(close(s[0]));
    show_epoll("gone", e);
    int l = socket(AF_UNIX, SOCK_STREAM, 0), a = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    R(bind_to(l, "@epoll"));
    R(listen(l, 1));
    wish.events = EPOLLIN;
    R(epoll_ctl(e, EPOLL_CTL_ADD, l, &wish));
    show_epoll("nobody", e);
    R(connect_to(a, "@epoll"));
    show_epoll("somebody", e);
    int c = accept(l, NULL, NULL);
    show_epoll("accepted", e);
    pid_t child = fork();
    if (child == 0) {
        struct pollfd one = { .fd = a, .events = POLLIN };
        int n = poll(&one, 1, 5000);
        _exit(n == 1 && one.revents == POLLIN ? 9 : 1);
    }
    wait_state(child, 'S');
    R(write(c, "x", 1));
    int status;
    waitpid(child, &status, 0);
    show_status("poll", status);
    fd_set set;
    FD_ZERO(&set);
    FD_SET(a, &set);
    struct timeval none = { 0, 0 };
    R(select(a + 1, &set, NULL, NULL, &none));
    R(read(a, data, 10));
    FD_SET(a, &set);
    R(select(a + 1, &set, NULL, NULL, &none));
}

static int compare(const void *a, const void *b) { return strcmp(a, b); }

static void part_proc(void)
{
    FILE *file = fopen("/proc/net/unix", "r");
    char line[256];
    struct stat st;
    int l = socket(AF_UNIX, SOCK_STREAM, 0), d = socket(AF_UNIX, SOCK_DGRAM, 0), a = socket(AF_UNIX, SOCK_STREAM, 0);

    R(bind_to(l, "proc-name"));
    R(listen(l, 1));
    R(bind_to(d, "@proc-abstract"));
    R(connect_to(a, "proc-name"));
    if (!file || !fgets(line, sizeof line, file))
        return;
    fputs(line, stdout);
    R(fstat(a, &st));
    char found[8][256];
    int count = 0;
    while (fgets(line, sizeof line, file)) {
        char num[40], path[200] = "";
        unsigned users, protocol, flags, type, state;
        unsigned long inode;
        int n = sscanf(line, "%39s %x %x %x %x %x %lu %199s", num, &users, &protocol, &flags, &type, &state, &inode, path);
        if (n >= 7 && (strstr(path, "proc-") || inode == st.st_ino) && count < 8)
            snprintf(found[count++], sizeof *found, "%zu %x %08x %04x %02x %s", strlen(num), protocol, flags, type, state, path);
    }
    qsort(found, count, sizeof *found, compare);
    for (int i = 0; i < count; i++)
        puts(found[i]);
    fclose(file);
    R(access("/proc/self/net/unix", R_OK));
    char link[20] = "";
    R(readlink("/proc/net", link, sizeof link - 1));
    printf("%s\n", link);
}

static void part_sendfile(void)
{
    put_file("source", "what is in the file");
    int fd = open("source", O_RDONLY);
    off_t offset = 8;

    R(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
    R(sendfile(s[0], fd, NULL, 100));
    show_recv("all", s[1], 100, 0);
    R(sendfile(s[0], fd, &offset, 2));
    show_recv("part", s[1], 100, 0);
    printf("offset %d\n", (int)offset);
    R(sendfile(fd, s[0], NULL, 1));
    R(shutdown(s[0], SHUT_WR));
    signal(SIGPIPE, SIG_IGN);
    offset = 0;
    R(sendfile(s[0], fd, &offset, 2));
    IN_CHILD("as standard input") {
        int p[2];
        if (socketpair(AF_UNIX, SOCK_STREAM, 0, p))
            break;
        if (write(p[1], "through the shell\n", 18) != 18 || dup2(p[0], 0) != 0)
            break;
        close(p[1]);
        execlp("cat", "cat", NULL);
    }
}

PARTS({ "values", part_values }, { "buffers", part_buffers }, { "peer", part_peer }, { "epoll", part_epoll },
      { "proc", part_proc }, { "sendfile", part_sendfile })
