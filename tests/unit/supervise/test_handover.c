#include "supervise/handover/handover.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum colour { RED, GREEN, BLUE };

static const char *colour_word(unsigned value)
{
    static const char *const words[] = {"red", "green", "blue"};
    return value < CV_COUNT(words) ? words[value] : NULL;
}

/* A later version: other numbers, one colour less, one more. */
static const char *later_word(unsigned value)
{
    static const char *const words[] = {"black", "blue", "red"};
    return value < CV_COUNT(words) ? words[value] : NULL;
}

struct thing {
    bool is_on;
    uint8_t byte;
    int number;
    unsigned count;
    int64_t time;
    uint64_t bits;
    int fd;
    enum colour colour;
    char text[8];
    struct {
        uint16_t inner;
    } deep;
    int not_told;
};

static const struct cv_handover_field fields[] = {
    CV_FIELD(struct thing, is_on),         CV_FIELD(struct thing, byte),
    CV_FIELD(struct thing, number),        CV_FIELD(struct thing, count),
    CV_FIELD(struct thing, time),          CV_FIELD(struct thing, bits),
    CV_FIELD_FD(struct thing, fd),         CV_FIELD_WORD(struct thing, colour, colour_word),
    CV_FIELD_TEXT(struct thing, text),     CV_FIELD_RAW(struct thing, deep),
    CV_FIELD_LEFT(struct thing, not_told),
};

static const struct thing full = {true, 200,  -5,        4000000000U, INT64_MIN, UINT64_MAX,
                                  7,    BLUE, "seven77", {65535},     99};

static int write_thing(struct cv_handover *to, const struct thing *thing, struct cv_span *ret)
{
    cv_handover_begin(to);
    cv_handover_section(to, "other");
    cv_handover_put(to, "number", 1);
    cv_handover_section(to, "thing");
    cv_handover_put_text(to, "new", "of a later version");
    cv_handover_put_fields(to, fields, CV_COUNT(fields), thing);
    cv_handover_section(to, "empty");
    return cv_handover_end(to, ret);
}

static int read_thing(struct cv_span record, struct thing *ret)
{
    struct cv_handover_section section = cv_handover_find(record, "thing");
    return cv_handover_get_fields(&section, fields, CV_COUNT(fields), ret);
}

static void test_fields_come_back(void **state)
{
    (void)state;
    struct cv_handover to;
    struct cv_span record;
    struct thing back = {.not_told = 1};
    assert_int_equal(write_thing(&to, &full, &record), 0);
    assert_int_equal(cv_handover_check(record), 0);
    assert_int_equal(read_thing(record, &back), 0);
    assert_int_equal(back.not_told, 1);
    back.not_told = full.not_told;
    assert_memory_equal(&back.is_on, &full.is_on, 1);
    assert_true(back.byte == 200 && back.number == -5 && back.count == 4000000000U);
    assert_true(back.time == INT64_MIN && back.bits == UINT64_MAX && back.fd == 7);
    assert_true(back.colour == BLUE && back.deep.inner == 65535);
    assert_string_equal(back.text, "seven77");
    cv_handover_done(&to);
}

static void test_what_is_missing_keeps_its_default(void **state)
{
    (void)state;
    struct cv_handover to;
    struct cv_span record;
    cv_handover_begin(&to);
    cv_handover_section(&to, "thing");
    cv_handover_put(&to, "number", 3);
    assert_int_equal(cv_handover_end(&to, &record), 0);
    struct thing back = full;
    assert_int_equal(read_thing(record, &back), 0);
    assert_int_equal(back.number, 3);
    assert_int_equal(back.fd, -1); /* a descriptor that is not there is none */
    assert_int_equal(back.colour, BLUE);
    struct cv_handover_section none = cv_handover_find(record, "nothing");
    assert_int_equal(none.fields.len, 0);
    assert_int_equal(cv_handover_get(&none, "number", 42), 42);
    assert_int_equal(cv_handover_get_fields(&none, fields, CV_COUNT(fields), &back), 0);
    cv_handover_done(&to);
}

static void test_an_enum_goes_by_its_words(void **state)
{
    (void)state;
    static const struct cv_handover_field later[] = {
        CV_FIELD_WORD(struct thing, colour, later_word)};
    struct cv_handover to;
    struct cv_span record;
    struct thing thing = full;
    struct thing back = {0};
    assert_int_equal(write_thing(&to, &thing, &record), 0);
    struct cv_handover_section section = cv_handover_find(record, "thing");
    assert_int_equal(cv_handover_get_fields(&section, later, 1, &back), 0);
    assert_int_equal(back.colour, 1);
    cv_handover_done(&to);

    thing.colour = GREEN;
    assert_int_equal(write_thing(&to, &thing, &record), 0);
    section = cv_handover_find(record, "thing");
    assert_int_equal(cv_handover_get_fields(&section, later, 1, &back), -EBADMSG);
    cv_handover_done(&to);
}

static int read_number(const char *name, int64_t number)
{
    struct cv_handover to;
    struct cv_span record;
    struct thing back;
    cv_handover_begin(&to);
    cv_handover_section(&to, "thing");
    cv_handover_put(&to, name, number);
    assert_int_equal(cv_handover_end(&to, &record), 0);
    int rc = read_thing(record, &back);
    cv_handover_done(&to);
    return rc;
}

static void test_what_does_not_fit_is_refused(void **state)
{
    (void)state;
    assert_int_equal(read_number("is_on", 2), -EBADMSG);
    assert_int_equal(read_number("byte", 255), 0);
    assert_int_equal(read_number("byte", 256), -EBADMSG);
    assert_int_equal(read_number("byte", -1), -EBADMSG);
    assert_int_equal(read_number("number", INT32_MIN), 0);
    assert_int_equal(read_number("number", INT64_C(1) << 31), -EBADMSG);
    assert_int_equal(read_number("count", UINT32_MAX), 0);
    assert_int_equal(read_number("bits", -1), 0);
    assert_int_equal(read_number("text", 1), 0); /* of another kind: as if it were not there */

    struct cv_handover to;
    struct cv_span record;
    struct thing back;
    cv_handover_begin(&to);
    cv_handover_section(&to, "thing");
    cv_handover_put_text(&to, "text", "too long");
    assert_int_equal(cv_handover_end(&to, &record), 0);
    assert_int_equal(read_thing(record, &back), -EBADMSG);
    cv_handover_done(&to);
}

static void count_fd(void *arg, int fd)
{
    int *sum = arg;
    *sum = *sum * 100 + fd;
}

static void test_every_descriptor_is_found(void **state)
{
    (void)state;
    struct cv_handover to;
    struct cv_span record;
    int sum = 0;
    cv_handover_begin(&to);
    cv_handover_section(&to, "a");
    cv_handover_put_fd(&to, "one", 5);
    cv_handover_put_fd(&to, "none", -1);
    cv_handover_put(&to, "number", 6);
    cv_handover_section(&to, "b");
    cv_handover_put_fd(&to, "two", 7);
    assert_int_equal(cv_handover_end(&to, &record), 0);
    cv_handover_each_fd(record, count_fd, &sum);
    assert_int_equal(sum, 507);
    cv_handover_done(&to);
}

/* Cut anywhere, or with any byte changed: refused, or something that can be read without harm. */
static void test_damaged(void **state)
{
    (void)state;
    struct cv_handover to;
    struct cv_span record;
    struct thing back;
    int sum = 0;
    assert_int_equal(write_thing(&to, &full, &record), 0);
    for (size_t len = 0; len < record.len; len++) {
        char *cut = malloc(len + 1);
        memcpy(cut, record.at, len);
        assert_int_equal(cv_handover_check(cv_span(cut, len)), -EBADMSG);
        free(cut);
    }
    char *copy = malloc(record.len);
    for (size_t i = 0; i < record.len; i++) {
        for (int change = 1; change < 256; change *= 2) {
            memcpy(copy, record.at, record.len);
            copy[i] = (char)(copy[i] ^ change);
            struct cv_span changed = cv_span(copy, record.len);
            if (cv_handover_check(changed) == 0) {
                (void)!read_thing(changed, &back);
                cv_handover_each_fd(changed, count_fd, &sum);
            }
            sum = 0;
        }
    }
    free(copy);
    memcpy(to.buf.at + 8, &(uint32_t){CV_HANDOVER_FORMAT + 1}, 4);
    assert_int_equal(cv_handover_check(record), -EPROTO);
    cv_handover_done(&to);
}

static void test_too_much(void **state)
{
    (void)state;
    static char megabyte[1 << 20];
    struct cv_handover to;
    struct cv_span record;
    cv_handover_begin(&to);
    cv_handover_section(&to, "large");
    for (int i = 0; i < 17; i++)
        cv_handover_put_bytes(&to, "part", cv_span(megabyte, sizeof(megabyte)));
    cv_handover_section(&to, "more");
    assert_int_equal(cv_handover_end(&to, &record), -EMSGSIZE);
    cv_handover_done(&to);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields_come_back),
        cmocka_unit_test(test_what_is_missing_keeps_its_default),
        cmocka_unit_test(test_an_enum_goes_by_its_words),
        cmocka_unit_test(test_what_does_not_fit_is_refused),
        cmocka_unit_test(test_every_descriptor_is_found),
        cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_too_much),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
