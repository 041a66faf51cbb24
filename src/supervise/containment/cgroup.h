/* Containment by cgroups (version 2): each incarnation lives in one of its own, so that everything
 * it has ever started dies with it, whatever that did to its parents, session and environment.
 *
 *     OWN/                    the cgroup covey was started in
 *         covey-RUN/          made, locked and removed by guardian and master
 *             INCARNATION/    fresh for each process: one that was killed is never used again
 *
 * What a server left there whose guardian and master were killed at the same instant is ended and
 * removed by the next one that starts in OWN: the lock on the directory says that nobody owns it.
 * Where cgroups cannot be had, everything here does nothing.
 */
#ifndef CV_SUPERVISE_CGROUP_H
#define CV_SUPERVISE_CGROUP_H

#include "supervise/containment/strays.h"

#include <stdbool.h>

/* How long the end of a server waits for the kernel to let go of a cgroup whose processes are dead.
 */
#define CV_CGROUP_REMOVE_MS 1000

/* Directories that could not be removed at once because somebody in them was still dying. More of
 * them wait until the end of the server. */
#define CV_CGROUP_GRAVES 64

struct cv_cgroup {
    int own;
    int run; /* locked; -1: no containment by cgroups */
    char name[sizeof("covey-") + sizeof(struct cv_run)];
    int epoll; /* over the graves; -1: nobody listens */
    struct cv_cgroup_grave {
        uint32_t incarnation; /* 0: free */
        int events;
    } grave[CV_CGROUP_GRAVES];
};

/* Makes the directory of this run, once it is proven that a process can enter a cgroup there and
 * be killed by it. Not forced: only in a cgroup that is delegated to covey (systemd's Delegate=yes,
 * the root of a container's own cgroup namespace, or one that a user other than root may write). 1;
 * 0 if it is not, and `reason` says why; -errno likewise if it was forced. */
CV_MUST_CHECK int cv_cgroup_open(struct cv_cgroup *cgroup, const struct cv_run *run, bool is_forced,
                                 char *reason, size_t cap);

/* No containment. */
void cv_cgroup_none(struct cv_cgroup *cgroup);

/* In the master, once: a descriptor that is readable when cv_cgroup_clear() has something to do; -1
 * if there is no containment, -errno. */
CV_MUST_CHECK int cv_cgroup_listen(struct cv_cgroup *cgroup);

/* Takes it back: those who do not go at once are left to the end. */
void cv_cgroup_unlisten(struct cv_cgroup *cgroup);

/* In a forked worker: closes what belongs to the master. */
void cv_cgroup_forget(struct cv_cgroup *cgroup);

/* Makes the cgroup of an incarnation. The descriptor that a process writes "0" to in order to enter
 * it, close-on-exec; or -errno. */
CV_MUST_CHECK int cv_cgroup_new(struct cv_cgroup *cgroup, uint32_t incarnation);

/* The incarnation is dead: kills what it has left in its cgroup, and removes that, if need be once
 * the killed have gone. */
void cv_cgroup_bury(struct cv_cgroup *cgroup, uint32_t incarnation);

/* Removes what can be removed by now. */
void cv_cgroup_clear(struct cv_cgroup *cgroup);

/* Kills whatever is left of the run; no process can be added any more that would live. */
void cv_cgroup_kill(const struct cv_cgroup *cgroup);

/* Removes all directories of the run; waits up to `bound_ms` for the killed. Whether they are gone.
 */
bool cv_cgroup_remove(struct cv_cgroup *cgroup, int bound_ms);

#endif
