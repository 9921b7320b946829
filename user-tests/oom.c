// Running out: of memory, of room in a file system, of processes. Whatever runs out, the rest goes on.
#include "t.h"
#include <grp.h>

static long free_kb(void)
{
    char line[200];
    long kb = -1;
    FILE *f = fopen("/proc/meminfo", "r");

    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "MemFree: %ld", &kb) == 1)
            break;
    if (f)
        fclose(f);
    return kb;
}

// Whether the memory comes back, less 4 MiB; it may take the kernel a moment.
static void check_back(long before)
{
    for (int i = 0; i < 300 && before - free_kb() > 4096; i++)
        pause_ms(10);
    if (before - free_kb() > 4096)
        printf("memory is missing: %ld KiB of %ld\n", before - free_kb(), before);
    else
        printf("memory is back\n");
}

// Asks to be the first to be killed.
static void volunteer(void)
{
    int fd = open("/proc/self/oom_score_adj", O_WRONLY);

    write(fd, "1000", 4);
    close(fd);
}

static void eat(void)
{
    volunteer();
    for (;;) {
        char *p = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (p == MAP_FAILED)
            break;
        memset(p, 1, 1 << 20);
    }
    // Where memory is not overcommitted the mapping is refused; both answers are honest, the first is Linux's.
    printf("%s\n", error_name(errno));
}

static void part_eat_all(void)
{
    long before = free_kb();

    IN_CHILD("eats everything")
        eat();
    check_back(before);
    IN_CHILD("eats everything again")
        eat();
    check_back(before);
    printf("still here\n");
}

static void part_bystander(void)
{
    // A process that does not grow survives while its neighbour is killed.
    int ends[2], status;
    char c;

    pipe(ends);
    pid_t calm = fork();
    if (calm == 0) {
        close(ends[1]);
        read(ends[0], &c, 1);
        printf("bystander lives\n");
        _exit(7);
    }
    IN_CHILD("eats")
        eat();
    close(ends[1]);
    waitpid(calm, &status, 0);
    show_status("bystander", status);
}

static void part_shared_and_files(void)
{
    long before = free_kb();

    IN_CHILD("eats by fork and write") {
        volunteer();
        size_t size = 40 << 20;
        char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        memset(p, 1, size);
        for (int i = 0; i < 8; i++)
            if (fork() == 0) {
                volunteer();
                memset(p, 2 + i, size);
                pause_ms(300);
                _exit(0);
            }
        while (wait(NULL) > 0)
            ;
        _exit(0);
    }
    check_back(before);
}

static void part_tmpfs(void)
{
    static char block[65536];
    long before = free_kb(), total = 0;
    ssize_t n;

    mkdir("m", 0755);
    R(mount("none", "m", "tmpfs", 0, "size=8m"));
    int fd = open("m/f", O_RDWR | O_CREAT, 0600);
    while ((n = write(fd, block, sizeof block)) > 0)
        total += n;
    printf("%ld written, then %s\n", total, error_name(errno));
    R(write(fd, block, 1));
    R(pwrite(fd, block, 1, 100));
    R(mkdir("m/d", 0755));
    R(ftruncate(fd, 1 << 30));
    char *p = mmap(NULL, 16 << 20, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    IN_CHILD("writes to a mapping of a full file system")
        p[12 << 20] = 1;
    IN_CHILD("reads a hole of a full file system")
        printf("%d\n", p[12 << 20]);
    R(fallocate(fd, 0, 9 << 20, 4096));
    R(ftruncate(fd, 0));
    R(write(fd, block, sizeof block) > 0);
    munmap(p, 16 << 20);
    close(fd);
    R(umount("m"));
    check_back(before);
}

static void part_fork_limit(void)
{
    IN_CHILD("fork bomb") {
        setgid(1001), setuid(1001);
        setrlimit(RLIMIT_NPROC, &(struct rlimit){ 30, 30 });
        int n = 0;
        pid_t pid;
        while ((pid = fork()) > 0)
            n++;
        if (pid == 0)
            for (;;)
                pause();
        printf("%d children, then %s\n", n, error_name(errno));
        R(fork());
        signal(SIGTERM, SIG_IGN);
        kill(-1, SIGTERM);
        while (wait(NULL) > 0)
            n--;
        printf("%d left\n", n);
        IN_CHILD("fork works again")
            printf("child\n");
    }
    IN_CHILD("bomb of all") {
        setgid(1001), setuid(1001);
        setrlimit(RLIMIT_NPROC, &(struct rlimit){ 40, 40 });
        signal(SIGUSR1, SIG_IGN);
        pid_t me = getpid();
        struct timespec start, now;
        clock_gettime(CLOCK_MONOTONIC, &start);
        do {
            fork();
            clock_gettime(CLOCK_MONOTONIC, &now);
        } while (now.tv_sec - start.tv_sec < 1);
        if (getpid() != me)
            for (;;)
                pause();
        // kill(-1) spares the caller; once more for those that were being born.
        for (int i = 0; i < 3; i++) {
            kill(-1, SIGKILL);
            pause_ms(50);
        }
        printf("all killed\n");
    }
    IN_CHILD("root is not limited") {
        setrlimit(RLIMIT_NPROC, &(struct rlimit){ 1, 1 });
        IN_CHILD("child of root")
            printf("runs\n");
    }
}

static void part_descriptors(void)
{
    long before = free_kb();

    IN_CHILD("pipes until there is no number left") {
        int n = 0, p[2];
        setrlimit(RLIMIT_NOFILE, &(struct rlimit){ 1024, 1024 });
        while (pipe(p) == 0) {
            char page[4096] = { 0 };
            write(p[1], page, sizeof page);
            n++;
        }
        printf("%d pipes, then %s\n", n, error_name(errno));
    }
    check_back(before);
}

static void part_many_mappings(void)
{
    long before = free_kb();

    IN_CHILD("mappings until they are refused") {
        int n = 0;
        for (; n < 70000; n++)
            if (mmap(NULL, 4096, n % 2 ? PROT_READ : PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED)
                break;
        CHECK("refused at the limit", n > 65000 && n < 65540 && errno == ENOMEM);
    }
    check_back(before);
}

static void part_long_names_and_arguments(void)
{
    // Arguments as large as they may be, by many processes at once.
    static char big[120000];
    long before = free_kb();

    memset(big, 'a', sizeof big - 1);
    for (int i = 0; i < 8; i++)
        if (fork() == 0) {
            char *argv[] = { "true", big, big, big, big, big, big, big, big, NULL }, *envp[] = { NULL };
            execve("/bin/true", argv, envp);
            _exit(1);
        }
    int status, wrong = 0;
    while (wait(&status) > 0)
        wrong += status != 0;
    printf("%d wrong\n", wrong);
    check_back(before);
}

// What wants a long piece of memory, while none is left that is longer than a page.
static void use_long_pieces(void)
{
    static char big[120000], name[300], value[60000];
    static gid_t groups[65536];
    static struct pollfd fds[1000];
    static struct iovec parts[1024];
    char *argv[] = { "true", big, big, big, big, big, big, big, big, big, big, NULL }, *envp[] = { NULL };
    int file = open("f", O_RDWR | O_CREAT, 0600);

    memset(big, 'a', sizeof big - 1);
    for (int i = 0; i < 8; i++)
        if (fork() == 0) {
            execve("/bin/true", argv, envp);
            _exit(1);
        }
    int status, wrong = 0;
    while (wait(&status) > 0)
        wrong += status != 0;
    printf("%d wrong\n", wrong);
#define DONE_OR_REFUSED(call) CHECK(#call, (call) != -1 || errno == ENOMEM || errno == EAGAIN)
    DONE_OR_REFUSED(setgroups(65536, groups));
    DONE_OR_REFUSED(getgroups(65536, groups));
    DONE_OR_REFUSED(setgroups(0, groups));
    for (int i = 0; i < 1000; i++)
        fds[i].fd = file, fds[i].events = POLLIN;
    DONE_OR_REFUSED(poll(fds, 1000, 0));
    for (int i = 0; i < 1024; i++)
        parts[i].iov_base = value, parts[i].iov_len = 10;
    DONE_OR_REFUSED(writev(file, parts, 1024));
    DONE_OR_REFUSED(fcntl(file, F_DUPFD, 900));
    DONE_OR_REFUSED(syscall(SYS_setxattr, "f", "trusted.long", value, sizeof value, 0));
    DONE_OR_REFUSED(syscall(SYS_getdents64, open(".", O_RDONLY), big, sizeof big));
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN);
    sigprocmask(SIG_BLOCK, &set, NULL);
    for (int i = 0; i < 600; i++)
        if (sigqueue(getpid(), SIGRTMIN, (union sigval){ .sival_int = i }) == -1 && errno != EAGAIN)
            printf("sigqueue: %s\n", error_name(errno));
    for (int i = 0; i < 300; i++) {
        snprintf(name, sizeof name, "n%0200d", i);
        close(open(name, O_RDWR | O_CREAT, 0600));
        unlink(name);
    }
    int shell = system("cat /proc/self/status /proc/self/maps /proc/meminfo >/dev/null; ls -lR /proc/self >/dev/null 2>&1; true");
    printf("shell %d\n", shell);
}

static void part_fragments(void)
{
    // Every second page of nearly all memory is in use: what is free is in pieces of one page.
    long before = free_kb();

    IN_CHILD("in fragments") {
        size_t size = (free_kb() - 16384) << 10;
        char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        madvise(p, size, MADV_NOHUGEPAGE);
        madvise(p, size, MADV_DONTFORK);
        memset(p, 1, size);
        for (size_t at = 0; at < size; at += 8192)
            madvise(p + at, 4096, MADV_DONTNEED);
        use_long_pieces();
    }
    unlink("f");
    check_back(before);
}

PARTS({ "eat_all", part_eat_all }, { "bystander", part_bystander }, { "shared_and_files", part_shared_and_files },
      { "tmpfs", part_tmpfs }, { "fork_limit", part_fork_limit }, { "descriptors", part_descriptors },
      { "many_mappings", part_many_mappings }, { "arguments", part_long_names_and_arguments },
      { "fragments", part_fragments })
