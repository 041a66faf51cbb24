/* Names of virtual hosts: as routes give them and as requests name them. Pure. */
#ifndef CV_APP_HOST_H
#define CV_APP_HOST_H

#include "base/macros.h"
#include "base/span.h"

#define CV_HOST_MAX 261 /* bytes: a name of 255, a colon and a port */

/* Writes `host` in small letters, without a dot at its end, to `to` (room for CV_HOST_MAX); its
 * length, or 0 if that is no host. */
size_t cv_host_write(struct cv_span host, char *to);

/* "example.com:8080" without its port. */
struct cv_span cv_host_name(struct cv_span host);

/* The next of "a.example, b.example" (blanks or commas between); *at is moved. Empty at the end. */
struct cv_span cv_host_next(const char **at);

#endif
