/* Tasks as apps see them: by name, later, again and again; from setup, handlers and blueprints. */
#include "rig.h"

static struct rig rig;
static _Atomic int n_ticks, n_late, n_ended, n_too_early;
static bool is_open;

static void tick(void *arg)
{
    n_ticks += *(int *)arg;
}

static void late(void *arg)
{
    (void)arg;
    n_too_early += !is_open;
    n_late++;
}

static void wait_long(void *arg)
{
    (void)arg;
    int rc = covey_sleep_ms(60000);
    n_ended += rc == -ECANCELED;
}

static int add(covey_req *req)
{
    int rc = covey_add_task(covey_app_of(req), wait_long, .name = "long");
    return covey_textf(req, 200, "%d %d", rc, covey_has_task(covey_app_of(req), "long"));
}

static int cancel(covey_req *req)
{
    int rc = covey_cancel_task(covey_app_of(req), covey_query(req, "name"));
    return covey_textf(req, 200, "%d %d", rc, (int)n_ended);
}

static int wrong(covey_req *req)
{
    covey_app *app = covey_app_of(req);
    return covey_textf(req, 200, "%d %d %d %d", covey_add_task(app, NULL),
                       covey_add_task(app, tick, .delay = -1), covey_has_task(app, NULL),
                       covey_add_task_with(app, &(struct covey_task){.fn = tick}));
}

/* Tasks of setup may use what start listeners make, however long those wait. */
static int open_slowly(covey_app *app)
{
    (void)app;
    int rc = covey_sleep_ms(5);
    is_open = true;
    return rc;
}

static int setup(covey_app *app)
{
    covey_listener(app, COVEY_BEFORE_SERVER_START, open_slowly);
    static int two = 2;
    covey_app *part = covey_blueprint(app, "part", .prefix = "/part");
    covey_get(app, "/add", add);
    covey_get(app, "/cancel", cancel);
    covey_get(app, "/wrong", wrong);
    (void)covey_add_task(app, late, .delay = 1);
    return covey_add_task(part, tick, .arg = &two, .name = "tick", .every = 1);
}

static void assert_numbers(const char *target, int a, int b)
{
    char expected[64];
    snprintf(expected, sizeof(expected), "%d %d", a, b);
    assert_body(rig_get(&rig, target), expected);
}

static void test_tasks_by_name(void **state)
{
    (void)state;
    rig_init(&rig, setup);
    rig_start(&rig);
    rig_until(n_late == 1 && n_ticks >= 6);
    assert_numbers("/cancel?name=tick", 0, 0);
    assert_numbers("/cancel?name=tick", -ENOENT, 0);
    assert_int_equal(n_ticks % 2, 0);
    assert_numbers("/add", 0, 1);
    assert_numbers("/add", -EEXIST, 1);
    assert_numbers("/cancel?name=long", 0, 1);
    assert_numbers("/cancel", -ENOENT, 1);
    assert_numbers("/add", 0, 1);
    char expected[64];
    snprintf(expected, sizeof(expected), "%d %d 0 %d", -EINVAL, -EINVAL, -EINVAL);
    assert_body(rig_get(&rig, "/wrong"), expected);
    rig_assert_logged(&rig, "covey_add_task(): task without a name: its function is NULL");
    rig_assert_logged(&rig, ".delay and .every are milliseconds, 0 or more");
    rig_stop(&rig);
    assert_int_equal(n_late, 1);
    assert_int_equal(n_too_early, 0);
    assert_int_equal(n_ended, 2); /* the end has cancelled the second */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tasks_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
