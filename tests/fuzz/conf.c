/* Fuzz target: a file of settings, from its bytes to values. */
#include "cli/settings/conf.h"

#include "base/fd.h"
#include "fuzz/target.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct cv_conf conf;
    static char flag[] = "--config", path[] = "fuzz.ini";
    static char *argv[] = {flag, path, NULL};
    enum cv_conf_request request;
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    CHECK(fd >= 0 && cv_fd_write_all(fd, data, size) == 0);
    memset(conf.reason, 0, sizeof(conf.reason));
    int rc = cv_conf_read_pinned(&conf, "fuzz", NULL, fd, argv, &request);
    CHECK(rc == 0 || rc == -EBADMSG || rc == -EINVAL);
    CHECK(rc == 0 || conf.reason[0] != '\0'); /* what is refused is explained */
    CHECK(memchr(conf.reason, '\0', sizeof(conf.reason)) != NULL);
    for (int i = 0; rc == 0 && i < CV_SET_COUNT; i++)
        CHECK(conf.text[i] != NULL && strlen(conf.text[i]) < CV_CONF_FILE_LINE + 64);
    (void)close(fd);
    return 0;
}
