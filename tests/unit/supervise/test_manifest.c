#include "supervise/shared/manifest.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/rand.h"

static struct cv_buf manifest_of(unsigned n_routes, bool has_main)
{
    struct cv_buf buf;
    cv_buf_init(&buf, 1 << 20);
    assert_int_equal(cv_manifest_begin(&buf), 0);
    for (unsigned i = 0; i < n_routes; i++)
        assert_int_equal(cv_manifest_add(&buf, CV_MANIFEST_ROUTE, CV_SPAN("/a/<b:int>")), 0);
    struct cv_managed_spec queue = {.name = "queue", .processes = 2};
    if (n_routes == 20)
        assert_int_equal(cv_manifest_add_process(&buf, &queue, cv_span("run\0fast", 9)), 0);
    if (has_main)
        assert_int_equal(cv_manifest_add(&buf, CV_MANIFEST_MAIN_LISTENERS, cv_span(NULL, 0)), 0);
    return buf;
}

/* Reads a copy that ends where its heap block does, so that the sanitizer sees one byte too far. */
static int read_copy(const void *bytes, size_t len, struct cv_manifest *ret)
{
    char *copy = malloc(len + (len == 0));
    assert_non_null(copy);
    memcpy(copy, bytes, len);
    int rc = cv_manifest_read(cv_span(copy, len), ret);
    free(copy);
    return rc;
}

static void test_every_cut_is_malformed_or_the_end_of_a_record(void **state)
{
    (void)state;
    struct cv_buf buf = manifest_of(3, true);
    for (size_t len = 0; len < buf.len; len++) {
        struct cv_manifest got = {99, true};
        size_t behind = len < 4 ? 1 : (len - 4) % 14; /* a route is 4 + 10 bytes */
        int rc = read_copy(buf.at, len, &got);
        assert_int_equal(rc, behind == 0 ? 0 : -EBADMSG);
        assert_int_equal(got.n_routes, rc == 0 ? (len - 4) / 14 : 99);
    }
    cv_buf_done(&buf);
}

static void test_another_version_is_told_apart(void **state)
{
    (void)state;
    struct cv_buf buf = manifest_of(1, false);
    struct cv_manifest got = {99, true};
    buf.at[0] ^= 2;
    assert_int_equal(read_copy(buf.at, buf.len, &got), -EPROTO);
    assert_int_equal(read_copy(buf.at, 4, &got), -EPROTO);
    assert_int_equal(got.n_routes, 99);
    cv_buf_done(&buf);
}

static void test_a_record_longer_than_the_rest_is_malformed(void **state)
{
    (void)state;
    struct cv_buf buf = manifest_of(1, false);
    struct cv_manifest got;
    uint16_t lie = UINT16_MAX;
    memcpy(buf.at + 6, &lie, sizeof(lie));
    assert_int_equal(read_copy(buf.at, buf.len, &got), -EBADMSG);
    lie = 11;
    memcpy(buf.at + 6, &lie, sizeof(lie));
    assert_int_equal(read_copy(buf.at, buf.len, &got), -EBADMSG);
    cv_buf_done(&buf);
}

static void test_more_routes_than_are_counted_are_malformed(void **state)
{
    (void)state;
    struct cv_manifest got = {0};
    struct cv_buf buf = manifest_of(CV_MANIFEST_ROUTES_MAX, true);
    assert_int_equal(read_copy(buf.at, buf.len, &got), 0);
    assert_int_equal(got.n_routes, CV_MANIFEST_ROUTES_MAX);
    assert_true(got.has_main);
    cv_buf_done(&buf);
    buf = manifest_of(CV_MANIFEST_ROUTES_MAX + 1, false);
    assert_int_equal(read_copy(buf.at, buf.len, &got), -EBADMSG);
    cv_buf_done(&buf);
}

static void test_random_bytes_are_refused_or_read_but_never_run_over(void **state)
{
    (void)state;
    unsigned char bytes[256];
    uint64_t random = 5;
    uint32_t version = CV_MANIFEST_VERSION;
    unsigned n_good = 0;
    for (int round = 0; round < 200000; round++) {
        size_t len = (size_t)(cv_rand_next(&random) % sizeof(bytes));
        for (size_t i = 0; i < len; i++)
            bytes[i] = (unsigned char)(cv_rand_next(&random) & (round % 2 == 0 ? 0xff : 0x07));
        if (len >= 4)
            memcpy(bytes, &version, sizeof(version));
        struct cv_manifest got = {0};
        int rc = read_copy(bytes, len, &got);
        assert_true(rc == 0 || rc == -EBADMSG);
        n_good += rc == 0;
        assert_true(got.n_routes <= len / 4);
    }
    assert_true(n_good > 100);
}

static void test_changed_bytes_of_a_good_one_never_run_over(void **state)
{
    (void)state;
    struct cv_buf buf = manifest_of(20, true);
    uint64_t random = 17;
    for (int round = 0; round < 100000; round++) {
        size_t at = (size_t)(cv_rand_next(&random) % buf.len);
        char kept = buf.at[at];
        struct cv_manifest got;
        buf.at[at] = (char)cv_rand_next(&random);
        int rc = read_copy(buf.at, buf.len, &got);
        assert_true(rc == 0 || rc == -EBADMSG || rc == -EPROTO);
        buf.at[at] = kept;
    }
    cv_buf_done(&buf);
}

/* ---- Managed processes ---- */

static int read_one(struct cv_managed_spec spec, struct cv_span words, struct cv_manifest *ret)
{
    struct cv_buf buf = manifest_of(1, false);
    assert_int_equal(cv_manifest_add_process(&buf, &spec, words), 0);
    int rc = read_copy(buf.at, buf.len, ret);
    cv_buf_done(&buf);
    return rc;
}

static void test_processes_are_read_as_they_were_declared(void **state)
{
    (void)state;
    static struct cv_manifest got;
    struct cv_buf buf = manifest_of(0, false);
    struct cv_managed_spec queue = {
        .name = "queue", .processes = 2, .restart = CV_RESTART_NEVER, .is_transient = true};
    struct cv_managed_spec redis = {.name = "redis-1.x_", .processes = 1};
    assert_int_equal(cv_manifest_add_process(&buf, &queue, cv_span(NULL, 0)), 0);
    assert_int_equal(cv_manifest_add_process(&buf, &redis, cv_span("redis\0\0-p", 10)), 0);
    assert_int_equal(read_copy(buf.at, buf.len, &got), 0);
    assert_int_equal(got.managed.n, 2);
    const struct cv_managed_spec *first = &got.managed.item[0];
    assert_string_equal(first->name, "queue");
    assert_int_equal(first->processes, 2);
    assert_int_equal(first->restart, CV_RESTART_NEVER);
    assert_true(first->is_transient);
    assert_int_equal(got.commands.of[0].n, 0);
    assert_string_equal(got.commands.of[1].name, "redis-1.x_");
    assert_int_equal(got.commands.of[1].n, 3);
    assert_memory_equal(got.commands.bytes + got.commands.of[1].at, "redis\0\0-p", 10);
    cv_buf_done(&buf);
}

static void test_processes_that_cannot_be_are_malformed(void **state)
{
    (void)state;
    static struct cv_manifest got;
    const struct cv_managed_spec wrong[] = {
        {.name = "", .processes = 1},
        {.name = "a b", .processes = 1},
        {.name = "a\n", .processes = 1},
        {.name = "\x1b[2J", .processes = 1},
        {.name = "none"},
        {.name = "many", .processes = CV_MANAGED_MAX + 1},
        {.name = "what", .processes = 1, .restart = CV_RESTART_COUNT},
    };
    for (size_t i = 0; i < CV_COUNT(wrong); i++)
        assert_int_equal(read_one(wrong[i], cv_span(NULL, 0), &got), -EBADMSG);
    struct cv_managed_spec good = {.name = "good", .processes = CV_MANAGED_MAX};
    assert_int_equal(read_one(good, CV_SPAN("words without an end"), &got), -EBADMSG);
    assert_int_equal(read_one(good, cv_span(NULL, 0), &got), 0);
}

static void test_processes_are_limited_in_all(void **state)
{
    (void)state;
    static struct cv_manifest got;
    static char words[CV_COMMANDS_BYTES];
    struct cv_managed_spec spec = {.name = "a", .processes = CV_MANAGED_MAX};
    struct cv_managed_spec more = {.name = "b", .processes = 1};
    struct cv_buf buf = manifest_of(0, false);
    assert_int_equal(cv_manifest_add_process(&buf, &spec, cv_span(words, sizeof(words))), 0);
    assert_int_equal(read_copy(buf.at, buf.len, &got), 0);
    assert_int_equal(got.commands.of[0].n, sizeof(words));
    size_t len = buf.len;
    assert_int_equal(cv_manifest_add_process(&buf, &more, cv_span(NULL, 0)), 0);
    assert_int_equal(read_copy(buf.at, buf.len, &got), -EBADMSG);
    buf.at[len - sizeof(words) - 5] = 1; /* one process of that name: there is room for another */
    assert_int_equal(read_copy(buf.at, buf.len, &got), 0);
    assert_int_equal(cv_manifest_add_process(&buf, &more, cv_span(NULL, 0)), 0);
    assert_int_equal(read_copy(buf.at, buf.len, &got), -EBADMSG); /* twice the same */
    cv_buf_done(&buf);
}

static void test_a_process_of_coveys_own_is_appended_if_there_is_room(void **state)
{
    (void)state;
    static struct cv_manifest manifest;
    struct cv_managed_spec spec = {.name = "inspector", .processes = 1, .is_transient = true};
    manifest = (struct cv_manifest){.managed = {.n = 1, .item = {{.name = "a", .processes = 3}}},
                                    .commands = {.of = {{.name = "a", .len = 4, .n = 1}}}};
    assert_true(cv_manifest_append(&manifest, &spec));
    assert_int_equal(manifest.managed.n, 2);
    assert_string_equal(manifest.managed.item[1].name, "inspector");
    assert_string_equal(manifest.commands.of[1].name, "inspector");
    assert_int_equal(manifest.commands.of[1].n, 0);     /* a function */
    assert_false(cv_manifest_append(&manifest, &spec)); /* again */
    manifest.managed.n = 1;
    manifest.managed.item[0].processes = CV_MANAGED_MAX;
    assert_false(cv_manifest_append(&manifest, &spec));
    assert_int_equal(manifest.managed.n, 1);
}

static void test_names_too_long_leave_the_manifest_unchanged(void **state)
{
    (void)state;
    static char name[UINT16_MAX + 1];
    struct cv_buf buf = manifest_of(1, false);
    size_t before = buf.len;
    assert_int_equal(cv_manifest_add(&buf, CV_MANIFEST_ROUTE, cv_span(name, sizeof(name))),
                     -EMSGSIZE);
    assert_int_equal(buf.len, before);
    assert_int_equal(cv_manifest_add(&buf, CV_MANIFEST_ROUTE, cv_span(name, sizeof(name) - 1)), 0);
    cv_buf_done(&buf);
}

/* Half a record would make everything behind it unreadable. */
static void test_a_record_past_the_ceiling_leaves_the_manifest_unchanged(void **state)
{
    (void)state;
    for (size_t max = 4; max < 4 + 14; max++) {
        struct cv_buf buf;
        cv_buf_init(&buf, max);
        assert_int_equal(cv_manifest_begin(&buf), 0);
        assert_int_equal(cv_manifest_add(&buf, CV_MANIFEST_ROUTE, CV_SPAN("0123456789")),
                         -EMSGSIZE);
        assert_int_equal(buf.len, 4);
        cv_buf_done(&buf);
    }
}

static void test_kinds_of_a_later_version_are_skipped(void **state)
{
    (void)state;
    struct cv_manifest got;
    struct cv_buf buf = manifest_of(2, false);
    assert_int_equal(cv_manifest_add(&buf, CV_MANIFEST_TABLE, CV_SPAN("table")), 0);
    assert_int_equal(cv_manifest_add(&buf, (enum cv_manifest_kind)700, CV_SPAN("news")), 0);
    assert_int_equal(cv_manifest_add(&buf, CV_MANIFEST_ROUTE, CV_SPAN("")), 0);
    assert_int_equal(read_copy(buf.at, buf.len, &got), 0);
    assert_int_equal(got.n_routes, 3);
    assert_false(got.has_main);
    cv_buf_done(&buf);
}

static void test_a_manifest_of_nothing_is_a_manifest(void **state)
{
    (void)state;
    struct cv_manifest got = {99, true};
    struct cv_buf buf = manifest_of(0, false);
    assert_int_equal(read_copy(buf.at, buf.len, &got), 0);
    assert_int_equal(got.n_routes, 0);
    assert_false(got.has_main);
    cv_buf_done(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_cut_is_malformed_or_the_end_of_a_record),
        cmocka_unit_test(test_another_version_is_told_apart),
        cmocka_unit_test(test_a_record_longer_than_the_rest_is_malformed),
        cmocka_unit_test(test_more_routes_than_are_counted_are_malformed),
        cmocka_unit_test(test_random_bytes_are_refused_or_read_but_never_run_over),
        cmocka_unit_test(test_changed_bytes_of_a_good_one_never_run_over),
        cmocka_unit_test(test_processes_are_read_as_they_were_declared),
        cmocka_unit_test(test_processes_that_cannot_be_are_malformed),
        cmocka_unit_test(test_processes_are_limited_in_all),
        cmocka_unit_test(test_a_process_of_coveys_own_is_appended_if_there_is_room),
        cmocka_unit_test(test_names_too_long_leave_the_manifest_unchanged),
        cmocka_unit_test(test_a_record_past_the_ceiling_leaves_the_manifest_unchanged),
        cmocka_unit_test(test_kinds_of_a_later_version_are_skipped),
        cmocka_unit_test(test_a_manifest_of_nothing_is_a_manifest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
