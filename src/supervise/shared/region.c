#include "supervise/shared/region.h"

#include "base/assert.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

int cv_region_new(const struct cv_region_kind *kind)
{
    CV_AUTOCLOSE int fd = memfd_create("covey-region", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return -errno;
    /* Its mode keeps another user, who has it for reading, from opening it anew. */
    if (ftruncate(fd, (off_t)kind->bytes) < 0 || fchmod(fd, S_IRUSR) < 0 ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
        return -errno;
    return cv_take_fd(&fd);
}

void cv_region_clear(int fd, const struct cv_region_kind *kind)
{
    static const char zeroes[4096];
    CV_ASSERT(kind->fleeting <= sizeof(zeroes));
    (void)!pwrite(fd, zeroes, kind->fleeting, 0);
}

int cv_region_share(int fd)
{
    char path[32];
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    int shared = open(path, O_RDONLY | O_CLOEXEC);
    return shared >= 0 ? shared : -errno;
}

void *cv_region_map(int fd, size_t bytes, bool for_writing)
{
    struct stat st;
    int seals = fcntl(fd, F_GET_SEALS);
    if (seals < 0 || (seals & F_SEAL_SHRINK) == 0 || fstat(fd, &st) < 0 ||
        st.st_size != (off_t)bytes)
        return NULL;
    int protection = for_writing ? PROT_READ | PROT_WRITE : PROT_READ;
    void *at = mmap(NULL, bytes, protection, MAP_SHARED, fd, 0);
    return at != MAP_FAILED ? at : NULL;
}
