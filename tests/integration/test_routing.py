"""Routes over the wire: hosts, slashes, versions, methods, what no client can keep busy; and what ends the start."""

import time

import pytest

from client import Connection
from harness import free_port
from server import Server

APP = r"""
static int name(covey_req *req) { return covey_text(req, 200, covey_route_name(req)); }
static int user_url(covey_req *req)
{
    return covey_text(req, 200, covey_url_for(req, "user", COVEY_ARGS("id", "7", "q", "a b"), .external = true));
}
static int setup(covey_app *app)
{
    covey_get(app, "/users/<id:int>", name, .name = "user");
    covey_get(app, "/users/<x>/", name, .name = "users with a slash", .strict_slashes = 1);
    covey_route(app, "GET POST", "/hosted", name, .name = "any host");
    covey_get(app, "/hosted", name, .name = "a", .host = "a.example, b.example:81");
    covey_get(app, "/list", name, .name = "list", .version = "2", .version_prefix = "/api/v");
    covey_get(app, "/hard/<x:(?:a+)+[bc]>", name, .name = "hard");
    covey_get(app, "/link", user_url);
    return 0;
}
"""


@pytest.fixture(scope="module")
def served(app, tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("routing"), app(APP, name="routing"), workers=1)
    try:
        server.wait_serving()
        yield server
        server.stop()
    finally:
        server.close()


@pytest.fixture
def connection(served):
    with served.connect() as made:
        yield made


def ask(served, target, host, method="GET"):
    """The answer to a request of HTTP/1.1 with this Host."""
    with Connection(served.address) as made:
        made.send(f"{method} {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        return made.response(head=method == "HEAD")


@pytest.mark.parametrize("path, route", [
    ("/users/7", b"user"),
    ("/users/7/", b"user"),
    ("/users/x/", b"users with a slash"),
    ("/api/v2/list", b"list"),
    ("/api/v2/list/", b"list"),
    ("/api/v2/l%69st", b"list"),
])
def test_path_finds_its_route(connection, path, route):
    answer = connection.get(path)
    assert (answer.status, answer.body) == (200, route)


@pytest.mark.parametrize("path", ["/users/x", "/list", "/v2/list", "/api/v2/list//", "/users/9223372036854775808"])
def test_path_without_a_route_is_404(connection, path):
    assert connection.get(path).status == 404


@pytest.mark.parametrize("host, route", [
    ("a.example", b"a"),
    ("A.EXAMPLE:8000", b"a"),
    ("b.example:81", b"a"),
    ("b.example", b"any host"),
    ("localhost", b"any host"),
    ("127.0.0.1:8000", b"any host"),
])
def test_host_finds_its_route(served, host, route):
    assert ask(served, "/hosted", host).body == route


def test_methods_of_all_that_stand_at_a_path(served):
    answer = ask(served, "/hosted", "a.example", "DELETE")
    assert (answer.status, answer.header("Allow")) == (405, "GET, HEAD, POST, OPTIONS")
    assert ask(served, "/hosted", "a.example", "POST").body == b"any host"
    answer = ask(served, "/hosted", "a.example", "OPTIONS")
    assert (answer.status, answer.header("Allow")) == (204, "GET, HEAD, POST, OPTIONS")
    assert ask(served, "/hosted", "a.example", "HEAD").status == 200


@pytest.mark.parametrize("target, route", [
    ("http://A.example/hosted", b"a"), ("http://b.example:81/hosted", b"a"), ("http://b.example/hosted", b"any host"),
    ("/hosted", b"any host")])
def test_without_host_the_target_says_it(served, target, route):
    with served.connect() as made:
        made.send(f"GET {target} HTTP/1.0\r\n\r\n".encode())
        assert made.response().body == route


def test_url_of_a_route_names_the_requests_host(served):
    assert ask(served, "/link", "www.example:8000").body == b"http://www.example:8000/users/7?q=a+b"


def test_regular_expression_keeps_nobody_busy(served, connection):
    """Each of them would run for years; the log says once that it was given up."""
    begun = time.monotonic()
    for _ in range(50):
        assert connection.get("/hard/" + "a" * 4000).status == 404
    assert time.monotonic() - begun < 60
    assert connection.get("/hard/aab").body == b"hard"
    assert served.err.count("gave up") == 1


# What ends the start

ROUTES = """
static int root(covey_req *req) { return covey_text(req, 200, ""); }
static int setup(covey_app *app)
{
    %s
    return 0;
}
"""


def refusal(jobs, app, first, second, env=None):
    job = jobs.run([app(ROUTES % f"{first}\n    {second}"), "--port", free_port()], env=env or {}, timeout=10)
    assert job.code == 4, job.err
    return [line for line in job.err.splitlines() if "app.c:" in line][0]


@pytest.mark.parametrize("first, second, words", [
    ('covey_get(app, "/a/<x>", root);', 'covey_get(app, "/a/<y:str>", root);',
     "route /a/<y:str>: it conflicts with GET /a/<x>, registered at "),
    ('covey_get(app, "/a", root, .host = "h");', 'covey_get(app, "/a", root, .host = "g H");',
     "route /a: it conflicts with GET /a, registered at "),
    ('covey_get(app, "/v1/a", root);', 'covey_get(app, "/a", root, .version = "1");',
     "route /v1/a: it conflicts with GET /v1/a, registered at "),
    ('covey_get(app, "/a", root, .name = "n");', 'covey_get(app, "/b", root, .name = "n");',
     'route /b: its name "n" is that of GET /a, registered at '),
    ('covey_get(app, "/a/<x>", root);', 'covey_get(app, "/a/<y:.+>", root);', "route /a/<x>: it is not reached: GET "),
    ('covey_get(app, "/<x:ext=jpg|png>", root);', 'covey_get(app, "/<y:ext=gif|png>", root);',
     "route /<y:ext=gif|png>: it is not reached: GET "),
])
def test_two_that_cannot_be_told_apart_are_named_with_their_places(jobs, app, first, second, words):
    line = refusal(jobs, app, first, second)
    assert words in line and line.count("app.c:") == 2, line


def test_overwriting_is_asked_for(jobs, app):
    both = 'covey_get(app, "/a", root);', 'covey_get(app, "/a", root, .overwrite = true); covey_setup_fail(app, "fine");'
    job = jobs.run([app(ROUTES % "\n".join(both)), "--port", free_port()], timeout=10)
    assert job.code == 4 and "fine" in job.err, job.err


NO_PCRE2 = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <string.h>
#include <stddef.h>

void *dlopen(const char *name, int flags)
{
    static void *(*real)(const char *, int);
    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "dlopen");
    return name != NULL && strstr(name, "pcre2") != NULL ? NULL : real(name, flags);
}
"""


def test_missing_library_is_named_with_its_package(jobs, app):
    without = app(NO_PCRE2, name="no_pcre2.so", shared=True, head="")
    line = refusal(jobs, app, 'covey_get(app, "/<x:[a-z]>", root);', "", env={"LD_PRELOAD": without})
    assert "libpcre2-8-0" in line, line
