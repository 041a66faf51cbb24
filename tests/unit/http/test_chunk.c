/* Chunked coding: what is refused, however it is cut; the bounds; what comes out. */
#include "http/chunk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

struct decoded {
    int rc;
    size_t used;
    char data[256];
    size_t len;
};

/* Decodes in pieces of at most `piece` bytes. */
static struct decoded decode(struct cv_span bytes, size_t piece)
{
    struct decoded d = {.rc = CV_CHUNK_MORE};
    struct cv_chunk decoder;

    cv_chunk_init(&decoder);
    while (d.rc == CV_CHUNK_MORE && d.used < bytes.len) {
        size_t len = bytes.len - d.used < piece ? bytes.len - d.used : piece;
        struct cv_span data;
        size_t used;
        int rc = cv_chunk_decode(&decoder, cv_span(bytes.at + d.used, len), &used, &data);

        d.used += used;
        if (rc == CV_CHUNK_DATA) {
            assert_true(d.len + data.len <= sizeof(d.data));
            memcpy(d.data + d.len, data.at, data.len);
            d.len += data.len;
            continue;
        }
        d.rc = rc;
    }
    return d;
}

static void refuse(struct cv_span bytes)
{
    for (size_t piece = 1; piece <= bytes.len; piece++) {
        if (decode(bytes, piece).rc != -400)
            fail_msg("not refused in pieces of %zu: %s", piece, bytes.at);
    }
}

static void test_malformed_sizes_are_refused(void **state)
{
    (void)state;
    refuse(CV_SPAN("\r\n"));
    refuse(CV_SPAN("g\r\n"));
    refuse(CV_SPAN("-1\r\n"));
    refuse(CV_SPAN("+1\r\n"));
    refuse(CV_SPAN(" 1\r\n"));
    refuse(CV_SPAN("0x1\r\n"));
    refuse(CV_SPAN("1 \r\n"));
    refuse(CV_SPAN("1 1\r\n"));
    refuse(CV_SPAN("1_0\r\n"));
    refuse(CV_SPAN(";a\r\n"));
    refuse(CV_SPAN("\0"));
}

static void test_sizes_that_overflow_are_refused(void **state)
{
    (void)state;
    refuse(CV_SPAN("8000000000000000\r\n"));
    refuse(CV_SPAN("ffffffffffffffff\r\n"));
    refuse(CV_SPAN("10000000000000000\r\n"));
    refuse(CV_SPAN("10000000000000005\r\n")); /* 2^64 + 5 */
    refuse(CV_SPAN("00000000000000005\r\n")); /* 17 digits */
}

static void test_anything_but_crlf_is_refused(void **state)
{
    (void)state;
    refuse(CV_SPAN("1\n"));
    refuse(CV_SPAN("1\ra"));
    refuse(CV_SPAN("1\r\r\n"));
    refuse(CV_SPAN("1\r\na\n"));
    refuse(CV_SPAN("1\r\na\r0"));
    refuse(CV_SPAN("1\r\nab\r\n"));
    refuse(CV_SPAN("1\r\na0\r\n\r\n"));
    refuse(CV_SPAN("0\n"));
    refuse(CV_SPAN("0\r\n\n"));
    refuse(CV_SPAN("0\r\n\ra"));
    refuse(CV_SPAN("1;a\nb\r\n"));
    refuse(CV_SPAN("1;a\rb\r\n"));
    refuse(CV_SPAN("1;a\0b\r\n"));
    refuse(CV_SPAN("1;\x7f\r\n"));
}

static void test_malformed_extensions_are_refused(void **state)
{
    (void)state;
    refuse(CV_SPAN("1;\r\n"));
    refuse(CV_SPAN("1; \r\n"));
    refuse(CV_SPAN("1;;a\r\n"));
    refuse(CV_SPAN("1 a\r\n"));
    refuse(CV_SPAN("1;a \r\n"));
    refuse(CV_SPAN("1;a b\r\n"));
    refuse(CV_SPAN("1;=b\r\n"));
    refuse(CV_SPAN("1;a=\r\n"));
    refuse(CV_SPAN("1;a= \r\n"));
    refuse(CV_SPAN("1;a==b\r\n"));
    refuse(CV_SPAN("1;a=;b\r\n"));
    refuse(CV_SPAN("1;a=b \r\n"));
    refuse(CV_SPAN("1;a=b c\r\n"));
    refuse(CV_SPAN("1;a=b\"c\"\r\n"));
    refuse(CV_SPAN("1;a=\"b\r\n"));
    refuse(CV_SPAN("1;a=\"b\"c\r\n"));
    refuse(CV_SPAN("1;a=\"\\\r\n"));
    refuse(CV_SPAN("1;a=\"\x1f\"\r\n"));
    refuse(CV_SPAN("1;\xe4\r\n"));
    refuse(CV_SPAN("1;a,b\r\n"));
}

static void test_well_formed_extensions_are_read_over(void **state)
{
    const struct cv_span fine[] = {
        CV_SPAN("0;a\r\n\r\n"),
        CV_SPAN("0 \t; a\t=\tb ;c\r\n\r\n"),
        CV_SPAN("0;a=\"\"\r\n\r\n"),
        CV_SPAN("0;a = \"b;\\\"=\\\\\t\xe4\" ; c=d;e\r\n\r\n"),
        CV_SPAN("0;!#$%&'*+-.^_`|~=1\r\n\r\n"),
    };
    (void)state;
    for (size_t i = 0; i < sizeof(fine) / sizeof(fine[0]); i++) {
        for (size_t piece = 1; piece <= fine[i].len; piece++)
            assert_int_equal(decode(fine[i], piece).rc, CV_CHUNK_END);
    }
}

static void test_malformed_trailers_are_refused(void **state)
{
    (void)state;
    refuse(CV_SPAN("0\r\na\r\n"));
    refuse(CV_SPAN("0\r\n:a\r\n"));
    refuse(CV_SPAN("0\r\na : b\r\n"));
    refuse(CV_SPAN("0\r\n a: b\r\n"));
    refuse(CV_SPAN("0\r\na: b\n"));
    refuse(CV_SPAN("0\r\na: b\rc"));
    refuse(CV_SPAN("0\r\na: b\r\n c\r\n"));
    refuse(CV_SPAN("0\r\na: \0\r\n"));
    refuse(CV_SPAN("0\r\n5\r\nhello\r\n"));
}

static void test_the_largest_size_is_taken(void **state)
{
    struct cv_chunk decoder;
    struct cv_span data;
    size_t used;
    (void)state;

    cv_chunk_init(&decoder);
    assert_int_equal(cv_chunk_decode(&decoder, CV_SPAN("7fffffffffffffff\r\nabc"), &used, &data),
                     CV_CHUNK_DATA);
    assert_int_equal(data.len, 3);
    assert_int_equal(decoder.left, INT64_MAX - 3);
}

static void test_data_comes_out_whatever_the_pieces(void **state)
{
    struct cv_span bytes =
        CV_SPAN("5\r\nhello\r\n0001;x\r\n,\r\n6 \t;y=\"z\"\r\n world\r\nA\r\n0123456789\r\n"
                "0;end\r\nTrailer: x\r\nEmpty:\r\n\r\nGET");
    (void)state;
    for (size_t piece = 1; piece <= bytes.len; piece++) {
        struct decoded d = decode(bytes, piece);
        assert_int_equal(d.rc, CV_CHUNK_END);
        assert_int_equal(d.used, bytes.len - 3);
        assert_int_equal(d.len, 22);
        assert_memory_equal(d.data, "hello, world0123456789", 22);
    }
}

static void test_a_body_is_unfinished_until_its_last_byte(void **state)
{
    struct cv_span bytes = CV_SPAN("3\r\nabc\r\n0\r\nT: x\r\n\r\n");
    (void)state;
    for (size_t len = 0; len < bytes.len; len++)
        assert_int_equal(decode(cv_span(bytes.at, len), 1).rc, CV_CHUNK_MORE);
    assert_int_equal(decode(bytes, 1).rc, CV_CHUNK_END);
}

static void test_nothing_is_read_behind_the_end(void **state)
{
    struct cv_chunk decoder;
    struct cv_span data;
    size_t used;
    (void)state;

    cv_chunk_init(&decoder);
    assert_int_equal(cv_chunk_decode(&decoder, CV_SPAN("0\r\n\r\n1"), &used, &data), CV_CHUNK_END);
    assert_int_equal(used, 5);
    assert_int_equal(cv_chunk_decode(&decoder, CV_SPAN("1\r\n"), &used, &data), -400);
}

/* `n` bytes of an extension or trailer between two texts. */
static int decode_with_extra(const char *before, size_t n, const char *after)
{
    static char bytes[2 * CV_CHUNK_EXTRA_MAX];
    size_t len = strlen(before);

    memcpy(bytes, before, len);
    memset(bytes + len, 'x', n);
    memcpy(bytes + len + n, after, strlen(after));
    struct cv_span all = cv_span(bytes, len + n + strlen(after));
    int rc = decode(all, SIZE_MAX).rc;
    assert_int_equal(decode(all, 1).rc, rc);
    return rc;
}

static void test_extensions_and_trailers_are_bounded(void **state)
{
    (void)state;
    assert_int_equal(decode_with_extra("1;", CV_CHUNK_EXTRA_MAX - 1, "\r\na\r\n0\r\n\r\n"),
                     CV_CHUNK_END);
    assert_int_equal(decode_with_extra("1;", CV_CHUNK_EXTRA_MAX, "\r\na\r\n0\r\n\r\n"), -400);
    assert_int_equal(decode_with_extra("0\r\nT:", CV_CHUNK_EXTRA_MAX - 2, "\r\n\r\n"),
                     CV_CHUNK_END);
    assert_int_equal(decode_with_extra("0\r\nT:", CV_CHUNK_EXTRA_MAX - 1, "\r\n\r\n"), -400);
    assert_int_equal(decode_with_extra("0\r\n", CV_CHUNK_EXTRA_MAX + 1, ""), -400);
}

static void test_blanks_behind_the_size_are_bounded(void **state)
{
    static char bytes[2 * CV_CHUNK_EXTRA_MAX];
    (void)state;
    memset(bytes, ' ', sizeof(bytes));
    bytes[0] = '1';
    assert_int_equal(decode(cv_span(bytes, CV_CHUNK_EXTRA_MAX + 1), SIZE_MAX).rc, CV_CHUNK_MORE);
    assert_int_equal(decode(cv_span(bytes, CV_CHUNK_EXTRA_MAX + 2), SIZE_MAX).rc, -400);
}

static void test_extensions_of_all_chunks_count_together(void **state)
{
    struct cv_chunk decoder;
    int rc = CV_CHUNK_MORE;
    size_t chunks = 0;
    (void)state;

    cv_chunk_init(&decoder);
    while (rc >= 0 && chunks++ < 2 * CV_CHUNK_EXTRA_MAX) {
        struct cv_span bytes = CV_SPAN("1;x\r\na\r\n");
        struct cv_span data;
        size_t used;
        do {
            rc = cv_chunk_decode(&decoder, bytes, &used, &data);
            bytes = cv_span(bytes.at + used, bytes.len - used);
        } while (rc == CV_CHUNK_DATA);
    }
    assert_int_equal(rc, -400);
    assert_int_equal(chunks, CV_CHUNK_EXTRA_MAX / 2 + 1);
}

static void test_an_opened_chunk_is_its_length_in_hex(void **state)
{
    const uint64_t lens[] = {1, 9, 10, 15, 16, 255, 256, 4095, 65536, INT64_MAX, UINT64_MAX};
    (void)state;
    for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
        char wanted[32];
        char line[18];
        int len = snprintf(wanted, sizeof(wanted), "%llx\r\n", (unsigned long long)lens[i]);
        assert_int_equal(cv_chunk_open(line, lens[i]), len);
        assert_memory_equal(line, wanted, len);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_malformed_sizes_are_refused),
        cmocka_unit_test(test_sizes_that_overflow_are_refused),
        cmocka_unit_test(test_anything_but_crlf_is_refused),
        cmocka_unit_test(test_malformed_extensions_are_refused),
        cmocka_unit_test(test_well_formed_extensions_are_read_over),
        cmocka_unit_test(test_malformed_trailers_are_refused),
        cmocka_unit_test(test_the_largest_size_is_taken),
        cmocka_unit_test(test_data_comes_out_whatever_the_pieces),
        cmocka_unit_test(test_a_body_is_unfinished_until_its_last_byte),
        cmocka_unit_test(test_nothing_is_read_behind_the_end),
        cmocka_unit_test(test_extensions_and_trailers_are_bounded),
        cmocka_unit_test(test_blanks_behind_the_size_are_bounded),
        cmocka_unit_test(test_extensions_of_all_chunks_count_together),
        cmocka_unit_test(test_an_opened_chunk_is_its_length_in_hex),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
