/* Fuzz target: dates, entity tags and codings, each over the whole input. */
#include "http/conditional.h"
#include "http/date.h"
#include "http/text.h"

#include "fuzz/target.h"

#define NOW INT64_C(1795582439)

static void check_date(struct cv_span text)
{
    char written[CV_DATE_LEN];
    int64_t seconds, again;

    if (!cv_date_read(text, NOW, &seconds) || seconds < 0)
        return;
    CHECK(text.len >= 24 && text.len <= 33);
    cv_date_write(written, seconds);
    if (seconds <= 253402300799)
        CHECK(cv_date_read(cv_span(written, sizeof(written)), NOW, &again) && again == seconds);
}

/* What the whole list names it still names with other members around. */
static void check_list(struct cv_span text)
{
    const struct cv_validators validators = {CV_SPAN("\"a\""), NOW};
    const struct cv_conditions conditions = {.if_none_match = text};
    int rc = cv_conditions_check(&conditions, &validators, true, NOW);
    CHECK(rc == 0 || rc == 304);
    const struct cv_conditions strong = {.if_match = text};
    int other = cv_conditions_check(&strong, &validators, true, NOW);
    CHECK(other == 412 || (other == 0 && rc == 304));
    const struct cv_conditions range = {.if_range = text};
    (void)cv_conditions_allow_range(&range, &validators, NOW);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cv_span text = cv_span(data, size);
    int weight = cv_coding_weight(text, CV_SPAN("gzip"));

    CHECK(weight >= 0 && weight <= 1000);
    check_date(text);
    if (size > 0)
        check_list(text);
    return 0;
}
