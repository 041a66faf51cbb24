#include "serve/tally.h"

#include "base/clock.h"

bool cv_tally_note(struct cv_tally *tally, int64_t now)
{
    if (tally->more == 0 && (tally->until == 0 || now >= tally->until)) {
        tally->until = now + CV_TALLY_SPAN;
        return true;
    }
    tally->more++;
    return false;
}

int64_t cv_tally_due(const struct cv_tally *tally)
{
    return tally->more > 0 ? tally->until : CV_NEVER;
}

uint64_t cv_tally_take(struct cv_tally *tally, int64_t now)
{
    uint64_t more = tally->more;
    *tally = (struct cv_tally){.until = now + CV_TALLY_SPAN};
    return more;
}
