// Runs a program on a terminal of its own and types for it: the user of the interactive cases.
//
// usage: ptyrun PROGRAM [ARGUMENT]... <SCRIPT
//
// Lines of the script:
//   type TEXT      sends the text; \n, \r, \t, \\, \e, \xHH and ^X (a control character) are understood
//   expect TEXT    waits until the output has the text after what was matched before; ten seconds at most
//   sleep MS       waits
//   size ROWS COLS changes the size of the window
//   show           prints the output that was not shown yet, as lines, without carriage returns and escape sequences
//   hide           throws it away
//   silent         what is still to come will not be shown
//   hang           closes the terminal
// At the end of the script the rest is awaited and shown, then how the program ended.
#include "t.h"
#include <ctype.h>

static int master;
static char output[1 << 20];
static size_t have, matched, shown;

// Takes over output for so many milliseconds at most; false when there is no more to come.
static int take(int ms)
{
    struct pollfd p = { master, POLLIN, 0 };

    if (poll(&p, 1, ms) <= 0)
        return 1;
    ssize_t n = have < sizeof output ? read(master, output + have, sizeof output - have) : 0;
    if (n <= 0)
        return 0;
    have += n;
    return 1;
}

static size_t unescape(const char *text, char *out)
{
    size_t n = 0;

    for (; *text; text++)
        if (*text == '\\' && text[1]) {
            text++;
            if (*text == 'x') {
                unsigned value = 0;
                sscanf(text + 1, "%2x", &value);
                out[n++] = (char)value;
                text += 2;
            } else {
                out[n++] = *text == 'n' ? '\n' : *text == 'r' ? '\r' : *text == 't' ? '\t' : *text == 'e' ? 27 : *text;
            }
        } else if (*text == '^' && text[1]) {
            out[n++] = *++text & 0x1f;
        } else {
            out[n++] = *text;
        }
    return n;
}

static void expect(const char *text)
{
    char wanted[512];
    size_t n = unescape(text, wanted);
    struct timespec start, now;

    clock_gettime(CLOCK_MONOTONIC, &start);
    for (;;) {
        char *found = have > matched ? memmem(output + matched, have - matched, wanted, n) : NULL;
        if (found) {
            matched = found - output + n;
            return;
        }
        clock_gettime(CLOCK_MONOTONIC, &now);
        if (now.tv_sec - start.tv_sec >= 10 || !take(100)) {
            printf("[not seen: %s]\n", text);
            return;
        }
    }
}

// Prints what is new; carriage returns, escape sequences and what they erase do not count.
static void show_new(void)
{
    int column = 0;

    while (shown < have) {
        unsigned char c = output[shown++];
        if (c == 27 && shown < have && output[shown] == '[') {
            shown++;
            while (shown < have && !isalpha((unsigned char)output[shown]))
                shown++;
            shown++;
        } else if (c == 27) {
            shown++;
        } else if (c == '\n') {
            putchar('\n');
            column = 0;
        } else if (c >= ' ' && c < 127) {
            putchar(c);
            column++;
        } else if (c != '\r') {
            printf("\\%03o", c);
            column++;
        }
    }
    if (column)
        putchar('\n');
    if (shown > have)
        shown = have;
}

int main(int argc, char **argv)
{
    char line[512], bytes[512], name[32];
    int number, unlock = 0, status, silent = 0;

    if (argc < 2)
        return 2;
    signal(SIGPIPE, SIG_IGN);
    master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (master < 0 || ioctl(master, TIOCSPTLCK, &unlock) || ioctl(master, TIOCGPTN, &number)) {
        printf("no terminal: %s\n", error_name(errno));
        return 1;
    }
    struct winsize size = { 24, 80, 0, 0 };
    ioctl(master, TIOCSWINSZ, &size);
    snprintf(name, sizeof name, "/dev/pts/%d", number);
    pid_t pid = fork();
    if (pid == 0) {
        setsid();
        int slave = open(name, O_RDWR);
        if (slave < 0)
            _exit(126);
        ioctl(slave, TIOCSCTTY, 0);
        dup2(slave, 0);
        dup2(slave, 1);
        dup2(slave, 2);
        if (slave > 2)
            close(slave);
        execvp(argv[1], argv + 1);
        _exit(127);
    }
    // A descriptor of our own keeps the terminal up until the program has it open.
    int keep = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
    while (fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = 0;
        if (strncmp(line, "type ", 5) == 0) {
            size_t n = unescape(line + 5, bytes);
            write(master, bytes, n);
        } else if (strncmp(line, "expect ", 7) == 0) {
            expect(line + 7);
        } else if (strncmp(line, "sleep ", 6) == 0) {
            pause_ms(atol(line + 6));
        } else if (strncmp(line, "size ", 5) == 0) {
            sscanf(line + 5, "%hu %hu", &size.ws_row, &size.ws_col);
            ioctl(master, TIOCSWINSZ, &size);
        } else if (strcmp(line, "show") == 0 || strcmp(line, "hide") == 0) {
            while (take(0) && (poll(&(struct pollfd){ master, POLLIN, 0 }, 1, 0) > 0))
                ;
            if (line[0] == 's')
                show_new();
            shown = have;
        } else if (strcmp(line, "silent") == 0) {
            silent = 1;
        } else if (strcmp(line, "hang") == 0) {
            break;
        } else if (line[0]) {
            printf("[not understood: %s]\n", line);
        }
    }
    if (keep >= 0)
        close(keep);
    if (strcmp(line, "hang") == 0) {
        close(master);
    } else {
        // The program has twenty seconds to end; a terminal without users reads as an error.
        for (int i = 0; i < 200 && take(100); i++)
            ;
        if (!silent)
            show_new();
    }
    for (int i = 0; waitpid(pid, &status, WNOHANG) != pid; i++) {
        if (i == 100)
            kill(pid, SIGKILL);
        pause_ms(20);
    }
    show_status("program", status);
    return 0;
}
