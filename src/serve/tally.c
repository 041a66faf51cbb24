#include "serve/tally.h"

#include "base/clock.h"

static int64_t span_from(int64_t now)
{
    return now < CV_NEVER - CV_TALLY_SPAN ? now + CV_TALLY_SPAN : CV_NEVER;
}

bool cv_tally_note(struct cv_tally *tally, int64_t now)
{
    if (tally->more == 0 && (tally->until == 0 || now >= tally->until)) {
        tally->until = span_from(now);
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
    *tally = (struct cv_tally){.until = span_from(now)};
    return more;
}
