/* What client and master say to each other over the control socket: datagrams of channel.h, of the
 * forms below. Pure; whatever bytes come, they are refused or valid.
 *
 * One connection carries one command. The answer to STATUS is FLEET, SLOTS (as many as it takes)
 * and DONE; to METRICS the same, with REGIONS (as many as it takes) before DONE; to STOP it is the
 * end of the connection; to everything else DONE, once it *is* done.
 */
#ifndef CV_SUPERVISE_CONTROL_MESSAGE_H
#define CV_SUPERVISE_CONTROL_MESSAGE_H

#include "supervise/notify/heard.h"
#include "supervise/policy/fleet.h"
#include "supervise/shared/channel.h"
#include "supervise/sockets/listen.h"

/* Changes with everything in this file. Both sides are to have the same. */
#define CV_CONTROL_VERSION 5

enum cv_control_command {
    CV_CONTROL_STATUS = 128,
    CV_CONTROL_SCALE, /* number: workers */
    CV_CONTROL_RELOAD,
    CV_CONTROL_RESTART, /* number: of the slot, or CV_CONTROL_MAIN */
    CV_CONTROL_STOP,    /* number: CV_STOP_TERM or CV_STOP_QUIT */
    CV_CONTROL_LOGS,    /* the log files are to be opened anew */
    CV_CONTROL_UPGRADE, /* of covey itself, in place */
    CV_CONTROL_METRICS, /* STATUS, and what workers have counted */
};

enum cv_control_reply {
    CV_CONTROL_FLEET = 192, /* body: struct cv_control_fleet, then its listeners' names */
    CV_CONTROL_SLOTS,       /* body: struct cv_control_slot, any number */
    CV_CONTROL_DONE,        /* word[0]: 0 done, 1 refused or failed; body: a sentence */
    CV_CONTROL_REGIONS,     /* descriptors, for reading, of what workers count into (region.h);
                               word[1]: its layout; body: of which slots, a uint32_t each */
};

#define CV_CONTROL_MAIN UINT32_MAX
#define CV_CONTROL_TEMPLATE 100 /* as a kind */

struct cv_control_request {
    enum cv_control_command command;
    uint32_t number;
};

#define CV_CONTROL_WORD_BYTES 16

struct cv_control_fleet {
    char name[64];
    int32_t guardian;
    int32_t master;
    uint32_t wanted;
    uint32_t ready;
    uint32_t generation; /* the newest that serves or is to */
    uint32_t upgrades;   /* of covey itself, since the start */
    uint32_t n_listeners;
    int64_t uptime_ms;
    uint32_t is_stopping;
    uint32_t reload_waits;                   /* another one is asked */
    char reload[CV_CONTROL_WORD_BYTES];      /* cv_fleet_roll_name() */
    char containment[CV_CONTROL_WORD_BYTES]; /* what there is: "none", "cgroup", "pidns" */
};

struct cv_control_slot {
    uint32_t slot; /* CV_CONTROL_MAIN: the process of the main-process listeners */
    uint32_t kind; /* enum cv_kind, or CV_CONTROL_TEMPLATE */
    char who[48];  /* "worker 3", "main", "queue 0" */
    int32_t pid;   /* 0: none */
    char state[CV_CONTROL_WORD_BYTES];
    uint32_t generation;
    uint32_t connections;
    uint32_t starts;   /* processes there have been in this slot */
    uint32_t failures; /* in a row */
    int64_t uptime_ms; /* of the process */
    uint64_t requests; /* of the process, as it says */
    uint32_t has_exit; /* one before it has ended, as follows */
    struct cv_fleet_exit exit;
    char says[CV_HEARD_STATUS_BYTES]; /* what a foreign program says of itself; "" */
};

#define CV_CONTROL_SLOTS_MAX (CV_MESSAGE_BODY_MAX / sizeof(struct cv_control_slot))

/* ---- Commands ---- */

/* Writes a command; a message without a body. */
void cv_control_write(struct cv_message *ret, const struct cv_control_request *request);

/* 0; -EBADMSG: no command; -EPROTO: one of another version of covey. */
CV_MUST_CHECK int cv_control_read(struct cv_control_request *ret, const struct cv_message *message);

/* ---- Answers ---- */

void cv_control_write_done(struct cv_message *ret, bool is_done, const char *sentence);
void cv_control_write_fleet(struct cv_message *ret, const struct cv_control_fleet *fleet,
                            const struct cv_listeners *listeners);
void cv_control_write_slots(struct cv_message *ret);

/* Appends one to a SLOTS. False if it is full. */
bool cv_control_add_slot(struct cv_message *message, const struct cv_control_slot *slot);

void cv_control_write_regions(struct cv_message *ret, uint32_t layout);

/* Appends the slot of a descriptor that goes along. */
void cv_control_add_region(struct cv_message *message, uint32_t slot);

/* 0 or -EBADMSG. *ret_listeners are n_listeners strings behind one another, in the message. */
CV_MUST_CHECK int cv_control_read_fleet(struct cv_control_fleet *ret, const char **ret_listeners,
                                        struct cv_message *message);

/* Number `i`; false if there are not so many. */
bool cv_control_read_slot(struct cv_control_slot *ret, const struct cv_message *message, size_t i);

/* The slot of descriptor number `i`; false if there are not so many. */
bool cv_control_read_region(uint32_t *ret_slot, const struct cv_message *message, size_t i);

/* Of a REGIONS. */
uint32_t cv_control_layout(const struct cv_message *message);

#endif
