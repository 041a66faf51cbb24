/* What a new worker is told at birth: a sealed memfd, named by one environment variable.
 *
 * The variable is believed only if the descriptor is a memfd with all seals, magic, layout and the
 * right parent, and it is removed at once: an app started from a handler is never mistaken for a
 * worker.
 */
#ifndef CV_SUPERVISE_BOOT_H
#define CV_SUPERVISE_BOOT_H

#include "base/macros.h"
#include "supervise/policy/managed.h"

#include <stdint.h>

#define CV_BOOT_VARIABLE "_COVEY_BOOT"
#define CV_TAG_VARIABLE "_COVEY_TAG"
#define CV_BOOT_LISTENERS_MAX 64
#define CV_TAG_BYTES 40

/* Changes with struct cv_boot, struct cv_message, the state pages, the manifest. */
#define CV_BOOT_LAYOUT 6

enum cv_role { CV_ROLE_WORKER, CV_ROLE_MAIN, CV_ROLE_PROCESS, CV_ROLE_TEMPLATE };

struct cv_boot {
    char magic[8];
    uint32_t layout;
    uint32_t size;
    int32_t parent; /* the master's pid */
    uint32_t role;  /* enum cv_role */
    uint32_t slot;
    uint32_t slots; /* in the state pages */
    uint32_t generation;
    int32_t channel;    /* descriptors, all inherited */
    int32_t state;      /* memfd of the state pages */
    int32_t parent_fd;  /* pidfd of the master */
    int32_t object;     /* the shared object of `covey run`, O_PATH; -1: none */
    int32_t settings;   /* memfd: the file of settings as it was when pinned; -1: none */
    int32_t access_log; /* descriptor of the access log's file; -1: there is none */
    int32_t region;     /* memfd of the slot (region.h); -1: there is none */
    uint32_t region_layout;
    uint32_t n_listeners;
    uint32_t index;                   /* CV_ROLE_PROCESS: which of that name */
    char name[CV_MANAGED_NAME_BYTES]; /* CV_ROLE_PROCESS: of the managed process */
    uint64_t nofile; /* the soft limit of descriptors before the master raised it; 0: it did not */
    int32_t listeners[CV_BOOT_LISTENERS_MAX];
    char tag[CV_TAG_BYTES]; /* of this incarnation, NUL-terminated */
};

/* Fills in magic, layout and size; no settings, no access log, no region. */
void cv_boot_init(struct cv_boot *boot);

/* A sealed memfd that holds `boot`; close-on-exec. The descriptor or -errno. */
CV_MUST_CHECK int cv_boot_seal(const struct cv_boot *boot);

/* Reads what a template's child is to be. `fd` is as cv_boot_seal() made it; numbers of descriptors
 * in it are the sender's. 0; -EPROTO. */
CV_MUST_CHECK int cv_boot_read_fd(int fd, struct cv_boot *ret);

/* Reads the variable and removes it. 1: this process is a worker and *ret says which; 0: it is not;
 * -EPROTO: the master is another version of covey; -ESRCH: it was to be a worker, but its master is
 * gone; -errno: it cannot be told, so it must not begin as a server of its own. */
CV_MUST_CHECK int cv_boot_read(struct cv_boot *ret);

#endif
