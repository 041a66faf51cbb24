/* Settings read in a test, and what they are compared with. */
#ifndef TESTS_UNIT_CLI_RIG_H
#define TESTS_UNIT_CLI_RIG_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/span.h"
#include "cli/settings/conf.h"

#define ROW(name, type, fallback, least, most, text) {#name, #type, fallback, least, most, text},
static const struct row {
    const char *name;
    const char *type;
    const char *fallback;
    int64_t least;
    int64_t most;
    const char *sentence;
} rows[] = {CV_SETTINGS(ROW)};

static struct cv_conf conf;
static enum cv_conf_request request;

static inline int start(void **state)
{
    (void)state;
    memset(&conf, 0xa5, sizeof(conf));
    return clearenv();
}

/* Reads flags that stand in one text, apart by blanks; NULL: none. */
static inline int read_all(const struct covey_options *options, const char *flags)
{
    static char text[1024];
    static char *argv[32];
    int n = 0;
    (void)snprintf(text, sizeof(text), "%s", flags != NULL ? flags : "");
    char *save = NULL;
    for (char *word = strtok_r(text, " ", &save); word != NULL; word = strtok_r(NULL, " ", &save))
        argv[n++] = word;
    argv[n] = NULL;
    return cv_conf_read(&conf, "/usr/bin/app", options, argv, &request);
}

static inline int read_flags(const char *flags)
{
    return read_all(NULL, flags);
}

static inline void assert_says(const char *what)
{
    if (strstr(conf.reason, what) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", conf.reason, what);
}

static inline bool is(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}

/* "--request-timeout" for REQUEST_TIMEOUT. */
static inline void flag_of(const struct row *row, char to[64])
{
    (void)snprintf(to, 64, "--%s", row->name);
    for (char *at = to; *at != '\0'; at++)
        *at = *at == '_' ? '-' : cv_lower(*at);
}

static inline int read_options(struct covey_options options)
{
    options.size = sizeof(options);
    return read_all(&options, NULL);
}

#define conf_test(test) cmocka_unit_test_setup(test, start)

#endif
