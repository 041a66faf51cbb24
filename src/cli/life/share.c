#include "cli/life/share.h"

/* So far above the mean a worker may be before it steps back: small enough to be even, large enough
 * that a handful of connections is not passed around. */
#define SLACK_LEAST 4

int cv_share_budget(unsigned own, const struct cv_share_load *load, bool left_alone_before)
{
    if (load->workers < 2)
        return CV_SHARE_ALONE;
    if (own <= load->least)
        return CV_SHARE_BATCH;
    uint64_t mean = load->total / load->workers;
    uint64_t slack = mean / 8 > SLACK_LEAST ? mean / 8 : SLACK_LEAST;
    if (own > mean + slack && !left_alone_before)
        return 0;
    return 1;
}
