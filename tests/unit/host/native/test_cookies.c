/* covey_set_cookie() and covey_delete_cookie(). */
#include "rig.h"

static int several(covey_req *req)
{
    int bad = covey_set_cookie(req, "plain", "1") != 0;
    bad += covey_set_cookie(req, "empty") != 0;
    bad += covey_set_cookie(req, "all", "x=y", .path = "/a", .domain = "example.com", .max_age = 60,
                            .expires = 784111777, .samesite = "strict", .httponly = true,
                            .partitioned = true, .secure_prefix = true) != 0;
    bad += covey_set_cookie(req, "bare", "1", .path = "", .samesite = "", .secure = COVEY_OFF) != 0;
    bad += covey_set_cookie(req, "host", "1", .host_prefix = true) != 0;
    bad += covey_set_cookie(req, "twice", "first") != 0;
    bad += covey_set_cookie(req, "twice", "elsewhere", .path = "/b") != 0;
    bad += covey_set_cookie(req, "twice", "second") != 0;
    bad += covey_delete_cookie(req, "gone") != 0;
    bad += covey_delete_cookie(req, "sid", "ignored", .path = "/app", .host_prefix = false,
                               .max_age = 5) != 0;
    return covey_textf(req, 200, "bad=%d", bad);
}

static int refused(covey_req *req)
{
    int bad = covey_set_cookie(req, "a b", "1") != -EINVAL;
    bad += covey_set_cookie(req, NULL, "1") != -EINVAL;
    bad += covey_set_cookie(req, "a", "b; Domain=evil") != -EINVAL;
    bad += covey_set_cookie(req, "a", "b\r\nX-Injected: 1") != -EINVAL;
    bad += covey_set_cookie(req, "a", "1", .path = "/\r\nX-Injected: 1") != -EINVAL;
    bad += covey_set_cookie(req, "a", "1", .samesite = "None", .secure = COVEY_OFF) != -EINVAL;
    bad += covey_set_cookie(req, "a", "1", .host_prefix = true, .domain = "b") != -EINVAL;
    bad += covey_set_cookie(req, "a", "1", .host_prefix = true, .secure_prefix = true) != -EINVAL;
    bad += covey_delete_cookie(req, "a", .secure_prefix = true, .secure = COVEY_OFF) != -EINVAL;
    bad += covey_set_cookie_with(req, &(struct covey_cookie){"a", "1", .size = 4096}) != -EINVAL;
    return covey_textf(req, 200, "bad=%d", bad);
}

static int too_late(covey_req *req)
{
    covey_set_cookie(req, "early", "1");
    covey_respond(req, 200);
    bool is_refused = covey_set_cookie(req, "late", "1") == -EPERM;
    return covey_send(req, is_refused ? "refused" : "taken", is_refused ? 7 : 5);
}

static int fails(covey_req *req)
{
    covey_delete_cookie(req, "sid");
    return covey_fail(req, 401, "who are you?");
}

static int setup(covey_app *app)
{
    covey_get(app, "/several", several);
    covey_get(app, "/refused", refused);
    covey_get(app, "/too-late", too_late);
    covey_get(app, "/fails", fails);
    return 0;
}

static struct rig rig;

static int start(void **state)
{
    (void)state;
    rig_init(&rig, setup);
    rig_start(&rig);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    rig_stop(&rig);
    return 0;
}

static void test_what_a_browser_would_drop_is_refused_with_a_sentence(void **state)
{
    (void)state;
    const char *answer = rig_get(&rig, "/refused");
    assert_body(answer, "bad=0");
    assert_lacks(answer, "Set-Cookie");
    assert_lacks(answer, "Injected");
    rig_assert_logged(&rig, "GET /refused: cookie \"a b\" was refused: the name is no token");
    rig_assert_logged(&rig, "cookie \"__Host-a\" was refused: a name that begins with __Host-");
    rig_assert_logged(&rig, ".host_prefix and .secure_prefix exclude each other");
}

static void test_a_cookie_behind_the_head_is_refused(void **state)
{
    (void)state;
    const char *answer = rig_get(&rig, "/too-late");
    assert_has(answer, "Set-Cookie: early=1; Path=/; SameSite=Lax; Secure\r\n");
    assert_has(answer, "refused");
    assert_lacks(answer, "late=");
}

static void test_several_cookies(void **state)
{
    (void)state;
    const char *answer = rig_get(&rig, "/several");
    assert_body(answer, "bad=0");
    assert_has(answer, "Set-Cookie: plain=1; Path=/; SameSite=Lax; Secure\r\n");
    assert_has(answer, "Set-Cookie: empty=; Path=/; SameSite=Lax; Secure\r\n");
    assert_has(answer, "Set-Cookie: __Secure-all=x=y; Path=/a; Domain=example.com; Max-Age=60; "
                       "Expires=Sun, 06 Nov 1994 08:49:37 GMT; SameSite=Strict; Secure; HttpOnly; "
                       "Partitioned\r\n");
    assert_has(answer, "Set-Cookie: bare=1\r\n");
    assert_has(answer, "Set-Cookie: __Host-host=1; Path=/; SameSite=Lax; Secure\r\n");
    assert_has(answer, "Set-Cookie: gone=; Path=/; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 "
                       "GMT; SameSite=Lax; Secure\r\n");
    assert_has(answer, "Set-Cookie: sid=; Path=/app; Max-Age=0;");
}

static void test_the_later_one_takes_the_place_of_the_earlier(void **state)
{
    (void)state;
    const char *answer = rig_get(&rig, "/several");
    assert_lacks(answer, "twice=first");
    assert_has(answer, "Set-Cookie: twice=second; Path=/;");
    assert_has(answer, "Set-Cookie: twice=elsewhere; Path=/b;");
}

static void test_an_error_page_keeps_them(void **state)
{
    (void)state;
    const char *answer = rig_get(&rig, "/fails");
    assert_status(answer, 401);
    assert_has(answer, "Set-Cookie: sid=; Path=/; Max-Age=0;");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_what_a_browser_would_drop_is_refused_with_a_sentence),
        TEST(test_a_cookie_behind_the_head_is_refused),
        TEST(test_several_cookies),
        TEST(test_the_later_one_takes_the_place_of_the_earlier),
        TEST(test_an_error_page_keeps_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
