/* Every call of covey.hpp, without options and with some: they are to compile without a warning as
 * C++20. */
#include <covey/covey.hpp>

static int handle(covey_req *req)
{
    return covey_status(req);
}
static int listen_to(covey_app *app)
{
    return covey_is_stopping(app);
}
static int hear(covey_app *app, const covey_signal_event *event)
{
    return app == nullptr || event == nullptr;
}
static bool is_ours(covey_app *app, const char *origin)
{
    return app != nullptr && origin[0] == 'h';
}

static int declare(covey_app *app)
{
    static const char *const command[] = {"sleep", "1", nullptr};
    covey::route(app, "GET", "/r", handle);
    covey::route(app, "GET POST", "/R", handle, {.name = "r"});
    covey::get(app, "/g", handle);
    covey::get(app, "/G", handle, {.response_timeout = 1000});
    covey::post(app, "/p", handle);
    covey::post(app, "/P", handle, {.body_max = 1 << 20, .stream = true});
    covey::put(app, "/u", handle);
    covey::put(app, "/U", handle, {.body_max = COVEY_OFF});
    covey::patch(app, "/a", [](covey_req *req) { return covey_empty(req, 204); });
    covey::patch(app, "/A", handle, {.name = "a"});
    covey::del(app, "/d", handle);
    covey::del(app, "/D", handle, {.name = "d"});
    covey::options(app, "/o", handle);
    covey::options(app, "/O", handle, {.name = "o"});
    covey::pattern(app, "some",
                   [](const char *segment, size_t len) { return segment != nullptr && len > 0; });
    covey::listener(app, COVEY_BEFORE_SERVER_START, listen_to);
    covey::middleware(app, COVEY_REQUEST, handle);
    covey::middleware(app, COVEY_REQUEST, handle, {.priority = 1});
    covey::on_error(app, COVEY_ANY_ERROR, handle);
    covey::cors(app, "https://a.example");
    covey::cors(app, nullptr, {.allow = is_ours, .credentials = true});
    covey::static_files(app, "/s", "public");
    covey::static_files(app, "/S", "public", {.index = "index.html", .hidden = true});
    covey::manage(app, "m", listen_to);
    covey::manage(app, "M", listen_to, {.workers = 2, .restart = COVEY_RESTART_NEVER});
    covey::manage_command(app, "c", command);
    covey::manage_command(app, "C", command, {.transient = true});
    covey::signal(app, "a.b.c", hear);
    covey::signal(app, "a.b.<c>", hear, {.priority = 1});
    covey_app *blueprint = covey::blueprint(app, "b", declare);
    blueprint = covey::blueprint(blueprint, "B", {.prefix = "/b"});
    return blueprint == app;
}
COVEY_APP(declare)
COVEY_APP_AS(another, declare)

int answer(covey_req *req);
int answer(covey_req *req)
{
    covey_app *app = covey_app_of(req);
    char room[10];
    int rc = covey::accepts(req, "text/html", "text/plain") == nullptr;
    rc += covey::url_for(req, "r") == nullptr;
    rc += covey::url_for(req, "r", {"id", "7"}, {.anchor = "top"}) == nullptr;
    rc += covey::app_url_for(app, "r") == nullptr;
    rc += covey::app_url_for(app, "r", {}, {.external = true}) == nullptr;
    rc += covey::file(req, "f");
    rc += covey::file(req, "f", {.root = "/", .download = "g"});
    rc += covey::set_cookie(req, "a", "b");
    rc += covey::set_cookie(req, "a", "b", {.httponly = true});
    rc += covey::delete_cookie(req, "a");
    rc += covey::delete_cookie(req, "a", {.path = "/x"});
    rc += covey::respond(req, 200);
    rc += covey::respond(req, 200, {.type = "text/plain", .length = 10});
    rc += covey::send(req, covey::body(req));
    rc += covey::sse_begin(req);
    rc += covey::sse_begin(req, {.heartbeat = 1000});
    rc += covey::sse_send(req, "x");
    rc += covey::sse_send(req, "x", {.event = "y"});
    rc += covey::add_task(app, [](void *) {});
    rc += covey::add_task(app, [](void *) {}, {.arg = room, .every = 1000});
    rc += covey::dispatch(app, "a.b.c");
    rc += covey::dispatch(app, "a.b.c", {.data = room});
    rc += covey::wait_signal(app, "a.b.c");
    rc += covey::wait_signal(app, "a.b.*",
                             {.timeout = 1000, .param = room, .param_size = sizeof(room)});
    rc += covey::offload([&room] { return room[0] == 'a'; });
    rc += covey::defer(req, [rc] { covey_info("%d", rc); });
    rc += covey::make<int>(req, 1) == nullptr;
    rc += covey::caught<handle>(req);
    return rc + covey::text(req, 200, "t") + covey::html(req, 200, "h");
}

int main(int argc, char **argv)
{
    covey::test t(declare);
    covey::test quiet(declare, {.log_level = "error"});
    int status = t.get("/").status + t.get("/", {.headers = {"A: b", "C: d"}}).status;
    status += t.post("/").status + t.post("/", {.type = "text/plain", .body = "x"}).status;
    covey_test_leave(t.open("/"));
    covey_test_leave(t.open("/", {.method = "POST"}));
    if (status == 0 || quiet.end() < 0)
        return covey::run(declare);
    return argc > 1   ? covey::run(declare, {.port = 9000})
           : argc > 0 ? covey::main(argc, argv, declare)
                      : covey::main(argc, argv, declare, {.workers = COVEY_WORKERS_FAST});
}
