/* Fuzz target: a record of what is handed over at an upgrade, and the fleet in it. */
#include "supervise/policy/fleet_handover.h"

#include "fuzz/target.h"

#include <string.h>

static void check_fd(void *arg, int fd)
{
    (void)arg;
    CHECK(fd >= 0);
}

/* Written and read once more, it is the same. */
static void check_again(struct cv_fleet_config *config, const struct cv_fleet *fleet,
                        int generations)
{
    struct cv_handover to;
    struct cv_span record;
    struct cv_fleet *again;
    cv_handover_begin(&to);
    cv_fleet_export(fleet, &to);
    CHECK(cv_handover_end(&to, &record) == 0);
    CHECK(cv_handover_check(record) == 0);
    CHECK(cv_fleet_import(config, record, &again) == 0);
    if (generations > 0)
        check_again(config, again, generations - 1);
    cv_fleet_free(again);
    cv_handover_done(&to);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cv_span record = cv_span(data, size);
    struct cv_handover_section section;
    struct cv_fleet_config config;
    struct cv_fleet *fleet;

    if (cv_handover_check(record) < 0)
        return 0;
    size_t last = 0;
    for (size_t at = 0; cv_handover_next(record, &at, &section);) {
        CHECK(at > last && at <= size);
        CHECK(section.fields.at + section.fields.len == (const char *)data + at);
        last = at;
    }
    CHECK(last == size || size == 16);
    cv_handover_each_fd(record, check_fd, NULL);
    cv_fleet_defaults(&config);
    if (cv_fleet_import(&config, record, &fleet) == 0) {
        check_again(&config, fleet, 1);
        cv_fleet_free(fleet);
    }
    return 0;
}
