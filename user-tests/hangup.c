// Terminals that are hung up, held exclusively, flooded, or stopped while several programs write.
#include "pty.h"

static void part_exclusive(void)
{
    int is;

    open_pair();
    fchmod(slave, 0666);
    R(ioctl(slave, TIOCGEXCL, &is));
    printf("exclusive %d\n", is);
    R(ioctl(slave, TIOCEXCL));
    R(ioctl(slave, TIOCGEXCL, &is));
    printf("exclusive %d\n", is);
    R(open(slave_name, O_RDWR | O_NOCTTY) >= 0);
    IN_CHILD("user") {
        setgid(1000), setuid(1000);
        R(open(slave_name, O_RDWR | O_NOCTTY));
        R(ioctl(slave, TIOCNXCL));
        R(open(slave_name, O_RDWR | O_NOCTTY) >= 0);
    }
    R(ioctl(slave, TIOCEXCL));
    R(ioctl(master, TIOCGEXCL, &is));
    printf("master exclusive %d\n", is);
}

static void show_poll(const char *what, int fd)
{
    struct pollfd p = { fd, POLLIN | POLLOUT, 0 };

    poll(&p, 1, 0);
    printf("%s: revents %x\n", what, p.revents);
}

// What a file that was open shows after the hang-up, and what a new one does.
static void show_after_hangup(void)
{
    printf("SIGHUP %d\n", count);
    R(read(slave, text, 10));
    R(write(slave, "x", 1));
    R(tcgetattr(slave, &saved));
    R(tcsetpgrp(slave, getpgrp()));
    show_poll("old", slave);
    R(open("/dev/tty", O_RDWR));
    R(getsid(0) == getpid());
    show_poll("master", master);
    R(read(master, text, 10));
    R(write(master, "y", 1));
    slave = open(slave_name, O_RDWR | O_NOCTTY);
    R(write(slave, "new\n", 4));
    show_read("master", master);
    type("typed\n");
    show_read("slave", slave);
    R(ioctl(slave, TIOCSCTTY, 0));
    R(tcgetpgrp(slave) == getpid());
}

static void part_vhangup(void)
{
    open_pair();
    IN_CHILD("without a terminal") {
        setsid();
        R(syscall(SYS_vhangup));
        setuid(1000);
        R(syscall(SYS_vhangup));
        R(ioctl(slave, TIOCVHANGUP));
        R(tcgetattr(slave, &saved));
    }
    IN_CHILD("leader") {
        take_terminal();
        install(SIGHUP, 0);
        type("lost");
        pid_t member = fork();
        if (member == 0) {
            signal(SIGHUP, SIG_DFL);
            pause();
        }
        R(syscall(SYS_vhangup));
        show_after_hangup();
        kill(member, SIGKILL);
        int status;
        waitpid(member, &status, 0);
        show_status("member", status);
    }
    R(tcgetattr(slave, &saved));
}

static void part_foreground_after_hangup(void)
{
    int ends[2];
    char c;

    open_pair();
    pipe(ends);
    pid_t leader = fork();
    if (leader == 0) {
        close(master);
        take_terminal();
        install(SIGHUP, 0);
        signal(SIGTTOU, SIG_IGN);
        pid_t job = fork();
        if (job == 0) {
            setpgid(0, 0);
            count = 0;
            tcsetpgrp(slave, getpgrp());
            signal(SIGTTOU, SIG_DFL);
            write(ends[1], "r", 1);
            while (!count)
                pause_ms(5);
            printf("the job got SIGHUP, its parent is %s\n", getppid() == leader ? "there" : "gone or init");
            write(ends[1], "d", 1);
            _exit(0);
        }
        while (!count)
            pause_ms(5);
        printf("the leader got SIGHUP\n");
        pause_ms(100);
        printf("the leader ends\n");
        _exit(0);
    }
    read(ends[0], &c, 1);
    close(slave), close(master);
    waitpid(leader, NULL, 0);
    read(ends[0], &c, 1);
    printf("done\n");
}

// More than the slave's queue holds is typed before anybody reads.
static void part_paste(void)
{
    char line[100];
    long lines = 0, bytes = 0;
    ssize_t n;

    open_pair();
    change(0, 0, ECHO);
    memset(line, 'p', sizeof line);
    line[99] = '\n';
    fcntl(master, F_SETFL, O_NONBLOCK);
    for (int i = 0; i < 200; i++)
        lines += write(master, line, sizeof line) == sizeof line;
    printf("typed %ld lines\n", lines);
    fcntl(slave, F_SETFL, O_NONBLOCK);
    while ((n = read(slave, text, sizeof text)) > 0 || (n < 0 && errno == EAGAIN && bytes < 20000 && (pause_ms(1), 1)))
        if (n > 0) {
            bytes += n;
            if (n != 100 || text[0] != 'p' || text[99] != '\n')
                printf("a wrong line of %ld\n", (long)n);
        }
    printf("read %ld bytes\n", bytes);
}

// What an interrupted write says it has written, it has.
static void part_interrupted_write(void)
{
    struct itimerval soon = { { 0, 0 }, { 0, 200000 } };
    static char much[200000];
    long total = 0;
    ssize_t n, done;

    open_pair();
    install(SIGALRM, 0);
    memset(much, '\n', sizeof much);
    setitimer(ITIMER_REAL, &soon, NULL);
    done = write(slave, much, sizeof much);
    CHECK("a part was written", done > 0 && done < (ssize_t)sizeof much);
    setitimer(ITIMER_REAL, &soon, NULL);
    R(write(slave, much, 1000));
    fcntl(master, F_SETFL, O_NONBLOCK);
    for (int idle = 0; idle < 20;)
        if ((n = read(master, text, sizeof text)) > 0)
            total += n, idle = 0;
        else
            idle++, pause_ms(5);
    CHECK("each line became two bytes", total == 2 * done);
}

// Output is stopped: one writer waits for it to go on, another for its turn. Both can be killed.
static void part_stopped_writers(void)
{
    pid_t writers[2];
    int status;

    open_pair();
    R(tcflow(slave, TCOOFF));
    for (int i = 0; i < 2; i++) {
        writers[i] = fork();
        if (writers[i] == 0) {
            write(slave, "held\n", 5);
            _exit(0);
        }
        wait_state(writers[i], 'S');
    }
    fcntl(slave, F_SETFL, O_NONBLOCK);
    R(write(slave, "not now", 7));
    struct pollfd p = { slave, POLLOUT, 0 };
    R(poll(&p, 1, 20));
    kill(writers[1], SIGTERM);
    waitpid(writers[1], &status, 0);
    show_status("the second", status);
    kill(writers[0], SIGKILL);
    waitpid(writers[0], &status, 0);
    show_status("the first", status);
    show_read("nothing", master);
    R(tcflow(slave, TCOON));
    R(write(slave, "now\n", 4));
    show_read("goes on", master);
}

static void part_packets(void)
{
    int on = 1;

    open_pair();
    R(ioctl(master, TIOCPKT, &on));
    R(ioctl(master, TIOCGPKT, &on));
    printf("packet mode %d\n", on);
    tcflow(slave, TCOOFF);
    show_poll("stopped", master);
    show_read("stopped", master);
    tcflow(slave, TCOON);
    show_read("started", master);
    tcflow(slave, TCOOFF);
    tcflow(slave, TCOON);
    show_read("both", master);
    type("\023");
    show_read("by a key", master);
    type("\021");
    show_read("by a key", master);
    change(IXON, 0, 0);
    show_read("keys off", master);
    change(IXON, 0, ECHO);
    show_read("no change", master);
    tcsetattr(slave, TCSANOW, &saved);
    show_read("keys on", master);
    tcflush(slave, TCIFLUSH);
    show_read("input flushed", master);
    IN_CHILD("session") {
        take_terminal();
        install(SIGINT, 0);
        type("x\003");
        pause_ms(50);
        show_read("flushed by a signal", master);
    }
    write(slave, "data", 4);
    read(master, text, 3);
    show_bytes("part", text, 3);
    show_read("the rest", master);
}

struct old_termio {
    unsigned short iflag, oflag, cflag, lflag;
    unsigned char line, cc[8];
};

static void part_termio(void)
{
    struct old_termio old;
    struct termios t;

    open_pair();
    R(ioctl(slave, TCGETA, &old));
    printf("%o %o %o %o %d:", old.iflag, old.oflag, old.cflag, old.lflag, old.line);
    for (int i = 0; i < 8; i++)
        printf(" %d", old.cc[i]);
    printf("\n");
    old.lflag &= ~ECHO;
    old.cc[VINTR] = 'I';
    R(ioctl(slave, TCSETAF, &old));
    R(tcgetattr(slave, &t));
    printf("%o %d %d\n", t.c_lflag, t.c_cc[VINTR], t.c_cc[VSTART]);
    R(ioctl(master, TCGETA, (void *)1));
    // Speeds: by code, and by number.
    cfsetspeed(&t, B9600);
    R(tcsetattr(slave, TCSANOW, &t));
    R(tcgetattr(slave, &t));
    R(cfgetospeed(&t) == B9600);
    R(cfgetispeed(&t) == B9600 || cfgetispeed(&t) == 0);
    t.c_cflag = (t.c_cflag & ~(CSIZE | CREAD)) | CS5 | PARENB;
    R(tcsetattr(slave, TCSANOW, &t));
    R(tcgetattr(slave, &t));
    printf("cflag %o\n", t.c_cflag & (CSIZE | CREAD | PARENB));
    unsigned both[11];
    R(ioctl(slave, 0x802c542a, both));
    printf("speeds %u %u\n", both[9], both[10]);
    both[2] = (both[2] & ~0x100f) | 0x1000;
    both[9] = both[10] = 31250;
    R(ioctl(slave, 0x402c542b, both));
    R(ioctl(slave, 0x802c542a, both));
    printf("speeds %u %u\n", both[9], both[10]);
    R(tcgetattr(slave, &t));
    printf("code %o\n", t.c_cflag & 0x100f);
    R(tcsetattr(slave, TCSANOW, &t));
    R(ioctl(slave, 0x802c542a, both));
    printf("speeds %u %u\n", both[9], both[10]);
    R(ioctl(slave, TIOCSBRK));
    R(ioctl(slave, TIOCCBRK));
    R(ioctl(slave, TIOCMGET, both));
}

PARTS({ "exclusive", part_exclusive }, { "vhangup", part_vhangup }, { "foreground_after_hangup", part_foreground_after_hangup },
      { "paste", part_paste }, { "interrupted_write", part_interrupted_write }, { "stopped_writers", part_stopped_writers },
      { "packets", part_packets }, { "termio", part_termio })
