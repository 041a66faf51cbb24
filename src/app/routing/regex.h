/* Regular expressions for parameters, by pcre2, which is loaded when the first one is made.
 *
 * Both limits of a match are counts of steps: whatever a client sends, a look takes at most so
 * long.
 */
#ifndef CV_APP_REGEX_H
#define CV_APP_REGEX_H

#include "base/macros.h"
#include "base/span.h"

#define CV_REGEX_STEPS_MAX 10000 /* of one match */

struct cv_regex;

/* Compiles an expression that has to match a whole segment. It may have one group, which is the
 * value then. NULL with a sentence in `reason`. */
struct cv_regex *cv_regex_new(struct cv_span text, char *reason, size_t cap);

/* Whether its group, if it has one with a name, is called `name`. */
bool cv_regex_is_called(const struct cv_regex *regex, struct cv_span name);

/* NULL: nothing. */
void cv_regex_free(struct cv_regex *regex);

/* Whether `segment` matches, and what of it is the value. 1, 0, or -E2BIG: a limit was reached
 * before that was known. */
int cv_regex_match(struct cv_regex *regex, struct cv_span segment, struct cv_span *ret_value);

#endif
