/* `covey doctor`: what any program on this machine has left behind.
 *
 * A sight is what /proc and the usual folders said at one moment; the diagnosis is a pure function
 * over it. Both are made twice, 300 ms apart, and only what was found both times is told: what is
 * just ending is no leftover.
 *
 *    look.c      reads the machine        say.c      puts findings into words, JSON
 *    diagnose.c  judges, purely           clean.c    ends and removes
 *    files.c     sockets, shared memory   doctor.c   the command
 *
 * It must not guess: daemons below PID 1 are normal, so a process is an orphan only if it is known
 * to need a parent that it has not got. */
#ifndef CV_CLI_DOCTOR_H
#define CV_CLI_DOCTOR_H

#include "base/arena.h"
#include "base/buf.h"

#include <jansson.h>
#include <stdint.h>
#include <sys/types.h>

struct cv_doctor_proc {
    pid_t pid;
    pid_t ppid;
    pid_t pgrp;
    char state;
    bool is_kernel;       /* a kernel thread */
    bool has_known_pipes; /* its descriptors could be read */
    unsigned threads;
    uid_t uid;
    uint64_t start; /* clock ticks since boot; with the pid it says which process this is */
    const char *comm;
    struct cv_span args;   /* as in /proc/PID/cmdline: each argument ends in a NUL */
    const char *tag;       /* the value of covey's tag in its environment, NULL if none */
    const uint64_t *pipes; /* inodes of the pipes it holds, standard streams left out */
    size_t n_pipes;
};

struct cv_doctor_listen {
    pid_t pid;
    const char *address; /* "127.0.0.1:8000", "unix:/run/app.sock" */
};

struct cv_doctor_file {
    bool is_socket; /* else it is shared memory or a semaphore */
    bool is_used;   /* somebody has it open, or that cannot be told */
    const char *path;
    uid_t uid;
    int64_t changed_s; /* since 1970 */
    int64_t size;
    dev_t dev;
    ino_t ino;
};

/* Everything is in the arena. */
struct cv_doctor_sight {
    struct cv_arena arena;
    struct cv_doctor_proc *procs; /* in the order of their pids */
    size_t n_procs;
    struct cv_doctor_listen *listens;
    size_t n_listens;
    struct cv_doctor_file *files;
    size_t n_files;
    size_t n_hidden; /* processes whose descriptors may not be read */
    uint64_t now;    /* clock ticks since boot */
    uint64_t ticks_per_s;
    int64_t wall_s;
};

/* In the order in which they are told, and ended: resource trackers clean up and go by themselves
 * once the workers are gone. */
enum cv_doctor_kind {
    CV_DOCTOR_ZOMBIE,
    CV_DOCTOR_STRAY,     /* carries the tag of a covey server that is gone */
    CV_DOCTOR_WORKER,    /* its title says that it is a worker; its master is gone */
    CV_DOCTOR_MP_WORKER, /* of Python's multiprocessing, as the next two */
    CV_DOCTOR_MP_FORKSERVER,
    CV_DOCTOR_MP_TRACKER,
    CV_DOCTOR_HINT, /* looks like a worker of a program that is gone; no proof */
    CV_DOCTOR_SOCKET,
    CV_DOCTOR_MEMORY
};

struct cv_doctor_finding {
    enum cv_doctor_kind kind;
    const struct cv_doctor_proc *proc;   /* NULL for a file */
    const struct cv_doctor_proc *parent; /* of proc; NULL if it cannot be seen */
    const struct cv_doctor_file *file;   /* NULL for a process */
};

/* The command; argv are the words behind "doctor". Returns the exit code: 0 nothing found (or all
 * of it is cleaned), 1 something found, 2 wrong use, 71 /proc cannot be read. */
int cv_doctor(char **argv);

/* ---- look.c, files.c ---- */

/* Looks at the whole machine. 0 or -errno; the caller calls cv_doctor_sight_done() in any case. */
CV_MUST_CHECK int cv_doctor_look(struct cv_doctor_sight *sight);
void cv_doctor_sight_done(struct cv_doctor_sight *sight);

/* Reads the text of /proc/PID/stat; `comm` stays in the text, which is changed. 0 or -EINVAL; on
 * error `ret` is unchanged. */
CV_MUST_CHECK int cv_doctor_read_stat(char *text, struct cv_doctor_proc *ret);

/* Appends each socket file of the usual folders, and Python's shared memory, to `files` (an array
 * of struct cv_doctor_file); `arena` owns the paths. 0 or -errno. */
CV_MUST_CHECK int cv_doctor_look_at_files(struct cv_arena *arena, struct cv_buf *files);

/* Whether some process of any namespace has this socket file bound, or that cannot be told. Nobody
 * notices being asked. */
bool cv_doctor_is_bound(int folder, const char *name);

/* ---- diagnose.c ---- */

/* Judges a sight. `ret` has room for n_procs + n_files; returns how many there are. */
size_t cv_doctor_diagnose(const struct cv_doctor_sight *sight, struct cv_doctor_finding *ret);

/* Keeps of `now` what was `before` already; returns how many are left. */
size_t cv_doctor_confirm(struct cv_doctor_finding *now, size_t n_now,
                         const struct cv_doctor_finding *before, size_t n_before);

/* The process with that pid, NULL if it was not seen. */
const struct cv_doctor_proc *cv_doctor_find(const struct cv_doctor_sight *sight, pid_t pid);

/* Why `self` must not end that process, NULL if it may. */
const char *cv_doctor_refusal(const struct cv_doctor_sight *sight,
                              const struct cv_doctor_proc *proc, pid_t self);

/* ---- say.c ---- */

/* Appends one line for people (without its end). 0 or -errno. */
CV_MUST_CHECK int cv_doctor_say(const struct cv_doctor_sight *sight,
                                const struct cv_doctor_finding *finding, struct cv_buf *to);

/* Appends the line that sums up. 0 or -errno. */
CV_MUST_CHECK int cv_doctor_sum_up(const struct cv_doctor_sight *sight,
                                   const struct cv_doctor_finding *findings, size_t n,
                                   struct cv_buf *to);

/* All findings; a new reference, NULL without memory. */
json_t *cv_doctor_json(const struct cv_doctor_sight *sight,
                       const struct cv_doctor_finding *findings, size_t n);

/* ---- clean.c ---- */

/* Ends exactly the process that was seen: TERM, after `patience_ms` KILL. 0; -ESRCH: it is gone, or
 * has another parent by now; -EPERM; -EBUSY: even KILL has not helped within that time. */
CV_MUST_CHECK int cv_doctor_end(const struct cv_doctor_proc *proc, int patience_ms);

/* Removes exactly the file that was seen, if it is still of no use. 0; -ENOENT: gone, or another
 * file by now; -EBUSY: in use; or another -errno. */
CV_MUST_CHECK int cv_doctor_remove(const struct cv_doctor_file *file);

#endif
