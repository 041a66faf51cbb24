/* URLs built from routes: coded as their place demands, and found again. */
#include "app/routing/url.h"
#include "router_rig.h"

static char url[512];

static int build_url(struct fixture *f, struct covey_url what)
{
    struct cv_buf buf;
    const struct cv_route *route = cv_table_find(&f->router.names, cv_span_str(what.name));
    assert_non_null(route);
    cv_buf_init(&buf, sizeof(url) - 1);
    f->reason[0] = '\0';
    int rc = 0;
    if (cv_url_is_external(&what))
        rc =
            cv_url_origin(route, &what, CV_SPAN("fallback:80"), &buf, f->reason, sizeof(f->reason));
    if (rc == 0)
        rc = cv_url_path(&f->router, route, &what, &buf, f->reason, sizeof(f->reason));
    snprintf(url, sizeof(url), "%.*s", (int)buf.len, buf.len > 0 ? buf.at : "");
    cv_buf_done(&buf);
    return rc;
}

static void assert_url(struct fixture *f, struct covey_url what, const char *wanted)
{
    if (build_url(f, what) != 0)
        fail_msg("%s", f->reason);
    assert_string_equal(url, wanted);
}

static void assert_none(struct fixture *f, struct covey_url what, const char *why)
{
    assert_int_equal(build_url(f, what), -EINVAL);
    assert_says(f, why);
}

static void test_parameters_fill_the_path_and_the_rest_is_the_query(void **state)
{
    struct fixture *f = *state;
    add(f, "GET", "/", "root");
    add(f, "GET", "/a b/<id:int>/", "item");
    add(f, "GET", "/f/<rest:path>", "files");
    add(f, "GET", "/i/<file=slug:ext=tar.gz>", "image");
    add(f, "GET", "/e/<x:strorempty>", "empty");
    add(f, "GET", "/r/<x:v(\\d+)>", "regex");
    assert_url(f, (struct covey_url){.name = "root"}, "/");
    assert_url(f, (struct covey_url){.name = "root", .anchor = "a b/?#"}, "/#a%20b/?%23");
    assert_url(f, (struct covey_url){.name = "item", COVEY_ARGS("id", "-7")}, "/a%20b/-7/");
    assert_url(f,
               (struct covey_url){.name = "item",
                                  COVEY_ARGS("q", "a b&c=d+\xc3\xa9", "id", "7", "q", "", "~", "%"),
                                  .anchor = "top"},
               "/a%20b/7/?q=a+b%26c%3Dd%2B%C3%A9&q=&~=%25#top");
    assert_url(f, (struct covey_url){.name = "files", COVEY_ARGS("rest", "a/b c//%2f?")},
               "/f/a/b%20c//%252f%3F");
    assert_url(f, (struct covey_url){.name = "image", COVEY_ARGS("ext", "tar.gz", "file", "a-b")},
               "/i/a-b.tar.gz");
    assert_url(f, (struct covey_url){.name = "empty", COVEY_ARGS("x", "")}, "/e/");
    assert_url(f, (struct covey_url){.name = "empty", COVEY_ARGS("x", "a/b:@!$")}, "/e/a%2Fb:@!$");
    assert_url(f, (struct covey_url){.name = "regex", COVEY_ARGS("x", "v12")}, "/r/v12");
}

static void test_what_does_not_fit_is_refused(void **state)
{
    struct fixture *f = *state;
    add(f, "GET", "/a/<id:int>", "item");
    add(f, "GET", "/s/<s>", "str");
    add(f, "GET", "/f/<rest:path>", "files");
    add(f, "GET", "/i/<file:ext=jpg>", "image");
    assert_none(f, (struct covey_url){.name = "item"}, "the parameter \"id\" is missing");
    assert_none(f, (struct covey_url){.name = "item", COVEY_ARGS("x", "1")}, "\"id\" is missing");
    assert_none(f, (struct covey_url){.name = "item", COVEY_ARGS("id", "x")},
                "\"x\" does not fit the parameter <id:int>");
    assert_none(f, (struct covey_url){.name = "item", COVEY_ARGS("id", "1", "x", NULL)},
                "the argument \"x\" has no value");
    assert_none(f, (struct covey_url){.name = "item", COVEY_ARGS("id", "1", "odd")},
                "the argument \"odd\" has no value");
    assert_none(f, (struct covey_url){.name = "str", COVEY_ARGS("s", "")}, "does not fit");
    assert_none(f, (struct covey_url){.name = "str", COVEY_ARGS("s", "..")},
                "\"..\" cannot be a segment");
    assert_none(f, (struct covey_url){.name = "files", COVEY_ARGS("rest", "a/./b")},
                "\".\" cannot be a segment");
    add(f, "GET", "/<s:strorempty>/<rest:path>", "any");
    assert_none(f, (struct covey_url){.name = "files", COVEY_ARGS("rest", "/evil.example")},
                "does not fit");
    assert_none(f, (struct covey_url){.name = "any", COVEY_ARGS("s", "", "rest", "evil.example")},
                "it would begin with //, which names a server");
    assert_none(f, (struct covey_url){.name = "image", COVEY_ARGS("file", "a")},
                "\"ext\" is missing");
    assert_none(f, (struct covey_url){.name = "image", COVEY_ARGS("file", "a", "ext", "png")},
                "\"a.png\" does not fit");
}

static void test_scheme_and_server(void **state)
{
    struct fixture *f = *state;
    add(f, "GET", "/x", "x");
    add_how(f, "GET", "/h", (struct covey_route){.name = "one", .host = "A.example:81"});
    add_how(f, "GET", "/h", (struct covey_route){.name = "two", .host = "b.example c.example"});
    assert_url(f, (struct covey_url){.name = "x", .external = true}, "http://fallback:80/x");
    assert_url(f, (struct covey_url){.name = "x", .server = "s.example"}, "http://s.example/x");
    assert_url(f, (struct covey_url){.name = "x", .server = "https://s.example:8443"},
               "https://s.example:8443/x");
    assert_url(f, (struct covey_url){.name = "x", .server = "https://s.example", .scheme = "wss"},
               "wss://s.example/x");
    assert_url(f, (struct covey_url){.name = "one", .external = true}, "http://a.example:81/h");
    assert_url(f, (struct covey_url){.name = "one", .server = "s.example"}, "http://s.example/h");
    assert_url(f, (struct covey_url){.name = "two", .host = "c.example"}, "http://c.example/h");
    assert_none(f, (struct covey_url){.name = "two", .external = true}, "several hosts");
    assert_none(f, (struct covey_url){.name = "two", .host = "d.example"}, "none of the route's");
    assert_none(f, (struct covey_url){.name = "x", .server = "s.example/y"}, "no scheme with a");
    assert_none(f, (struct covey_url){.name = "x", .server = "s\r\nX: y"}, "no scheme with a");
    assert_none(f, (struct covey_url){.name = "x", .external = true, .scheme = "ht tp"},
                "no scheme with a");
}

static void test_nobody_can_name_the_server(void **state)
{
    struct fixture *f = *state;
    struct cv_buf buf;
    const struct covey_url what = {.name = "x", .external = true};
    add(f, "GET", "/x", "x");
    cv_buf_init(&buf, 100);
    assert_int_equal(
        cv_url_origin(f->router.first, &what, CV_SPAN(""), &buf, f->reason, sizeof(f->reason)),
        -EINVAL);
    assert_says(f, "set SERVER_NAME");
    cv_buf_done(&buf);
}

/* What was built is found, with the same values. */
static void test_a_url_leads_back_to_its_route(void **state)
{
    struct fixture *f = *state;
    static const char *const values[] = {"a", "a b", "a/b", "%2f", "\xc3\xa9?#", "+;&=", "~"};
    add(f, "GET", "/one/<x>/z", "one");
    add(f, "GET", "/rest/<x:path>", "rest");
    add(f, "GET", "/<x:strorempty>/<y>", "external");
    assert_url(f,
               (struct covey_url){
                   .name = "external", COVEY_ARGS("x", "", "y", "z"), .server = "s.example"},
               "http://s.example//z");
    for (size_t i = 0; i < CV_COUNT(values); i++) {
        assert_int_equal(
            build_url(f, (struct covey_url){.name = "one", COVEY_ARGS("x", values[i])}), 0);
        assert_string_equal(find(f, "GET", url), "one");
        assert_value(f, 0, values[i]);
        assert_int_equal(
            build_url(f, (struct covey_url){.name = "rest", COVEY_ARGS("x", values[i])}), 0);
        assert_string_equal(find(f, "GET", url), "rest");
        assert_value(f, 0, values[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_parameters_fill_the_path_and_the_rest_is_the_query),
        TEST(test_what_does_not_fit_is_refused),
        TEST(test_scheme_and_server),
        TEST(test_nobody_can_name_the_server),
        TEST(test_a_url_leads_back_to_its_route),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
