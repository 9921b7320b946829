// Terminals, on a pair made by /dev/ptmx: line editing, signals, raw modes, job control, hang-up.
#include "pty.h"

static void part_defaults(void)
{
    struct winsize size;
    struct stat st;

    open_pair();
    printf("iflag %o oflag %o cflag %o lflag %o line %d\n", saved.c_iflag, saved.c_oflag, saved.c_cflag, saved.c_lflag, saved.c_line);
    for (int i = 0; i < 17; i++)
        printf("%d ", saved.c_cc[i]);
    printf("\n");
    R(ioctl(slave, TIOCGWINSZ, &size));
    printf("%d x %d\n", size.ws_row, size.ws_col);
    R(isatty(slave));
    R(isatty(master));
    fstat(slave, &st);
    printf("mode %o major %d\n", st.st_mode, (int)(st.st_rdev >> 8));
    R(lseek(slave, 0, SEEK_SET));
    R(pread(slave, text, 1, 0));
    int n;
    R(ioctl(slave, FIONREAD, &n));
    printf("%d waiting\n", n);
    R(ioctl(slave, 0x1234, &n));
    R(tcgetpgrp(slave));
    R(ioctl(slave, TIOCGSID, &n));
    R(tcsetpgrp(slave, getpgrp()));
    int locked = 1;
    ioctl(master, TIOCSPTLCK, &locked);
    R(open(slave_name, O_RDWR | O_NOCTTY));
    R(open("/dev/pts/999", O_RDWR));
    R(ttyname_r(slave, text, sizeof text));
    CHECK("name", strcmp(text, slave_name) == 0);
}

static void part_canonical(void)
{
    open_pair();
    fcntl(slave, F_SETFL, O_NONBLOCK);
    type("no end");
    show_read("incomplete line", slave);
    type("\r");
    show_read("line", slave);
    show_read("echo", master);
    type("one\ntwo\n");
    R(read(slave, text, 100));
    R(read(slave, text, 100));
    type("abcdef\n");
    R(read(slave, text, 2));
    show_read("the rest", slave);
    type("abX\177c\n");
    show_read("erased", slave);
    show_read("echo", master);
    type("gone\025kept\n");
    show_read("killed", slave);
    show_read("echo", master);
    type("two words\027one\n");
    show_read("word erased", slave);
    show_read("echo", master);
    type("\177\177x\n");
    show_read("nothing to erase", slave);
    show_read("echo", master);
    type("lit\026\003eral\n");
    show_read("quoted", slave);
    show_read("echo", master);
    type("a\tb\001\n");
    show_read("controls", slave);
    show_read("echo", master);
    type("part\004");
    show_read("end of file after text", slave);
    type("\004");
    R(read(slave, text, 10));
    R(read(slave, text, 10));
    show_read("echo", master);
    type("re\022print\n");
    show_read("reprint", slave);
    show_read("echo", master);
    struct termios t = saved;
    t.c_cc[VEOL] = ';';
    tcsetattr(slave, TCSANOW, &t);
    type("a;b;");
    R(read(slave, text, 10));
    show_read("second", slave);
}

static void part_long_line(void)
{
    static char keys[5000];

    open_pair();
    change(0, 0, ECHO);
    fcntl(master, F_SETFL, O_NONBLOCK);
    memset(keys, 'x', sizeof keys);
    R(write(master, keys, 4000));
    pause_ms(50);
    R(write(master, keys, 1000) >= 0);
    pause_ms(50);
    R(write(master, "\n", 1));
    pause_ms(50);
    R(read(slave, keys, 5000));
    printf("last is %d\n", keys[4094] == '\n' || keys[4095] == '\n');
}

static void part_echo(void)
{
    open_pair();
    change(0, 0, ECHO);
    type("secret\n");
    show_read("line", slave);
    show_read("only newline", master);
    change(0, 0, ECHO | ECHONL);
    type("secret\n");
    show_read("nothing", master);
    change(0, 0, ECHOCTL);
    type("\001\n");
    show_read("control as it is", master);
    change(0, 0, ECHOE | ECHOKE);
    type("ab\177\025\n");
    show_read("without ECHOE", master);
    change(0, 0, ECHOK | ECHOKE);
    type("ab\025\n");
    show_read("without ECHOK", master);
}

static void part_output(void)
{
    open_pair();
    write(slave, "a\nb\tc\rd", 7);
    show_read("processed", master);
    change(0, OPOST, 0);
    write(slave, "a\nb\tc", 5);
    show_read("raw", master);
    change(0, ONLCR, 0);
    write(slave, "a\nb", 3);
    show_read("without ONLCR", master);
    struct termios t = saved;
    t.c_oflag |= OCRNL;
    tcsetattr(slave, TCSANOW, &t);
    write(slave, "a\rb", 3);
    show_read("OCRNL", master);
    t.c_oflag = saved.c_oflag | ONOCR;
    tcsetattr(slave, TCSANOW, &t);
    write(slave, "\rx\r", 3);
    show_read("ONOCR", master);
    t.c_oflag = saved.c_oflag | TABDLY;
    tcsetattr(slave, TCSANOW, &t);
    write(slave, "\rab\tc", 5);
    show_read("XTABS", master);
    t.c_oflag = saved.c_oflag | 2;
    tcsetattr(slave, TCSANOW, &t);
    write(slave, "lower", 5);
    show_read("OLCUC", master);
}

static void part_input(void)
{
    struct termios t;

    open_pair();
    change(ICRNL, 0, ICANON | ECHO);
    type("a\rb\n");
    show_read("without ICRNL", slave);
    t = saved;
    t.c_lflag &= ~(ICANON | ECHO);
    t.c_iflag |= INLCR;
    tcsetattr(slave, TCSANOW, &t);
    type("a\rb\n");
    show_read("INLCR", slave);
    t.c_iflag = saved.c_iflag | IGNCR;
    tcsetattr(slave, TCSANOW, &t);
    type("a\rb\n");
    show_read("IGNCR", slave);
    t.c_iflag = saved.c_iflag | ISTRIP;
    tcsetattr(slave, TCSANOW, &t);
    type("\341\302\n");
    show_read("ISTRIP", slave);
    t.c_iflag = saved.c_iflag | IUCLC;
    tcsetattr(slave, TCSANOW, &t);
    type("UPPER\n");
    show_read("IUCLC", slave);
    t = saved;
    t.c_lflag &= ~ECHO;
    tcsetattr(slave, TCSANOW, &t);
    type("8\303\244bit\n");
    show_read("eight bits", slave);
}

static void part_flow(void)
{
    open_pair();
    type("\023");
    fcntl(slave, F_SETFL, O_NONBLOCK);
    pause_ms(30);
    R(write(slave, "held", 4));
    show_read("stopped", master);
    type("\021");
    show_read("nothing was taken", master);
    R(write(slave, "flows", 5));
    show_read("started", master);
    R(tcflow(slave, TCOOFF));
    R(write(slave, "held", 4));
    R(tcflow(slave, TCOON));
    R(tcflow(slave, 9));
    change(IXON, 0, ECHO | ICANON);
    type("\023\021");
    show_read("without IXON", slave);
}

static void set_raw(int min, int tenths)
{
    struct termios t = saved;

    t.c_lflag &= ~(ICANON | ECHO | ISIG | IEXTEN);
    t.c_iflag = 0;
    t.c_oflag = 0;
    t.c_cc[VMIN] = min;
    t.c_cc[VTIME] = tenths;
    tcsetattr(slave, TCSANOW, &t);
}

static long elapsed_ms(const struct timespec *since)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (now.tv_sec - since->tv_sec) * 1000 + (now.tv_nsec - since->tv_nsec) / 1000000;
}

static void part_raw(void)
{
    struct timespec start;

    open_pair();
    set_raw(0, 0);
    R(read(slave, text, 10));
    type("\003\004\032\177x\r\n");
    show_read("all as they are", slave);
    set_raw(0, 2);
    clock_gettime(CLOCK_MONOTONIC, &start);
    R(read(slave, text, 10));
    long ms = elapsed_ms(&start);
    CHECK("waited a fifth of a second", ms >= 190 && ms < 2000);
    type("k");
    R(read(slave, text, 10));
    set_raw(3, 0);
    type("ab");
    struct pollfd p = { slave, POLLIN, 0 };
    R(poll(&p, 1, 50));
    type("cd");
    R(poll(&p, 1, 50));
    R(read(slave, text, 10));
    set_raw(5, 2);
    type("xy");
    clock_gettime(CLOCK_MONOTONIC, &start);
    R(read(slave, text, 10));
    ms = elapsed_ms(&start);
    CHECK("ended by the pause between bytes", ms >= 190 && ms < 2000);
    set_raw(1, 0);
    type("fast");
    pause_ms(30);
    R(read(slave, text, 2));
    R(read(slave, text, 10));
    fcntl(slave, F_SETFL, O_NONBLOCK);
    R(read(slave, text, 10));
    // From raw to canonical: what is there becomes readable as lines.
    type("pending\nmore");
    pause_ms(30);
    tcsetattr(slave, TCSANOW, &saved);
    show_read("after the change", slave);
    // TCSAFLUSH throws unread input away.
    type("typed ahead\n");
    pause_ms(30);
    R(tcsetattr(slave, TCSAFLUSH, &saved));
    show_read("flushed", slave);
    type("typed ahead\n");
    pause_ms(30);
    R(tcflush(slave, TCIFLUSH));
    show_read("flushed", slave);
    R(tcflush(slave, 9));
    R(tcdrain(slave));
}

static void part_packet_and_size(void)
{
    struct winsize size = { 30, 100, 0, 0 };
    int on = 1;

    open_pair();
    IN_CHILD("size") {
        setsid();
        ioctl(slave, TIOCSCTTY, 0);
        install(SIGWINCH, 0);
        R(ioctl(master, TIOCSWINSZ, &size));
        for (int i = 0; i < 100 && !count; i++)
            pause_ms(5);
        printf("SIGWINCH %d\n", count);
        R(ioctl(slave, TIOCSWINSZ, &size));
        pause_ms(20);
        printf("same size, no signal: %d\n", count);
        size.ws_row = 1;
        ioctl(slave, TIOCGWINSZ, &size);
        printf("%d x %d\n", size.ws_row, size.ws_col);
    }
    R(ioctl(master, TIOCPKT, &on));
    write(slave, "data", 4);
    show_read("packet", master);
    tcflush(slave, TCIOFLUSH);
    show_read("flush packet", master);
}

static void part_signals(void)
{
    open_pair();
    for (int i = 0; i < 3; i++) {
        int status;
        int ends[2];
        char c;
        pipe(ends);
        pid_t pid = fork();
        if (pid == 0) {
            take_terminal();
            setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
            if (i == 2)
                install(SIGTSTP, 0);
            write(ends[1], "r", 1);
            while (!count)
                pause();
            printf("caught %d\n", last);
            _exit(0);
        }
        read(ends[0], &c, 1);
        type(i == 0 ? "lost\003" : i == 1 ? "\034" : "\032");
        waitpid(pid, &status, 0);
        show_status("session leader", status);
        show_read("echo", master);
        close(master), close(slave);
        open_pair();
    }
    // The characters are ordinary without ISIG, and when there is no foreground group.
    type("\003x\n");
    show_read("without a session", slave);
    IN_CHILD("blocked read") {
        take_terminal();
        install(SIGINT, 0);
        pid_t typist = fork();
        if (typist == 0) {
            wait_state(getppid(), 'S');
            pause_ms(50);
            type("\003");
            pause_ms(200);
            type("\003");
            pause_ms(200);
            type("line\n");
            _exit(0);
        }
        signal(SIGINT, SIG_DFL);
        install(SIGINT, 0);
        R(read(slave, text, 100));
        install(SIGINT, SA_RESTART);
        R(read(slave, text, 100));
        printf("signals %d\n", count);
    }
}

static void part_job_control(void)
{
    open_pair();
    IN_CHILD("session") {
        int status;

        take_terminal();
        R(tcgetpgrp(slave) == getpgrp());
        R(tcgetsid(slave) == getpid());
        R(open("/dev/tty", O_RDWR) >= 0);
        R(ioctl(slave, TIOCSCTTY, 0));
        signal(SIGTTOU, SIG_IGN);
        pid_t job = fork();
        if (job == 0) {
            setpgid(0, 0);
            signal(SIGTTOU, SIG_DFL);
            read(slave, text, 10);
            printf("job read a line\n");
            write(slave, "out\n", 4);
            printf("job wrote\n");
            tcsetattr(slave, TCSANOW, &saved);
            printf("job set the terminal\n");
            tcsetpgrp(slave, getpgrp());
            printf("job took the terminal\n");
            _exit(4);
        }
        setpgid(job, job);
        waitpid(job, &status, WUNTRACED);
        show_status("reads in the background", status);
        R(tcsetpgrp(slave, job));
        R(tcgetpgrp(slave) == job);
        type("input\n");
        kill(-job, SIGCONT);
        // In the foreground it reads and writes; then put it back before it sets the terminal.
        waitpid(job, &status, WUNTRACED);
        show_status("in the foreground", status);
        R(tcsetpgrp(slave, getpgrp()));
        job = fork();
        if (job == 0) {
            setpgid(0, 0);
            signal(SIGTTOU, SIG_DFL);
            write(slave, "allowed\n", 8);
            printf("background job wrote\n");
            tcsetattr(slave, TCSANOW, &saved);
            printf("not reached\n");
            _exit(0);
        }
        setpgid(job, job);
        waitpid(job, &status, WUNTRACED);
        show_status("sets the terminal in the background", status);
        kill(job, SIGKILL);
        waitpid(job, &status, 0);
        struct termios t = saved;
        t.c_lflag |= TOSTOP;
        tcsetattr(slave, TCSANOW, &t);
        job = fork();
        if (job == 0) {
            setpgid(0, 0);
            signal(SIGTTOU, SIG_DFL);
            write(slave, "held\n", 5);
            _exit(0);
        }
        setpgid(job, job);
        waitpid(job, &status, WUNTRACED);
        show_status("writes with TOSTOP", status);
        kill(job, SIGKILL);
        waitpid(job, &status, 0);
        job = fork();
        if (job == 0) {
            setpgid(0, 0);
            signal(SIGTTIN, SIG_IGN);
            R(read(slave, text, 10));
            R(write(slave, "ignored\n", 8));
            sigset_t set;
            sigemptyset(&set);
            sigaddset(&set, SIGTTIN);
            signal(SIGTTIN, SIG_DFL);
            sigprocmask(SIG_BLOCK, &set, NULL);
            R(read(slave, text, 10));
            _exit(0);
        }
        setpgid(job, job);
        waitpid(job, &status, 0);
        show_status("ignores and blocks", status);
        R(tcsetpgrp(slave, 999999));
        R(tcsetpgrp(slave, 1));
        R(tcsetpgrp(slave, -1));
        // An orphaned background group is not stopped but told.
        job = fork();
        if (job == 0) {
            setpgid(0, 0);
            if (fork() == 0) {
                while (getppid() != 1)
                    pause_ms(5);
                R(read(slave, text, 10));
                _exit(0);
            }
            _exit(0);
        }
        waitpid(job, NULL, 0);
        pause_ms(200);
        // ^Z reaches the whole foreground group.
        t.c_lflag &= ~TOSTOP;
        tcsetattr(slave, TCSANOW, &t);
        job = fork();
        if (job == 0) {
            setpgid(0, 0);
            for (;;)
                pause();
        }
        setpgid(job, job);
        tcsetpgrp(slave, job);
        type("\032");
        waitpid(job, &status, WUNTRACED);
        show_status("after ^Z", status);
        kill(job, SIGCONT);
        type("\003");
        waitpid(job, &status, 0);
        show_status("after ^C", status);
        tcsetpgrp(slave, getpgrp());
        // Giving the terminal up.
        signal(SIGHUP, SIG_IGN);
        R(ioctl(slave, TIOCNOTTY));
        R(open("/dev/tty", O_RDWR));
    }
}

static void part_hangup(void)
{
    int status, ends[2];
    char c;

    // The master closes: the session leader gets SIGHUP, reads end, writes fail.
    open_pair();
    pipe(ends);
    pid_t pid = fork();
    if (pid == 0) {
        close(master);
        take_terminal();
        install(SIGHUP, 0);
        write(ends[1], "r", 1);
        while (!count)
            pause_ms(5);
        printf("SIGHUP came\n");
        R(read(slave, text, 10));
        R(write(slave, "x", 1));
        R(tcgetattr(slave, &saved));
        struct pollfd p = { slave, POLLIN | POLLOUT, 0 };
        poll(&p, 1, 0);
        printf("revents %x\n", p.revents);
        R(open("/dev/tty", O_RDWR));
        _exit(0);
    }
    read(ends[0], &c, 1);
    close(slave), close(master);
    waitpid(pid, &status, 0);
    show_status("leader", status);
    R(open(slave_name, O_RDWR | O_NOCTTY));

    // The slave closes: the master reads EIO after the rest, and lives when it is opened again.
    open_pair();
    change(0, 0, ECHO);
    write(slave, "last words", 10);
    close(slave);
    show_read("rest", master);
    R(read(master, text, 10));
    struct pollfd p = { master, POLLIN | POLLOUT, 0 };
    poll(&p, 1, 0);
    printf("revents %x\n", p.revents);
    slave = open(slave_name, O_RDWR | O_NOCTTY);
    write(slave, "again", 5);
    show_read("opened again", master);
    close(master), close(slave);

    // The session leader ends: its foreground group gets SIGHUP, its terminal is free again.
    open_pair();
    pipe(ends);
    pid = fork();
    if (pid == 0) {
        take_terminal();
        if (fork() == 0) {
            install(SIGHUP, 0);
            write(ends[1], "r", 1);
            while (!count)
                pause_ms(5);
            printf("member got SIGHUP\n");
            fcntl(slave, F_SETFL, O_NONBLOCK);
            R(read(slave, text, 10));
            write(ends[1], "d", 1);
            _exit(0);
        }
        read(ends[0], &c, 1);
        _exit(0);
    }
    waitpid(pid, NULL, 0);
    read(ends[0], &c, 1);
    IN_CHILD("next session") {
        slave = open(slave_name, O_RDWR | O_NOCTTY);
        take_terminal();
        R(tcgetpgrp(slave) == getpid());
    }
}

static void part_open_takes(void)
{
    // A session leader without a terminal gets one by opening it, others do not.
    open_pair();
    IN_CHILD("leader") {
        setsid();
        R(open("/dev/tty", O_RDWR));
        R(open(slave_name, O_RDWR | O_NOCTTY) >= 0);
        R(open("/dev/tty", O_RDWR));
        R(open(slave_name, O_RDWR) >= 0);
        R(open("/dev/tty", O_RDWR) >= 0);
        IN_CHILD("member") {
            R(open("/dev/tty", O_WRONLY) >= 0);
            R(ioctl(slave, TIOCSCTTY, 0));
            setsid();
            R(open("/dev/tty", O_RDWR));
            R(ioctl(slave, TIOCSCTTY, 0));
        }
    }
    IN_CHILD("no leader") {
        setsid();
        IN_CHILD("member") {
            R(open(slave_name, O_RDWR) >= 0);
            R(open("/dev/tty", O_RDWR));
            R(ioctl(slave, TIOCSCTTY, 0));
        }
    }
}

static void part_sti(void)
{
    open_pair();
    IN_CHILD("simulated input") {
        take_terminal();
        R(ioctl(slave, TIOCSTI, "x"));
        R(ioctl(slave, TIOCSTI, "\n"));
        R(read(slave, text, 10));
        int n = 0;
        type("12345\n");
        pause_ms(30);
        R(ioctl(slave, FIONREAD, &n));
        printf("%d waiting\n", n);
        write(slave, "123", 3);
        R(ioctl(master, FIONREAD, &n));
        printf("%d waiting\n", n > 0);
        R(ioctl(slave, TIOCOUTQ, &n));
        R(ioctl(slave, TIOCEXCL));
        R(ioctl(slave, TIOCNXCL));
        R(ioctl(slave, TIOCGETD, &n));
        printf("discipline %d\n", n);
        R(tcsendbreak(slave, 0));
        R(ioctl(slave, TCGETS, (void *)1));
    }
}

PARTS({ "defaults", part_defaults }, { "canonical", part_canonical }, { "long_line", part_long_line }, { "echo", part_echo },
      { "output", part_output }, { "input", part_input }, { "flow", part_flow }, { "raw", part_raw },
      { "packet_and_size", part_packet_and_size }, { "signals", part_signals }, { "job_control", part_job_control },
      { "hangup", part_hangup }, { "open_takes", part_open_takes }, { "sti", part_sti })
