/* The cookies of a test's client (RFC 6265, section 5): what answers set is sent with what follows.
 *
 * There is one host, so Domain is not looked at, and nobody listens, so Secure is not either. Pure;
 * times are the wall clock's, in seconds.
 */
#ifndef CV_CLI_TESTER_JAR_H
#define CV_CLI_TESTER_JAR_H

#include "base/buf.h"

#include <stdint.h>

struct cv_jar_cookie;

/* Zeroed: empty. */
struct cv_jar {
    struct cv_jar_cookie *first; /* in the order in which they were first set */
};

void cv_jar_done(struct cv_jar *jar);

/* Takes the value of a Set-Cookie field of an answer to `path`. One without a name is ignored. 0 or
 * -ENOMEM. */
CV_MUST_CHECK int cv_jar_take(struct cv_jar *jar, const char *set_cookie, const char *path,
                              int64_t now);

/* Sets one for all paths. 0 or -ENOMEM. */
CV_MUST_CHECK int cv_jar_set(struct cv_jar *jar, const char *name, const char *value);

/* Forgets all of that name. */
void cv_jar_drop(struct cv_jar *jar, const char *name);

/* The value of the first of that name, or NULL. */
const char *cv_jar_find(const struct cv_jar *jar, const char *name, int64_t now);

/* Appends what a request for `path` carries: "a=1; b=2", nothing if there is none. 0 or an error of
 * cv_buf_append(). */
CV_MUST_CHECK int cv_jar_write(const struct cv_jar *jar, const char *path, int64_t now,
                               struct cv_buf *to);

#endif
