/* Regular expressions for parameters. See regex.h. */
#include "app/routing/regex.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include <dlfcn.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#define LIBRARY "libpcre2-8.so.0"
#define DEPTH_MAX 1000 /* of places to go back to */
#define HEAP_MAX 1024  /* KiB */

/* The functions that are needed, as the header declares them. */
#define FUNCTIONS(X)                                                                               \
    X(compile)                                                                                     \
    X(code_free)                                                                                   \
    X(match)                                                                                       \
    X(match_context_create)                                                                        \
    X(match_context_free)                                                                          \
    X(set_match_limit)                                                                             \
    X(set_depth_limit)                                                                             \
    X(set_heap_limit)                                                                              \
    X(match_data_create_from_pattern)                                                              \
    X(match_data_free)                                                                             \
    X(get_ovector_pointer)                                                                         \
    X(pattern_info)                                                                                \
    X(get_error_message)

static struct {
#define MEMBER(name) __typeof__(pcre2_##name) *name;
    FUNCTIONS(MEMBER)
#undef MEMBER
    bool is_there;
    char why[256]; /* it is not */
} pcre2;

struct cv_regex {
    pcre2_code *code;
    pcre2_match_data *data;
    pcre2_match_context *limits;
    bool has_group;
};

static void *function(void *library, const char *name)
{
    void *found = dlsym(library, name);
    if (found == NULL)
        pcre2.is_there = false;
    return found;
}

static void load(void)
{
    void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) {
        const char *why = dlerror();
        (void)snprintf(pcre2.why, sizeof(pcre2.why), "%s", why != NULL ? why : LIBRARY);
        return;
    }
    (void)snprintf(pcre2.why, sizeof(pcre2.why), "%s is too old", LIBRARY);
    pcre2.is_there = true;
#define LOAD(name) *(void **)&pcre2.name = function(library, "pcre2_" #name "_8");
    FUNCTIONS(LOAD)
#undef LOAD
}

static int compile(struct cv_regex *regex, struct cv_span text, char *reason, size_t cap)
{
    const uint32_t options = PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_UTF | PCRE2_DOLLAR_ENDONLY |
                             PCRE2_NEVER_BACKSLASH_C;
    int code;
    size_t at;
    regex->code = pcre2.compile((PCRE2_SPTR)text.at, text.len, options, &code, &at, NULL);
    if (regex->code != NULL)
        return 0;
    unsigned char why[128] = "";
    (void)pcre2.get_error_message(code, why, sizeof(why));
    (void)snprintf(reason, cap, "%s, at byte %zu of the regular expression \"%.*s\"", why, at,
                   (int)text.len, text.at);
    return -EINVAL;
}

bool cv_regex_is_called(const struct cv_regex *regex, struct cv_span name)
{
    uint32_t n_names = 0;
    PCRE2_SPTR table = NULL;
    (void)pcre2.pattern_info(regex->code, PCRE2_INFO_NAMECOUNT, &n_names);
    (void)pcre2.pattern_info(regex->code, PCRE2_INFO_NAMETABLE, &table);
    /* an entry: two bytes for the group's number, the name, a NUL */
    return n_names == 0 || cv_span_eq(cv_span_str((const char *)table + 2), name);
}

static int check_groups(struct cv_regex *regex, struct cv_span text, char *reason, size_t cap)
{
    uint32_t n_groups = 0;
    (void)pcre2.pattern_info(regex->code, PCRE2_INFO_CAPTURECOUNT, &n_groups);
    regex->has_group = n_groups > 0;
    if (n_groups <= 1)
        return 0;
    (void)snprintf(reason, cap,
                   "more than one group in \"%.*s\": write (?:...) for those that are not the "
                   "value",
                   (int)text.len, text.at);
    return -EINVAL;
}

static int set_limits(struct cv_regex *regex)
{
    regex->data = pcre2.match_data_create_from_pattern(regex->code, NULL);
    regex->limits = pcre2.match_context_create(NULL);
    if (regex->data == NULL || regex->limits == NULL)
        return -ENOMEM;
    (void)pcre2.set_match_limit(regex->limits, CV_REGEX_STEPS_MAX);
    (void)pcre2.set_depth_limit(regex->limits, DEPTH_MAX);
    (void)pcre2.set_heap_limit(regex->limits, HEAP_MAX);
    return 0;
}

static int fill(struct cv_regex *regex, struct cv_span text, char *reason, size_t cap)
{
    int rc = compile(regex, text, reason, cap);
    if (rc == 0)
        rc = check_groups(regex, text, reason, cap);
    if (rc == 0)
        rc = set_limits(regex);
    return rc;
}

struct cv_regex *cv_regex_new(struct cv_span text, char *reason, size_t cap)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, load);
    if (!pcre2.is_there) {
        (void)snprintf(reason, cap,
                       "a regular expression needs pcre2 (Debian: libpcre2-8-0), which cannot be "
                       "loaded: %s",
                       pcre2.why);
        return NULL;
    }
    struct cv_regex *regex = calloc(1, sizeof(*regex));
    int rc = regex != NULL ? fill(regex, text, reason, cap) : -ENOMEM;
    if (rc == -ENOMEM)
        (void)snprintf(reason, cap, "out of memory");
    if (rc == 0)
        return regex;
    cv_regex_free(regex);
    return NULL;
}

void cv_regex_free(struct cv_regex *regex)
{
    if (regex == NULL)
        return;
    if (regex->limits != NULL)
        pcre2.match_context_free(regex->limits);
    if (regex->data != NULL)
        pcre2.match_data_free(regex->data);
    if (regex->code != NULL)
        pcre2.code_free(regex->code);
    free(regex);
}

int cv_regex_match(struct cv_regex *regex, struct cv_span segment, struct cv_span *ret_value)
{
    int rc = pcre2.match(regex->code, (PCRE2_SPTR)segment.at, segment.len, 0, 0, regex->data,
                         regex->limits);
    if (rc == PCRE2_ERROR_MATCHLIMIT || rc == PCRE2_ERROR_DEPTHLIMIT ||
        rc == PCRE2_ERROR_HEAPLIMIT || rc == PCRE2_ERROR_NOMEMORY)
        return -E2BIG;
    if (rc <= 0)
        return 0; /* also what is no UTF-8 */
    const size_t *at = pcre2.get_ovector_pointer(regex->data) + (regex->has_group ? 2 : 0);
    *ret_value = rc > 1 || !regex->has_group ? cv_span(segment.at + at[0], at[1] - at[0])
                                             : cv_span(segment.at, 0); /* the group took no part */
    return 1;
}
