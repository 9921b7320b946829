// Unix sockets that carry messages: datagrams, sequenced packets.
#include "unix.h"

static int s[2];
static char big[1 << 19];

static void part_pair(void)
{
    R(socketpair(AF_UNIX, SOCK_DGRAM, 0, s));
    show_names("pair", s[0]);
    show_events("empty", s[0]);
    R(write(s[0], "one", 3));
    R(write(s[0], "", 0));
    R(send(s[0], "three", 5, 0));
    int n = -1;
    R(ioctl(s[1], FIONREAD, &n));
    printf("FIONREAD %d\n", n);
    show_recv("peek", s[1], 2, MSG_PEEK);
    show_recv("cut", s[1], 2, MSG_TRUNC);
    show_events("an empty one", s[1]);
    R(read(s[1], big, 0));
    show_recv("empty", s[1], 10, MSG_DONTWAIT);
    R(recv(s[1], big, 0, 0));
    R(recv(s[1], big, 10, MSG_DONTWAIT));
    R(write(s[0], "lost", 4));
    R(recv(s[1], (void *)8, 4, 0));
    R(recv(s[1], big, 4, MSG_DONTWAIT));
    R(write(s[0], (void *)8, 4));
    R(write(s[0], big, 212992 - 32));
    R(write(s[0], big, 212992 - 31));
    R(recv(s[1], big, sizeof big, 0));
    R(send(s[0], "x", 1, MSG_OOB));
    R(recv(s[1], big, 1, MSG_OOB));
    struct iovec parts[2] = { { "ab", 2 }, { "cd", 2 } };
    R(writev(s[1], parts, 2));
    show_message("flags", s[0], 3, 0, 0, NULL, 0);
    R(writev(s[1], parts, 2));
    show_message("flags", s[0], 3, 0, MSG_TRUNC, NULL, 0);
    R(shutdown(s[0], SHUT_WR));
    R(write(s[0], "x", 1));
    show_events("own side shut", s[0]);
    show_events("other side", s[1]);
    R(shutdown(s[0], SHUT_RD));
    R(write(s[1], "x", 1));
    R(recv(s[0], big, 1, 0));
    R(recv(s[0], big, 1, MSG_DONTWAIT));
}

static void part_names(void)
{
    int a = socket(AF_UNIX, SOCK_DGRAM, 0), b = socket(AF_UNIX, SOCK_DGRAM, 0), c = socket(AF_UNIX, SOCK_DGRAM, 0);
    struct sockaddr_un from;
    socklen_t len = sizeof from;

    R(bind_to(a, "a"));
    R(bind_to(b, "@b"));
    R(write(c, "x", 1));
    R(send_to(c, "x", 1, 0, "nowhere"));
    R(send_to(c, "x", 1, 0, "@nowhere"));
    R(send_to(c, "unnamed", 7, 0, "a"));
    R(send_to(b, "abstract", 8, 0, "a"));
    R(recvfrom(a, big, 100, 0, (struct sockaddr *)&from, &len));
    show_address("from", &from, len);
    len = sizeof from;
    R(recvfrom(a, big, 100, 0, (struct sockaddr *)&from, &len));
    show_address("from", &from, len);
    R(connect_to(c, "a"));
    show_names("connected", c);
    R(write(c, "to a", 4));
    R(send_to(c, "to b", 4, 0, "@b"));
    show_recv("a", a, 10, 0);
    show_recv("b", b, 10, 0);
    R(connect_to(b, "a"));
    R(send_to(c, "refused", 7, 0, "@b"));
    R(connect_to(c, "@b"));
    R(send_to(a, "taken", 5, 0, "@b"));
    show_recv("b", b, 10, 0);
    name(&from, "");
    from.sun_family = AF_UNSPEC;
    R(connect(c, (struct sockaddr *)&from, sizeof from));
    show_names("disconnected", c);
    R(write(c, "x", 1));
    R(connect_to(c, "a"));
    R(close(a));
    R(write(c, "x", 1));
    R(write(c, "x", 1));
    R(send_to(c, "x", 1, 0, "a"));
    R(send_to(c, "x", 1, 0, ""));
    R(connect_to(c, "a"));
    int l = socket(AF_UNIX, SOCK_STREAM, 0);
    R(bind_to(l, "stream"));
    R(send_to(c, "x", 1, 0, "stream"));
    R(accept(c, NULL, NULL));
    R(listen(c, 1));
}

static void part_full(void)
{
    int a = socket(AF_UNIX, SOCK_DGRAM, 0), b = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);

    R(bind_to(a, "a"));
    R(connect_to(b, "a"));
    int count = 0;
    while (write(b, "x", 1) == 1)
        count++;
    printf("%d fit, then %s\n", count, error_name(errno));
    show_events("full", b);
    R(send_to(b, "x", 1, 0, "a"));
    show_recv("one", a, 1, 0);
    show_events("room for one", b);
    R(write(b, "x", 1));
    R(write(b, "x", 1));
    pid_t child = fork();
    if (child == 0) {
        fcntl(b, F_SETFL, 0);
        _exit(write(b, "waited", 6) == 6 ? 5 : 1);
    }
    wait_state(child, 'S');
    show_recv("one", a, 1, 0);
    int status;
    waitpid(child, &status, 0);
    show_status("it had to wait", status);
    child = fork();
    if (child == 0) {
        close(a);
        fcntl(b, F_SETFL, 0);
        _exit(write(b, "waits", 5) == -1 && errno == ECONNREFUSED ? 6 : 1);
    }
    wait_state(child, 'S');
    R(close(a));
    waitpid(child, &status, 0);
    show_status("the receiver went", status);
    R(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, s));
    for (count = 0; write(s[0], "x", 1) == 1; count++)
        ;
    printf("a pair: %s, then %s\n", count > 50 ? "many" : "few", error_name(errno));
    show_events("a pair, full", s[0]);
    while (read(s[1], big, 1) == 1)
        count--;
    printf("%d left\n", count);
    show_events("a pair, empty", s[0]);
}

static void part_disconnect(void)
{
    int a = socket(AF_UNIX, SOCK_DGRAM, 0), b = socket(AF_UNIX, SOCK_DGRAM, 0), c = socket(AF_UNIX, SOCK_DGRAM, 0);

    R(bind_to(a, "a"));
    R(bind_to(b, "b"));
    R(bind_to(c, "c"));
    R(connect_to(a, "b"));
    R(connect_to(b, "a"));
    R(write(a, "lost", 4));
    R(connect_to(b, "c"));
    show_events("told", a);
    show_recv("told", a, 10, MSG_DONTWAIT);
    show_recv("once", a, 10, MSG_DONTWAIT);
    show_recv("it is lost", b, 10, MSG_DONTWAIT);
    R(write(a, "x", 1));
    show_option("peer's error", b, SO_ERROR);
}

static void part_seqpacket(void)
{
    R(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, s));
    show_events("empty", s[0]);
    R(write(s[0], "one", 3));
    R(send(s[0], "two", 3, MSG_EOR));
    int n = -1;
    R(ioctl(s[1], FIONREAD, &n));
    printf("FIONREAD %d\n", n);
    show_message("one", s[1], 10, 0, 0, NULL, 0);
    show_message("two, cut", s[1], 2, 0, 0, NULL, 0);
    R(send_to(s[0], "named", 5, 0, "ignored"));
    show_recv("named", s[1], 10, 0);
    R(write(s[0], "left", 4));
    R(close(s[0]));
    show_events("closed", s[1]);
    show_recv("left", s[1], 10, 0);
    R(recv(s[1], big, 1, 0));
    R(recv(s[1], big, 1, MSG_DONTWAIT));
    signal(SIGPIPE, SIG_DFL);
    R(write(s[1], "x", 1));
    R(close(s[1]));
    int l = socket(AF_UNIX, SOCK_SEQPACKET, 0), a = socket(AF_UNIX, SOCK_SEQPACKET, 0);
    R(bind_to(l, "@seq"));
    R(listen(l, 3));
    R(recv(a, big, 1, 0));
    R(write(a, "x", 1));
    show_events("alone", a);
    R(connect_to(a, "@seq"));
    int c = accept(l, NULL, NULL);
    R(write(c, "first", 5));
    R(write(c, "second", 6));
    show_recv("first", a, 100, 0);
    show_recv("second", a, 100, 0);
    R(write(a, "unread", 6));
    R(close(c));
    show_recv("reset", a, 100, 0);
    show_recv("end", a, 100, 0);
    R(recv(l, big, 1, 0));
    R(write(l, "x", 1));
}

static void part_many(void)
{
    struct mmsghdr m[4];
    struct iovec parts[4];
    char data[4][8];

    R(socketpair(AF_UNIX, SOCK_DGRAM, 0, s));
    memset(m, 0, sizeof m);
    for (int i = 0; i < 4; i++) {
        snprintf(data[i], sizeof data[i], "msg%d", i);
        parts[i] = (struct iovec){ data[i], 4 };
        m[i].msg_hdr.msg_iov = &parts[i];
        m[i].msg_hdr.msg_iovlen = 1;
    }
    R(syscall(SYS_sendmmsg, s[0], m, 4, 0));
    printf("%u %u\n", m[0].msg_len, m[3].msg_len);
    memset(data, 0, sizeof data);
    R(syscall(SYS_recvmmsg, s[1], m, 3, 0, NULL));
    printf("%.4s %.4s %.4s\n", data[0], data[1], data[2]);
    R(syscall(SYS_recvmmsg, s[1], m, 4, MSG_WAITFORONE, NULL));
    printf("%.4s %u\n", data[0], m[0].msg_len);
    R(syscall(SYS_recvmmsg, s[1], m, 4, MSG_DONTWAIT, NULL));
    struct timespec bad = { -1, 0 }, none = { 0, 0 };
    R(syscall(SYS_recvmmsg, s[1], m, 4, MSG_DONTWAIT, &bad));
    R(write(s[0], "a", 1));
    R(write(s[0], "b", 1));
    R(syscall(SYS_recvmmsg, s[1], m, 4, 0, &none));
    parts[1].iov_base = (void *)8;
    R(syscall(SYS_sendmmsg, s[0], m, 4, 0));
    R(syscall(SYS_sendmmsg, s[0], (void *)8, 4, 0));
    R(syscall(SYS_sendmmsg, s[0], m, 0, 0));
    m[0].msg_hdr.msg_iovlen = 1025;
    R(syscall(SYS_sendmsg, s[0], &m[0].msg_hdr, 0));
    m[0].msg_hdr.msg_iovlen = 1;
    m[0].msg_hdr.msg_name = data;
    m[0].msg_hdr.msg_namelen = -1;
    R(syscall(SYS_sendmsg, s[0], &m[0].msg_hdr, 0));
    m[0].msg_hdr.msg_namelen = 0;
    R(syscall(SYS_sendmsg, s[0], &m[0].msg_hdr, 0));
}

static void part_peek_offset(void)
{
    R(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
    show_option("at first", s[1], SO_PEEK_OFF);
    R(set_option(s[1], SO_PEEK_OFF, 0));
    R(write(s[0], "abcdefgh", 8));
    show_recv("peek", s[1], 3, MSG_PEEK);
    show_option("moved", s[1], SO_PEEK_OFF);
    show_recv("peek", s[1], 3, MSG_PEEK);
    show_recv("read", s[1], 4, 0);
    show_option("back", s[1], SO_PEEK_OFF);
    show_recv("peek", s[1], 10, MSG_PEEK);
    show_recv("nothing there", s[1], 10, MSG_PEEK | MSG_DONTWAIT);
    R(set_option(s[1], SO_PEEK_OFF, -1));
    show_recv("from the beginning", s[1], 10, MSG_PEEK);
    R(socketpair(AF_UNIX, SOCK_DGRAM, 0, s));
    R(set_option(s[1], SO_PEEK_OFF, 1));
    R(write(s[0], "one", 3));
    R(write(s[0], "three", 5));
    show_recv("peek", s[1], 1, MSG_PEEK);
    show_recv("peek", s[1], 10, MSG_PEEK);
    show_recv("peek", s[1], 10, MSG_PEEK);
    show_option("moved", s[1], SO_PEEK_OFF);
    show_recv("read", s[1], 10, 0);
    show_option("back", s[1], SO_PEEK_OFF);
}

PARTS({ "pair", part_pair }, { "names", part_names }, { "full", part_full }, { "disconnect", part_disconnect },
      { "seqpacket", part_seqpacket }, { "many", part_many }, { "peek_offset", part_peek_offset })
