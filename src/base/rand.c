#include "base/rand.h"

#include "base/clock.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

/* A sandbox forbids the call. Nothing secret hangs on it: what is wanted is that no other process
 * has the same. */
static void make_up(char *at, size_t n)
{
    uint64_t state = (uint64_t)cv_clock_ns() ^ (uint64_t)getpid() << 40;
    while (n > 0) {
        uint64_t next = cv_rand_next(&state);
        size_t some = n < sizeof(next) ? n : sizeof(next);
        memcpy(at, &next, some);
        at += some;
        n -= some;
    }
}

void cv_rand_bytes(void *to, size_t n)
{
    char *at = to;
    while (n > 0) {
        ssize_t got = getrandom(at, n, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            make_up(at, n);
            return;
        }
        at += got;
        n -= (size_t)got;
    }
}

uint64_t cv_rand_next(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}
