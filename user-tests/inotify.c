// inotify(7): what is told of which operation, to the file and to its directory; masks, flags, limits and errors.
#include "t.h"
#include <dirent.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/xattr.h>

static int in;
static const char *const names[] = {
    "ACCESS", "MODIFY", "ATTRIB", "CLOSE_WRITE", "CLOSE_NOWRITE", "OPEN", "MOVED_FROM", "MOVED_TO", "CREATE", "DELETE",
    "DELETE_SELF", "MOVE_SELF", "?", "UNMOUNT", "Q_OVERFLOW", "IGNORED",
};

// Prints all events there are; cookies are numbered as they appear.
static void events(const char *what)
{
    static uint32_t first_cookie;
    _Alignas(8) char buffer[8192];

    printf("%s:\n", what);
    for (;;) {
        ssize_t n = read(in, buffer, sizeof buffer);
        if (n <= 0) {
            if (n == 0 || errno != EAGAIN)
                show("  read", n);
            return;
        }
        for (ssize_t at = 0; at < n;) {
            struct inotify_event *e = (void *)(buffer + at);
            printf("  %d", e->wd);
            for (int bit = 0; bit < 16; bit++)
                if (e->mask & 1u << bit)
                    printf(" %s", names[bit]);
            if (e->mask & ~0xffffu)
                printf(e->mask & IN_ISDIR ? " ISDIR" : " +%x", e->mask & ~0xffffu);
            if (e->cookie) {
                if (!first_cookie)
                    first_cookie = e->cookie;
                printf(" cookie %u", e->cookie - first_cookie);
            }
            if (e->len)
                printf(" '%s' (%u)", e->name, e->len);
            printf("\n");
            at += sizeof *e + e->len;
        }
    }
}

static void start(void)
{
    in = inotify_init1(IN_NONBLOCK);
    mkdir("d", 0755);
    mkdir("e", 0755);
}

static void content(void)
{
    char buffer[64];
    start();
    put_file("d/f", "hello");
    R(inotify_add_watch(in, "d", IN_ALL_EVENTS));
    R(inotify_add_watch(in, "d/f", IN_ALL_EVENTS));
    int fd = open("d/f", O_RDWR);
    events("open");
    read(fd, buffer, 2);
    read(fd, buffer, 2);
    events("two reads");
    read(fd, buffer, 9);
    read(fd, buffer, 9);
    events("to the end");
    struct iovec v = { buffer, 4 };
    readv(fd, &v, 1);
    events("readv at the end");
    pread(fd, buffer, 2, 0);
    events("pread");
    read(fd, buffer, 0);
    write(fd, buffer, 0);
    events("nothing read, nothing written");
    write(fd, "x", 1);
    pwrite(fd, "x", 1, 0);
    writev(fd, &v, 1);
    events("writes");
    ftruncate(fd, 2);
    events("ftruncate");
    truncate("d/f", 1);
    events("truncate");
    fallocate(fd, 0, 0, 100);
    events("fallocate");
    close(open("d/f", O_WRONLY | O_TRUNC));
    events("open to truncate");
    int other = dup(fd);
    close(fd);
    events("one of two descriptors closed");
    close(other);
    events("both closed");
    close(open("d/f", O_PATH));
    events("a path only");
    fd = open("d/f", O_RDONLY);
    void *map = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    events("mapped and closed");
    munmap(map, 4096);
    events("unmapped");
    stat("d/f", &(struct stat){ 0 });
    access("d/f", R_OK);
    events("looked at");
}

static void attributes(void)
{
    start();
    put_file("d/f", "hello");
    symlink("f", "d/l");
    inotify_add_watch(in, "d", IN_ALL_EVENTS);
    inotify_add_watch(in, "d/f", IN_ALL_EVENTS);
    R(chmod("d/f", 0600));
    events("chmod");
    R(chmod("d/f", 0600));
    events("chmod to the same");
    R(chown("d/f", 1, -1));
    events("chown");
    R(chown("d/f", -1, -1));
    events("chown of nothing");
    chmod("d/f", 04755);
    events("set-id");
    R(chown("d/f", -1, -1));
    events("chown of nothing takes set-id");
    struct timespec both[2] = { { 1, 0 }, { 2, 0 } }, first[2] = { { 1, 0 }, { 0, UTIME_OMIT } };
    struct timespec second[2] = { { 0, UTIME_OMIT }, { 0, UTIME_NOW } }, none[2] = { { 0, UTIME_OMIT }, { 0, UTIME_OMIT } };
    R(utimensat(AT_FDCWD, "d/f", both, 0));
    events("both times");
    R(utimensat(AT_FDCWD, "d/f", first, 0));
    events("access time");
    R(utimensat(AT_FDCWD, "d/f", second, 0));
    events("modification time");
    R(utimensat(AT_FDCWD, "d/f", none, 0));
    events("no time");
    R(lchown("d/l", 3, 3));
    events("owner of a link");
    R(link("d/f", "e/g"));
    events("a link elsewhere");
    R(link("d/f", "d/h"));
    events("a link here");
    R(unlink("e/g"));
    R(unlink("d/h"));
    events("unlinked");
    R(setxattr("d/f", "trusted.a", "x", 1, 0));
    events("setxattr");
    R(removexattr("d/f", "trusted.a"));
    events("removexattr");
    R(chmod("d", 0700));
    events("chmod of the directory");
    chmod("d/f", 06755);
    chown("d/f", 1000, 1000);
    events("owner");
    chmod("d/f", 06777);
    chmod("d", 0777);
    events("mode");
    IN_CHILD("write by another") {
        setresgid(1000, 1000, 1000);
        setresuid(1000, 1000, 1000);
        int fd = open("d/f", O_WRONLY);
        write(fd, "x", 1);
        close(fd);
    }
    events("set-id lost");
}

static void entries(void)
{
    start();
    inotify_add_watch(in, "d", IN_ALL_EVENTS);
    close(open("d/new", O_WRONLY | O_CREAT, 0644));
    events("created");
    close(open("d/new", O_WRONLY | O_CREAT, 0644));
    events("opened with O_CREAT");
    mkdir("d/sub", 0755);
    mkfifo("d/fifo", 0644);
    symlink("x", "d/a rather long name of a symbolic link");
    mknod("d/node", S_IFCHR | 0600, makedev(1, 3));
    events("made");
    int s = socket(AF_UNIX, SOCK_STREAM, 0);
    struct sockaddr_un name = { .sun_family = AF_UNIX, .sun_path = "d/socket" };
    R(bind(s, (void *)&name, sizeof name));
    close(s);
    events("bound");
    mkdir("d/sub", 0755);
    unlink("d/none");
    events("failed");
    DIR *dir = opendir("d");
    int count = 0;
    while (readdir(dir))
        count++;
    closedir(dir);
    printf("%d entries\n", count);
    events("listed");
    chdir("d/sub");
    chdir("../..");
    events("entered");
    unlink("d/fifo");
    unlink("d/a rather long name of a symbolic link");
    rmdir("d/sub");
    unlink("d/node");
    unlink("d/socket");
    events("removed");
    int fd = open("d", O_TMPFILE | O_RDWR, 0644);
    write(fd, "x", 1);
    char buffer[400];
    ssize_t n = read(in, buffer, sizeof buffer);
    CHECK("a file without a name shows one", n == 64 && buffer[16] == '#');
    close(fd);
    lseek(in, 0, SEEK_SET);
    n = read(in, buffer, sizeof buffer);
    CHECK("and when it is closed", n == 32 && buffer[16] == '#');
    int subdir = 0;
    mkdir("d/x", 0755);
    mkdir("d/x/y", 0755);
    put_file("d/x/y/z", "z");
    events("below is not watched");
    (void)subdir;
}

static void removal(void)
{
    start();
    put_file("d/f", "x");
    put_file("d/g", "x");
    inotify_add_watch(in, "d", IN_ALL_EVENTS);
    inotify_add_watch(in, "d/f", IN_ALL_EVENTS);
    inotify_add_watch(in, "d/g", IN_ALL_EVENTS);
    unlink("d/f");
    events("unlinked");
    int fd = open("d/g", O_RDWR);
    unlink("d/g");
    events("unlinked while open");
    write(fd, "y", 1);
    fchmod(fd, 0600);
    events("still used");
    close(fd);
    events("closed");
    put_file("d/h", "x");
    link("d/h", "d/i");
    events("two names");
    inotify_add_watch(in, "d/h", IN_ALL_EVENTS);
    unlink("d/h");
    events("one removed");
    put_file("d/i", "y");
    events("the other written");
    unlink("d/i");
    events("both removed");
    mkdir("d/s", 0755);
    inotify_add_watch(in, "d/s", IN_ALL_EVENTS);
    rmdir("d/s");
    events("directory");
    R(inotify_add_watch(in, "d", IN_DELETE_SELF));
    rmdir("d");
    events("the watched one");
    R(inotify_rm_watch(in, 1));
}

static void moves(void)
{
    start();
    put_file("d/f", "x");
    put_file("e/g", "x");
    inotify_add_watch(in, "d", IN_ALL_EVENTS);
    inotify_add_watch(in, "e", IN_ALL_EVENTS);
    inotify_add_watch(in, "d/f", IN_ALL_EVENTS);
    R(rename("d/f", "d/k"));
    events("in place");
    R(rename("d/k", "e/k"));
    events("elsewhere");
    inotify_add_watch(in, "e/g", IN_ALL_EVENTS);
    R(rename("e/k", "e/g"));
    events("over another");
    put_file("e/open", "x");
    put_file("e/over", "x");
    int fd = open("e/over", O_RDONLY);
    inotify_add_watch(in, "e/over", IN_ALL_EVENTS);
    events("prepared");
    rename("e/open", "e/over");
    events("over an open one");
    close(fd);
    events("which is closed");
    put_file("d/one", "1");
    mkdir("e/two", 0755);
    inotify_add_watch(in, "d/one", IN_ALL_EVENTS);
    inotify_add_watch(in, "e/two", IN_ALL_EVENTS);
    events("prepared");
    R(syscall(SYS_renameat2, AT_FDCWD, "d/one", AT_FDCWD, "e/two", 2));
    events("exchanged");
    mkdir("d/from", 0755);
    mkdir("d/to", 0755);
    inotify_add_watch(in, "d/to", IN_ALL_EVENTS);
    inotify_add_watch(in, "d/from", IN_ALL_EVENTS);
    events("prepared");
    R(rename("d/from", "d/to"));
    events("directory over directory");
    link("e/g", "e/same");
    events("linked");
    R(rename("e/g", "e/same"));
    events("two names of one");
    R(rename("d/to", "gone"));
    events("out of sight");
}

static void flags(void)
{
    start();
    put_file("d/f", "x");
    symlink("d", "ln");
    R(inotify_add_watch(in, "d/f", IN_ONLYDIR | IN_OPEN));
    R(inotify_add_watch(in, "ln", IN_ONLYDIR | IN_DONT_FOLLOW | IN_OPEN));
    int link = R(inotify_add_watch(in, "ln", IN_DONT_FOLLOW | IN_ATTRIB));
    lchown("ln", 1, 1);
    events("the link itself");
    inotify_rm_watch(in, link);
    events("no more");
    int dir = R(inotify_add_watch(in, "ln", IN_ONLYDIR | IN_OPEN));
    R(inotify_add_watch(in, "d", IN_MASK_ADD | IN_CLOSE));
    close(open("d/f", O_RDONLY));
    events("added to");
    R(inotify_add_watch(in, "d", IN_MODIFY));
    close(open("d/f", O_RDONLY));
    events("replaced");
    R(inotify_add_watch(in, "d", IN_MASK_CREATE | IN_MODIFY));
    int f = R(inotify_add_watch(in, "d/f", IN_MASK_CREATE | IN_MODIFY | IN_ONESHOT));
    put_file("d/f", "y");
    events("once");
    R(inotify_rm_watch(in, f));
    R(inotify_add_watch(in, "d", IN_EXCL_UNLINK | IN_MODIFY | IN_CLOSE | IN_DELETE | IN_ATTRIB));
    int fd = open("d/f", O_RDWR);
    write(fd, "1", 1);
    unlink("d/f");
    write(fd, "2", 1);
    fchmod(fd, 0600);
    close(fd);
    events("after unlink");
    R(inotify_rm_watch(in, dir));
    events("removed");
    R(inotify_rm_watch(in, dir));
    dir = R(inotify_add_watch(in, "d", IN_ISDIR));
    dir = R(inotify_add_watch(in, "d", IN_UNMOUNT | IN_IGNORED | IN_Q_OVERFLOW));
    put_file("d/f", "z");
    events("nothing wanted");
    R(inotify_add_watch(in, "d", IN_MASK_ADD | IN_CREATE | IN_ONESHOT));
    put_file("d/g", "z");
    put_file("d/h", "z");
    events("one shot by adding");
}

static void errors(void)
{
    start();
    R(inotify_init1(1));
    R(inotify_init1(IN_CLOEXEC | IN_NONBLOCK | 4));
    int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    R(fcntl(fd, F_GETFD));
    R(fcntl(fd, F_GETFL));
    fd = inotify_init();
    R(fcntl(fd, F_GETFD));
    R(fcntl(fd, F_GETFL));
    R(inotify_add_watch(in, "d", 0));
    R(inotify_add_watch(in, "d", 0x08000000));
    R(inotify_add_watch(in, "d", 0x1000));
    R(inotify_add_watch(in, "d", IN_MASK_ADD | IN_MASK_CREATE | IN_OPEN));
    R(inotify_add_watch(99, "d", IN_MASK_ADD | IN_MASK_CREATE | IN_OPEN));
    R(inotify_add_watch(99, "d", 0));
    R(inotify_add_watch(in, "none", IN_OPEN));
    R(inotify_add_watch(in, "", IN_OPEN));
    R(inotify_add_watch(in, (char *)8, IN_OPEN));
    R(inotify_add_watch(1, "d", IN_OPEN));
    R(inotify_add_watch(open("d", O_PATH), "d", IN_OPEN));
    R(inotify_rm_watch(99, 1));
    R(inotify_rm_watch(1, 1));
    R(inotify_rm_watch(in, 1));
    R(inotify_rm_watch(in, -1));
    R(write(in, "x", 1));
    R(lseek(in, 5, SEEK_SET));
    R(pread(in, "", 0, 0));
    R(ftruncate(in, 0));
    R(fsync(in));
    put_file("d/secret", "x");
    chmod("d/secret", 0300);
    IN_CHILD("unreadable") {
        setresuid(1000, 1000, 1000);
        R(inotify_add_watch(in, "d/secret", IN_OPEN));
        R(inotify_add_watch(in, "d", IN_OPEN));
    }
    char buffer[100];
    fd = inotify_init1(IN_NONBLOCK);
    R(read(fd, buffer, 0));
    R(inotify_add_watch(fd, "d", IN_CREATE));
    put_file("d/name", "x");
    put_file("d/name of more than fifteen", "x");
    R(read(fd, buffer, 0));
    R(read(fd, buffer, 15));
    R(read(fd, buffer, 31));
    R(read(fd, buffer, 32));
    R(read(fd, buffer, 47));
    int n = -1;
    R(ioctl(fd, FIONREAD, &n));
    printf("%d\n", n);
    R(ioctl(fd, FIONREAD, 8));
    R(ioctl(fd, TCGETS, buffer));
    R(read(fd, (char *)8, 100));
    R(read(fd, buffer, 100));
    char text[64];
    snprintf(text, sizeof text, "/proc/self/fd/%d", fd);
    n = readlink(text, buffer, sizeof buffer);
    printf("%.*s\n", n, buffer);
    struct stat st;
    R(fstat(fd, &st));
    printf("mode %o\n", st.st_mode);
    R(close(fd));
}

static void waiting(void)
{
    char buffer[100];
    struct pollfd p = { inotify_init(), POLLIN | POLLOUT | POLLRDNORM, 0 };
    in = p.fd;
    mkdir("d", 0755);
    R(inotify_add_watch(p.fd, "d", IN_CREATE));
    R(poll(&p, 1, 0));
    IN_CHILD("nothing") {
        alarm(1);
        read(p.fd, buffer, sizeof buffer);
    }
    pid_t child = fork();
    if (!child) {
        pause_ms(100);
        mkdir("d/a", 0755);
        pause_ms(100);
        mkdir("d/b", 0755);
        _exit(0);
    }
    R(poll(&p, 1, 5000));
    printf("revents %x\n", p.revents);
    R(read(p.fd, buffer, sizeof buffer));
    R(read(p.fd, buffer, sizeof buffer));
    waitpid(child, NULL, 0);
    int ep = epoll_create1(0);
    struct epoll_event e = { EPOLLIN | EPOLLET, { .u32 = 7 } };
    R(epoll_ctl(ep, EPOLL_CTL_ADD, p.fd, &e));
    R(epoll_wait(ep, &e, 1, 0));
    mkdir("d/c", 0755);
    R(epoll_wait(ep, &e, 1, 1000));
    R(epoll_wait(ep, &e, 1, 0));
    mkdir("d/e", 0755);
    R(epoll_wait(ep, &e, 1, 0));
    struct sigaction sa = { .sa_handler = SIG_DFL };
    (void)sa;
    fcntl(p.fd, F_SETFL, O_NONBLOCK);
    events("all");
    R(poll(&p, 1, 0));
}

static void set_limit(const char *name, const char *value, char *old)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/sys/fs/inotify/%s", name);
    int fd = open(path, O_RDWR);
    if (old) {
        ssize_t n = read(fd, old, 31);
        old[n > 0 ? n : 0] = 0;
        lseek(fd, 0, SEEK_SET);
    }
    show(value, write(fd, value, strlen(value)));
    close(fd);
}

static void limits(void)
{
    char queued[32], instances[32], watches[32];

    mkdir("d", 0755);
    set_limit("max_queued_events", "-1", queued);
    set_limit("max_user_instances", "x", instances);
    set_limit("max_user_watches", "-5", watches);
    printf("%s%s", queued, instances);
    CHECK("watches", atoi(watches) >= 8192);
    set_limit("max_queued_events", "3", NULL);
    in = inotify_init1(IN_NONBLOCK);
    inotify_add_watch(in, "d", IN_CREATE | IN_DELETE);
    for (int i = 0; i < 6; i++) {
        char name[] = "d/0";
        name[2] += i;
        mkdir(name, 0755);
    }
    events("overflow");
    mkdir("d/after", 0755);
    events("after it");
    set_limit("max_queued_events", "0", NULL);
    in = inotify_init1(IN_NONBLOCK);
    inotify_add_watch(in, "d", IN_CREATE);
    mkdir("d/x", 0755);
    mkdir("d/y", 0755);
    events("no room");
    set_limit("max_queued_events", queued, NULL);
    IN_CHILD("a user") {
        setresuid(4321, 4321, 4321);
        int n = 0;
        while (inotify_init() >= 0)
            n++;
        printf("%d %s\n", n, error_name(errno));
    }
    set_limit("max_user_instances", "2", NULL);
    set_limit("max_user_watches", "2", NULL);
    IN_CHILD("a user with little") {
        setresuid(4321, 4321, 4321);
        int a = inotify_init(), b = inotify_init();
        R(inotify_init());
        R(inotify_add_watch(a, "/", IN_OPEN));
        R(inotify_add_watch(b, "/", IN_OPEN));
        R(inotify_add_watch(a, "/proc", IN_OPEN));
        R(inotify_add_watch(a, "/", IN_CLOSE));
        R(inotify_rm_watch(b, 1));
        R(inotify_add_watch(a, "/proc", IN_OPEN));
        close(a);
        R(inotify_add_watch(b, "/proc", IN_OPEN) > 0);
    }
    set_limit("max_user_instances", instances, NULL);
    set_limit("max_user_watches", watches, NULL);
}

static void systems(void)
{
    start();
    R(mount("none", "e", "tmpfs", 0, ""));
    put_file("e/f", "x");
    inotify_add_watch(in, "e", IN_ALL_EVENTS);
    inotify_add_watch(in, "e/f", IN_OPEN | IN_ONESHOT);
    R(umount("e"));
    events("unmounted");
    R(inotify_add_watch(in, "/proc/version", IN_ALL_EVENTS) > 0);
    char buffer[4000];
    int fd = open("/proc/version", O_RDONLY);
    read(fd, buffer, sizeof buffer);
    close(fd);
    events("proc");
    R(inotify_add_watch(in, "/dev/null", IN_ALL_EVENTS) > 0);
    fd = open("/dev/null", O_RDWR);
    write(fd, "x", 1);
    read(fd, buffer, 1);
    close(fd);
    events("null");
    mkfifo("d/p", 0600);
    inotify_add_watch(in, "d/p", IN_ALL_EVENTS);
    fd = open("d/p", O_RDWR);
    write(fd, "x", 1);
    read(fd, buffer, 1);
    close(fd);
    events("fifo");
    int ends[2];
    pipe(ends);
    char path[32];
    snprintf(path, sizeof path, "/proc/self/fd/%d", ends[0]);
    R(inotify_add_watch(in, path, IN_ALL_EVENTS) > 0);
    write(ends[1], "x", 1);
    read(ends[0], buffer, 1);
    close(ends[1]);
    close(ends[0]);
    events("pipe");
}

static void copies(void)
{
    start();
    put_file("d/f", "hello");
    put_file("d/g", "");
    inotify_add_watch(in, "d", IN_ACCESS | IN_MODIFY);
    int f = open("d/f", O_RDWR), g = open("d/g", O_RDWR);
    R(sendfile(g, f, NULL, 100));
    events("sendfile");
    R(sendfile(g, f, NULL, 100));
    events("sendfile at the end");
    loff_t from = 0, to = 3;
    R(syscall(SYS_copy_file_range, f, &from, g, &to, 5L, 0));
    events("copy_file_range");
}

static void programs(void)
{
    start();
    put_file("d/script", "#!/bin/true\n");
    chmod("d/script", 0755);
    inotify_add_watch(in, "d", IN_OPEN | IN_ACCESS | IN_CLOSE);
    IN_CHILD("script") {
        execl("d/script", "script", NULL);
    }
    events("a script");
    put_file("d/bad", "nothing");
    chmod("d/bad", 0755);
    events("written");
    IN_CHILD("bad") {
        execl("d/bad", "bad", NULL);
        show("execl", -1);
    }
    events("no program");
}

static void group_end(void)
{
    start();
    put_file("d/f", "x");
    int a = inotify_init1(IN_NONBLOCK), b = in;
    inotify_add_watch(a, "d/f", IN_OPEN);
    inotify_add_watch(b, "d/f", IN_OPEN | IN_CLOSE);
    close(open("d/f", O_RDONLY));
    events("second");
    in = a;
    events("first");
    close(a);
    close(open("d/f", O_RDONLY));
    in = b;
    events("second again");
    // A child's descriptor keeps the watches.
    IN_CHILD("child") {
        close(open("d/f", O_RDONLY));
        events("in the child");
    }
    events("in the parent");
}

PARTS({ "content", content }, { "attributes", attributes }, { "entries", entries }, { "removal", removal },
    { "moves", moves }, { "flags", flags }, { "errors", errors }, { "waiting", waiting }, { "limits", limits },
    { "systems", systems }, { "copies", copies }, { "programs", programs }, { "group_end", group_end })
