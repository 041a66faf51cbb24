/* Managed processes: what an app declares of them.
 *
 * Each name stands for `processes` processes. A durable one survives a reload with the code it has,
 * as long as the new generation declares its name; a transient one is replaced with every reload.
 */
#ifndef CV_SUPERVISE_MANAGED_H
#define CV_SUPERVISE_MANAGED_H

#include <stdbool.h>
#include <stdint.h>

#define CV_MANAGED_MAX 64        /* names, and processes of all names together */
#define CV_MANAGED_NAME_BYTES 32 /* with its NUL */

/* Whether an end that nobody asked for is followed by a new start. */
enum cv_restart {
    CV_RESTART_ALWAYS,
    CV_RESTART_ON_FAILURE, /* exit code 0: it is done */
    CV_RESTART_NEVER,
    CV_RESTART_COUNT
};

struct cv_managed_spec {
    char name[CV_MANAGED_NAME_BYTES];
    unsigned processes;
    enum cv_restart restart;
    bool is_transient;
};

/* The command line of a managed process that is none of the app's functions. */
struct cv_command {
    char name[CV_MANAGED_NAME_BYTES]; /* "": there are no more */
    uint16_t at;                      /* in `bytes`: its words, each with its NUL */
    uint16_t len;
    uint16_t n; /* words; 0: a function of the app */
};

#define CV_COMMANDS_BYTES 8192

/* Of all of one generation, in the order of its list. */
struct cv_commands {
    struct cv_command of[CV_MANAGED_MAX];
    char bytes[CV_COMMANDS_BYTES];
};

struct cv_managed_list {
    uint32_t generation; /* that declares it; 0: none has. Set by the policy */
    unsigned n;
    struct cv_managed_spec item[CV_MANAGED_MAX];
};

#endif
