/* Names of signals: what is one, and which of them a dispatched one belongs to. Pure. */
#ifndef CV_APP_SIGNAL_NAME_H
#define CV_APP_SIGNAL_NAME_H

#include "app/hooks/signals.def"
#include "base/macros.h"
#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>

/* "user.created.<id>" is open: whatever begins with "user.created." and has one part more. */
struct cv_signal_name {
    struct cv_span fixed;
    bool is_open;
};

/* NULL and *ret, which points into `text`; or what is wrong with it. */
const char *cv_signal_name_parse(const char *text, struct cv_signal_name *ret);

/* The same of a name to listen to, for which covey must have such a signal if it is one of its own.
 */
const char *cv_signal_name_parse_heard(const char *text, struct cv_signal_name *ret);

/* Whether `dispatched` belongs to it; *ret_param (may be NULL) is what stands for its parameter, or
 * NULL. */
bool cv_signal_name_fits(const struct cv_signal_name *name, const char *dispatched,
                         const char **ret_param);

/* Whether a signal that is dispatched under the condition `given` is for who has asked for `wanted`
 * (NULL: none): with a condition the same, without one who has none or is not exclusive. */
bool cv_signal_condition_fits(const char *given, const char *wanted, bool is_exclusive);

/* Whether it lies in covey's own part, and the bits of covey's signals that belong to it. */
bool cv_signal_name_is_own(const struct cv_signal_name *name);
uint32_t cv_signal_name_own(const struct cv_signal_name *name);

/* "server.init.before". */
const char *cv_signal_name_of(unsigned which);

#endif
