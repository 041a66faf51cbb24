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

# The wall clock is ahead by as many seconds as the file CLOCK says (a number in its first eight bytes). The kernel keeps
# no such clock for a few processes alone: a time namespace has other monotonic clocks only.
CLOCK = """
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t *ahead;

__attribute__((constructor)) static void begin(void)
{
    int fd = open(getenv("CLOCK"), O_RDONLY | O_CLOEXEC);
    void *at = mmap(NULL, sizeof(*ahead), PROT_READ, MAP_SHARED, fd, 0);
    close(fd);
    ahead = at != MAP_FAILED ? at : NULL;
}

int clock_gettime(clockid_t clock, struct timespec *ret)
{
    int rc = (int)syscall(SYS_clock_gettime, clock, ret);
    if (rc == 0 && ahead != NULL && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        ret->tv_sec += *ahead;
    return rc;
}

time_t time(time_t *ret)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (ret != NULL)
        *ret = now.tv_sec;
    return now.tv_sec;
}
"""

# While the file SLOW is there, no file without a name takes a byte: write() waits. SLOW.held is there once one does.
SLOW_DISK = """
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int is_slow(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink == 0 && access(getenv("SLOW"), F_OK) == 0;
}

ssize_t write(int fd, const void *bytes, size_t n)
{
    while (is_slow(fd)) {
        char held[4096];
        (void)snprintf(held, sizeof(held), "%s.held", getenv("SLOW"));
        close(open(held, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
        usleep(1000);
    }
    return syscall(SYS_write, fd, bytes, n);
}
"""
