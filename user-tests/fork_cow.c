// fork(2): what is copied, what is shared, and that a write of one is never seen by the other.
#include "t.h"

static int data = 1;
static int zero[100000];
static char big[1 << 20];

static int sum(const char *p, size_t n)
{
    int s = 0;

    for (size_t i = 0; i < n; i++)
        s += p[i];
    return s;
}

int main(void)
{
    int stack_variable = 2;
    int *heap = malloc(sizeof *heap);
    int *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int *private = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int ends[2];

    *heap = 3, *private = 4, *shared = 5;
    IN_CHILD("child") {
        data = 10, stack_variable = 20, *heap = 30, *private = 40, *shared = 50, zero[5] = 60;
        printf("in the child: %d %d %d %d %d %d\n", data, stack_variable, *heap, *private, *shared, zero[5]);
    }
    printf("in the parent: %d %d %d %d %d %d\n", data, stack_variable, *heap, *private, *shared, zero[5]);

    // The parent's write after the fork is not seen by the child, page by page.
    memset(big, 1, sizeof big);
    pipe(ends);
    pid_t pid = fork();
    if (pid == 0) {
        char c;
        read(ends[0], &c, 1);
        printf("child sees %d of the old\n", sum(big, sizeof big));
        _exit(0);
    }
    memset(big, 2, sizeof big);
    write(ends[1], "x", 1);
    waitpid(pid, NULL, 0);
    printf("parent sees %d of the new\n", sum(big, sizeof big));

    // A chain: every generation changes one page and sees all changes of its ancestors.
    fflush(stdout);
    memset(big, 0, sizeof big);
    int depth = 0;
    while (depth < 8) {
        pid = fork();
        if (pid)
            break;
        depth++;
        big[depth * 4096] = 1;
    }
    int status = 0;
    if (pid)
        waitpid(pid, &status, 0);
    if (depth) {
        int expected = depth == 8 ? 0 : WEXITSTATUS(status);
        _exit(sum(big, sizeof big) == depth ? expected : expected + 1);
    }
    printf("chain of eight: %d wrong, %d here\n", WEXITSTATUS(status), sum(big, sizeof big));

    // Many forks over the same memory: nothing leaks, nothing mixes.
    int wrong = 0;
    for (int i = 0; i < 50; i++) {
        pid = fork();
        if (pid == 0) {
            for (size_t j = 0; j < sizeof big; j += 4096)
                big[j] = (char)i;
            _exit(big[4096 * 7] == (char)i ? 0 : 1);
        }
        waitpid(pid, &status, 0);
        wrong += status != 0 || sum(big, sizeof big) != 0;
    }
    printf("fifty writers: %d wrong\n", wrong);

    // Read-only sharing survives: mprotect in the child does not change the parent.
    IN_CHILD("mprotect in the child")
        R(mprotect(private, 4096, PROT_READ));
    *private = 44;
    printf("parent still writes: %d\n", *private);

    // Unmapping in the child does not take it from the parent.
    IN_CHILD("munmap in the child")
        R(munmap(private, 4096));
    printf("parent still reads: %d\n", *private);

    // A system call that writes into a page shared after fork copies it too.
    write(ends[1], "child ", 6);
    strcpy(big, "parent");
    IN_CHILD("read into a shared page") {
        read(ends[0], big, 6);
        printf("child has %.6s\n", big);
    }
    printf("parent has %.6s\n", big);

    // Identity of the child.
    pid_t parent = getpid();
    IN_CHILD("identity") {
        CHECK("parent is known", getppid() == parent);
        CHECK("own number", getpid() != parent && getpid() > 0);
        CHECK("same group", getpgrp() == getpgid(parent));
        CHECK("same session", getsid(0) == getsid(parent));
        R(wait(NULL));
    }
    // vfork: the parent waits until the child has ended or executed, and shares its memory.
    data = 1;
    pid = vfork();
    if (pid == 0) {
        data = 99;
        _exit(7);
    }
    waitpid(pid, &status, 0);
    show_status("vfork", status);
    printf("written by the child of vfork: %d\n", data);
    pid = vfork();
    if (pid == 0) {
        execl("/bin/sh", "sh", "-c", "exit 8", (char *)0);
        _exit(1);
    }
    waitpid(pid, &status, 0);
    show_status("vfork and exec", status);

    // Descriptors share their offset, signals handlers and masks are inherited, pending signals are not.
    int fd = open("f", O_RDWR | O_CREAT, 0600);
    write(fd, "0123456789", 10);
    lseek(fd, 2, SEEK_SET);
    IN_CHILD("offset")
        lseek(fd, 3, SEEK_CUR);
    R(lseek(fd, 0, SEEK_CUR));
    sigset_t set, old;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    raise(SIGUSR1);
    IN_CHILD("signals") {
        sigpending(&set);
        R(sigismember(&set, SIGUSR1));
        sigprocmask(SIG_BLOCK, NULL, &old);
        R(sigismember(&old, SIGUSR1));
    }
    alarm(100);
    IN_CHILD("alarm")
        R(alarm(0));
    CHECK("alarm stays in the parent", alarm(0) > 0);
    return 0;
}
