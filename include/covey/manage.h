/* Managed processes: what runs beside the workers and is looked after as they are.
 *
 *     static int queue(covey_app *app)
 *     {
 *         while (!covey_is_stopping(app))
 *             if (work_on_next() < 0)
 *                 return -EIO;
 *         return 0;
 *     }
 *     covey_manage(app, "queue", queue, .workers = 2);
 *
 * They belong to the server, not to a worker: so many of them, started, watched, replaced and ended
 * by it. Scaling does not touch them. docs/managed.md tells what becomes of them in a reload.
 */
#ifndef COVEY_MANAGE_H
#define COVEY_MANAGE_H

#include <covey/app.h>

/* Names, and processes of all names together. */
#define COVEY_MANAGED_MAX 64

/* What follows an end that nobody asked for. */
enum covey_restart {
    COVEY_RESTART_ALWAYS,     /* another start, after a back-off, whatever its exit code */
    COVEY_RESTART_ON_FAILURE, /* the same unless the exit code is 0: then it is done */
    COVEY_RESTART_NEVER,      /* it is done */
};

/* The whole life of the process, on a fiber of its own loop: the calls of <covey/loop.h> work, and
 * it may block, since nobody waits for this loop. setup() has run in it; start listeners have not,
 * and it accepts no connections. What is returned becomes the exit code: 0, or up to 255; a
 * negative value is logged and is exit code 1. When it is to end, waits fail with -ECANCELED, a
 * blocking call of libc with EINTR (once: TERM is sent), and covey_is_stopping() is true; what has
 * not returned when the time of a stop is over is killed. */
typedef int covey_process_fn(covey_app *app);

struct covey_process {
    covey_process_fn *fn;
    size_t size;                /* set by the macro below */
    int workers;                /* processes of this name; 0: 1 */
    enum covey_restart restart; /* COVEY_RESTART_ALWAYS */
    bool transient;             /* replaced with every reload; else it goes on with its code */
};

/* Declares processes that run `fn`, in setup() only. `name` is unique: up to 31 letters, digits and
 * "-_." (not only digits), for logs, `covey status` and `covey restart`. */
#define covey_manage(app, name, ...)                                                               \
    covey_manage_at((app), (name),                                                                 \
                    &(struct covey_process){__VA_ARGS__, .size = sizeof(struct covey_process)},    \
                    __FILE__, __LINE__)
COVEY_API void covey_manage_at(covey_app *app, const char *name,
                               const struct covey_process *process, const char *file, int line);

struct covey_command {
    const char *const *argv;    /* NULL-terminated, copied; argv[0] is looked for in PATH */
    size_t size;                /* set by the macro below */
    int workers;                /* processes of this name; 0: 1 */
    enum covey_restart restart; /* COVEY_RESTART_ALWAYS */
    bool transient;             /* replaced with every reload */
};

/* The same for a program of any kind. It is to end on TERM. It inherits standard output and error,
 * the environment, the directory and nothing else; with USER it runs as that user. */
#define covey_manage_command(app, name, ...)                                                       \
    covey_manage_command_at(                                                                       \
        (app), (name), &(struct covey_command){__VA_ARGS__, .size = sizeof(struct covey_command)}, \
        __FILE__, __LINE__)
COVEY_API void covey_manage_command_at(covey_app *app, const char *name,
                                       const struct covey_command *command, const char *file,
                                       int line);

#endif
