"""Libraries that change one call of the C library, to be preloaded into a server (LD_PRELOAD)."""

# The process whose pid stands in the file HANGS never comes back from waitid(), which guardian and master call once in
# each turn of their loops.
HANGS = """
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int is_to_hang(void)
{
    char text[16] = "";
    int fd = open(getenv("HANGS"), O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    (void)!read(fd, text, sizeof(text) - 1);
    close(fd);
    return atoi(text) == getpid();
}

int waitid(idtype_t type, id_t id, siginfo_t *info, int options)
{
    while (is_to_hang())
        pause();
    return (int)syscall(SYS_waitid, type, id, info, options, 0);
}
"""
