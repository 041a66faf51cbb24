/* How a record of handover.h gets from one program to the next: in a sealed memfd, named by one
 * environment variable.
 *
 * The variable is believed only if the descriptor is a memfd with all seals that holds a record for
 * this very process, and it is removed at once.
 */
#ifndef CV_SUPERVISE_HANDOVER_FILE_H
#define CV_SUPERVISE_HANDOVER_FILE_H

#include "supervise/handover/handover.h"

#include <sys/types.h>

#define CV_HANDOVER_VARIABLE "_COVEY_HANDOVER"

/* What the program that reads it is to be. */
enum cv_handed_role {
    CV_HANDED_TRIAL, /* a child of the master: says whether it could take over, and ends */
    CV_HANDED_MASTER,
    CV_HANDED_GUARDIAN,
};

struct cv_handed {
    enum cv_handed_role role;
    struct cv_span record; /* mapped as long as the process lives */
    int settings;          /* memfd: the file of settings as it was at the upgrade; -1: none */
    int answer;            /* TRIAL: a pipe to the master */
};

/* Begins a record: who it is for (TRIAL: the parent of who it is for), with which descriptors. */
void cv_handed_begin(struct cv_handover *to, enum cv_handed_role role, pid_t pid, int settings,
                     int answer);

/* A sealed memfd that holds the record; close-on-exec. The descriptor or -errno. */
CV_MUST_CHECK int cv_handed_seal(struct cv_span record);

/* Reads the variable and removes it. 1: with *ret filled in, and, but for a TRIAL, every descriptor
 * in the record close-on-exec again; 0: nothing is handed over; -EPROTO: in a form that this
 * program cannot read; -errno. */
CV_MUST_CHECK int cv_handed_take(struct cv_handed *ret);

/* TRIAL: tells the master the result ("": it could take over). */
void cv_handed_answer(const struct cv_handed *handed, const char *why_not);

/* Becomes `program` (O_PATH) in this process, which keeps the descriptors that the record in `file`
 * (of cv_handed_seal()) names. Only to be called from the main thread: the kernel takes the end of
 * another for a death, and kills the workers. Does not return; -errno if it does, and then nothing
 * has changed. */
int cv_handed_become(int program, int file, struct cv_span record, char *const *argv);

#endif
