#include "app/routing/param_type.h"

#include "app/routing/regex.h"
#include "http/chars.h"

#include <errno.h>
#include <stdio.h>

static struct cv_param_type *find(const struct cv_param_types *types, struct cv_span text)
{
    struct cv_param_type *type = types->first;
    while (type != NULL && !cv_span_eq(type->text, text))
        type = type->next;
    return type;
}

static struct cv_param_type *add(struct cv_param_types *types, const struct cv_param_type *what)
{
    struct cv_param_type *type = cv_arena_alloc(types->arena, sizeof(*type));
    if (type == NULL)
        return NULL;
    *type = *what;
    type->next = types->first;
    types->first = type;
    return type;
}

static int complain(char *reason, size_t cap, const char *what, struct cv_span text)
{
    (void)snprintf(reason, cap, "%s in \"%.*s\"", what, (int)text.len, text.at);
    return -EINVAL;
}

static size_t count(struct cv_span text, char c)
{
    size_t n = 0;
    for (size_t i = 0; i < text.len; i++)
        n += text.at[i] == c;
    return n;
}

/* "jpg|png", "min.js|min.css": each of as many pieces, so that it is clear where they begin. */
static int check_extensions(struct cv_param_type *type, char *reason, size_t cap)
{
    struct cv_span list = type->extensions;
    type->dots = count(cv_param_next_extension(&list), '.');
    list = type->extensions;
    do {
        bool is_last = memchr(list.at, '|', list.len) == NULL;
        struct cv_span one = cv_param_next_extension(&list);
        bool wrong = one.len == 0 || (list.len == 0 && !is_last) || one.at[0] == '.' ||
                     one.at[one.len - 1] == '.';
        for (size_t i = 0; i < one.len; i++)
            wrong |=
                !cv_chars_is_letter(one.at[i]) && !cv_chars_is_digit(one.at[i]) && one.at[i] != '.';
        if (wrong)
            return complain(reason, cap, "an extension must be letters, digits and dots between",
                            type->extensions);
        if (count(one, '.') != type->dots)
            return complain(reason, cap, "the extensions must have as many dots each",
                            type->extensions);
    } while (list.len > 0);
    return 0;
}

static bool is_base(enum cv_param_kind kind)
{
    return kind != CV_PARAM_EXT && kind != CV_PARAM_PATH && kind != CV_PARAM_STROREMPTY;
}

/* "[=BASE]:ext[=LIST]" */
static int read_ext(struct cv_span text, struct cv_param_type *ret, char *reason, size_t cap)
{
    const char *colon = memchr(text.at, ':', text.len);
    struct cv_span base = {text.at, colon != NULL ? (size_t)(colon - text.at) : text.len};
    struct cv_span rest = {text.at + base.len, text.len - base.len};

    ret->kind = CV_PARAM_EXT;
    ret->base = CV_PARAM_STR;
    if (base.len > 0 && (cv_param_kind_of(cv_span(base.at + 1, base.len - 1), &ret->base) < 0 ||
                         !is_base(ret->base)))
        return complain(reason, cap,
                        "in front of an extension must be str, int, float, alpha, slug, ymd or "
                        "uuid",
                        text);
    if (rest.len < 4 || memcmp(rest.at, ":ext", 4) != 0 || (rest.len > 4 && rest.at[4] != '='))
        return complain(reason, cap, "behind <name=TYPE must come :ext or :ext=jpg|png", text);
    if (rest.len == 4)
        return 0;
    ret->extensions = cv_span(rest.at + 5, rest.len - 5);
    if (ret->extensions.len == 0)
        return complain(reason, cap, "no extension follows ext=", text);
    return check_extensions(ret, reason, cap);
}

static bool is_ext(struct cv_span text)
{
    return text.at[0] == '=' || (text.len >= 4 && memcmp(text.at, ":ext", 4) == 0 &&
                                 (text.len == 4 || text.at[4] == '='));
}

/* "int>-<y:int", which no expression begins with: of "<x:int>-<y:int>". */
static bool is_type_and_more(struct cv_span text)
{
    const char *end = memchr(text.at, '>', text.len);
    return end != NULL && cv_param_is_name(cv_span(text.at, (size_t)(end - text.at)));
}

/* What could be a type's name and is none is a mistake; no such word needs to be an expression. */
static int read_type(struct cv_span text, struct cv_param_type *ret, char *reason, size_t cap)
{
    if (is_ext(text))
        return read_ext(text, ret, reason, cap);
    struct cv_span name = {text.at + 1, text.len - 1};
    if (cv_param_kind_of(name, &ret->kind) == 0)
        return 0;
    if (is_type_and_more(name))
        return complain(reason, cap, "a parameter must be a whole segment, and there is more",
                        text);
    if (name.len > 0 && !cv_param_is_name(name)) {
        ret->kind = CV_PARAM_REGEX;
        ret->regex = cv_regex_new(name, reason, cap);
        return ret->regex != NULL ? 0 : -EINVAL;
    }
    return complain(reason, cap,
                    "a parameter's type must be str, strorempty, int, float, alpha, slug, path, "
                    "ymd, uuid, ext, a regular expression or a covey_pattern() before",
                    text);
}

void cv_param_types_done(struct cv_param_types *types)
{
    for (const struct cv_param_type *type = types->first; type != NULL; type = type->next)
        cv_regex_free(type->regex);
    types->first = NULL;
}

const struct cv_param_type *cv_param_type_get(struct cv_param_types *types, struct cv_span text,
                                              char *reason, size_t cap)
{
    if (text.len == 0)
        text = CV_SPAN(":str");
    if (text.len > 4 && memcmp(text.at, "=str:", 5) == 0)
        text = cv_span(text.at + 4, text.len - 4); /* the same without it */
    struct cv_param_type *type = find(types, text);
    if (type != NULL)
        return type;
    struct cv_param_type read = {.text = text};
    if (read_type(text, &read, reason, cap) < 0)
        return NULL;
    type = add(types, &read);
    if (type == NULL) {
        cv_regex_free(read.regex);
        (void)snprintf(reason, cap, "out of memory");
    }
    return type;
}

/* `name` with the ':' that stands in front of it in a pattern. */
static int add_own(struct cv_param_types *types, struct cv_span text, covey_pattern_fn *own)
{
    const struct cv_param_type type = {.text = text, .kind = CV_PARAM_OWN, .own = own};
    return add(types, &type) != NULL ? 0 : -ENOMEM;
}

int cv_param_type_add(struct cv_param_types *types, struct cv_span name, covey_pattern_fn *own,
                      char *reason, size_t cap)
{
    enum cv_param_kind kind;
    if (!cv_param_is_name(name)) {
        (void)snprintf(reason, cap, "a pattern's name must be letters, digits and _");
        return -EINVAL;
    }
    const char *text = cv_arena_printf(types->arena, ":%.*s", (int)name.len, name.at);
    if (text == NULL) {
        (void)snprintf(reason, cap, "out of memory");
        return -ENOMEM;
    }
    if (cv_param_kind_of(name, &kind) == 0 || find(types, cv_span_str(text)) != NULL) {
        (void)snprintf(reason, cap, "there is a type of this name already");
        return -EINVAL;
    }
    int rc = add_own(types, cv_span_str(text), own);
    if (rc < 0)
        (void)snprintf(reason, cap, "out of memory");
    return rc;
}
