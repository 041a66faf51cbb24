/* Fuzz target: the record a worker is born with, in a sealed memfd as the master makes it. */
#include "supervise/shared/boot.h"

#include "base/fd.h"
#include "fuzz/target.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

/* The descriptor of a record that claims to be of this process's parent: of others it is told after
 * a wait. */
static int seal(const uint8_t *data, size_t size)
{
    int fd = memfd_create("fuzz", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    pid_t parent = getppid();
    CHECK(fd >= 0 && cv_fd_write_all(fd, data, size) == 0);
    if (size >= offsetof(struct cv_boot, parent) + sizeof(parent))
        CHECK(pwrite(fd, &parent, sizeof(parent), offsetof(struct cv_boot, parent)) ==
              (ssize_t)sizeof(parent));
    CHECK(fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) == 0);
    CHECK(pwrite(fd, "x", 1, 0) < 0 && errno == EPERM); /* not even its reader can change it */
    return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cv_boot boot;
    char number[16];
    int fd = seal(data, size);
    (void)snprintf(number, sizeof(number), "%d", fd);
    CHECK(setenv(CV_BOOT_VARIABLE, number, 1) == 0);
    int rc = cv_boot_read(&boot);
    CHECK(rc == 0 || rc == 1 || rc == -EPROTO);
    CHECK(getenv(CV_BOOT_VARIABLE) == NULL && fcntl(fd, F_GETFD) < 0);
    if (rc == 1) {
        CHECK(size == sizeof(boot) && boot.layout == CV_BOOT_LAYOUT && boot.size == sizeof(boot));
        CHECK(boot.n_listeners <= CV_BOOT_LISTENERS_MAX && boot.parent == getppid());
    }
    return 0;
}
