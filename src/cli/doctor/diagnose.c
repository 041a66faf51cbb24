/* Judges a sight: which process lacks a parent that it needs, which file is of no use to anybody.
 * Pure. */
#include "cli/doctor/doctor.h"

#include <stdlib.h>

/* Workers that say in their title what they are, and how the title of their master begins. Titles
 * of one word for all processes of a program (uWSGI without a master) prove nothing: not here. */
static const struct family {
    const char *worker;
    const char *master;
} families[] = {
    {"nginx: worker process", "nginx: master process"},
    {"nginx: cache ", "nginx: master process"},
    {"gunicorn: worker", "gunicorn: master"},
    {"php-fpm: pool", "php-fpm: master process"},
    {"unicorn worker[", "unicorn master"},
    {"puma: cluster worker", "puma "},
};

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

/* The argument that follows `at`, or the first one; NULL behind the last. */
static const char *next_arg(const struct cv_doctor_proc *proc, const char *at)
{
    const char *next = at == NULL ? proc->args.at : at + strlen(at) + 1;
    return next < proc->args.at + proc->args.len ? next : NULL;
}

static const char *title_of(const struct cv_doctor_proc *proc)
{
    const char *first = next_arg(proc, NULL);
    return first != NULL ? first : "";
}

const struct cv_doctor_proc *cv_doctor_find(const struct cv_doctor_sight *sight, pid_t pid)
{
    size_t from = 0;
    size_t to = sight->n_procs;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (sight->procs[middle].pid == pid)
            return &sight->procs[middle];
        if (sight->procs[middle].pid < pid)
            from = middle + 1;
        else
            to = middle;
    }
    return NULL;
}

/* ---- Python's multiprocessing ---- */

/* What multiprocessing starts its processes as: python -c "from multiprocessing.X import ...", or
 * PROGRAM --multiprocessing-fork tracker_fd=... where the program is frozen. That the words occur
 * is not enough: they also do in a grep for them. */
static bool is_multiprocessing(const struct cv_doctor_proc *proc, enum cv_doctor_kind *ret)
{
    static const struct {
        const char *code;
        enum cv_doctor_kind kind;
    } modules[] = {
        {"from multiprocessing.spawn import spawn_main", CV_DOCTOR_MP_WORKER},
        {"from multiprocessing.forkserver import main", CV_DOCTOR_MP_FORKSERVER},
        {"from multiprocessing.resource_tracker import main", CV_DOCTOR_MP_TRACKER},
        {"from multiprocessing.semaphore_tracker import main", CV_DOCTOR_MP_TRACKER},
    };
    for (const char *arg = title_of(proc); arg != NULL; arg = next_arg(proc, arg)) {
        const char *next = next_arg(proc, arg);
        if (next == NULL)
            return false;
        if (strcmp(arg, "--multiprocessing-fork") == 0 &&
            (begins(next, "tracker_fd=") || begins(next, "pipe_handle="))) {
            *ret = CV_DOCTOR_MP_WORKER;
            return true;
        }
        for (size_t i = 0; strcmp(arg, "-c") == 0 && i < CV_COUNT(modules); i++) {
            if (begins(next, modules[i].code)) {
                *ret = modules[i].kind;
                return true;
            }
        }
    }
    return false;
}

static bool share_a_pipe(const struct cv_doctor_proc *a, const struct cv_doctor_proc *b)
{
    for (size_t i = 0; i < a->n_pipes; i++)
        for (size_t j = 0; j < b->n_pipes; j++)
            if (a->pipes[i] == b->pipes[j])
                return true;
    return false;
}

/* Who takes in what has lost its parent, as far as its name tells. */
static bool is_init(const struct cv_doctor_proc *proc)
{
    return proc->pid == 1 || strcmp(proc->comm, "systemd") == 0;
}

static bool is_python(const struct cv_doctor_proc *proc)
{
    return begins(proc->comm, "python") || begins(proc->comm, "pypy") ||
           begins(proc->comm, "uvicorn") || begins(proc->comm, "sanic");
}

/* Each of them holds a pipe to whoever started it, for as long as both live. So one that has no
 * pipe in common with its parent was adopted, by init or by any subreaper; and one whose PID 1 is
 * the program itself, as in a container, was not. */
static bool has_lost_its_starter(const struct cv_doctor_proc *proc,
                                 const struct cv_doctor_proc *parent)
{
    if (proc->has_known_pipes && parent->has_known_pipes && proc->n_pipes > 0)
        return !share_a_pipe(proc, parent);
    return is_init(parent) && !is_python(parent);
}

/* ---- Others ---- */

static bool has_lost_its_master(const struct cv_doctor_proc *proc,
                                const struct cv_doctor_proc *parent)
{
    const char *title = title_of(proc);
    for (size_t i = 0; i < CV_COUNT(families); i++)
        if (begins(title, families[i].worker))
            return !begins(title_of(parent), families[i].master);
    return false;
}

static bool ends(const char *text, const char *with)
{
    size_t len = strlen(text);
    size_t tail = strlen(with);
    return len > tail && strcmp(text + len - tail, with) == 0;
}

/* Whether a guardian or master of covey is above it: then it will be ended with the server. */
static bool is_supervised(const struct cv_doctor_sight *sight, const struct cv_doctor_proc *proc)
{
    size_t steps = 0; /* a sight is not taken in one moment: it may even hold a circle */
    while (proc != NULL && steps++ < sight->n_procs) {
        const char *title = title_of(proc);
        if (ends(title, ": master") || ends(title, ": guardian"))
            return true;
        proc = cv_doctor_find(sight, proc->ppid);
    }
    return false;
}

/* Workers that were forked look like the program itself, and so does a daemon whose parent has gone
 * on purpose. But a daemon is one; of workers that have lost their master there are several, in the
 * process group of a program that has ended. */
static bool looks_left(const struct cv_doctor_sight *sight, const struct cv_doctor_proc *proc,
                       const struct cv_doctor_proc *parent)
{
    if (!is_init(parent) || cv_doctor_find(sight, proc->pgrp) != NULL || proc->pgrp <= 0)
        return false;
    for (size_t i = 0; i < sight->n_procs; i++) {
        const struct cv_doctor_proc *other = &sight->procs[i];
        if (other != proc && other->pgrp == proc->pgrp && other->ppid == proc->ppid &&
            other->state != 'Z' && strcmp(other->comm, proc->comm) == 0)
            return true;
    }
    return false;
}

static bool judge(const struct cv_doctor_sight *sight, const struct cv_doctor_proc *proc,
                  struct cv_doctor_finding *ret)
{
    const struct cv_doctor_proc *parent = cv_doctor_find(sight, proc->ppid);
    *ret = (struct cv_doctor_finding){.proc = proc, .parent = parent};
    if (proc->is_kernel)
        return false;
    if (proc->state == 'Z') {
        ret->kind = CV_DOCTOR_ZOMBIE;
        return proc->threads <= 1; /* else only its first thread has ended */
    }
    if (parent == NULL) /* of another PID namespace, or hidden: nothing is known */
        return false;
    if (proc->tag != NULL && !is_supervised(sight, proc)) {
        ret->kind = CV_DOCTOR_STRAY;
        return true;
    }
    if (is_multiprocessing(proc, &ret->kind))
        return has_lost_its_starter(proc, parent);
    if (has_lost_its_master(proc, parent)) {
        ret->kind = CV_DOCTOR_WORKER;
        return true;
    }
    ret->kind = CV_DOCTOR_HINT;
    return looks_left(sight, proc, parent);
}

static int compare(const void *left, const void *right)
{
    const struct cv_doctor_finding *a = left;
    const struct cv_doctor_finding *b = right;
    if (a->kind != b->kind)
        return a->kind < b->kind ? -1 : 1;
    if (a->proc != NULL)
        return (a->proc->pid > b->proc->pid) - (a->proc->pid < b->proc->pid);
    return strcmp(a->file->path, b->file->path);
}

size_t cv_doctor_diagnose(const struct cv_doctor_sight *sight, struct cv_doctor_finding *ret)
{
    size_t n = 0;
    for (size_t i = 0; i < sight->n_procs; i++)
        if (judge(sight, &sight->procs[i], &ret[n]))
            n++;
    for (size_t i = 0; i < sight->n_files; i++) {
        const struct cv_doctor_file *file = &sight->files[i];
        if (!file->is_used)
            ret[n++] = (struct cv_doctor_finding){
                .kind = file->is_socket ? CV_DOCTOR_SOCKET : CV_DOCTOR_MEMORY, .file = file};
    }
    if (n > 0)
        qsort(ret, n, sizeof(*ret), compare);
    return n;
}

static bool is_same(const struct cv_doctor_finding *a, const struct cv_doctor_finding *b)
{
    if (a->kind != b->kind)
        return false;
    if (a->proc != NULL)
        return a->proc->pid == b->proc->pid && a->proc->start == b->proc->start;
    return a->file->ino == b->file->ino && strcmp(a->file->path, b->file->path) == 0;
}

size_t cv_doctor_confirm(struct cv_doctor_finding *now, size_t n_now,
                         const struct cv_doctor_finding *before, size_t n_before)
{
    size_t kept = 0;
    size_t at = 0; /* both are in the same order */
    for (size_t i = 0; i < n_now; i++) {
        while (at < n_before && compare(&before[at], &now[i]) < 0)
            at++;
        if (at < n_before && is_same(&before[at], &now[i]))
            now[kept++] = now[i];
    }
    return kept;
}

const char *cv_doctor_refusal(const struct cv_doctor_sight *sight,
                              const struct cv_doctor_proc *proc, pid_t self)
{
    if (proc->pid <= 1)
        return "it is the first process of the system";
    if (proc->is_kernel)
        return "it is a thread of the kernel";
    if (proc->state == 'Z')
        return "a zombie cannot be killed, it has ended already";
    const struct cv_doctor_proc *above = cv_doctor_find(sight, self);
    for (size_t steps = 0; above != NULL && steps < sight->n_procs; steps++) {
        if (above->pid == proc->pid)
            return "this command runs below it";
        above = cv_doctor_find(sight, above->ppid);
    }
    return NULL;
}
