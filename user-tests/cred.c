// Credentials: which changes of user and group are allowed, and what they permit.
#include "t.h"
#include <grp.h>

static void show_ids(void)
{
    uid_t a, b, c;
    gid_t d, e, f, list[40];

    getresuid(&a, &b, &c);
    getresgid(&d, &e, &f);
    printf("  uid %d %d %d gid %d %d %d groups", a, b, c, d, e, f);
    int n = getgroups(40, list);
    for (int i = 0; i < n; i++)
        printf(" %d", list[i]);
    printf("\n");
}

// Runs one call in a child of its own and shows the credentials after it.
#define TRY(prepare, call) IN_CHILD("-- " #prepare) { prepare; R(call); show_ids(); }

// The raw calls: a C library may apply them to all threads by other means.
#define setuid(u) syscall(SYS_setuid, u)
#define setgid(g) syscall(SYS_setgid, g)
#define setreuid(r, e) syscall(SYS_setreuid, r, e)
#define setregid(r, e) syscall(SYS_setregid, r, e)
#define setresuid(r, e, s) syscall(SYS_setresuid, r, e, s)
#define setresgid(r, e, s) syscall(SYS_setresgid, r, e, s)
#define setgroups(n, list) syscall(SYS_setgroups, n, list)

static void part_root(void)
{
    TRY((void)0, setuid(1000));
    TRY((void)0, setgid(1000));
    TRY((void)0, setreuid(-1, 1000));
    TRY((void)0, setreuid(1000, -1));
    TRY((void)0, setreuid(1000, 1001));
    TRY((void)0, setresuid(1, 2, 3));
    TRY((void)0, setresgid(1, 2, 3));
    TRY((void)0, setresuid(-1, -1, -1));
    TRY((void)0, setregid(5, 6));
    TRY((void)0, setuid(-1));
    gid_t list[] = { 9, 3, 5 };
    TRY((void)0, setgroups(3, list));
    TRY(setgroups(3, list), setgroups(0, NULL));
    TRY((void)0, setgroups(3, (void *)1));
    TRY((void)0, setgroups(70000, list));
    TRY(setgroups(3, list), syscall(SYS_getgroups, 2, list));
    TRY(setgroups(3, list), syscall(SYS_getgroups, 0, NULL));
    TRY((void)0, syscall(SYS_getgroups, -1, NULL));
}

static void part_user(void)
{
    TRY(setresuid(1, 2, 3), setuid(1));
    TRY(setresuid(1, 2, 3), setuid(2));
    TRY(setresuid(1, 2, 3), setuid(3));
    TRY(setresuid(1, 2, 3), setuid(0));
    TRY(setresuid(1, 2, 3), setreuid(2, 1));
    TRY(setresuid(1, 2, 3), setreuid(3, -1));
    TRY(setresuid(1, 2, 3), setreuid(-1, 3));
    TRY(setresuid(1, 2, 3), setreuid(-1, 4));
    TRY(setresuid(1, 2, 3), setresuid(3, 1, 2));
    TRY(setresuid(1, 2, 3), setresuid(4, -1, -1));
    TRY(setresuid(1, 2, 3), setresuid(-1, -1, 0));
    TRY(setresuid(1000, 1000, 1000), setgid(5));
    TRY((setresgid(1, 2, 3), setuid(1000)), setgid(3));
    TRY((setresgid(1, 2, 3), setuid(1000)), setgid(4));
    TRY((setresgid(1, 2, 3), setuid(1000)), setregid(2, 3));
    TRY((setresgid(1, 2, 3), setuid(1000)), setresgid(3, 3, 1));
    TRY(setuid(1000), setgroups(0, NULL));
    TRY(setreuid(-1, 1000), setuid(0));
    TRY(setreuid(-1, 1000), setuid(1001));
    TRY(setreuid(1000, 0), setuid(1001));
    TRY(setuid(1000), setuid(0));
    TRY(setuid(1000), setuid(1000));
}

static void part_access(void)
{
    put_file("f", "text");
    chmod("f", 0600);
    put_file("g", "text");
    chmod("g", 0640);
    chown("g", 0, 100);
    // access(2) asks for the real user, opening for the effective one.
    IN_CHILD("real user 1000, effective root") {
        setreuid(1000, 0);
        R(access("f", R_OK));
        R(open("f", O_RDONLY) >= 0);
        R(syscall(439, AT_FDCWD, "f", R_OK, AT_EACCESS));
    }
    IN_CHILD("real root, effective user 1000") {
        setreuid(0, 1000);
        R(access("f", R_OK));
        R(open("f", O_RDONLY));
        R(syscall(439, AT_FDCWD, "f", R_OK, AT_EACCESS));
    }
    IN_CHILD("group") {
        gid_t list[] = { 100 };
        setgroups(1, list);
        setuid(1000);
        R(open("g", O_RDONLY) >= 0);
        R(open("g", O_WRONLY));
        R(access("g", R_OK | W_OK));
    }
    IN_CHILD("other") {
        setgroups(0, NULL);
        setgid(1000);
        setuid(1000);
        R(open("g", O_RDONLY));
        R(open("/root", O_RDONLY) >= 0 || errno == EACCES);
        R(creat("new", 0600));
    }
    IN_CHILD("file system user") {
        R(syscall(SYS_setfsuid, 1000));
        R(syscall(SYS_setfsuid, -1));
        R(open("f", O_RDONLY));
        R(access("f", R_OK));
        R(syscall(SYS_setfsuid, 0));
        R(open("f", O_RDONLY) >= 0);
    }
    chmod(".", 0777);
    IN_CHILD("owner of new files") {
        setgid(1001);
        setuid(1000);
        struct stat st;
        close(creat("mine", 0666));
        stat("mine", &st);
        printf("%d %d %o\n", st.st_uid, st.st_gid, st.st_mode);
    }
}

static void part_privileged(void)
{
    put_file("f", "x");
    chmod(".", 0777);
    IN_CHILD("as user") {
        struct timespec t = { 0, 0 };
        setuid(1000);
        R(mount("none", "/mnt", "tmpfs", 0, NULL));
        R(umount("/tmp"));
        R(chroot("/"));
        R(mknod("n", S_IFCHR | 0600, 0x103));
        R(mknod("p", S_IFIFO | 0600, 0));
        R(sethostname("x", 1));
        R(syscall(SYS_setdomainname, "x", 1));
        R(syscall(SYS_reboot, 0xfee1dead, 672274793, 0x4321fedc, NULL));
        R(clock_settime(CLOCK_REALTIME, &t));
        R(setpriority(PRIO_PROCESS, 0, -5));
        R(setpriority(PRIO_PROCESS, 0, 5));
        R(setpriority(PRIO_PROCESS, 0, 4));
        R(getpriority(PRIO_PROCESS, 0));
        R(setrlimit(RLIMIT_NOFILE, &(struct rlimit){ 1 << 22, 1 << 22 }));
        R(chown("f", 1000, -1));
        R(chmod("f", 0777));
        R(kill(1, SIGTERM));
        R(setsid() > 0);
        R(syscall(SYS_vhangup));
        R(sched_setscheduler(0, SCHED_FIFO, &(struct sched_param){ .sched_priority = 1 }));
        R(syscall(SYS_pivot_root, ".", "."));
    }
    IN_CHILD("the last program is told") {
        setuid(1000);
        R(execl("/proc/self/none", "x", (char *)0));
        R(access("/proc/1/root", F_OK));
        R(open("/proc/1/environ", O_RDONLY));
        R(readlink("/proc/1/cwd", (char[10]){ 0 }, 10));
        R(open("/proc/self/environ", O_RDONLY) >= 0);
    }
}

static void part_kill(void)
{
    static const uid_t targets[][2] = { { 0, 0 }, { 1000, 1000 }, { 1001, 1001 }, { 1000, 1001 }, { 0, 1000 } };
    int ends[2];
    char c;

    pipe(ends);
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            setresuid(targets[i][0], 77, targets[i][1]);
            write(ends[1], "r", 1);
            for (;;)
                pause();
        }
        read(ends[0], &c, 1);
        IN_CHILD("killer") {
            setuid(1000);
            printf("real %d saved %d: ", targets[i][0], targets[i][1]);
            R(kill(pid, 0));
        }
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
    }
    pid_t session = fork();
    if (session == 0) {
        setuid(1001);
        write(ends[1], "r", 1);
        for (;;)
            pause();
    }
    read(ends[0], &c, 1);
    IN_CHILD("CONT in one session") {
        setuid(1000);
        R(kill(session, SIGCONT));
        R(kill(session, SIGTERM));
        setsid();
        R(kill(session, SIGCONT));
    }
    kill(session, SIGKILL);
    waitpid(session, NULL, 0);
}

static void part_capabilities(void)
{
    struct { uint32_t version; int pid; } header = { 0x20080522, 0 };
    struct { uint32_t effective, permitted, inheritable; } data[2];

    R(syscall(SYS_capget, &header, data));
    printf("%x %x %x\n", data[0].effective, data[0].permitted, data[0].inheritable);
    IN_CHILD("after setuid") {
        setuid(1000);
        R(syscall(SYS_capget, &header, data));
        printf("%x %x\n", data[0].effective, data[0].permitted);
    }
    IN_CHILD("after seteuid") {
        setreuid(-1, 1000);
        R(syscall(SYS_capget, &header, data));
        printf("%x %x\n", data[0].effective, data[0].permitted);
        setreuid(-1, 0);
        syscall(SYS_capget, &header, data);
        printf("%x\n", data[0].effective);
    }
    IN_CHILD("kept on purpose") {
        R(syscall(SYS_prctl, 8, 1, 0, 0, 0));
        setuid(1000);
        syscall(SYS_capget, &header, data);
        printf("%x %x\n", data[0].effective, data[0].permitted);
    }
    IN_CHILD("given up") {
        data[0].effective &= ~(1u << 0);
        data[0].permitted &= ~(1u << 0);
        R(syscall(SYS_capset, &header, data));
        put_file("f", "x");
        R(chown("f", 1000, 1000));
        data[0].permitted |= 1;
        R(syscall(SYS_capset, &header, data));
    }
    IN_CHILD("no new privileges") {
        R(syscall(SYS_prctl, 38, 1, 0, 0, 0));
        R(syscall(SYS_prctl, 39, 0, 0, 0, 0));
        R(syscall(SYS_prctl, 38, 0, 0, 0, 0));
    }
    header.version = 1;
    R(syscall(SYS_capget, &header, data));
    printf("version %x\n", header.version);
    R(syscall(SYS_prctl, 3, 0, 0, 0, 0));
    IN_CHILD("not dumpable after setuid") {
        setuid(1000);
        R(syscall(SYS_prctl, 3, 0, 0, 0, 0));
    }
}

PARTS({ "root", part_root }, { "user", part_user }, { "access", part_access }, { "privileged", part_privileged },
      { "kill", part_kill }, { "capabilities", part_capabilities })
