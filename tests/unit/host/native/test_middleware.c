/* Middleware around handlers: its order, what ends the chain, what it may change. */
#include "rig.h"

static char order[256];
static struct rig rig;

static void note(const char *what)
{
    size_t len = strlen(order);
    snprintf(order + len, sizeof(order) - len, "%s ", what);
}

static int mark_in(covey_req *req)
{
    covey_set_ctx(req, order);
    note("in1");
    return covey_query(req, "stop1") != NULL ? covey_text(req, 200, "stopped") : 0;
}

static int mark_in_2(covey_req *req)
{
    note("in2");
    return covey_query(req, "fail2") != NULL ? covey_fail(req, 403, "not you") : 0;
}

static int mark_out(covey_req *req)
{
    note("out1");
    return covey_set_header(req, "X-Status", covey_sprintf(req, "%d", covey_status(req)));
}

static int mark_out_2(covey_req *req)
{
    note("out2");
    if (covey_query(req, "failout") != NULL)
        return covey_fail(req, 500, "in the response middleware");
    if (covey_query(req, "instead") != NULL && covey_reset_response(req) == 0)
        return covey_html(req, 203, "instead");
    if (covey_query(req, "nothing") != NULL)
        return covey_reset_response(req);
    return covey_query(req, "again") != NULL ? covey_text(req, 200, "again") : 0;
}

static int handler(covey_req *req)
{
    note("handler");
    return covey_ctx(req) == order ? covey_text(req, 200, "handled") : -EIO;
}

static int streaming(covey_req *req)
{
    if (covey_query(req, "reset") != NULL)
        covey_text(req, 404, "not this");
    covey_reset_response(req);
    if (covey_respond(req, 200) == 0 && covey_reset_response(req) != -EALREADY)
        return -EIO;
    covey_send(req, "x", 1);
    return 0;
}

static int setup_middleware(covey_app *app)
{
    covey_middleware(app, COVEY_REQUEST, mark_in);
    covey_middleware(app, COVEY_REQUEST, mark_in_2);
    covey_middleware(app, COVEY_RESPONSE, mark_out);
    covey_middleware(app, COVEY_RESPONSE, mark_out_2);
    covey_get(app, "/h", handler);
    covey_get(app, "/s", streaming);
    return 0;
}

static void assert_chain(const char *target, int status, const char *chain)
{
    order[0] = '\0';
    const char *answer = rig_get(&rig, target);
    assert_status(answer, status);
    assert_string_equal(order, chain);
}

static void test_middleware_runs_around_the_handler(void **state)
{
    (void)state;
    rig_init(&rig, setup_middleware);
    rig_start(&rig);
    assert_chain("/h?stop1", 200, "in1 out2 out1 ");
    assert_chain("/h?fail2", 403, "in1 in2 out2 out1 ");
    assert_chain("/h?failout", 500, "in1 in2 handler out2 ");
    assert_chain("/h?again", 200, "in1 in2 handler out2 out1 ");
    assert_body(rig_get(&rig, "/h?again"), "handled");
    assert_chain("/h", 200, "in1 in2 handler out2 out1 ");
    assert_chain("/nowhere", 404, "in1 in2 out2 out1 ");
    assert_chain("/h%", 400, "out2 out1 ");
    assert_chain("/h%?failout", 500, "out2 ");
    assert_lacks(rig_get(&rig, "/h%?failout"), "in the response middleware");
    assert_chain("/s", 200, "in1 in2 out2 out1 ");
    assert_chain("/s?failout", 500, "in1 in2 out2 ");
    assert_body(rig_get(&rig, "/h?instead"), "instead");
    assert_chain("/h?instead", 203, "in1 in2 handler out2 out1 ");
    assert_has(rig_get(&rig, "/h?instead"), "Content-Type: text/html");
    assert_chain("/nowhere?instead", 203, "in1 in2 out2 out1 ");
    assert_chain("/h?nothing", 500, "in1 in2 handler out2 out1 ");
    rig_assert_logged(&rig, "The response middleware has left no answer");
    assert_chain("/s?instead", 200, "in1 in2 out2 out1 ");
    assert_chain("/s?reset", 200, "in1 in2 out2 out1 ");
    assert_has(rig_get(&rig, "/nowhere"), "X-Status: 404\r\n");
    assert_has(rig_get(&rig, "/s"), "X-Status: 200\r\n");
    rig_stop(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_middleware_runs_around_the_handler),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
