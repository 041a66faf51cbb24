/* Multipart bodies: what is in them, that it does not matter how they are cut, and what is refused.
 */
#include "http/multipart.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "multipart_log.h"

#define TYPE CV_SPAN("multipart/form-data; boundary=AaB03x")

/* A part with this head and data, behind its boundary. */
#define PART(head, data) "--AaB03x\r\n" head "\r\n\r\n" data "\r\n"
#define FIELD(name, data) PART("Content-Disposition: form-data; name=\"" name "\"", data)
#define LAST "--AaB03x--\r\n"

struct multipart_case {
    const char *body;
    const char *log;
};

/* Whole, cut once at every byte, and byte by byte. */
static void judge(struct cv_span body, const char *wanted)
{
    for (size_t first = 0; first <= body.len; first++) {
        char *log = multipart_log(TYPE, body, first, first == 0 ? 1 : SIZE_MAX, NULL);
        if (strcmp(log, wanted) != 0)
            fail_msg("cut at %zu: \"%s\" instead of \"%s\" for: %.*s", first, log, wanted,
                     (int)body.len, body.at);
        free(log);
    }
}

static void judge_all(const struct multipart_case *cases, size_t n)
{
    for (size_t i = 0; i < n; i++)
        judge(cv_span_str(cases[i].body), cases[i].log);
}
#define JUDGE(cases) judge_all(cases, sizeof(cases) / sizeof((cases)[0]))

static void test_fields_and_files(void **state)
{
    static const struct multipart_case cases[] = {
        {LAST, "end"},
        {FIELD("a", "1") LAST, "[a|-|-]1;end"},
        {FIELD("a", "1") FIELD("b", "") FIELD("a", "2\r\n3") LAST,
         "[a|-|-]1;[b|-|-];[a|-|-]2\r\n3;end"},
        {PART("content-disposition:form-data;name=f;filename=x.txt\r\nCONTENT-TYPE: text/plain",
              "x") LAST,
         "[f|x.txt|text/plain]x;end"},
        {PART("X-Other: 1\r\nContent-Transfer-Encoding: binary\r\n"
              "Content-Disposition: form-data; other=1; name=\"f\"; filename=\"\"",
              "") LAST,
         "[f||-];end"},
    };
    (void)state;
    JUDGE(cases);
}

static void test_a_part_may_have_no_body(void **state)
{
    static const struct multipart_case cases[] = {
        {"--AaB03x\r\nContent-Disposition: form-data; name=a\r\n\r\n--AaB03x--", "[a|-|-];end"},
        {"--AaB03x\r\nContent-Disposition: form-data; name=a\r\n\r\n\r\n--AaB03x--", "[a|-|-];end"},
        {"--AaB03x\r\nContent-Disposition: form-data; name=a\r\n\r\n\r\n\r\n--AaB03x--",
         "[a|-|-]\r\n;end"},
    };
    (void)state;
    JUDGE(cases);
}

static void test_what_stands_around_is_read_over(void **state)
{
    static const struct multipart_case cases[] = {
        {"\r\n" FIELD("a", "1") LAST, "[a|-|-]1;end"},
        {"preamble\r\n--AaB03\r\n" FIELD("a", "1") LAST "epilogue\r\n" LAST, "[a|-|-]1;end"},
        {"--AaB03x \t \r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n--AaB03x--",
         "[a|-|-]1;end"},
    };
    (void)state;
    JUDGE(cases);
}

static void test_data_may_look_like_a_boundary(void **state)
{
    static const struct multipart_case cases[] = {
        {FIELD("a", "\r\n--AaB03") LAST, "[a|-|-]\r\n--AaB03;end"},
        {FIELD("a", "\r\r\n-\r\n--\r\n--A\r") LAST, "[a|-|-]\r\r\n-\r\n--\r\n--A\r;end"},
        {FIELD("a", "x--AaB03x--\n--AaB03x\r--AaB03x") LAST,
         "[a|-|-]x--AaB03x--\n--AaB03x\r--AaB03x;end"},
    };
    (void)state;
    JUDGE(cases);
}

static void test_data_may_be_any_bytes(void **state)
{
    static const char body[] = FIELD("a", "\0\xff\r\0\n") LAST;

    (void)state;
    for (size_t piece = 1; piece < sizeof(body); piece++) {
        struct cv_multipart *m = malloc(sizeof(*m));
        char data[16];
        size_t len = 0;
        assert_int_equal(cv_multipart_init(m, TYPE), 0);
        for (size_t at = 0; at < sizeof(body) - 1;) {
            struct cv_span got = {NULL, 0};
            size_t left = sizeof(body) - 1 - at, used = 0;
            int event =
                cv_multipart_next(m, cv_span(body + at, left < piece ? left : piece), &used, &got);
            assert_true(event >= 0);
            at += used;
            if (event == CV_MULTIPART_DATA) {
                memcpy(data + len, got.at, got.len);
                len += got.len;
            }
        }
        assert_int_equal(cv_multipart_finish(m), 0);
        assert_int_equal(len, 5);
        assert_memory_equal(data, "\0\xff\r\0\n", 5);
        free(m);
    }
}

#define NAMED(disposition) PART("Content-Disposition: form-data; " disposition, "") LAST

static void test_names_as_browsers_and_others_write_them(void **state)
{
    static const struct multipart_case cases[] = {
        {NAMED("name=\"a%22b%0D%0Ac%41\""), "[a\"b\r\nc%41|-|-];end"},
        {NAMED("name=\"a\\\"b\\\\c\\d\""), "[a\"b\\c\\d|-|-];end"},
        {NAMED("name=\"\xc3\xa4\"; filename=\"\xc3\xb6.txt\""), "[\xc3\xa4|\xc3\xb6.txt|-];end"},
        {NAMED("name=f; filename=\"C:\\temp\\x.txt\""), "[f|x.txt|-];end"},
        {NAMED("name=f; filename=\"../../etc/passwd\""), "[f|passwd|-];end"},
        {NAMED("name=f; filename=\"a/..\""), "[f||-];end"},
        {NAMED("name=f; filename=\".\""), "[f||-];end"},
        {NAMED("name=f; filename*=UTF-8''%c3%a4%20b.txt"), "[f|\xc3\xa4 b.txt|-];end"},
        {NAMED("name=f; filename*=utf-8'de'..%2Fb"), "[f|b|-];end"},
        {NAMED("name=f; filename=a; filename*=UTF-8''b"), "[f|a|-];end"},
        {NAMED("name=f;; ;filename=a;"), "[f|a|-];end"},
    };
    (void)state;
    JUDGE(cases);
}

#define HEAD(head) PART(head, "x") LAST
#define DISPOSITION "Content-Disposition: form-data; name=a"

static void test_every_malformation_has_its_sentence(void **state)
{
    static const struct multipart_case cases[] = {
        {"", "The form ends before its last boundary"},
        {"nothing at all", "The form ends before its last boundary"},
        {FIELD("a", "1"), "[a|-|-]1The form ends before its last boundary"},
        {FIELD("a", "1") "--AaB03x", "[a|-|-]1;The form ends before its last boundary"},
        {"--AaB03xy\r\n", "A line of the form begins with the boundary, but is none"},
        {"--AaB03x\n", "A line of the form begins with the boundary, but is none"},
        {"--AaB03x-\r\n", "A line of the form begins with the boundary, but is none"},
        {"--AaB03x x\r\n", "A line of the form begins with the boundary, but is none"},
        {"--AaB03x\r\r\n", "A line of the form begins with the boundary, but is none"},
        {HEAD(""), "A part of the form has no Content-Disposition"},
        {HEAD("Content-Type: text/plain"), "A part of the form has no Content-Disposition"},
        {"--AaB03x\r\n" DISPOSITION "\n\nx\r\n" LAST,
         "A line in the head of a part of the form does not end in CR LF"},
        {HEAD(DISPOSITION "\r\nx"), "The head of a part of the form has a line that is no field"},
        {HEAD(DISPOSITION "\r\n folded: 1"),
         "The head of a part of the form has a line that is no field"},
        {HEAD(DISPOSITION "\r\nX : 1"),
         "The head of a part of the form has a line that is no field"},
        {HEAD(DISPOSITION "\r\nX: \x01"), "The head of a part of the form has a control character"},
        {HEAD(DISPOSITION "\r\nX: a\rb"), "The head of a part of the form has a control character"},
        {HEAD("Content-Disposition: attachment; name=a"), "A part of the form is not form-data"},
        {HEAD("Content-Disposition: form-data"), "A part of the form has no name"},
        {HEAD("Content-Disposition: form-data; filename=x"), "A part of the form has no name"},
        {HEAD(DISPOSITION "; name=b"), "A part of the form has two names or two file names"},
        {HEAD(DISPOSITION "; filename=b; filename=c"),
         "A part of the form has two names or two file names"},
        {HEAD("Content-Disposition: form-data; name=\"a"),
         "A part of the form has a malformed Content-Disposition"},
        {HEAD("Content-Disposition: form-data; name=a b"),
         "A part of the form has a malformed Content-Disposition"},
        {HEAD("Content-Disposition: form-data; name="),
         "A part of the form has a malformed Content-Disposition"},
        {HEAD(DISPOSITION "; filename*=latin-1''a"),
         "A part of the form has a file name that cannot be decoded"},
        {HEAD(DISPOSITION "; filename*=UTF-8''%00"),
         "A part of the form has a file name that cannot be decoded"},
        {HEAD(DISPOSITION "; filename*=UTF-8'a"),
         "A part of the form has a file name that cannot be decoded"},
        {HEAD(DISPOSITION "\r\n" DISPOSITION),
         "A part of the form has Content-Disposition or Content-Type twice"},
        {HEAD(DISPOSITION "\r\nContent-Transfer-Encoding: base64"),
         "A part of the form has a Content-Transfer-Encoding, which forms must not have"},
    };
    (void)state;
    JUDGE(cases);
}

static void test_a_head_is_bounded(void **state)
{
    static char body[CV_PART_HEAD_MAX + 256];
    static const char begin[] = "--AaB03x\r\n" DISPOSITION "\r\nX: ";
    static const char end[] = "\r\n\r\nx\r\n" LAST;
    size_t most = CV_PART_HEAD_MAX - (sizeof(begin) - 1 - strlen("--AaB03x\r\n")) - 4;

    (void)state;
    for (size_t more = 0; more < 2; more++) {
        size_t fill = most + more;
        memcpy(body, begin, sizeof(begin) - 1);
        memset(body + sizeof(begin) - 1, 'x', fill);
        memcpy(body + sizeof(begin) - 1 + fill, end, sizeof(end));
        char *log = multipart_log(TYPE, cv_span_str(body), 100, 100, NULL);
        assert_string_equal(log, more == 0 ? "[a|-|-]x;end"
                                           : "The head of a part of the form is longer than 8 KiB");
        free(log);
    }
}

static void test_boundaries(void **state)
{
    static const struct {
        const char *type;
        const char *log;
    } cases[] = {
        {"multipart/form-data; boundary=\"AaB03x\"", "end"},
        {"multipart/form-data; charset=utf-8; BOUNDARY=AaB03x", "end"},
        {"multipart/form-data", "The form's Content-Type names no boundary"},
        {"multipart/form-data; boundary", "The form's Content-Type is malformed"},
        {"multipart/form-data; boundary=", "The form's Content-Type is malformed"},
        {"multipart/form-data; boundary=\"x", "The form's Content-Type is malformed"},
        {"multipart/form-data; boundary=AaB03x; x", "The form's Content-Type is malformed"},
        {"multipart/form-data; boundary=AaB03x, a/b", "The form's Content-Type is malformed"},
        {"multipart/form-data; boundary=AaB03x=y", "The form's Content-Type is malformed"},
        {"multipart/form-data; boundary=AaB03x; Boundary=b",
         "The form's Content-Type is malformed"},
        {"multipart/form-data; boundary*=UTF-8''AaB03x",
         "The form's Content-Type names no boundary"},
        {"multipart/form-data; boundary=\"\"",
         "The form's boundary is not 1 to 70 of the bytes that one may have"},
        {"multipart/form-data; boundary=\"a \"",
         "The form's boundary is not 1 to 70 of the bytes that one may have"},
        {"multipart/form-data; boundary=\"a\\\"\"",
         "The form's boundary is not 1 to 70 of the bytes that one may have"},
        {"multipart/form-data; "
         "boundary=12345678901234567890123456789012345678901234567890123456789012345678901",
         "The form's boundary is not 1 to 70 of the bytes that one may have"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *log = multipart_log(cv_span_str(cases[i].type), CV_SPAN(LAST), SIZE_MAX, 1, NULL);
        assert_string_equal(log, cases[i].log);
        free(log);
    }
}

static void test_a_long_boundary_with_all_its_bytes(void **state)
{
    static const char type[] = "multipart/form-data; boundary=\"'()+_,-./:=? "
                               "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz01234\"";
    static const char body[] = "--'()+_,-./:=? "
                               "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz01234--";
    (void)state;
    char *log = multipart_log(cv_span_str(type), cv_span_str(body), SIZE_MAX, 1, NULL);
    assert_string_equal(log, "end");
    free(log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields_and_files),
        cmocka_unit_test(test_a_part_may_have_no_body),
        cmocka_unit_test(test_what_stands_around_is_read_over),
        cmocka_unit_test(test_data_may_look_like_a_boundary),
        cmocka_unit_test(test_data_may_be_any_bytes),
        cmocka_unit_test(test_names_as_browsers_and_others_write_them),
        cmocka_unit_test(test_every_malformation_has_its_sentence),
        cmocka_unit_test(test_a_head_is_bounded),
        cmocka_unit_test(test_boundaries),
        cmocka_unit_test(test_a_long_boundary_with_all_its_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
