/* What an app consists of, as its worker declares it in HELLO: bounded, length-checked, versioned.
 *
 * A manifest is a sequence of records (kind, length, bytes) behind a version. This version's
 * readers use the routes, the flag of the main-process listeners and the managed processes; shared
 * tables have their kind already and are empty.
 */
#ifndef CV_SUPERVISE_MANIFEST_H
#define CV_SUPERVISE_MANIFEST_H

#include "base/buf.h"
#include "supervise/policy/managed.h"

#include <stdbool.h>
#include <stdint.h>

#define CV_MANIFEST_VERSION 2
#define CV_MANIFEST_ROUTES_MAX 1024 /* names; the rest count as one */

enum cv_manifest_kind {
    CV_MANIFEST_ROUTE = 1,      /* bytes: the route's name */
    CV_MANIFEST_TABLE,          /* a shared table (not used by this version) */
    CV_MANIFEST_PROCESS,        /* a managed process: cv_manifest_add_process() */
    CV_MANIFEST_MAIN_LISTENERS, /* no bytes: there are listeners for the main process */
};

/* What the reader of a manifest learns. */
struct cv_manifest {
    unsigned n_routes;
    bool has_main;
    struct cv_managed_list managed;
    struct cv_commands commands; /* of `managed`, one each */
};

/* Starts a manifest in an empty buffer, and appends records. 0, -ENOMEM or -EMSGSIZE. */
CV_MUST_CHECK int cv_manifest_begin(struct cv_buf *buf);
CV_MUST_CHECK int cv_manifest_add(struct cv_buf *buf, enum cv_manifest_kind kind,
                                  struct cv_span bytes);

/* `words`: of a command, each with its NUL; none: a function. */
CV_MUST_CHECK int cv_manifest_add_process(struct cv_buf *buf, const struct cv_managed_spec *spec,
                                          struct cv_span words);

/* Appends a process, a function, that the app has not declared. False: it has, or there is no room
 * for one more. */
CV_MUST_CHECK bool cv_manifest_append(struct cv_manifest *manifest,
                                      const struct cv_managed_spec *spec);

/* Reads a manifest that may be anything. 0, -EBADMSG (malformed), -EPROTO (another version). */
CV_MUST_CHECK int cv_manifest_read(struct cv_span bytes, struct cv_manifest *ret);

#endif
