// What the programs about Unix sockets share.
#include "t.h"
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

// A name for a socket: a path, or with '@' in front an abstract name. Returns its length.
__attribute__((unused)) static socklen_t name(struct sockaddr_un *address, const char *text)
{
    memset(address, 0, sizeof *address);
    address->sun_family = AF_UNIX;
    memcpy(address->sun_path, text, strlen(text) < sizeof address->sun_path ? strlen(text) : sizeof address->sun_path);
    if (*text == '@') {
        address->sun_path[0] = 0;
        return offsetof(struct sockaddr_un, sun_path) + strlen(text);
    }
    return sizeof *address;
}

// bind(2) and connect(2) with such a name.
__attribute__((unused)) static int bind_to(int fd, const char *text)
{
    struct sockaddr_un address;
    socklen_t len = name(&address, text);

    return bind(fd, (struct sockaddr *)&address, len);
}

__attribute__((unused)) static int connect_to(int fd, const char *text)
{
    struct sockaddr_un address;
    socklen_t len = name(&address, text);

    return connect(fd, (struct sockaddr *)&address, len);
}

// sendto(2) with such a name.
__attribute__((unused)) static ssize_t send_to(int fd, const char *data, size_t len, int flags, const char *text)
{
    struct sockaddr_un address;
    socklen_t address_len = name(&address, text);

    return sendto(fd, data, len, flags, (struct sockaddr *)&address, address_len);
}

// Prints an address with its length.
__attribute__((unused)) static void show_address(const char *what, const struct sockaddr_un *address, socklen_t len)
{
    printf("%s: len %u", what, (unsigned)len);
    if (len >= 2)
        printf(" family %d", address->sun_family);
    if (len > 2) {
        printf(" \"");
        for (socklen_t i = 0; i < len - 2 && i < sizeof address->sun_path; i++)
            putchar(address->sun_path[i] ? address->sun_path[i] : '@');
        putchar('"');
    }
    putchar('\n');
}

__attribute__((unused)) static void show_names(const char *what, int fd)
{
    struct sockaddr_un address;
    socklen_t len = sizeof address;
    char text[64];

    memset(&address, 0, sizeof address);
    snprintf(text, sizeof text, "%s, own name", what);
    if (getsockname(fd, (struct sockaddr *)&address, &len) == 0)
        show_address(text, &address, len);
    else
        printf("%s: %s\n", text, error_name(errno));
    len = sizeof address;
    memset(&address, 0, sizeof address);
    snprintf(text, sizeof text, "%s, peer's name", what);
    if (getpeername(fd, (struct sockaddr *)&address, &len) == 0)
        show_address(text, &address, len);
    else
        printf("%s: %s\n", text, error_name(errno));
}

// Prints what poll(2) says.
__attribute__((unused)) static void show_events(const char *what, int fd)
{
    struct pollfd one = { .fd = fd, .events = POLLIN | POLLOUT | POLLPRI | POLLRDHUP };
    int n = poll(&one, 1, 0);

    printf("%s: %d%s%s%s%s%s%s\n", what, n, one.revents & POLLIN ? " IN" : "", one.revents & POLLOUT ? " OUT" : "",
           one.revents & POLLPRI ? " PRI" : "", one.revents & POLLRDHUP ? " RDHUP" : "",
           one.revents & POLLHUP ? " HUP" : "", one.revents & POLLERR ? " ERR" : "");
}

// Prints an option that is a number.
__attribute__((unused)) static void show_option(const char *what, int fd, int option)
{
    int value = -1;
    socklen_t len = sizeof value;

    if (getsockopt(fd, SOL_SOCKET, option, &value, &len) == 0)
        printf("%s: %d, len %u\n", what, value, (unsigned)len);
    else
        printf("%s: %s\n", what, error_name(errno));
}

__attribute__((unused)) static int set_option(int fd, int option, int value)
{
    return setsockopt(fd, SOL_SOCKET, option, &value, sizeof value);
}

// Receives and prints: what recv(2) returns and what is in the buffer.
__attribute__((unused)) static void show_recv(const char *what, int fd, size_t len, int flags)
{
    char data[4096];
    ssize_t n = recv(fd, data, len, flags);

    if (n < 0)
        printf("%s: %s\n", what, error_name(errno));
    else
        printf("%s: %zd \"%.*s\"\n", what, n, (int)((size_t)n < len ? (size_t)n : len), data);
}

// Sends bytes with descriptors, and receives such.
__attribute__((unused)) static ssize_t send_fds(int fd, const char *data, size_t len, const int *fds, int count, int flags)
{
    char control[CMSG_SPACE(300 * sizeof(int))];
    struct iovec part = { (void *)data, len };
    struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = control,
                              .msg_controllen = CMSG_SPACE(count * sizeof(int)) };
    memset(control, 0, sizeof control);
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);

    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(count * sizeof(int));
    memcpy(CMSG_DATA(header), fds, count * sizeof(int));
    // musl's function copies, and has room for few.
    return syscall(SYS_sendmsg, fd, &message, flags);
}

// Receives a message with control data in so much room; prints all of it, and stores the first descriptors. Returns how
// many there were.
__attribute__((unused)) static int show_message(const char *what, int fd, size_t len, size_t room, int flags, int *fds, int max)
{
    char data[4096], control[4096];
    struct iovec part = { data, len };
    struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = room ? control : NULL, .msg_controllen = room };
    int found = 0;
    ssize_t n = syscall(SYS_recvmsg, fd, &message, flags);

    if (n < 0) {
        printf("%s: %s\n", what, error_name(errno));
        return 0;
    }
    printf("%s: %zd \"%.*s\" flags %x controllen %zu\n", what, n, (int)((size_t)n < len ? (size_t)n : len), data,
           (unsigned)message.msg_flags, (size_t)message.msg_controllen);
    for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header)) {
        printf("  level %d type %d len %zu", header->cmsg_level, header->cmsg_type, (size_t)header->cmsg_len);
        if (header->cmsg_type == SCM_RIGHTS) {
            int count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
            printf(", %d descriptors", count);
            for (int i = 0; i < count && found < max; i++, found++)
                memcpy(&fds[found], CMSG_DATA(header) + i * sizeof(int), sizeof(int));
        } else if (header->cmsg_type == SCM_CREDENTIALS && header->cmsg_len >= CMSG_LEN(sizeof(struct ucred))) {
            struct ucred who;
            memcpy(&who, CMSG_DATA(header), sizeof who);
            printf(", pid %s uid %d gid %d", who.pid == getpid() ? "mine" : who.pid == getppid() ? "parent" : who.pid ? "another" : "0",
                   (int)who.uid, (int)who.gid);
        }
        putchar('\n');
    }
    return found;
}
