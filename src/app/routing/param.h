/* The types of path parameters: what each takes, and which is asked first. Pure. */
#ifndef CV_APP_PARAM_H
#define CV_APP_PARAM_H

#include "base/macros.h"
#include "base/span.h"

#include <covey/app.h>

/* In order of precedence: where several stand at one place, the first that fits is tried first. */
enum cv_param_kind {
    CV_PARAM_REGEX,
    CV_PARAM_OWN, /* covey_pattern() */
    CV_PARAM_UUID,
    CV_PARAM_YMD,
    CV_PARAM_INT,
    CV_PARAM_FLOAT,
    CV_PARAM_ALPHA,
    CV_PARAM_SLUG,
    CV_PARAM_EXT, /* NAME.EXTENSION: two values */
    CV_PARAM_STR,
    CV_PARAM_STROREMPTY,
    CV_PARAM_PATH, /* several segments, at the end */
};

#define CV_PARAM_EXT_NAME "ext" /* of the second value of CV_PARAM_EXT, as in Sanic */

struct cv_param_type {
    struct cv_param_type *next;
    struct cv_span text; /* as written, without the parameter's name: "int", "=int:ext=jpg|png" */
    enum cv_param_kind kind;
    covey_pattern_fn *own;
    struct cv_regex *regex;    /* the type's */
    enum cv_param_kind base;   /* what NAME.EXTENSION has in front */
    struct cv_span extensions; /* "jpg|png"; empty: any */
    size_t dots;               /* in each of the extensions */
};

/* "int"; "ext" */
const char *cv_param_kind_name(enum cv_param_kind kind);

/* The other way round: 0, or -EINVAL if no type is called so. */
CV_MUST_CHECK int cv_param_kind_of(struct cv_span name, enum cv_param_kind *ret);

/* Whether a parameter or a type may be called so: "user_2". */
bool cv_param_is_name(struct cv_span text);

/* How many values a parameter of this type has: 1 or 2. */
size_t cv_param_values(const struct cv_param_type *type);

/* Whether `a` is to be asked before `b`; which of two equal ones is asked first decides the order
 * of registration. */
bool cv_param_precedes(const struct cv_param_type *a, const struct cv_param_type *b);

/* Whether a decoded segment fits (CV_PARAM_PATH: one or more of them); its values. 1, 0, or -E2BIG:
 * a regular expression's limit was reached before that was known. */
int cv_param_fits(const struct cv_param_type *type, struct cv_span segment,
                  struct cv_span *ret_values);

/* Segments that this type takes and no narrower built-in one, n < CV_PARAM_SAMPLES. Of an ext the
 * name in front; NULL for types of which only the app knows what they take. */
#define CV_PARAM_SAMPLES 3
const char *cv_param_sample(enum cv_param_kind kind, size_t n);

/* The next of "jpg|png", and *list without it. */
struct cv_span cv_param_next_extension(struct cv_span *list);

/* "123e4567-e89b-12d3-a456-426614174000", in letters of either case. */
bool cv_param_is_uuid(struct cv_span text);

/* "2024-02-29" as numbers; false: there is no such day. */
bool cv_param_ymd(struct cv_span text, int *ret_year, int *ret_month, int *ret_day);

#endif
