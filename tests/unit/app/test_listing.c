/* Pages of directories: names are what anybody may have made. */
#include "app/files/listing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static const char *written(const char *path, struct cv_file_entry *entries, size_t n, bool is_cut)
{
    static char text[8192];
    const struct cv_file_list list = {entries, n, is_cut};
    struct cv_buf page;
    cv_buf_init(&page, sizeof(text) - 1);
    assert_int_equal(cv_listing_write(&page, path, &list), 0);
    memcpy(text, page.at, page.len);
    text[page.len] = '\0';
    cv_buf_done(&page);
    return text;
}

static void assert_has(const char *page, const char *part)
{
    if (strstr(page, part) == NULL)
        fail_msg("\"%s\" is not in: %s", part, page);
}

static void test_names_are_escaped(void **state)
{
    (void)state;
    char script[] = "<script>\"&.js", scheme[] = "javascript:alert(1)", query[] = "a?b#c%d e";
    struct cv_file_entry entries[] = {{script}, {scheme}, {query}};
    const char *page = written("/<b>/", entries, 3, false);
    assert_has(page, "<title>/&lt;b&gt;/</title>");
    assert_has(page, "href=\"./%3Cscript%3E%22%26.js\">&lt;script&gt;&quot;&amp;.js</a>");
    assert_has(page, "href=\"./javascript%3Aalert%281%29\"");
    assert_has(page, "href=\"./a%3Fb%23c%25d%20e\"");
    assert_null(strstr(page, "<script>"));
}

static void test_files_and_directories(void **state)
{
    (void)state;
    char sub[] = "sub", file[] = "a.txt";
    struct cv_file_entry entries[] = {{sub, true, 0, 0}, {file, false, 12, 784111777}};
    const char *page = written("/", entries, 2, false);
    assert_has(page, "<a href=\"./sub/\">sub/</a><td><td>Thu, 01 Jan 1970 00:00:00 GMT\n");
    assert_has(page, "<a href=\"./a.txt\">a.txt</a><td>12<td>Sun, 06 Nov 1994 08:49:37 GMT\n");
    assert_null(strstr(page, "Only"));
    assert_has(written("/", entries, 2, true), "Only 10000 of them are listed.");
}

static void test_no_room_is_an_error(void **state)
{
    (void)state;
    char name[] = "a";
    struct cv_file_entry entry = {name};
    const struct cv_file_list list = {&entry, 1, true};
    size_t len = strlen(written("/", &entry, 1, true));
    for (size_t max = 0; max < len; max++) {
        struct cv_buf page;
        cv_buf_init(&page, max);
        assert_true(cv_listing_write(&page, "/", &list) < 0);
        cv_buf_done(&page);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_are_escaped),
        cmocka_unit_test(test_files_and_directories),
        cmocka_unit_test(test_no_room_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
