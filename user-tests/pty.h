// What the programs about terminals share: a pair made by /dev/ptmx, what is typed at it and read from it.
#include "t.h"
#include <ctype.h>

__attribute__((unused)) static int master, slave;
__attribute__((unused)) static char text[8192], slave_name[64];
__attribute__((unused)) static struct termios saved;
__attribute__((unused)) static volatile int count, last;

__attribute__((unused)) static void handler(int number)
{
    count++;
    last = number;
}

__attribute__((unused)) static void install(int number, int flags)
{
    struct sigaction action = { .sa_handler = handler, .sa_flags = flags };

    sigaction(number, &action, NULL);
}

// Opens a fresh pair; the slave does not become the controlling terminal.
__attribute__((unused)) static void open_pair(void)
{
    int unlock = 0, number;

    master = open("/dev/ptmx", O_RDWR | O_NOCTTY);
    if (master < 0 || ioctl(master, TIOCSPTLCK, &unlock) || ioctl(master, TIOCGPTN, &number)) {
        printf("no terminal: %s\n", error_name(errno));
        exit(1);
    }
    snprintf(slave_name, sizeof slave_name, "/dev/pts/%d", number);
    slave = open(slave_name, O_RDWR | O_NOCTTY);
    tcgetattr(slave, &saved);
}

__attribute__((unused)) static void show_bytes(const char *what, const char *bytes, ssize_t n)
{
    printf("%s: %ld ", what, (long)n);
    if (n < 0)
        printf("%s", error_name(errno));
    for (ssize_t i = 0; i < n; i++)
        if (isprint((unsigned char)bytes[i]) && bytes[i] != '\\')
            putchar(bytes[i]);
        else
            printf("\\%03o", (unsigned char)bytes[i]);
    printf("\n");
}

// Reads what comes within a short time.
__attribute__((unused)) static void show_read(const char *what, int fd)
{
    struct pollfd p = { fd, POLLIN, 0 };
    ssize_t n = 0, total = 0;

    while (total < (ssize_t)sizeof text && poll(&p, 1, total ? 30 : 150) > 0 && p.revents & POLLIN && (n = read(fd, text + total, sizeof text - total)) > 0)
        total += n;
    if (total == 0 && !(p.revents & POLLIN) && p.revents & POLLHUP)
        printf("%s: hang-up\n", what);
    else
        show_bytes(what, text, total);
}

__attribute__((unused)) static void type(const char *keys) { write(master, keys, strlen(keys)); }

// Makes the slave the controlling terminal of a new session.
__attribute__((unused)) static void take_terminal(void)
{
    setsid();
    if (ioctl(slave, TIOCSCTTY, 0))
        printf("TIOCSCTTY: %s\n", error_name(errno));
}

// Sets the terminal to what it was at first without these flags.
__attribute__((unused)) static void change(tcflag_t input_off, tcflag_t output_off, tcflag_t local_off)
{
    struct termios t = saved;

    t.c_iflag &= ~input_off;
    t.c_oflag &= ~output_off;
    t.c_lflag &= ~local_off;
    tcsetattr(slave, TCSANOW, &t);
}
