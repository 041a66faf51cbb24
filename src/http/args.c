#include "http/args.h"

#include "http/text.h"

#include <errno.h>

#define FEW 16 /* are compared one by one */

void cv_args_init(struct cv_args *args, struct cv_arena *arena, const struct cv_siphash_key *key,
                  uint32_t max)
{
    *args = (struct cv_args){.max = max, .key = key, .arena = arena};
}

/* ---- The index ---- */

/* The slot of that name, or the free one where it belongs. There is a free one. */
static uint32_t *slot_of(const struct cv_args *args, const char *name)
{
    uint64_t i = cv_siphash(args->key, cv_span_str(name));
    for (;; i++) {
        uint32_t *slot = &args->slots[i & (args->n_slots - 1)];
        if (*slot == 0 || strcmp(args->at[*slot - 1].name, name) == 0)
            return slot;
    }
}

/* Twice as many slots. */
static int widen(struct cv_args *args)
{
    uint32_t n = args->n_slots == 0 ? 4 * FEW : 2 * args->n_slots;
    uint32_t *slots = cv_arena_alloc(args->arena, n * sizeof(*slots));
    if (slots == NULL)
        return -ENOMEM;
    memset(slots, 0, n * sizeof(*slots));
    args->slots = slots;
    args->n_slots = n;
    for (uint32_t i = 0; i < args->n; i++) {
        if (args->at[i].last != 0)
            *slot_of(args, args->at[i].name) = i + 1;
    }
    return 0;
}

static struct cv_arg *find(const struct cv_args *args, const char *name)
{
    if (args->n_slots > 0) {
        uint32_t place = *slot_of(args, name);
        return place > 0 ? &args->at[place - 1] : NULL;
    }
    for (uint32_t i = 0; i < args->n; i++) {
        if (strcmp(args->at[i].name, name) == 0)
            return &args->at[i];
    }
    return NULL;
}

const struct cv_arg *cv_args_find(const struct cv_args *args, const char *name)
{
    return find(args, name);
}

const struct cv_arg *cv_args_next(const struct cv_args *args, const struct cv_arg *arg)
{
    return arg->next > 0 ? &args->at[arg->next - 1] : NULL;
}

/* ---- Looking up ---- */

const char *cv_args_value(const struct cv_args *args, const char *name)
{
    const struct cv_arg *arg = args != NULL ? cv_args_find(args, name) : NULL;
    return arg != NULL ? arg->value : NULL;
}

const char *cv_args_list(const struct cv_args *args, const char *name, size_t *at)
{
    if (args == NULL || *at > args->n)
        return NULL;
    const struct cv_arg *arg =
        *at == 0 ? cv_args_find(args, name) : cv_args_next(args, &args->at[*at - 1]);
    if (arg == NULL)
        return NULL;
    *at = (size_t)(arg - args->at) + 1;
    return arg->value;
}

bool cv_args_each(const struct cv_args *args, size_t *at, const char **ret_name,
                  const char **ret_value)
{
    if (args == NULL || *at >= args->n)
        return false;
    *ret_name = args->at[*at].name;
    *ret_value = args->at[*at].value;
    (*at)++;
    return true;
}

/* ---- Filling ---- */

/* Room for `more`. */
static int reserve(struct cv_args *args, uint32_t more)
{
    if (more <= args->cap - args->n)
        return 0;
    uint32_t cap = 2 * args->cap;
    if (cap < args->n + more)
        cap = args->n + more;
    struct cv_arg *at = cv_arena_alloc(args->arena, cap * sizeof(*at));
    if (at == NULL)
        return -ENOMEM;
    if (args->n > 0)
        memcpy(at, args->at, args->n * sizeof(*at));
    args->at = at;
    args->cap = cap;
    return 0;
}

int cv_args_add(struct cv_args *args, const char *name, const char *value)
{
    if (args->n == args->max)
        return -E2BIG;
    if (reserve(args, 1) < 0)
        return -ENOMEM;
    if (args->n >= FEW && args->n >= args->n_slots / 2 && widen(args) < 0)
        return -ENOMEM;

    struct cv_arg *first = find(args, name);
    uint32_t place = ++args->n;
    args->at[place - 1] = (struct cv_arg){name, value, 0, 0};
    if (first != NULL) {
        args->at[first->last - 1].next = place;
        first->last = place;
        return 0;
    }
    args->at[place - 1].last = place;
    if (args->n_slots > 0)
        *slot_of(args, name) = place;
    return 0;
}

/* How many there are, at most one more than `max`. */
static uint32_t count(struct cv_span text, uint32_t max)
{
    struct cv_span name, value;
    size_t at = 0;
    uint32_t n = 0;
    while (n <= max && cv_query_split(text, &at, &name, &value))
        n++;
    return n;
}

/* Decodes to the place of `to`, which moves behind the NUL. NULL: it cannot be. */
static const char *decode(struct cv_span text, char **to)
{
    char *begin = *to;
    int64_t len = cv_percent_decode(text, true, begin);
    if (len < 0)
        return NULL;
    begin[len] = '\0';
    *to = begin + len + 1;
    return begin;
}

int cv_args_read(struct cv_args *args, struct cv_span text)
{
    uint32_t room = args->max - args->n;
    uint32_t n = count(text, room);
    if (n > room)
        return -E2BIG;
    if (n == 0)
        return 0;
    /* What is decoded is never longer. Each has two NULs, but only one '=' or '&' to leave out. */
    char *to = cv_arena_alloc(args->arena, text.len + n + 1);
    if (to == NULL || reserve(args, n) < 0)
        return -ENOMEM;

    struct cv_span name, value;
    for (size_t at = 0; cv_query_split(text, &at, &name, &value);) {
        const char *decoded_name = decode(name, &to);
        const char *decoded_value = decode(value, &to);
        if (decoded_name == NULL || decoded_value == NULL)
            return -400;
        int rc = cv_args_add(args, decoded_name, decoded_value);
        if (rc < 0)
            return rc;
    }
    return 0;
}
