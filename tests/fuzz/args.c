/* Fuzz target: a query or a form, behind a byte that bounds the number of its values. Each is found
 * by its name, in order, as comparing all of them finds it. */
#include "http/args.h"

#include "fuzz/target.h"

#include <errno.h>
#include <string.h>

/* The first of that name from place `from` on; NULL if there is none. */
static const struct cv_arg *compare(const struct cv_args *args, const char *name, uint32_t from)
{
    for (; from < args->n; from++) {
        if (strcmp(args->at[from].name, name) == 0)
            return &args->at[from];
    }
    return NULL;
}

static void check_look_ups(const struct cv_args *args)
{
    for (uint32_t i = 0; i < args->n; i++) {
        const struct cv_arg *arg = &args->at[i];
        CHECK(cv_args_find(args, arg->name) == compare(args, arg->name, 0));
        CHECK(cv_args_next(args, arg) == compare(args, arg->name, i + 1));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct cv_siphash_key key = {{size, 7}};
    struct cv_arena arena;
    struct cv_args args;

    if (size == 0)
        return 0;
    cv_arena_init(&arena);
    cv_args_init(&args, &arena, &key, data[0]);
    int rc = cv_args_read(&args, cv_span(data + 1, size - 1));
    CHECK(rc == 0 || rc == -400 || rc == -E2BIG || rc == -ENOMEM);
    CHECK(args.n <= args.max);
    check_look_ups(&args);
    cv_arena_done(&arena);
    return 0;
}
