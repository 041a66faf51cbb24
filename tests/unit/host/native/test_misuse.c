/* What a handler can do wrong is refused, or happens, with a sentence that names it:
 * docs/misuse.md. */
#include "unit/host/native/rig.h"

#include <unistd.h>

#define SLOW_MS 40

static struct rig rig;
static covey_req *ended;
static _Atomic bool is_done;

/* ---- Handlers ---- */

static int forget(covey_req *req)
{
    (void)req;
    return 0;
}

static int answer_twice(covey_req *req)
{
    (void)covey_text(req, 200, "first");
    return covey_text(req, 200, "second");
}

static int respond_twice(covey_req *req)
{
    (void)covey_text(req, 200, "first");
    return covey_respond(req, 200);
}

static int remember(covey_req *req)
{
    ended = req;
    return covey_text(req, 200, "remembered");
}

/* Every call is refused; none reads what may be gone. */
static int use_ended(covey_req *req)
{
    size_t len = 1;
    size_t at = 0;
    const char *name;
    struct json_t *json;
    int bad = ended == req;
    bad += covey_text(ended, 200, "late") != -EPERM;
    bad += covey_set_header(ended, "X-Late", "1") != -EPERM;
    bad += covey_fail(ended, 400, "late") != -EPERM;
    bad += covey_respond(ended, 200) != -EPERM;
    bad += covey_query(ended, "a") != NULL;
    bad += covey_header(ended, "Host") != NULL;
    bad += covey_header_next(ended, &at, &name, &name);
    bad += covey_body(ended, &len) != NULL || len != 0;
    bad += covey_alloc(ended, 10) != NULL;
    bad += covey_ctx(ended) != NULL;
    bad += covey_app_of(ended) != NULL;
    bad += covey_blueprint_of(ended) != NULL;
    bad += covey_is_safe(ended);
    bad += covey_body_json(ended, &json) != -EPERM || json != NULL;
    return covey_textf(req, 200, "bad=%d", bad);
}

static int read_on_a_thread(void *req)
{
    return covey_query(req, "a") != NULL;
}

static int sleep_on_a_thread(void *arg)
{
    (void)arg;
    return covey_sleep_ms(1);
}

static int offload(covey_req *req)
{
    int bad = covey_offload(read_on_a_thread, req) != 0;
    bad += covey_offload(sleep_on_a_thread, NULL) != -EPERM;
    return covey_textf(req, 200, "bad=%d", bad);
}

static int block(covey_req *req)
{
    usleep(2 * SLOW_MS * 1000);
    return covey_text(req, 200, "blocked");
}

static int block_later(covey_req *req)
{
    int rc = covey_sleep_ms(1);
    return rc < 0 ? rc : block(req);
}

static int wait_long(covey_req *req)
{
    int rc = covey_sleep_ms(2 * SLOW_MS);
    return rc < 0 ? rc : covey_text(req, 200, "waited");
}

static void block_in_a_task(void *arg)
{
    (void)arg;
    usleep(2 * SLOW_MS * 1000);
    is_done = true;
}

static void block_in_a_task_later(void *arg)
{
    (void)covey_sleep_ms(1);
    block_in_a_task(arg);
}

static int add_tasks(covey_req *req)
{
    covey_app *app = covey_app_of(req);
    bool later = covey_query(req, "later") != NULL;
    int rc = covey_add_task(app, later ? block_in_a_task_later : block_in_a_task);
    return rc < 0 ? rc : covey_text(req, 200, "added");
}

static int block_start(covey_app *app)
{
    (void)app;
    (void)covey_sleep_ms(1);
    usleep(2 * SLOW_MS * 1000);
    return 0;
}

static int setup(covey_app *app)
{
    covey_listener(app, COVEY_BEFORE_SERVER_START, block_start);
    covey_get(app, "/forgets", forget);
    covey_get(app, "/twice", answer_twice);
    covey_get(app, "/text-then-stream", respond_twice);
    covey_get(app, "/remembers/<what>", remember);
    covey_post(app, "/remembers-much", remember);
    covey_get(app, "/uses-ended", use_ended);
    covey_get(app, "/offloads", offload);
    covey_get(app, "/blocks", block);
    covey_get(app, "/blocks-later", block_later);
    covey_get(app, "/waits", wait_long);
    covey_get(app, "/adds-tasks", add_tasks);
    return 0;
}

static int start(void **state)
{
    (void)state;
    ended = NULL;
    is_done = false;
    rig_init(&rig, setup);
    rig.config.debug = true;
    rig.config.slow_handler = SLOW_MS * CV_MS;
    rig_start(&rig);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    rig_stop(&rig);
    return 0;
}

/* ---- Answers ---- */

static void test_no_answer_is_named_with_what_to_do(void **state)
{
    (void)state;
    assert_status(rig_get(&rig, "/forgets"), 500);
    rig_assert_logged(&rig, "GET /forgets: the handler returned 0 without an answer; each way "
                            "through it must end in one");
}

static void test_second_answer_is_named_with_what_to_do(void **state)
{
    (void)state;
    assert_body(rig_get(&rig, "/twice"), "first");
    rig_assert_logged(
        &rig,
        "GET /twice: covey_text() after the request had been answered; the first answer stands");
    assert_body(rig_get(&rig, "/text-then-stream"), "first");
    rig_assert_logged(&rig,
                      "GET /text-then-stream: covey_respond() after the request had been answered");
}

/* ---- Ended requests ---- */

static void test_ended_request_refuses_every_call(void **state)
{
    (void)state;
    assert_body(rig_get(&rig, "/remembers/x"), "remembered");
    assert_body(rig_get(&rig, "/uses-ended"), "bad=0");
    rig_assert_logged(&rig, "the handler of GET /remembers/<what> (");
    rig_assert_logged(&rig, "): covey_text() was called on a request that has ended and was "
                            "refused; copy what is needed later");
    rig_assert_logged(&rig, "): covey_app_of() was called on a request that has ended");
    rig_assert_logged(&rig, "): covey_is_safe() was called on a request that has ended");
}

static void test_ended_requests_are_kept_for_a_while(void **state)
{
    (void)state;
    assert_body(rig_get(&rig, "/remembers/x"), "remembered");
    for (int i = 0; i < 200; i++)
        assert_status(rig_get(&rig, "/nothing"), 404);
    assert_body(rig_get(&rig, "/uses-ended"), "bad=0");
    for (int i = 0; i < 600; i++)
        assert_status(rig_get(&rig, "/nothing"), 404);
}

static void test_requests_with_long_bodies_end_as_without_debug(void **state)
{
    (void)state;
    static char body[10000];
    memset(body, 'x', sizeof(body) - 1);
    for (int i = 0; i < 10; i++)
        assert_body(rig_ask(&rig, "POST /remembers-much", "", body), "remembered");
}

/* ---- Threads ---- */

static void test_thread_is_refused_with_the_route_it_works_for(void **state)
{
    (void)state;
    assert_body(rig_get(&rig, "/offloads?a=1"), "bad=0");
    rig_assert_logged(&rig, "the handler of GET /offloads (");
    rig_assert_logged(&rig,
                      "): covey_query() was called outside the thread of the worker's loop and was "
                      "refused; other threads may only log and call covey_add_task()");
    rig_assert_logged(&rig,
                      "): covey_sleep_ms() was called outside the thread of the worker's loop");
}

/* ---- Blocking ---- */

static void test_handler_that_blocks_is_named(void **state)
{
    (void)state;
    assert_body(rig_get(&rig, "/blocks"), "blocked");
    rig_until(strstr(rig_log(&rig), "the handler of GET /blocks (") != NULL);
    rig_assert_logged(&rig, "has blocked the worker's loop for ");
    rig_assert_logged(&rig, "(SLOW_HANDLER is 40 ms), and nobody else was served; what blocks "
                            "belongs into covey_offload()");
}

static void test_handler_that_blocks_behind_a_wait_is_named(void **state)
{
    (void)state;
    assert_body(rig_get(&rig, "/blocks-later"), "blocked");
    rig_until(strstr(rig_log(&rig), "the handler of GET /blocks-later (") != NULL);
}

static void test_handler_that_waits_is_not_named(void **state)
{
    (void)state;
    assert_body(rig_get(&rig, "/waits"), "waited");
    assert_body(rig_get(&rig, "/blocks"), "blocked");
    rig_until(strstr(rig_log(&rig), "the handler of GET /blocks (") != NULL);
    assert_lacks(rig_log(&rig), "/waits");
}

static void test_task_that_blocks_is_named(void **state)
{
    (void)state;
    assert_body(rig_get(&rig, "/adds-tasks"), "added");
    rig_until(is_done);
    rig_until(strstr(rig_log(&rig), "a task has blocked the worker's loop") != NULL);
}

static void test_task_that_blocks_behind_a_wait_is_named(void **state)
{
    (void)state;
    assert_body(rig_get(&rig, "/adds-tasks?later"), "added");
    rig_until(is_done);
    rig_until(strstr(rig_log(&rig), "a task has blocked the worker's loop") != NULL);
}

static void test_start_listener_may_block(void **state)
{
    (void)state;
    assert_lacks(rig_log(&rig), "blocked");
}

int main(void)
{
#define WITH_RIG(name) cmocka_unit_test_setup_teardown(name, start, stop)
    const struct CMUnitTest tests[] = {
        WITH_RIG(test_no_answer_is_named_with_what_to_do),
        WITH_RIG(test_second_answer_is_named_with_what_to_do),
        WITH_RIG(test_ended_request_refuses_every_call),
        WITH_RIG(test_ended_requests_are_kept_for_a_while),
        WITH_RIG(test_requests_with_long_bodies_end_as_without_debug),
        WITH_RIG(test_thread_is_refused_with_the_route_it_works_for),
        WITH_RIG(test_handler_that_blocks_is_named),
        WITH_RIG(test_handler_that_blocks_behind_a_wait_is_named),
        WITH_RIG(test_handler_that_waits_is_not_named),
        WITH_RIG(test_task_that_blocks_is_named),
        WITH_RIG(test_task_that_blocks_behind_a_wait_is_named),
        WITH_RIG(test_start_listener_may_block),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
