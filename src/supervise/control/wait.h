/* When a command is done: pure conditions over the state of the server, asked after each turn. */
#ifndef CV_SUPERVISE_CONTROL_WAIT_H
#define CV_SUPERVISE_CONTROL_WAIT_H

#include "supervise/control/message.h"

#include <stdbool.h>
#include <stdint.h>

/* What a client waits for. */
struct cv_control_wait {
    enum cv_control_command command; /* 0: it has not asked yet */
    uint32_t number;                 /* SCALE: workers; RELOAD, UPGRADE: the generation it will be;
                                        LOGS: which opening of the files */
    enum cv_kind kind;               /* RESTART: of that slot */
    unsigned refusals;               /* RELOAD, UPGRADE: of the facts, when it was asked */
    uint32_t start;                  /* RESTART: which of the processes of the slot it is about */
};

/* What is known about the server. */
struct cv_control_facts {
    bool is_stopping;
    const char *subject; /* RESTART: who it is about */
    bool is_subject_ready;
    bool does_subject_struggle; /* it has failed before */
    unsigned wanted;
    unsigned ready;
    bool is_replaced;       /* RESTART: the process it is about does not serve any more */
    int struggling;         /* a worker that is not ready and has failed before; -1: none */
    uint32_t reloaded;      /* the last generation that has taken over */
    uint32_t reload_failed; /* the last that has not */
    unsigned refusals;      /* reloads and upgrades that have not even begun */
    uint32_t logs;          /* the last opening of the log files that all who serve have taken */
    const char *keeps_logs; /* one of them who could not, and keeps the old ones; NULL */
    const char *why;        /* of the last reload that failed or was refused */
};

enum cv_control_verdict { CV_VERDICT_WAIT, CV_VERDICT_DONE, CV_VERDICT_FAILED };

/* Whether it is done; if not CV_VERDICT_WAIT, with a sentence for the client. */
enum cv_control_verdict cv_control_judge(const struct cv_control_wait *wait,
                                         const struct cv_control_facts *facts, char *sentence,
                                         size_t cap);

#endif
