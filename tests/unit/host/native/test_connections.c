/* What lives as long as a connection, and the signals of its beginning and end. */
#include "rig.h"

static struct rig rig;
static _Atomic int n_released, n_begun, n_complete, n_with;

static void release(void *ctx)
{
    free(ctx);
    n_released++;
}

/* Counts the requests of its connection. */
static int count(covey_req *req)
{
    int *n = covey_conn_ctx(req);
    if (n == NULL) {
        n = calloc(1, sizeof(*n));
        int rc = covey_conn_set_ctx(req, n, release);
        if (rc < 0) {
            free(n);
            return rc;
        }
    }
    return covey_textf(req, 200, "%d", ++*n);
}

static int none(covey_req *req)
{
    return covey_text(req, 200, covey_conn_ctx(req) == NULL ? "none" : "some");
}

/* Until the client has left. */
static int linger(covey_req *req)
{
    while (covey_sleep_ms(60000) == 0)
        continue;
    int rc = covey_conn_set_ctx(req, NULL, NULL);
    covey_info("set: %d", rc);
    return -ECANCELED;
}

static int on_begin(covey_app *app, const struct covey_signal_event *event)
{
    (void)app;
    n_begun += event->req != NULL && covey_conn_ctx(event->req) == NULL;
    return 0;
}

static int on_complete(covey_app *app, const struct covey_signal_event *event)
{
    (void)app;
    n_with += event->data != NULL;
    n_complete++;
    return 0;
}

static int setup(covey_app *app)
{
    covey_get(app, "/count", count);
    covey_get(app, "/none", none);
    covey_get(app, "/linger", linger);
    return 0;
}

static int setup_signals(covey_app *app)
{
    covey_signal(app, "http.lifecycle.begin", on_begin);
    covey_signal(app, "http.lifecycle.complete", on_complete);
    return setup(app);
}

#define TWO(target)                                                                                \
    "GET " target " HTTP/1.1\r\nHost: x\r\n\r\n"                                                   \
    "GET " target " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

static void start(covey_setup_fn *how)
{
    n_released = n_begun = n_complete = n_with = 0;
    rig_init(&rig, how);
    rig_start(&rig);
}

static void test_a_pointer_lives_as_long_as_its_connection(void **state)
{
    (void)state;
    start(setup);
    int other = rig_connect(&rig);
    rig_send(other, "GET /count HTTP/1.1\r\nHost: x\r\n\r\n");
    for (int i = 1; i <= 3; i++) {
        int fd = rig_connect(&rig);
        rig_send(fd, TWO("/count"));
        const char *answers = rig_read_all(fd, NULL);
        assert_has(answers, "\r\n\r\n1HTTP/1.1 200");
        assert_body(strstr(answers, "\r\n\r\n1") + 5, "2");
        close(fd);
        rig_until(n_released == i);
    }
    assert_body(rig_get(&rig, "/none"), "none");
    rig_stop(&rig);
    assert_int_equal(n_released, 4); /* with the other one, at the end */
    close(other);
}

static void test_a_connection_tells_of_its_beginning_and_its_end(void **state)
{
    (void)state;
    start(setup_signals);
    int fd = rig_connect(&rig);
    rig_send(fd, TWO("/none"));
    (void)rig_read_all(fd, NULL);
    close(fd);
    rig_until(n_complete == 1);
    assert_int_equal(n_begun, 1);
    assert_int_equal(n_with, 0);
    fd = rig_connect(&rig);
    rig_send(fd, TWO("/count"));
    (void)rig_read_all(fd, NULL);
    close(fd);
    rig_until(n_complete == 2 && n_released == 1);
    assert_int_equal(n_with, 1);
    fd = rig_connect(&rig); /* is told at the end of the worker, too */
    rig_send(fd, "GET /none HTTP/1.1\r\nHost: x\r\n\r\n");
    rig_until(n_begun == 3);
    rig_stop(&rig);
    assert_int_equal(n_complete, 3);
    close(fd);
}

static void test_nothing_is_kept_with_a_connection_that_has_gone(void **state)
{
    (void)state;
    start(setup_signals);
    int fd = rig_connect(&rig);
    rig_send(fd, "GET /linger HTTP/1.1\r\nHost: x\r\n\r\n");
    rig_until(n_begun == 1);
    close(fd);
    rig_until(n_complete == 1);
    rig_stop(&rig);

    char text[64];
    start(setup);
    fd = rig_connect(&rig);
    rig_send(fd, "GET /linger HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_body(rig_get(&rig, "/none"), "none"); /* by now it waits */
    const struct linger reset = {.l_onoff = 1};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    close(fd);
    snprintf(text, sizeof(text), "set: %d", -ECANCELED);
    rig_until(strstr(rig_log(&rig), text) != NULL);
    rig_stop(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_pointer_lives_as_long_as_its_connection),
        cmocka_unit_test(test_a_connection_tells_of_its_beginning_and_its_end),
        cmocka_unit_test(test_nothing_is_kept_with_a_connection_that_has_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
