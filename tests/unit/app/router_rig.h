/* A router by itself, for the tests of routing. */
#ifndef CV_TEST_ROUTER_RIG_H
#define CV_TEST_ROUTER_RIG_H

#include "app/routing/router.h"

#include "base/macros.h"
#include "http/text.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

struct fixture {
    struct cv_arena arena;
    struct cv_router router;
    struct cv_match match;
    char reason[512];
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    cv_arena_init(&f->arena);
    *state = f;
    return cv_router_init(&f->router, &f->arena);
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    cv_router_done(&f->router);
    cv_arena_done(&f->arena);
    free(f);
    return 0;
}

/* Adds a route as `how` says, strict unless that is COVEY_OFF; its line is its number. */
static inline int add_how(struct fixture *f, const char *methods, const char *pattern,
                          struct covey_route how)
{
    struct cv_route *route = cv_arena_alloc(&f->arena, sizeof(*route));
    *route = (struct cv_route){.how = how,
                               .methods = methods,
                               .pattern = pattern,
                               .file = "app.c",
                               .line = (int)f->router.n_routes + 1,
                               .is_strict = how.strict_slashes >= 0};
    f->reason[0] = '\0';
    return cv_router_add(&f->router, route, f->reason, sizeof(f->reason));
}

/* Adds a route called `name`. */
static inline int add(struct fixture *f, const char *methods, const char *pattern, const char *name)
{
    return add_how(f, methods, pattern, (struct covey_route){.name = name});
}

/* The name of the route found, "-" if none. */
static inline const char *find_at(struct fixture *f, const char *host, const char *method,
                                  const char *path)
{
    struct cv_span name = cv_span_str(method);
    int rc = cv_router_find(&f->router, cv_method_find(name), name, cv_span_str(path),
                            cv_span_str(host), &f->arena, &f->match);
    if (rc < 0)
        return rc == -400 ? "400" : "error";
    return f->match.route != NULL ? f->match.route->how.name : "-";
}

static inline const char *find(struct fixture *f, const char *method, const char *path)
{
    return find_at(f, "localhost:8000", method, path);
}

static inline void assert_value(struct fixture *f, size_t i, const char *value)
{
    assert_int_equal(f->match.values[i].len, strlen(value));
    assert_memory_equal(f->match.values[i].at, value, strlen(value));
}

static inline void assert_says(struct fixture *f, const char *why)
{
    if (strstr(f->reason, why) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", f->reason, why);
}

static inline void assert_refused(struct fixture *f, const char *pattern, const char *why)
{
    assert_int_equal(add(f, "GET", pattern, "x"), -EINVAL);
    assert_says(f, why);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
