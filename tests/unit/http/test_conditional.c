/* Conditional requests: RFC 9110, section 13, as a table. */
#include "http/conditional.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define ETAG "\"a\""
#define BEFORE "Sun, 06 Nov 1994 08:49:36 GMT"
#define EXACT "Sun, 06 Nov 1994 08:49:37 GMT"
#define AFTER "Sun, 06 Nov 1994 08:49:38 GMT"
#define MODIFIED 784111777

static struct cv_span span(const char *text)
{
    return text != NULL ? cv_span_str(text) : cv_span(NULL, 0);
}

struct fields {
    const char *match, *none_match, *modified, *unmodified, *range;
};

static struct cv_conditions conditions_of(struct fields f)
{
    return (struct cv_conditions){span(f.match), span(f.none_match), span(f.modified),
                                  span(f.unmodified), span(f.range)};
}

static const struct cv_validators validators = {{ETAG, 3}, MODIFIED};

static int check(bool is_get, struct fields fields)
{
    struct cv_conditions conditions = conditions_of(fields);
    return cv_conditions_check(&conditions, &validators, is_get, MODIFIED + 100);
}

#define GET(...) check(true, (struct fields){__VA_ARGS__})
#define PUT(...) check(false, (struct fields){__VA_ARGS__})

static void test_without_conditions_it_goes_on(void **state)
{
    (void)state;
    assert_int_equal(GET(.match = NULL), 0);
    assert_int_equal(PUT(.match = NULL), 0);
}

static void test_if_none_match(void **state)
{
    (void)state;
    assert_int_equal(GET(.none_match = ETAG), 304);
    assert_int_equal(GET(.none_match = "W/" ETAG), 304); /* weak comparison */
    assert_int_equal(GET(.none_match = "\"b\""), 0);
    assert_int_equal(GET(.none_match = "\"b\", " ETAG), 304);
    assert_int_equal(GET(.none_match = " , \"b\" ,, W/\"c\",\t" ETAG " , \"d\""), 304);
    assert_int_equal(GET(.none_match = "*"), 304);
    assert_int_equal(PUT(.none_match = ETAG), 412);
    assert_int_equal(PUT(.none_match = "*"), 412);
    assert_int_equal(PUT(.none_match = "\"b\""), 0);
}

static void test_malformed_lists_match_nothing(void **state)
{
    static const char *const wrong[] = {"",
                                        "a",
                                        "\"a",
                                        "a\"",
                                        "W/a",
                                        "w/\"a\"",
                                        "*, \"b\"",
                                        "\"b\" \"a\"",
                                        "\"b\"; \"a\"",
                                        "\"b\"x, \"a\"",
                                        "\"b c\", \"a\"",
                                        "W\"a\""};
    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_equal(GET(.none_match = wrong[i]), 0);
        assert_int_equal(GET(.match = wrong[i]), 412);
    }
}

static void test_if_match(void **state)
{
    (void)state;
    assert_int_equal(GET(.match = ETAG), 0);
    assert_int_equal(GET(.match = "*"), 0);
    assert_int_equal(GET(.match = "\"b\""), 412);
    assert_int_equal(GET(.match = "W/" ETAG), 412); /* strong comparison */
    assert_int_equal(PUT(.match = "\"b\", " ETAG), 0);
}

static void test_if_modified_since(void **state)
{
    (void)state;
    assert_int_equal(GET(.modified = BEFORE), 0);
    assert_int_equal(GET(.modified = EXACT), 304);
    assert_int_equal(GET(.modified = AFTER), 304);
    assert_int_equal(GET(.modified = "yesterday"), 0);
    assert_int_equal(PUT(.modified = EXACT), 0);
}

static void test_if_unmodified_since(void **state)
{
    (void)state;
    assert_int_equal(GET(.unmodified = BEFORE), 412);
    assert_int_equal(GET(.unmodified = EXACT), 0);
    assert_int_equal(GET(.unmodified = AFTER), 0);
    assert_int_equal(GET(.unmodified = "yesterday"), 0);
    assert_int_equal(PUT(.unmodified = BEFORE), 412);
}

static void test_entity_tags_come_before_dates(void **state)
{
    (void)state;
    assert_int_equal(GET(.match = ETAG, .unmodified = BEFORE), 0);
    assert_int_equal(GET(.match = "\"b\"", .unmodified = AFTER), 412);
    assert_int_equal(GET(.none_match = "\"b\"", .modified = AFTER), 0);
    assert_int_equal(GET(.none_match = ETAG, .modified = BEFORE), 304);
}

static void test_412_comes_before_304(void **state)
{
    (void)state;
    assert_int_equal(GET(.match = "\"b\"", .none_match = ETAG), 412);
    assert_int_equal(GET(.match = ETAG, .none_match = ETAG), 304);
    assert_int_equal(GET(.unmodified = BEFORE, .none_match = ETAG), 412);
}

static bool allows(const char *if_range, int64_t now)
{
    struct cv_conditions conditions = conditions_of((struct fields){.range = if_range});
    return cv_conditions_allow_range(&conditions, &validators, now);
}

static void test_if_range(void **state)
{
    (void)state;
    assert_true(allows(NULL, MODIFIED));
    assert_true(allows(ETAG, MODIFIED));
    assert_false(allows("W/" ETAG, MODIFIED));
    assert_false(allows("\"b\"", MODIFIED));
    assert_false(allows(ETAG ", \"b\"", MODIFIED));
    assert_false(allows("*", MODIFIED));
    assert_false(allows("", MODIFIED));
    assert_true(allows(EXACT, MODIFIED + 1));
    assert_false(allows(EXACT, MODIFIED)); /* may change once more in this second */
    assert_false(allows(AFTER, MODIFIED + 9));
    assert_false(allows(BEFORE, MODIFIED + 9));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without_conditions_it_goes_on),
        cmocka_unit_test(test_if_none_match),
        cmocka_unit_test(test_malformed_lists_match_nothing),
        cmocka_unit_test(test_if_match),
        cmocka_unit_test(test_if_modified_since),
        cmocka_unit_test(test_if_unmodified_since),
        cmocka_unit_test(test_entity_tags_come_before_dates),
        cmocka_unit_test(test_412_comes_before_304),
        cmocka_unit_test(test_if_range),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
