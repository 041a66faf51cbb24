/* The router's trie, shared by building (router.c) and finding (router_find.c). */
#ifndef CV_APP_ROUTER_INSIDE_H
#define CV_APP_ROUTER_INSIDE_H

#include "app/routing/router.h"

/* Everything that follows one prefix of segments. */
struct cv_router_node {
    struct cv_table literals;         /* segment -> node */
    struct cv_router_node *typed;     /* the first that a parameter leads to, in their order */
    struct cv_router_node *beside;    /* the next one of these */
    const struct cv_param_type *type; /* of the parameter that leads here */
    struct cv_entry *here;            /* routes whose pattern ends here */
    struct cv_entry *slashed;         /* the same with a slash behind */
    struct cv_entry *rest;            /* routes whose path parameter begins here */
};

#endif
