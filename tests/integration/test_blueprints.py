"""Blueprints, error handlers, signals and tasks in a server of several processes."""

from client import eventually

APP = """
static int note(covey_app *bp, const struct covey_signal_event *event)
{
    (void)bp;
    covey_info("%s in %d", event->name, (int)getpid());
    return 0;
}

static int open_up(covey_app *bp)
{
    static char open[] = "open";
    covey_app_set_ctx(bp, open);
    return 0;
}

static int close_down(covey_app *bp)
{
    covey_info("closed: %s", (const char *)covey_app_ctx(bp));
    return 0;
}

static int show(covey_req *req)
{
    if (covey_param_int(req, "id") == 0)
        return covey_fail(req, 404, "no user 0");
    return covey_textf(req, 200, "user %s, %s", covey_param(req, "id"),
                       (const char *)covey_app_ctx(covey_blueprint_of(req)));
}

static int upload(covey_req *req) { return covey_empty(req, 204); }

static int explain(covey_req *req)
{
    return covey_textf(req, covey_error_status(req), "sorry: %s", covey_error_text(req));
}

static int key(covey_req *req)
{
    return covey_header(req, "X-Key") == NULL ? covey_fail(req, 401, "no key") : 0;
}

static _Atomic int ticks;
static void tick(void *arg) { (void)arg; ticks++; }
static int count(covey_req *req) { return covey_textf(req, 200, "%d", (int)ticks); }

static int users(covey_app *bp)
{
    covey_listener(bp, COVEY_BEFORE_SERVER_START, open_up);
    covey_listener(bp, COVEY_AFTER_SERVER_STOP, close_down);
    covey_get(bp, "/<id:int>", show, .name = "show");
    covey_post(bp, "/upload", upload, .body_max = 3);
    covey_on_error(bp, COVEY_CLIENT_ERROR, explain);
    return 0;
}

static int setup(covey_app *app)
{
    covey_app *admin = covey_blueprint(app, "admin", .prefix = "/admin");
    covey_middleware(admin, COVEY_REQUEST, key);
    covey_blueprint(app, "users", users, .prefix = "/users");
    covey_blueprint(admin, "users", users, .prefix = "/users");
    covey_signal(app, "server.init.after", note);
    covey_signal(app, "server.shutdown.after", note);
    covey_get(app, "/ticks", count);
    return covey_add_task(app, tick, .name = "tick", .every = 5);
}
"""


def test_a_blueprint_in_two_places(jobs, app):
    server = jobs.server(app(APP), workers=2).wait_serving()
    assert server.get("/users/7").text == "user 7, open"
    assert server.get("/admin/users/7").status == 401
    assert server.get("/admin/users/7").text == "sorry: no key"
    assert server.get("/admin/users/7", **{"X-Key": "sesame"}).text == "user 7, open"


def test_errors_of_a_blueprint_and_of_the_app(jobs, app):
    server = jobs.server(app(APP), workers=1).wait_serving()
    assert server.get("/users/0").text == "sorry: no user 0"
    assert "Requested URL /nowhere not found" in server.get("/nowhere").text
    with server.connect() as connection:
        answer = connection.post("/users/upload", b"four")
        assert (answer.status, answer.text) == (413, "sorry: The request body is too large (REQUEST_MAX_SIZE)")


def test_each_worker_tells_its_signals_and_runs_its_listeners(jobs, app):
    server = jobs.server(app(APP), workers=2).wait_serving()
    eventually("both have told", lambda: server.err.count("server.init.after in ") == 2)
    server.stop()
    assert server.err.count("server.shutdown.after in ") == 2
    assert server.err.count("closed: open") == 4


def test_a_timer_ticks_in_a_server_that_is_idle(jobs, app):
    server = jobs.server(app(APP), workers=1).wait_serving()
    before = int(server.get("/ticks").text)
    eventually("it has ticked", lambda: int(server.get("/ticks").text) > before + 2)


def test_what_is_registered_wrong_ends_the_start_with_its_place(jobs, app):
    wrong = APP.replace('"admin", .prefix', '"users", .prefix')
    job = jobs.server(app(wrong), workers=1)
    assert job.wait_code() == 4
    assert "blueprint users: there is one of this name already" in job.err
    assert "app.c:" in job.err
