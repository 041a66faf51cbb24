/* How often a thing may be told of: the first time at once, what follows within a span as a number.
 *
 * Pure: whoever keeps it brings the clock, and asks again at due().
 */
#ifndef CV_SERVE_TALLY_H
#define CV_SERVE_TALLY_H

#include "base/macros.h"

#include <stdbool.h>
#include <stdint.h>

#define CV_TALLY_SPAN (10 * CV_SECOND)

struct cv_tally {
    int64_t until; /* what comes before is counted only; 0: nothing has come yet */
    uint64_t more; /* so many */
};

/* It has happened. Whether that is to be told of by itself. */
bool cv_tally_note(struct cv_tally *tally, int64_t now);

/* When the number is to be told; CV_NEVER if there is none. */
int64_t cv_tally_due(const struct cv_tally *tally);

/* The number of those that nothing has told of, and from now on they count anew. `now` may be
 * CV_NEVER: nothing will come after it. */
uint64_t cv_tally_take(struct cv_tally *tally, int64_t now);

#endif
