/* examples/hello_cpp.cpp, and what covey.hpp adds to the calls of C. */
#define main hello_cpp_main
#include "hello_cpp.cpp"
#undef main

#include <cassert>
#include <cstdlib>
#include <memory>

static std::string ended; /* what has ended, in order */

struct noisy {
    std::string name;
    explicit noisy(const char *given) : name(given)
    {
    }
    ~noisy()
    {
        ended += name + " ";
    }
};

static int end_in_order(covey_req *req)
{
    auto held = std::make_unique<noisy>("pointer");
    covey::make<noisy>(req, "object");
    int rc = covey::defer(req, [held = std::move(held)] { ended += "deferred "; });
    return rc < 0 ? rc : covey::html(req, 200, "<p>");
}

static int fail_strangely(covey_req *)
{
    throw 42;
}

static int link_to(covey_req *req)
{
    auto other = covey::app_url_for(covey_app_of(req), "greeting", {"name", "b"});
    return covey_textf(req, 200, "%s %s",
                       covey::url_for(req, "greeting", {"name", "a"}, {.anchor = "top"}),
                       other.get());
}

static int add(covey_app *app)
{
    setup(app);
    covey::middleware(app, COVEY_RESPONSE,
                      [](covey_req *req) { return covey_set_header(req, "X-By", "covey"); });
    covey::get(app, "/order", end_in_order);
    covey::get(app, "/greet/<name>", end_in_order, {.name = "greeting"});
    covey::get(app, "/link", link_to);
    covey::get(app, "/strange", covey::caught<fail_strangely>);
    covey::on_error(app, 404, [](covey_req *req) { return covey::text(req, 404, "nowhere"); });
    return 0;
}

static int wrong(covey_app *app)
{
    covey::get(app, "no slash", fail_strangely);
    return 0;
}

int main()
{
    covey::test t(add, {.request_max_size = 1000});
    assert(covey::body(t.get("/")) == "Hello, World!");
    assert(covey::body(t.get("/hello/covey")) == "Hello, covey!");
    assert(covey::body(t.post("/double", {.body = "21"})) == "42");
    assert(t.post("/double", {.body = "many"}).status == 500);
    assert(t.request("PUT", "/double").status == 405);
    assert(covey::body(t.get("/nothing")) == "nowhere");
    assert(std::string(covey_test_header(&t.get("/"), "X-By")) == "covey");
    assert(t.get("/strange").status == 500);
    assert(covey::body(t.get("/link")) == "/greet/a#top /greet/b");

    assert(std::string(covey_test_header(&t.get("/order"), "Content-Type")) ==
           "text/html; charset=utf-8");
    assert(ended == "deferred pointer object ");
    assert(t.end() == 0);

    /* Where a registration is wrong is told by file and line. */
    covey::test bad(wrong);
    assert(std::string(covey_test_error(bad.get())).find("test_hello_cpp.cpp:") !=
           std::string::npos);
}
