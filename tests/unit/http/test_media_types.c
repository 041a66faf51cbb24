/* Media types, and Accept-Encoding. */
#include "http/media_types.h"

#include "http/media_types.def"
#include "http/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void check(const char *path, const char *type)
{
    struct cv_span found = cv_media_type(path);
    assert_int_equal(found.len, strlen(type));
    assert_memory_equal(found.at, type, found.len);
}

static void test_every_extension_is_found(void **state)
{
    const char *last = "";
    char path[64];
    (void)state;
#define X(extension, type)                                                                         \
    assert_true(strcmp(last, extension) < 0);                                                      \
    last = extension;                                                                              \
    (void)snprintf(path, sizeof(path), "/some.dir/file.%s", extension);                            \
    check(path, type);
    CV_MEDIA_TYPES(X)
#undef X
}

static void test_only_the_last_extension_counts(void **state)
{
    (void)state;
    check("a.tar.gz", "application/gzip");
    check("INDEX.HTML", "text/html; charset=utf-8");
    check("a.html.unknown", "application/octet-stream");
    check("html", "application/octet-stream");
    check(".html", "application/octet-stream");
    check("a.html/b", "application/octet-stream");
    check("a.", "application/octet-stream");
    check("", "application/octet-stream");
}

static int weight(const char *accept, const char *coding)
{
    return cv_coding_weight(cv_span_str(accept), cv_span_str(coding));
}

static void test_accept_encoding(void **state)
{
    (void)state;
    assert_int_equal(weight("gzip", "gzip"), 1000);
    assert_int_equal(weight("gzip", "br"), 0);
    assert_int_equal(weight("GZip;q=0.5 , br", "gzip"), 500);
    assert_int_equal(weight("gzip ; q=0", "gzip"), 0);
    assert_int_equal(weight("gzip;q=0, *", "gzip"), 0);
    assert_int_equal(weight("*;q=0.3", "br"), 300);
    assert_int_equal(weight("*, br;q=0.1", "br"), 100);
    assert_int_equal(weight(" ,, gzip,", "gzip"), 1000);
    assert_int_equal(weight("gzip;", "gzip"), 1000);
    assert_int_equal(weight("", "gzip"), 0);
}

static void test_a_malformed_accept_encoding_takes_nothing(void **state)
{
    (void)state;
    assert_int_equal(weight("gzip;q=2", "gzip"), 0);
    assert_int_equal(weight("gzip;level=9", "gzip"), 0);
    assert_int_equal(weight("gzip;q", "gzip"), 0);
    assert_int_equal(weight("br;q=1.0000, gzip", "gzip"), 0);
}

static enum cv_coding choose(const char *accept, unsigned have)
{
    return cv_coding_choose(cv_span_str(accept), have);
}

static void test_which_coding_is_chosen(void **state)
{
    (void)state;
    const unsigned gzip = 1u << CV_CODING_GZIP;
    const unsigned all = gzip | 1u << CV_CODING_BROTLI | 1u << CV_CODING_ZSTD;
    assert_int_equal(cv_coding_choose(cv_span(NULL, 0), all), CV_CODING_NONE);
    assert_int_equal(choose("", all), CV_CODING_NONE);
    assert_int_equal(choose("deflate, identity", all), CV_CODING_NONE);
    assert_int_equal(choose("gzip;q=0, br;q=0", all), CV_CODING_NONE);
    assert_int_equal(choose("gzip;q=0.5, identity", all), CV_CODING_NONE);
    assert_int_equal(choose("gzip, br, zstd", 0), CV_CODING_NONE);
    assert_int_equal(choose("gzip, identity", all), CV_CODING_GZIP);
    assert_int_equal(choose("gzip, deflate, br, zstd", all), CV_CODING_ZSTD);
    assert_int_equal(choose("gzip, deflate, br, zstd", gzip), CV_CODING_GZIP);
    assert_int_equal(choose("gzip, br;q=0.9, zstd;q=0.8", all), CV_CODING_GZIP);
    assert_int_equal(choose("*", gzip), CV_CODING_GZIP);
    assert_int_equal(choose("*;q=0.1, zstd;q=0, br", all), CV_CODING_BROTLI);
}

static bool is_listed(const char *type, const char *list)
{
    return cv_media_type_is_listed(cv_span_str(type), cv_span_str(list));
}

static void test_lists_of_types(void **state)
{
    (void)state;
    assert_true(is_listed("text/html", "text/html"));
    assert_true(is_listed("TEXT/html; charset=utf-8", "a/b , text/HTML"));
    assert_true(is_listed("text/html", "text/*"));
    assert_true(is_listed("application/problem+json", "text/*, *+json"));
    assert_true(is_listed("a/b", "*"));
    assert_false(is_listed("text/html", ""));
    assert_false(is_listed("", "*, text/*"));
    assert_false(is_listed(";text/html", "text/*"));
    assert_false(is_listed("text", "text/*"));
    assert_false(is_listed("image/png", "text/*, *+xml, image/pn, image/pngs"));
    assert_false(is_listed("json", "*+json"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_extension_is_found),
        cmocka_unit_test(test_only_the_last_extension_counts),
        cmocka_unit_test(test_accept_encoding),
        cmocka_unit_test(test_a_malformed_accept_encoding_takes_nothing),
        cmocka_unit_test(test_which_coding_is_chosen),
        cmocka_unit_test(test_lists_of_types),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
