// System V semaphores and messages: values, waiting and its order, undo at exit, kinds of messages, every command.
#include "t.h"
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>

static int semop1(int id, int number, int change, int flags)
{
    struct sembuf op = { number, change, flags };
    return semop(id, &op, 1);
}

static const char *word(int error)
{
    return error == EIDRM ? "EIDRM" : error == ENOMSG ? "ENOMSG" : error_name(error);
}

// As R, with the names of the errors that only System V objects have.
#define V(expression) \
    do { \
        long v_ = (expression); \
        if (v_ == -1) printf("%s = %s\n", #expression, word(errno)); \
        else printf("%s = %ld\n", #expression, v_); \
    } while (0)

static void show_values(int id, int n)
{
    unsigned short values[8];
    if (semctl(id, 0, GETALL, values))
        show("GETALL", -1);
    for (int i = 0; i < n; i++)
        printf("%d ", values[i]);
    printf("\n");
}

static void sem_basics(void)
{
    int id = semget(IPC_PRIVATE, 4, 0600);
    CHECK("id", id >= 0);
    show_values(id, 4);
    V(semctl(id, 1, SETVAL, 5));
    V(semctl(id, 1, GETVAL));
    V(semctl(id, 0, GETVAL));
    CHECK("pid", semctl(id, 1, GETPID) == getpid());
    V(semctl(id, 0, GETPID));
    unsigned short all[] = { 1, 2, 3, 4 };
    V(semctl(id, 0, SETALL, all));
    struct sembuf ops[] = { { 0, 2, 0 }, { 1, -2, 0 }, { 1, 0, 0 }, { 2, -1, 0 } };
    V(semop(id, ops, 4));
    show_values(id, 4);
    // All or nothing.
    struct sembuf none[] = { { 0, 2, 0 }, { 1, -1, IPC_NOWAIT } };
    V(semop(id, none, 2));
    show_values(id, 4);
    struct sembuf big[] = { { 0, 2, 0 }, { 1, 32767, 0 }, { 1, 1, 0 } };
    V(semop(id, big, 3));
    show_values(id, 4);
    V(semop1(id, 0, 0, IPC_NOWAIT));
    V(semop1(id, 1, 0, IPC_NOWAIT));
    struct semid_ds d;
    V(semctl(id, 0, IPC_STAT, &d));
    printf("%lo %lu %d\n", (long)d.sem_perm.mode, (long)d.sem_nsems, d.sem_otime != 0);
    d.sem_perm.mode = 0640;
    V(semctl(id, 0, IPC_SET, &d));
    V(semctl(id, 0, IPC_STAT, &d));
    printf("%lo\n", (long)d.sem_perm.mode);
    V(semctl(id, 0, IPC_RMID));
    V(semctl(id, 0, GETVAL));
}

static void sem_errors(void)
{
    int id = semget(0x1234, 2, IPC_CREAT | 0600);
    struct sembuf op = { 0, 1, 0 }, ops[501] = { { 0 } };
    V(semget(0x1234, 2, 0600) == id);
    V(semget(0x1234, 0, 0) == id);
    V(semget(0x1234, 3, 0));
    V(semget(0x1234, 2, IPC_CREAT | IPC_EXCL));
    V(semget(0x9999, 2, 0));
    V(semget(0x9999, 0, IPC_CREAT));
    V(semget(0x9999, -1, IPC_CREAT));
    V(semget(0x9999, 32001, IPC_CREAT));
    V(semop(id, &op, 0));
    V(semop(id, ops, 501));
    V(semop(id, (void *)8, 1));
    V(semop(-1, &op, 1));
    V(semop(id + 1, &op, 1));
    op.sem_num = 2;
    V(semop(id, &op, 1));
    op.sem_num = 0;
    struct timespec bad = { 0, 1000000000 }, soon = { 0, 20000000 }, none = { 0, 0 };
    V(semtimedop(id, &op, 1, &bad));
    V(semtimedop(id, &op, 1, (void *)8));
    op.sem_op = -5;
    V(semtimedop(id, &op, 1, &soon));
    V(semtimedop(id, &op, 1, &none));
    V(semctl(id, 2, GETVAL));
    V(semctl(id, -1, GETVAL));
    V(semctl(id, 0, SETVAL, -1));
    V(semctl(id, 0, SETVAL, 32768));
    V(semctl(id, 2, SETVAL, 1));
    V(semctl(id, 0, 99));
    V(semctl(-1, 0, IPC_RMID));
    V(semctl(id, 0, IPC_STAT, (void *)8));
    unsigned short many[2] = { 1, 40000 };
    V(semctl(id, 0, SETALL, many));
    V(semctl(id, 0, SETALL, (void *)8));
    V(semctl(id, 0, GETALL, (void *)8));
    struct seminfo info;
    V(semctl(0, 0, IPC_INFO, &info) >= 0);
    printf("%d %d %d %d %d %d %d %d %d %d\n", info.semmap, info.semmni, info.semmns, info.semmnu, info.semmsl, info.semopm,
        info.semume, info.semusz, info.semvmx, info.semaem);
    V(semctl(0, 0, SEM_INFO, &info) >= 0);
    printf("%d %d\n", info.semusz, info.semaem);
    IN_CHILD("a stranger") {
        setresgid(77, 77, 77);
        setresuid(77, 77, 77);
        V(semget(0x1234, 2, 0) == id);
        V(semget(0x1234, 2, 0400));
        V(semctl(id, 0, GETVAL));
        V(semctl(id, 0, SETVAL, 1));
        op.sem_op = 1;
        V(semop(id, &op, 1));
        op.sem_op = 0;
        V(semop(id, &op, 1));
        V(semctl(id, 0, IPC_RMID));
        V(semctl(id, 0, IPC_STAT, &(struct semid_ds){ 0 }));
    }
    V(semctl(id, 0, IPC_RMID));
}

// Forks a child that makes one operation and says what came of it.
static pid_t waiting_child(int id, int number, int change, const char *name)
{
    pid_t child = fork();
    if (!child) {
        int outcome = semop1(id, number, change, 0), error = errno;
        // Who made it possible speaks first.
        pause_ms(50);
        printf("%s: %s\n", name, outcome ? word(error) : "done");
        _exit(0);
    }
    for (int i = 0; i < 500 && process_state(child) != 'S'; i++)
        pause_ms(2);
    pause_ms(10);
    return child;
}

static void sem_waiting(void)
{
    int id = semget(IPC_PRIVATE, 2, 0600);
    pid_t a = waiting_child(id, 0, -2, "two");
    pid_t b = waiting_child(id, 0, -1, "one");
    V(semctl(id, 0, GETNCNT));
    V(semctl(id, 0, GETZCNT));
    V(semctl(id, 1, GETNCNT));
    V(semop1(id, 0, 1, 0));
    waitpid(b, NULL, 0);
    V(semctl(id, 0, GETNCNT));
    V(semctl(id, 0, GETVAL));
    V(semctl(id, 0, SETVAL, 3));
    waitpid(a, NULL, 0);
    V(semctl(id, 0, GETVAL));
    CHECK("who did it", semctl(id, 0, GETPID) == a);
    a = waiting_child(id, 0, 0, "zero");
    V(semctl(id, 0, GETZCNT));
    V(semop1(id, 0, -1, 0));
    waitpid(a, NULL, 0);
    // A signal.
    a = waiting_child(id, 0, -1, "killed");
    kill(a, SIGKILL);
    waitpid(a, NULL, 0);
    V(semctl(id, 0, GETNCNT));
    IN_CHILD("interrupted") {
        struct sigaction sa = { .sa_handler = (void (*)(int))pause_ms, .sa_flags = SA_RESTART };
        sigaction(SIGALRM, &sa, NULL);
        struct itimerval soon = { .it_value.tv_usec = 50000 };
        setitimer(ITIMER_REAL, &soon, NULL);
        V(semop1(id, 0, -1, 0));
    }
    a = waiting_child(id, 1, -1, "removed");
    V(semctl(id, 0, IPC_RMID));
    waitpid(a, NULL, 0);
}

static void sem_undo(void)
{
    int id = semget(IPC_PRIVATE, 3, 0600);
    semctl(id, 0, SETVAL, 5);
    IN_CHILD("takes") {
        V(semop1(id, 0, -2, SEM_UNDO));
        V(semop1(id, 0, -1, SEM_UNDO));
        V(semop1(id, 1, 3, SEM_UNDO));
        V(semop1(id, 2, 1, 0));
        show_values(id, 3);
    }
    show_values(id, 3);
    IN_CHILD("killed") {
        semop1(id, 0, -4, SEM_UNDO);
        raise(SIGKILL);
    }
    show_values(id, 3);
    // Less than nothing is nothing.
    IN_CHILD("gives") {
        semop1(id, 1, 3, SEM_UNDO);
        semop1(id, 1, -2, 0);
    }
    show_values(id, 3);
    IN_CHILD("set by hand") {
        semop1(id, 0, -1, SEM_UNDO);
        semctl(id, 0, SETVAL, 9);
    }
    show_values(id, 3);
    // A child does not inherit it.
    IN_CHILD("parent") {
        semop1(id, 0, -1, SEM_UNDO);
        IN_CHILD("child") {
        }
        show_values(id, 3);
        execl("/bin/true", "true", NULL);
    }
    show_values(id, 3);
    pid_t a = fork();
    if (!a) {
        semop1(id, 0, -9, SEM_UNDO);
        pause_ms(300);
        _exit(0);
    }
    pause_ms(100);
    V(semop1(id, 0, -1, 0));
    waitpid(a, NULL, 0);
    show_values(id, 3);
    IN_CHILD("too much") {
        for (int i = 0; i < 2; i++) {
            V(semop1(id, 1, 32767, SEM_UNDO));
            V(semctl(id, 1, GETVAL));
            semop1(id, 1, -32767, IPC_NOWAIT);
        }
        V(semop1(id, 1, 2, SEM_UNDO));
    }
    show_values(id, 3);
    semctl(id, 0, IPC_RMID);
}

struct text {
    long type;
    char text[9000];
};

static void put(int id, long type, const char *text)
{
    struct text m = { type, "" };
    strcpy(m.text, text);
    if (msgsnd(id, &m, strlen(text), IPC_NOWAIT))
        printf("msgsnd: %s\n", word(errno));
}

static void take(int id, size_t room, long type, int flags)
{
    struct text m = { 0, "" };
    ssize_t n = msgrcv(id, &m, room, type, flags | IPC_NOWAIT);
    if (n < 0)
        printf("type %ld flags %o: %s\n", type, flags, word(errno));
    else
        printf("type %ld flags %o: %zd '%.*s' of type %ld\n", type, flags, n, (int)n, m.text, m.type);
}

static void msg_basics(void)
{
    int id = msgget(IPC_PRIVATE, 0600);
    take(id, 100, 0, 0);
    put(id, 3, "three");
    put(id, 1, "one");
    put(id, 2, "two");
    put(id, 1, "another one");
    put(id, 5, "");
    struct msqid_ds d;
    V(msgctl(id, IPC_STAT, &d));
    printf("%lu %lu %lu %lo %d %d\n", (long)d.msg_qnum, (long)d.__msg_cbytes, (long)d.msg_qbytes, (long)d.msg_perm.mode,
        d.msg_lspid == getpid(), d.msg_lrpid);
    take(id, 100, 1, 0);
    take(id, 100, -2, 0);
    take(id, 100, 4, 0);
    take(id, 100, 2, MSG_EXCEPT);
    take(id, 1, 2, 0);
    take(id, 2, 2, MSG_NOERROR);
    take(id, 100, 0, 040000);
    take(id, 100, 1, 040000);
    take(id, 100, 0, 0);
    take(id, 100, 0, 040000);
    put(id, 7, "seven");
    take(id, 2, 0, 040000);
    take(id, 2, 0, 040000 | MSG_NOERROR);
    struct text m;
    V(msgrcv(id, &m, 100, 0, 040000));
    V(msgrcv(id, &m, 100, 0, 040000 | IPC_NOWAIT | MSG_EXCEPT));
    take(id, 0, 0, MSG_NOERROR);
    take(id, 0, LONG_MIN, 0);
    put(id, LONG_MAX, "largest");
    take(id, 100, LONG_MIN, 0);
    V(msgctl(id, IPC_RMID, NULL));
    V(msgctl(id, IPC_STAT, &d));
}

static void msg_errors(void)
{
    static struct text m = { 1, "" };
    int id = msgget(0x4321, IPC_CREAT | 0600);
    V(msgget(0x4321, 0600) == id);
    V(msgget(0x4321, IPC_CREAT | IPC_EXCL));
    V(msgget(0x9999, 0));
    V(msgsnd(id, &m, 8193, 0));
    V(msgsnd(id, &m, -1, 0));
    V(msgsnd(-1, &m, 1, 0));
    V(msgsnd(id + 1, &m, 1, 0));
    V(msgsnd(id, (void *)8, 1, 0));
    m.type = 0;
    V(msgsnd(id, &m, 1, 0));
    m.type = -1;
    V(msgsnd(id, &m, 1, 0));
    m.type = 1;
    V(msgsnd(id, &m, 8192, 0));
    V(msgsnd(id, &m, 8192, 0));
    V(msgsnd(id, &m, 1, IPC_NOWAIT));
    V(msgsnd(id, &m, 0, IPC_NOWAIT));
    V(msgrcv(id, &m, -1, 0, 0));
    V(msgrcv(id, &m, 8191, 0, 0));
    V(msgrcv(id, (void *)8, 8192, 0, 0));
    V(msgrcv(id, &m, 8192, 0, 0));
    V(msgrcv(id, &m, 8192, 0, IPC_NOWAIT));
    V(msgrcv(id, &m, 8192, 0, IPC_NOWAIT));
    struct msqid_ds d;
    msgctl(id, IPC_STAT, &d);
    d.msg_qbytes = 10;
    d.msg_perm.mode = 0666;
    V(msgctl(id, IPC_SET, &d));
    V(msgsnd(id, &m, 11, IPC_NOWAIT));
    V(msgsnd(id, &m, 10, IPC_NOWAIT));
    V(msgctl(id, 99, &d));
    V(msgctl(id, IPC_STAT, (void *)8));
    V(msgctl(id, IPC_SET, (void *)8));
    struct msginfo info;
    V(msgctl(0, IPC_INFO, (void *)&info) >= 0);
    printf("%d %d %d %d %d %d %d %d\n", info.msgpool, info.msgmap, info.msgmax, info.msgmnb, info.msgmni, info.msgssz,
        info.msgtql, info.msgseg);
    V(msgctl(0, MSG_INFO, (void *)&info) >= 0);
    printf("%d %d %d\n", info.msgpool, info.msgmap, info.msgtql);
    IN_CHILD("a stranger") {
        setresgid(77, 77, 77);
        setresuid(77, 77, 77);
        V(msgget(0x4321, 0666) == id);
        V(msgrcv(id, &m, 100, 0, IPC_NOWAIT));
        V(msgctl(id, IPC_SET, &d));
        V(msgctl(id, IPC_RMID, NULL));
        int own = msgget(IPC_PRIVATE, 0);
        V(msgsnd(own, &m, 1, IPC_NOWAIT));
        V(msgctl(own, IPC_STAT, &d));
        msgctl(own, IPC_RMID, NULL);
        own = msgget(IPC_PRIVATE, 0600);
        msgctl(own, IPC_STAT, &d);
        d.msg_qbytes = 16385;
        V(msgctl(own, IPC_SET, &d));
        msgctl(own, IPC_RMID, NULL);
    }
    V(msgctl(id, IPC_RMID, NULL));
}

static void msg_waiting(void)
{
    struct text m = { 1, "" };
    int id = msgget(IPC_PRIVATE, 0600);
    pid_t child = fork();
    if (!child) {
        V(msgrcv(id, &m, 100, 2, 0));
        printf("got %s\n", m.text);
        long outcome = msgrcv(id, &m, 100, 9, 0);
        int error = errno;
        pause_ms(50);
        printf("%ld %s\n", outcome, word(error));
        _exit(0);
    }
    wait_state(child, 'S');
    put(id, 1, "not you");
    pause_ms(50);
    put(id, 2, "you");
    pause_ms(50);
    V(msgctl(id, IPC_RMID, NULL));
    waitpid(child, NULL, 0);
    id = msgget(IPC_PRIVATE, 0600);
    child = fork();
    if (!child) {
        static struct text big = { 3, "" };
        for (int i = 0; i < 3; i++) {
            long outcome = msgsnd(id, &big, 8000, 0);
            pause_ms(50);
            printf("sent %ld\n", outcome);
        }
        alarm(1);
        V(msgsnd(id, &big, 8000, 0));
        _exit(0);
    }
    pause_ms(200);
    static struct text big;
    V(msgrcv(id, &big, 9000, 0, 0));
    int status;
    waitpid(child, &status, 0);
    show_status("sender", status);
    V(msgctl(id, IPC_RMID, NULL));
}

static void tables(void)
{
    char line[300];
    int sem = semget(0x77, 3, IPC_CREAT | 0640), queue = msgget(0x78, IPC_CREAT | 0604), shm = shmget(0x79, 5000, IPC_CREAT | 0600);
    put(queue, 1, "hello");
    static const char *const names[] = { "sem", "msg", "shm" };
    for (int i = 0; i < 3; i++) {
        char path[40];
        snprintf(path, sizeof path, "/proc/sysvipc/%s", names[i]);
        FILE *f = fopen(path, "r");
        while (f && fgets(line, sizeof line, f)) {
            // Without ids, processes and times: the first three columns and the number of columns.
            long key, id;
            unsigned mode, value, columns = 0;
            if (sscanf(line, "%ld %ld %o %u", &key, &id, &mode, &value) == 4) {
                for (char *s = strtok(line, " \n"); s; s = strtok(NULL, " \n"))
                    columns++;
                printf("%ld %o %u, %u columns\n", key, mode, value, columns);
            } else
                printf("%s", line);
        }
        if (f)
            fclose(f);
    }
    semctl(sem, 0, IPC_RMID);
    msgctl(queue, IPC_RMID, NULL);
    shmctl(shm, IPC_RMID, NULL);
}

PARTS({ "sem_basics", sem_basics }, { "sem_errors", sem_errors }, { "sem_waiting", sem_waiting }, { "sem_undo", sem_undo },
    { "msg_basics", msg_basics }, { "msg_errors", msg_errors }, { "msg_waiting", msg_waiting }, { "tables", tables })
