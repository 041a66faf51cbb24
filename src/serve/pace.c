#include "serve/pace.h"

/* So many connections pay for one look in vain, and no more than that are taken slowly when many
 * come at once, at each pace. */
#define FOUND_ENOUGH 32

void cv_pace_learn(struct cv_pace *pace, unsigned taken, bool was_empty)
{
    pace->found += taken;
    pace->since += taken;
    if (was_empty) {
        if (pace->since < FOUND_ENOUGH)
            pace->n = taken > pace->n / 2 ? taken : (pace->n + 1) / 2;
        pace->found = pace->since = 0;
    } else if (pace->found >= FOUND_ENOUGH) {
        pace->n = 2 * pace->n < CV_PACE_MAX ? 2 * pace->n : CV_PACE_MAX;
        pace->found = 0;
    }
}
