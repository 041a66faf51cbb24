/* Every macro of the public headers, without options and with some: they are to compile without a
 * warning as C11, C17 and C23. */
#include <covey/covey.h>
#include <covey/test.h>

static int handle(covey_req *req)
{
    return covey_status(req);
}
static int listen_to(covey_app *app)
{
    return covey_is_stopping(app);
}
static int hear(covey_app *app, const struct covey_signal_event *event)
{
    return app == NULL || event == NULL;
}
static bool is_ours(covey_app *app, const char *origin)
{
    return app != NULL && origin[0] == 'h';
}
static bool match(const char *segment, size_t len)
{
    return segment != NULL && len > 0;
}
static void work(void *arg)
{
    (void)arg;
}

int declare(covey_app *app);
int declare(covey_app *app)
{
    static const char *const command[] = {"sleep", "1", NULL};
    covey_route(app, "GET", "/r", handle);
    covey_route(app, "GET POST", "/R", handle, .name = "r");
    covey_get(app, "/g", handle);
    covey_get(app, "/G", handle, .response_timeout = 1000);
    covey_post(app, "/p", handle);
    covey_post(app, "/P", handle, .body_max = 1 << 20, .stream = true);
    covey_put(app, "/u", handle);
    covey_put(app, "/U", handle, .body_max = COVEY_OFF);
    covey_patch(app, "/a", handle);
    covey_patch(app, "/A", handle, .name = "a");
    covey_delete(app, "/d", handle);
    covey_delete(app, "/D", handle, .name = "d");
    covey_options(app, "/o", handle);
    covey_options(app, "/O", handle, .name = "o");
    covey_pattern(app, "some", match);
    covey_listener(app, COVEY_BEFORE_SERVER_START, listen_to);
    covey_middleware(app, COVEY_REQUEST, handle);
    covey_middleware(app, COVEY_REQUEST, handle, .priority = 1);
    covey_on_error(app, COVEY_ANY_ERROR, handle);
    covey_cors(app, "https://a.example");
    covey_cors(app, "https://a.example", .credentials = true);
    covey_cors(app, .allow = is_ours);
    covey_static(app, "/s", "public");
    covey_static(app, "/S", "public", .index = "index.html", .hidden = true);
    covey_manage(app, "m", listen_to);
    covey_manage(app, "M", listen_to, .workers = 2, .restart = COVEY_RESTART_NEVER);
    covey_manage_command(app, "c", command);
    covey_manage_command(app, "C", command, .transient = true);
    covey_signal(app, "a.b.c", hear);
    covey_signal(app, "a.b.<c>", hear, .priority = 1);
    covey_app *blueprint = covey_blueprint(app, "b", declare);
    blueprint = covey_blueprint(blueprint, "B", .prefix = "/b");
    return blueprint == app;
}
COVEY_APP(declare)
COVEY_APP_AS(another, declare)

int answer(covey_req *req);
int answer(covey_req *req)
{
    covey_app *app = covey_app_of(req);
    char room[10];
    int rc = covey_accepts(req, "text/html", "text/plain") == NULL;
    rc += covey_url_for(req, "r") == NULL;
    rc += covey_url_for(req, "r", COVEY_ARGS("id", "7"), .anchor = "top") == NULL;
    rc += covey_app_url_for(app, "r") == NULL;
    rc += covey_app_url_for(app, "r", .external = true) == NULL;
    rc += covey_file(req, "f");
    rc += covey_file(req, "f", .root = "/", .download = "g");
    rc += covey_set_cookie(req, "a", "b");
    rc += covey_set_cookie(req, "a", "b", .httponly = true);
    rc += covey_delete_cookie(req, "a");
    rc += covey_delete_cookie(req, "a", .path = "/x");
    rc += covey_respond(req, 200);
    rc += covey_respond(req, 200, .type = "text/plain", .length = 10);
    rc += covey_sse_begin(req);
    rc += covey_sse_begin(req, .heartbeat = 1000);
    rc += covey_sse_send(req, "x");
    rc += covey_sse_send(req, "x", .event = "y");
    rc += covey_add_task(app, work);
    rc += covey_add_task(app, work, .arg = room, .every = 1000);
    rc += covey_dispatch(app, "a.b.c");
    rc += covey_dispatch(app, "a.b.c", .data = room);
    rc += covey_wait_signal(app, "a.b.c");
    rc +=
        covey_wait_signal(app, "a.b.*", .timeout = 1000, .param = room, .param_size = sizeof(room));
    return rc;
}

int test(void);
int test(void)
{
    covey_test *t = covey_test_new(declare);
    covey_test_free(t);
    t = covey_test_new(declare, .log_level = "error");
    int status = covey_test_request(t, "/")->status;
    status += covey_test_request(t, "/", .method = "BREW")->status;
    status += covey_test_get(t, "/")->status;
    status += covey_test_get(t, "/", .headers = {"A: b", "C: d"})->status;
    status += covey_test_head(t, "/")->status;
    status += covey_test_head(t, "/", .client_ip = "::1")->status;
    status += covey_test_post(t, "/")->status;
    status += covey_test_post(t, "/", .body = "x", .type = "text/plain")->status;
    status += covey_test_put(t, "/")->status;
    status += covey_test_put(t, "/", .body = "x", .len = 1)->status;
    status += covey_test_patch(t, "/")->status;
    status += covey_test_patch(t, "/", .body = "x")->status;
    status += covey_test_delete(t, "/")->status;
    status += covey_test_delete(t, "/", .timeout = 10)->status;
    status += covey_test_options(t, "/")->status;
    status += covey_test_options(t, "/", .timeout = 10)->status;
    covey_test_leave(covey_test_open(t, "/"));
    covey_test_leave(covey_test_open(t, "/", .method = "POST"));
    return status;
}

int main(int argc, char **argv)
{
    int code = 0;
    if (argc > 2)
        code = covey_run(declare);
    else if (argc > 1)
        code = covey_run(declare, .port = 9000);
    else if (argc > 0)
        code = covey_main(argc, argv, declare);
    else
        code = covey_main(argc, argv, declare, .workers = COVEY_WORKERS_FAST);
    return code;
}
