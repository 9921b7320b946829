// execve(2) of broken files: ELF headers cut short, lying or contradictory, `#!` loops; and of bad arguments.
#include "t.h"
#include <elf.h>

static unsigned char *image;
static size_t size;

// Writes the bytes as an executable file, executes it in a child and prints what became of it.
static void try_image(const char *name, const void *bytes, size_t length)
{
    int fd = open("bad", O_WRONLY | O_CREAT | O_TRUNC, 0755), status;

    if (write(fd, bytes, length) != (ssize_t)length)
        printf("cannot write: %s\n", error_name(errno));
    close(fd);
    pid_t pid = fork();
    if (pid == 0) {
        char *argv[] = { "bad", "ran", NULL }, *envp[] = { NULL };
        setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
        execve("bad", argv, envp);
        _exit(errno);
    }
    waitpid(pid, &status, 0);
    if (WIFSIGNALED(status))
        printf("%s: killed by %d\n", name, WTERMSIG(status));
    else if (WEXITSTATUS(status) == 0)
        printf("%s: ran\n", name);
    else
        printf("%s: %s\n", name, error_name(WEXITSTATUS(status)));
    unlink("bad");
}

// Makes a changed copy of the image, executes it. In the statement `h` is the header, `p` the program headers.
#define CHANGED(statement) do { \
        unsigned char *copy = malloc(size); \
        memcpy(copy, image, size); \
        Elf64_Ehdr *h = (void *)copy; \
        Elf64_Phdr *p = (void *)(copy + h->e_phoff); \
        (void)p; \
        statement; \
        try_image(#statement, copy, size); \
        free(copy); \
    } while (0)

// The smallest program: one segment, exit(0).
static void tiny(void)
{
    struct { Elf64_Ehdr h; Elf64_Phdr p[3]; unsigned char code[16]; } t;
    memset(&t, 0, sizeof t);
    memcpy(t.h.e_ident, ELFMAG, 4);
    t.h.e_ident[EI_CLASS] = ELFCLASS64;
    t.h.e_ident[EI_DATA] = ELFDATA2LSB;
    t.h.e_ident[EI_VERSION] = 1;
    t.h.e_type = ET_EXEC;
    t.h.e_machine = EM_X86_64;
    t.h.e_version = 1;
    t.h.e_phoff = sizeof t.h;
    t.h.e_ehsize = sizeof t.h;
    t.h.e_phentsize = sizeof(Elf64_Phdr);
    t.h.e_phnum = 1;
    t.h.e_entry = 0x400000 + sizeof t.h + sizeof t.p;
    t.p[0] = (Elf64_Phdr){ .p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_vaddr = 0x400000, .p_filesz = sizeof t, .p_memsz = sizeof t, .p_align = 4096 };
    // mov eax, 60; xor edi, edi; syscall
    memcpy(t.code, "\xb8\x3c\x00\x00\x00\x31\xff\x0f\x05", 9);
    image = malloc(sizeof t);
    memcpy(image, &t, sizeof t);
    size = sizeof t;
}

static void part_cut_short(void)
{
    tiny();
    try_image("whole", image, size);
    for (size_t n = 0; n < size; n += n < 8 ? 1 : n < 64 ? 14 : 24) {
        char name[32];
        snprintf(name, sizeof name, "%zu bytes", n);
        try_image(name, image, n);
    }
}

static void part_header(void)
{
    tiny();
    CHANGED(h->e_ident[0] = 0);
    CHANGED(h->e_ident[EI_CLASS] = ELFCLASS32);
    CHANGED(h->e_ident[EI_DATA] = ELFDATA2MSB);
    CHANGED(h->e_type = ET_REL);
    CHANGED(h->e_type = ET_CORE);
    CHANGED(h->e_type = 0xffff);
    CHANGED(h->e_machine = EM_AARCH64);
    CHANGED(h->e_machine = 0);
    CHANGED(h->e_phentsize = 55);
    CHANGED(h->e_phentsize = 0);
    CHANGED(h->e_phnum = 0);
    CHANGED(h->e_phnum = 0xffff);
    CHANGED(h->e_phnum = 2000);
    CHANGED(h->e_phoff = size);
    CHANGED(h->e_phoff = size - 10);
    CHANGED(h->e_phoff = ~0ul);
    CHANGED(h->e_phoff = 1ul << 63);
    CHANGED(h->e_shnum = 0xffff; h->e_shoff = ~0ul);
    CHANGED(h->e_entry = 0);
    CHANGED(h->e_entry = 0xffff800000000000);
    CHANGED(h->e_entry = 0x800000000000);
    CHANGED(h->e_entry = 0x400000 + 5000);
}

static void part_segments(void)
{
    tiny();
    CHANGED(p[0].p_type = PT_NOTE);
    CHANGED(p[0].p_filesz = 0);
    CHANGED(p[0].p_filesz = 100000);
    CHANGED(p[0].p_filesz = 100000; p[0].p_memsz = 100000);
    CHANGED(p[0].p_filesz = ~0ul);
    CHANGED(p[0].p_memsz = 0);
    CHANGED(p[0].p_memsz = ~0ul);
    CHANGED(p[0].p_memsz = 1ul << 47);
    CHANGED(p[0].p_memsz = 1ul << 46);
    CHANGED(p[0].p_vaddr = 0);
    CHANGED(p[0].p_vaddr = 0x400010);
    CHANGED(p[0].p_vaddr = 0xffff800000000000);
    CHANGED(p[0].p_vaddr = 0x7ffffffff000);
    CHANGED(p[0].p_vaddr = ~0ul);
    CHANGED(p[0].p_offset = 1);
    CHANGED(p[0].p_offset = 4096);
    CHANGED(p[0].p_offset = ~0ul - 4095);
    CHANGED(p[0].p_offset = 1ul << 62);
    CHANGED(p[0].p_align = 3);
    CHANGED(p[0].p_align = ~0ul);
    CHANGED(p[0].p_flags = PF_R);
    CHANGED(p[0].p_flags = 0);
    CHANGED(h->e_phnum = 2; p[1] = p[0]);
    CHANGED(h->e_phnum = 2; p[1] = p[0]; p[1].p_vaddr = 0x300000);
    CHANGED(h->e_phnum = 2; p[1] = p[0]; p[1].p_vaddr = 0x7ffffffff000);
    CHANGED(h->e_type = ET_DYN; p[0].p_vaddr = 0; h->e_entry -= 0x400000);
    CHANGED(h->e_type = ET_DYN; p[0].p_vaddr = 1ul << 46; h->e_entry = 0);
    CHANGED(h->e_phnum = 2; p[1] = (Elf64_Phdr){ 0 }; p[1].p_type = PT_GNU_STACK; p[1].p_flags = 7);
}

static void part_interpreter(void)
{
    tiny();
    CHANGED(h->e_phnum = 2; p[1].p_type = PT_INTERP);
    CHANGED(h->e_phnum = 2; p[1].p_type = PT_INTERP; p[1].p_filesz = 1);
    CHANGED(h->e_phnum = 2; p[1].p_type = PT_INTERP; p[1].p_filesz = 5000);
    CHANGED(h->e_phnum = 2; p[1].p_type = PT_INTERP; p[1].p_filesz = 9; p[1].p_offset = ~0ul);
    CHANGED(h->e_phnum = 2; p[1].p_type = PT_INTERP; p[1].p_filesz = 9; p[1].p_offset = size);
    CHANGED(h->e_phnum = 2; p[1].p_type = PT_INTERP; p[1].p_filesz = 6; p[1].p_offset = 64 + 56 * 2; memcpy(p + 2, "/none", 6));
    CHANGED(h->e_phnum = 2; p[1].p_type = PT_INTERP; p[1].p_filesz = 5; p[1].p_offset = 64 + 56 * 2; memcpy(p + 2, "/none", 6));
    CHANGED(h->e_phnum = 2; p[1].p_type = PT_INTERP; p[1].p_filesz = 5; p[1].p_offset = 64 + 56 * 2; memcpy(p + 2, "/tmp", 5));
    CHANGED(h->e_phnum = 2; p[1].p_type = PT_INTERP; p[1].p_filesz = 12; p[1].p_offset = 64 + 56 * 2; memcpy(p + 2, "/etc/passwd", 12));
    CHANGED(h->e_phnum = 2; p[1].p_type = PT_INTERP; p[1].p_filesz = 4; p[1].p_offset = 64 + 56 * 2; memcpy(p + 2, "bad", 4));
    CHANGED(h->e_phnum = 3; p[1].p_type = PT_INTERP; p[1].p_filesz = 1; p[2] = p[1]);
}

static void part_noise(void)
{
    // Every byte of the headers is set to several values: whatever happens, this program goes on.
    static const unsigned char values[] = { 0, 0x81 };
    int ran = 0, refused = 0, killed = 0;

    tiny();
    for (size_t at = 0; at < sizeof(Elf64_Ehdr) + sizeof(Elf64_Phdr); at++)
        for (size_t v = 0; v < sizeof values; v++) {
            unsigned char old = image[at];
            int fd = open("bad", O_WRONLY | O_CREAT | O_TRUNC, 0755), status;
            image[at] = values[v];
            write(fd, image, size);
            close(fd);
            image[at] = old;
            pid_t pid = fork();
            if (pid == 0) {
                char *argv[] = { "bad", NULL }, *envp[] = { NULL };
                alarm(2);
                execve("bad", argv, envp);
                _exit(errno);
            }
            waitpid(pid, &status, 0);
            ran += status == 0;
            refused += WIFEXITED(status) && status != 0;
            killed += WIFSIGNALED(status);
        }
    printf("%d tried\n", ran + refused + killed);
}

static void part_scripts(void)
{
    static char text[400];

    try_image("two bytes", "#!", 2);
    try_image("empty line", "#!\n", 3);
    try_image("only blanks", "#!   \t \n", 8);
    try_image("no newline", "#!/bin/true", 11);
    try_image("directory", "#!/tmp\n", 7);
    try_image("not there", "#!/none\n", 8);
    try_image("not executable", "#!/etc/passwd\n", 14);
    try_image("itself", "#!bad\n", 6);
    try_image("itself by its path", "#!./bad\n", 8);
    memset(text, 'x', sizeof text);
    memcpy(text, "#!/bin/", 7);
    try_image("long line", text, sizeof text);
    memcpy(text, "#!/bin/true ", 12);
    try_image("long argument", text, sizeof text);
    text[100] = '\n';
    try_image("shorter argument", text, sizeof text);
    try_image("zero byte in the line", "#!/bin/true\0\n", 13);
    try_image("carriage return", "#!/bin/true\r\n", 13);
    // A chain of scripts, each interpreted by the next.
    for (int depth = 1; depth <= 8; depth++) {
        for (int i = 0; i < depth; i++) {
            char name[8], line[32];
            snprintf(name, sizeof name, "s%d", i);
            if (i == depth - 1)
                snprintf(line, sizeof line, "#!/bin/true\n");
            else
                snprintf(line, sizeof line, "#!./s%d\n", i + 1);
            put_file(name, line);
            chmod(name, 0755);
        }
        int status;
        pid_t pid = fork();
        if (pid == 0) {
            execl("s0", "s0", (char *)0);
            _exit(errno);
        }
        waitpid(pid, &status, 0);
        printf("chain of %d: %s\n", depth, WEXITSTATUS(status) ? error_name(WEXITSTATUS(status)) : "ran");
    }
}

// The raw call, so that nobody looks at the arguments before the kernel does.
#define EXECVE(path, argv, envp) syscall(SYS_execve, path, argv, envp)

static void part_arguments(void)
{
    char *none[] = { NULL };
    char *kernel[] = { (char *)0xffff888000000000, NULL };
    static char big[140000];
    static char *many[300000];

    R(EXECVE("/bin/none", none, none));
    R(EXECVE("", none, none));
    R(EXECVE("/tmp", none, none));
    R(EXECVE("/etc/passwd", none, none));
    R(EXECVE("/etc/passwd/x", none, none));
    R(EXECVE(1, none, none));
    R(EXECVE("/bin/true", 1, none));
    R(EXECVE("/bin/true", none, 1));
    R(EXECVE("/bin/true", kernel, none));
    R(EXECVE("/bin/true", none, kernel));
    memset(big, 'x', sizeof big - 1);
    char *one[] = { big, NULL };
    R(EXECVE("/bin/true", one, none));
    big[131072] = 0;
    R(EXECVE("/bin/true", one, none));
    for (int i = 0; i < 299999; i++)
        many[i] = "twelve bytes";
    R(EXECVE("/bin/true", many, none));
    setrlimit(RLIMIT_STACK, &(struct rlimit){ 600000, RLIM_INFINITY });
    many[20000] = NULL;
    R(EXECVE("/bin/true", many, none));
    IN_CHILD("no arguments at all")
        EXECVE("/bin/true", NULL, NULL);
    IN_CHILD("empty lists")
        EXECVE("/bin/busybox", none, none);
    R(syscall(SYS_execveat, -5, "x", none, none, 0));
    R(syscall(SYS_execveat, AT_FDCWD, "/bin/true", none, none, 0x1));
    IN_CHILD("by descriptor") {
        char *argv[] = { "echo", "by descriptor", NULL };
        syscall(SYS_execveat, open("/bin/echo", O_PATH), "", argv, none, AT_EMPTY_PATH);
        printf("%s\n", error_name(errno));
    }
    put_file("s", "#!/bin/true\n");
    chmod("s", 0755);
    IN_CHILD("script by descriptor, closed on exec") {
        char *argv[] = { "s", NULL };
        syscall(SYS_execveat, open("s", O_RDONLY | O_CLOEXEC), "", argv, none, AT_EMPTY_PATH);
        printf("%s\n", error_name(errno));
    }
    int fd = open("busy", O_WRONLY | O_CREAT, 0755);
    R(EXECVE("busy", none, none));
    close(fd);
    R(EXECVE("busy", none, none));
}

PARTS({ "cut_short", part_cut_short }, { "header", part_header }, { "segments", part_segments },
      { "interpreter", part_interpreter }, { "noise", part_noise }, { "scripts", part_scripts }, { "arguments", part_arguments })
