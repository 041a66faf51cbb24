/* Rules that are wrong on purpose: the invariants must notice each of them. */
#ifndef SIM_BROKEN_H
#define SIM_BROKEN_H

#include "supervise/policy/policy.h"

struct sim_broken {
    const char *what;
    enum cv_slot_state state;
    enum cv_slot_event event;
    cv_rule *rule;
};

extern const struct sim_broken sim_broken[];
extern const unsigned sim_broken_count;

#endif
