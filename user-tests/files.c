// Names, links and attributes: every call's effect and its errors.
#include "t.h"
#include <dirent.h>
#include <sys/xattr.h>

static struct stat st;
static char text[8192];

static void types(const char *path)
{
    if (lstat(path, &st))
        printf("%s: %s\n", path, error_name(errno));
    else
        printf("%s: mode %o links %ld size %ld\n", path, st.st_mode, (long)st.st_nlink, S_ISDIR(st.st_mode) ? -1 : (long)st.st_size);
}

static void part_open_errors(void)
{
    static char longer[300], path[5000];

    memset(longer, 'n', 299);
    memset(path, '/', 4999);
    R(open("", O_RDONLY));
    R(open("none/x", O_RDONLY));
    put_file("f", "text");
    R(open("f/x", O_RDONLY));
    R(open("f/", O_RDONLY));
    R(open(longer, O_RDONLY));
    R(open(path, O_RDONLY));
    R(open((char *)1, O_RDONLY));
    R(symlink("loop", "loop"));
    R(open("loop", O_RDONLY));
    R(open("loop/x", O_RDONLY));
    R(mkdir("d", 0));
    R(open("d", O_WRONLY));
    R(openat(-100, "none", O_RDONLY));
    R(openat(-5, "f", O_RDONLY));
    R(openat(-5, "/none", O_RDONLY));
    R(creat("d", 0600));
    R(open("x", O_RDONLY | O_TRUNC | O_DIRECTORY | O_CREAT, 0600));
    R(mknod("nodev", S_IFCHR | 0600, 0x7f << 8));
    R(open("nodev", O_RDONLY));
    R(syscall(SYS_openat2, AT_FDCWD, "f", NULL, 24));
}

static void part_mkdir(void)
{
    R(mkdir("d", 0777));
    types("d");
    R(mkdir("d", 0777));
    R(mkdir("d/", 0777));
    R(mkdir("e/", 01777));
    types("e");
    R(mkdir("none/x", 0777));
    R(mkdir("", 0777));
    R(mkdir(".", 0777));
    R(mkdir("..", 0777));
    R(mkdir("/", 0777));
    put_file("f", "");
    R(mkdir("f/x", 0777));
    R(mkdir("f", 0777));
    R(rmdir("f"));
    R(rmdir("d/."));
    R(rmdir("d/.."));
    R(rmdir("."));
    R(rmdir("/"));
    R(rmdir("none"));
    R(mkdir("d/sub", 0755));
    types("d");
    R(rmdir("d"));
    R(unlink("d"));
    R(unlinkat(AT_FDCWD, "d/sub", AT_REMOVEDIR));
    R(unlinkat(AT_FDCWD, "d", 0x1000));
    R(unlinkat(AT_FDCWD, "f", AT_REMOVEDIR));
    R(rmdir("d"));
    R(unlink("f/"));
    R(unlink(""));
    R(unlink("f"));
    R(unlink("f"));
}

static void part_links(void)
{
    put_file("a", "content");
    R(link("a", "b"));
    types("b");
    R(link("a", "b"));
    R(link("none", "c"));
    R(link("a", "none/c"));
    R(link("a", ""));
    R(mkdir("d", 0755));
    R(link("d", "e"));
    R(link("a", "d/"));
    R(link("a", "d"));
    R(symlink("a", "s"));
    types("s");
    R(link("s", "hs"));
    types("hs");
    R(linkat(AT_FDCWD, "s", AT_FDCWD, "followed", AT_SYMLINK_FOLLOW));
    types("followed");
    R(linkat(AT_FDCWD, "a", AT_FDCWD, "x", 0x1));
    int fd = open("a", O_RDONLY);
    R(linkat(fd, "", AT_FDCWD, "byfd", AT_EMPTY_PATH));
    types("a");
    R(readlink("s", text, sizeof text));
    R(readlink("s", text, 0));
    R(readlink("a", text, 10));
    R(symlink("0123456789", "long"));
    R(readlink("long", text, 4));
    printf("%.4s\n", text);
    R(symlink("", "empty"));
    R(symlink("a", "s"));
    R(symlink("x", "d/"));
    R(symlink("x", "none/y"));
    R(unlink("s"));
    R(stat("hs", &st));
    R(unlink("a"));
    types("b");
    R(stat("hs", &st));
    R(lstat("hs/", &st));
}

static void part_rename(void)
{
    put_file("a", "A");
    put_file("b", "B");
    mkdir("d", 0755), mkdir("e", 0755), mkdir("d/sub", 0755);
    R(rename("none", "x"));
    R(rename("a", "none/x"));
    R(rename("a", "a"));
    R(rename("a", "d"));
    R(rename("d", "a"));
    R(rename("d", "e"));
    R(rename("e", "d"));
    R(rename("e", "e/sub/x"));
    types("d");
    R(rename("d", "e"));
    types("e");
    R(rename("e/sub", "e"));
    R(rename("e", "e/sub"));
    R(rename("e", "e/sub/deep"));
    R(rename(".", "x"));
    R(rename("e", ".."));
    R(rename("e/.", "x"));
    R(rename("a/", "x"));
    R(rename("a", "x/"));
    R(rename("e", "x/"));
    types("x");
    R(rename("x", "e"));
    R(rename("a", "b"));
    types("b");
    link("b", "c");
    R(rename("b", "c"));
    types("b");
    R(syscall(SYS_renameat2, AT_FDCWD, "b", AT_FDCWD, "e", 1));
    R(syscall(SYS_renameat2, AT_FDCWD, "b", AT_FDCWD, "e", 2));
    types("b");
    types("e");
    R(syscall(SYS_renameat2, AT_FDCWD, "b", AT_FDCWD, "none", 2));
    R(syscall(SYS_renameat2, AT_FDCWD, "b", AT_FDCWD, "e", 3));
    R(syscall(SYS_renameat2, AT_FDCWD, "b", AT_FDCWD, "fresh", 1));
    R(symlink("dangling", "l"));
    R(rename("l", "m"));
    R(rename("e", "m"));
    types("m");
}

static void part_modes(void)
{
    R(umask(027));
    R(close(open("f", O_CREAT | O_WRONLY, 07777)));
    types("f");
    R(chmod("f", 0xffff));
    types("f");
    R(chmod("none", 0600));
    R(fchmodat(AT_FDCWD, "f", 0640, 0));
    symlink("f", "l");
    R(chmod("l", 0604));
    types("f");
    R(syscall(SYS_fchmodat, AT_FDCWD, "l", 0600));
    R(mkfifo("p", 0666));
    types("p");
    R(mknod("reg", S_IFREG | 0666, 0));
    types("reg");
    R(mknod("bare", 0666, 0));
    types("bare");
    R(mknod("dir", S_IFDIR | 0777, 0));
    R(mknod("lnk", S_IFLNK | 0777, 0));
    R(mknod("sock", S_IFSOCK | 0666, 0));
    types("sock");
    R(open("sock", O_RDWR));
    R(mknod("c", S_IFCHR | 0666, 0x103));
    R(stat("c", &st));
    printf("device %lx\n", (long)st.st_rdev);
    R(mknod("f", S_IFREG | 0666, 0));
    R(mknod("bad", 0170000, 0));
    R(chown("f", 1000, 100));
    stat("f", &st);
    printf("%d %d\n", st.st_uid, st.st_gid);
    R(chown("f", -1, -1));
    R(lchown("l", 7, 8));
    lstat("l", &st);
    printf("%d %d\n", st.st_uid, st.st_gid);
    R(fchownat(AT_FDCWD, "l", 9, -1, 0));
    stat("f", &st);
    printf("%d %d\n", st.st_uid, st.st_gid);
    R(fchownat(AT_FDCWD, "f", 9, -1, 0x1));
}

static void show_times(const char *path)
{
    lstat(path, &st);
    printf("%s: %ld.%09ld %ld.%09ld\n", path, (long)st.st_atim.tv_sec, st.st_atim.tv_nsec, (long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
}

static void part_times(void)
{
    struct timespec t[2] = { { 1, 2 }, { 3, 999999999 } };

    put_file("f", "x");
    symlink("f", "l");
    R(utimensat(AT_FDCWD, "f", t, 0));
    show_times("f");
    t[0].tv_nsec = UTIME_OMIT;
    t[1] = (struct timespec){ 10, 11 };
    R(utimensat(AT_FDCWD, "f", t, 0));
    show_times("f");
    t[1].tv_nsec = UTIME_OMIT;
    R(utimensat(AT_FDCWD, "f", t, 0));
    show_times("f");
    t[0] = (struct timespec){ 5, 6 }, t[1] = (struct timespec){ 7, 8 };
    R(utimensat(AT_FDCWD, "l", t, AT_SYMLINK_NOFOLLOW));
    show_times("l");
    show_times("f");
    t[0].tv_nsec = 1000000000;
    R(utimensat(AT_FDCWD, "f", t, 0));
    t[0].tv_nsec = -1;
    R(utimensat(AT_FDCWD, "f", t, 0));
    R(utimensat(AT_FDCWD, "none", NULL, 0));
    R(utimensat(AT_FDCWD, "f", NULL, 0x1));
    t[0].tv_nsec = UTIME_NOW, t[1] = (struct timespec){ -5, 0 };
    R(utimensat(AT_FDCWD, "f", t, 0));
    stat("f", &st);
    CHECK("now and before 1970", labs((long)(st.st_atim.tv_sec - time(NULL))) < 3 && st.st_mtim.tv_sec == -5);
    R(utimensat(AT_FDCWD, "f", NULL, 0));
    stat("f", &st);
    CHECK("both now", st.st_mtim.tv_sec == st.st_atim.tv_sec && labs((long)(st.st_atim.tv_sec - time(NULL))) < 3);
    int fd = open("f", O_RDONLY);
    t[0] = (struct timespec){ 20, 0 }, t[1] = (struct timespec){ 30, 0 };
    R(futimens(fd, t));
    show_times("f");
    struct timeval v[2] = { { 40, 41 }, { 50, 51 } };
    R(utimes("f", v));
    show_times("f");
    v[0].tv_usec = 1000000;
    R(utimes("f", v));
    struct timespec before, after;
    stat("f", &st);
    before = st.st_ctim;
    pause_ms(20);
    chmod("f", 0600);
    stat("f", &st);
    after = st.st_ctim;
    CHECK("chmod changes ctime", after.tv_sec > before.tv_sec || (after.tv_sec == before.tv_sec && after.tv_nsec > before.tv_nsec));
}

static void part_stat(void)
{
    struct { unsigned mask, blksize; uint64_t attributes; unsigned nlink, uid, gid; uint16_t mode, pad; uint64_t ino, size, blocks, attributes_mask; char rest[192]; } x;

    put_file("f", "12345");
    chmod("f", 04751);
    chown("f", 3, 4);
    chmod("f", 04751);
    R(stat("f", &st));
    memset(&x, 0, sizeof x);
    R(syscall(SYS_statx, AT_FDCWD, "f", 0, 0x7ff, &x));
    CHECK("statx agrees", x.size == 5 && x.ino == st.st_ino && x.mode == st.st_mode && x.nlink == st.st_nlink && x.uid == 3 && x.gid == 4 && x.blocks == (uint64_t)st.st_blocks);
    printf("basic mask %x\n", x.mask & 0x7ff);
    printf("mode %o links %d size %ld blocks %ld block size %ld\n", st.st_mode, (int)st.st_nlink, (long)st.st_size, (long)st.st_blocks, (long)st.st_blksize);
    R(syscall(SYS_statx, AT_FDCWD, "f", 0x6000, 0x7ff, &x));
    R(syscall(SYS_statx, AT_FDCWD, "f", 0, 0x80000000, &x));
    R(syscall(SYS_statx, AT_FDCWD, "f", 0x1, 0x7ff, &x));
    R(syscall(SYS_statx, AT_FDCWD, "", AT_EMPTY_PATH, 0x7ff, &x));
    R(syscall(SYS_statx, AT_FDCWD, "", 0, 0x7ff, &x));
    R(syscall(SYS_statx, 0, NULL, AT_EMPTY_PATH, 0x7ff, &x));
    R(fstatat(AT_FDCWD, "none", &st, 0));
    R(fstatat(AT_FDCWD, "f", &st, 0x8));
    R(fstatat(open("f", O_RDONLY), "", &st, AT_EMPTY_PATH));
    symlink("none", "dang");
    R(stat("dang", &st));
    R(lstat("dang", &st));
    R(fstatat(AT_FDCWD, "dang", &st, AT_SYMLINK_NOFOLLOW));
    R(access("f", R_OK | W_OK | X_OK));
    R(access("f", 8));
    R(access("none", F_OK));
    R(access("dang", F_OK));
    R(syscall(439, AT_FDCWD, "dang", F_OK, AT_SYMLINK_NOFOLLOW));
    R(truncate("f", 100));
    R(truncate("none", 1));
    R(truncate(".", 1));
    R(truncate("f", -1));
    R(stat("f", &st));
    printf("size %ld\n", (long)st.st_size);
}

static void part_getdents(void)
{
    R(mkdir("d", 0755));
    put_file("d/file", "");
    mkdir("d/dir", 0755);
    symlink("x", "d/link");
    mkfifo("d/fifo", 0600);
    mknod("d/char", S_IFCHR | 0600, 0x103);
    int fd = open("d", O_RDONLY | O_DIRECTORY);
    long n, found = 0, wrong = 0;
    while ((n = syscall(SYS_getdents64, fd, text, 80)) > 0)
        for (long at = 0; at < n;) {
            struct dirent *e = (void *)(text + at);
            at += e->d_reclen;
            found++;
            char path[300];
            snprintf(path, sizeof path, "d/%s", e->d_name);
            if (lstat(path, &st) || (unsigned)(st.st_mode >> 12) != e->d_type || (st.st_ino != e->d_ino && strcmp(e->d_name, "..")) || e->d_reclen % 8)
                wrong++;
        }
    printf("%ld entries, %ld wrong, end %ld\n", found, wrong, n);
    R(lseek(fd, 0, SEEK_SET));
    R(syscall(SYS_getdents64, fd, text, 10));
    R(syscall(SYS_getdents64, fd, text, sizeof text) > 0);
    R(syscall(SYS_getdents64, fd, text, sizeof text));
    // Every file that was there all the time is listed once, whatever is added and removed meanwhile.
    for (int i = 0; i < 200; i++) {
        char path[40];
        snprintf(path, sizeof path, "d/s%d", i);
        put_file(path, "");
    }
    DIR *dir = opendir("d");
    int seen[200] = { 0 }, step = 0;
    for (struct dirent *e; (e = readdir(dir));) {
        char path[40];
        snprintf(path, sizeof path, "d/t%d", step++);
        if (step < 100)
            put_file(path, "");
        if (e->d_name[0] == 's')
            seen[atoi(e->d_name + 1)]++;
        if (e->d_name[0] == 't')
            unlinkat(fd, e->d_name, 0);
    }
    wrong = 0;
    for (int i = 0; i < 200; i++)
        wrong += seen[i] != 1;
    printf("%ld not seen once\n", wrong);
    // telldir and seekdir come back to the same entry.
    rewinddir(dir);
    for (int i = 0; i < 50; i++)
        readdir(dir);
    long place = telldir(dir);
    struct dirent *e = readdir(dir);
    char name[256];
    strcpy(name, e ? e->d_name : "?");
    for (int i = 0; i < 20; i++)
        readdir(dir);
    seekdir(dir, place);
    e = readdir(dir);
    CHECK("seekdir", e && strcmp(e->d_name, name) == 0);
    closedir(dir);
    R(syscall(SYS_getdents64, 0, text, sizeof text));
    int gone = open("d/dir", O_RDONLY);
    rmdir("d/dir");
    R(syscall(SYS_getdents64, gone, text, sizeof text));
}

static void part_cwd(void)
{
    R(getcwd(text, sizeof text) != NULL);
    R(syscall(SYS_getcwd, text, 2));
    R(syscall(SYS_getcwd, text, 0));
    mkdir("d", 0755);
    R(chdir("none"));
    put_file("f", "");
    R(chdir("f"));
    R(chdir("d"));
    R(syscall(SYS_getcwd, text, sizeof text) > 2);
    CHECK("ends in /d", strcmp(strrchr(text, '/'), "/d") == 0);
    R(rmdir("../d"));
    R(syscall(SYS_getcwd, text, sizeof text));
    R(open("x", O_CREAT | O_WRONLY, 0600));
    R(mkdir("x", 0700));
    R(chdir(".."));
    int fd = open("/", O_RDONLY | O_PATH);
    R(fchdir(fd));
    R(syscall(SYS_getcwd, text, sizeof text));
    printf("%s\n", text);
    R(chdir(".."));
    R(chdir("../../.."));
    R(syscall(SYS_getcwd, text, sizeof text));
}

static void part_at_calls(void)
{
    mkdir("d", 0755);
    int d = open("d", O_RDONLY | O_DIRECTORY);
    R(mkdirat(d, "sub", 0700));
    R(close(openat(d, "f", O_CREAT | O_WRONLY, 0600)));
    R(symlinkat("f", d, "l"));
    R(readlinkat(d, "l", text, 10));
    R(linkat(d, "f", d, "g", 0));
    R(renameat(d, "g", d, "h"));
    R(fchmodat(d, "h", 0640, 0));
    R(mknodat(d, "p", S_IFIFO | 0600, 0));
    R(faccessat(d, "h", R_OK, 0));
    R(fstatat(d, "sub", &st, 0));
    R(rename("d", "moved"));
    R(fstatat(d, "h", &st, 0));
    R(fstatat(d, "../moved/h", &st, 0));
    R(unlinkat(d, "h", 0));
    R(unlinkat(d, "sub", AT_REMOVEDIR));
    int sub = openat(d, "..", O_RDONLY | O_DIRECTORY);
    R(fstatat(sub, "moved/f", &st, 0));
    R(openat(d, "/none", O_RDONLY));
    R(fstatat(d, "", &st, 0));
}

static void part_mounts(void)
{
    mkdir("m", 0755), mkdir("n", 0755);
    R(mount("none", "m", "nosuch", 0, NULL));
    R(mount("none", "gone", "tmpfs", 0, NULL));
    R(mount("none", "m", "tmpfs", 0, "size=64k"));
    put_file("m/f", "in");
    R(open("m/g", O_CREAT | O_EXCL | O_WRONLY, 0600) >= 0);
    R(umount("m"));
    for (int i = 3; i < 20; i++)
        close(i);
    R(mount("m", "n", NULL, MS_BIND, NULL));
    R(stat("n/f", &st));
    R(rename("m/f", "n/h"));
    R(mount(NULL, "n", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL));
    R(open("n/new", O_CREAT | O_WRONLY, 0600));
    R(chmod("n/f", 0600));
    R(unlink("n/f"));
    R(access("n/f", W_OK));
    R(access("m/f", W_OK));
    R(umount2("n", 0x100));
    R(umount2("n", MNT_DETACH));
    R(umount2("n", 0));
    R(umount2("m", UMOUNT_NOFOLLOW));
    R(umount2("none", 0));
    struct statfs sf;
    R(statfs("/proc", &sf));
    printf("%lx\n", (long)sf.f_type);
    R(statfs("/tmp", &sf));
    printf("%lx %ld %ld\n", (long)sf.f_type, (long)sf.f_bsize, (long)sf.f_namelen);
    R(statfs("/dev/pts", &sf));
    printf("%lx\n", (long)sf.f_type);
    R(statfs("none", &sf));
}

PARTS({ "open_errors", part_open_errors }, { "mkdir", part_mkdir }, { "links", part_links }, { "rename", part_rename },
      { "modes", part_modes }, { "times", part_times }, { "stat", part_stat }, { "getdents", part_getdents },
      { "at_calls", part_at_calls }, { "mounts", part_mounts }, { "cwd", part_cwd })
