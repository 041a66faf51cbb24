/* What the log says while a test of logging() runs, in a file. */
#ifndef LOGGED_H
#define LOGGED_H

#include "rig.h"

#include <sys/mman.h>

#include "base/log.h"

#define logging(test) cmocka_unit_test_setup_teardown(test, catch_log, drop_log)

static int log_file = -1;

/* Standard error itself stays: failures are told there. */
UNUSED static int catch_log(void **state)
{
    int kept = dup(STDERR_FILENO);
    (void)state;
    log_file = memfd_create("log", MFD_CLOEXEC);
    if (kept < 0 || log_file < 0 || dup2(log_file, STDERR_FILENO) < 0)
        return -1;
    cv_log_open("test", CV_LOG_INFO);
    return dup2(kept, STDERR_FILENO) < 0 || close(kept) < 0;
}

UNUSED static int drop_log(void **state)
{
    (void)state;
    return close(log_file);
}

UNUSED static void assert_logged(const char *text)
{
    char all[65536];
    ssize_t n = pread(log_file, all, sizeof(all) - 1, 0);
    assert_true(n >= 0);
    all[n] = '\0';
    if (strstr(all, text) == NULL)
        fail_msg("no \"%s\" in: %s", text, all);
}

UNUSED static unsigned lines_logged(void)
{
    char all[65536];
    unsigned n = 0;
    ssize_t len = pread(log_file, all, sizeof(all), 0);
    for (ssize_t i = 0; i < len; i++)
        n += all[i] == '\n';
    return n;
}

#endif
