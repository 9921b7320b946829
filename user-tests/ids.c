// Prints the credentials of the process: the observer of the set-id cases.
#define _GNU_SOURCE
#include <stdio.h>
#include <unistd.h>

int main(void)
{
    uid_t r, e, s;
    gid_t list[64];

    getresuid(&r, &e, &s);
    printf("uid %d %d %d", (int)r, (int)e, (int)s);
    getresgid(&r, &e, &s);
    printf(" gid %d %d %d groups", (int)r, (int)e, (int)s);
    int n = getgroups(64, list);
    for (int i = 0; i < n; i++)
        printf(" %d", (int)list[i]);
    printf("\n");
    return 0;
}
