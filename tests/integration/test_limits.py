"""Each limit of docs/limits.md with a server that runs: what the client sees, and what the log says."""

import re
import socket
import time

import pytest

from apps import compile_c
from client import eventually

GET = b"GET / HTTP/1.1\r\nHost: t\r\n\r\n"

# Routes with limits of their own.
ROUTES = """
static int size_of(covey_req *req)
{
    size_t len = 0;
    covey_body(req, &len);
    return covey_textf(req, 200, "%zu", len);
}

static int count(covey_req *req)
{
    char some[4096];
    size_t all = 0;
    ssize_t n;
    while ((n = covey_body_read(req, some, sizeof(some))) > 0)
        all += (size_t)n;
    return n < 0 ? (int)n : covey_textf(req, 200, "%zu", all);
}

static int sleeps(covey_req *req)
{
    int rc = covey_sleep_ms(1000);
    return rc < 0 ? rc : covey_text(req, 200, "slept");
}

static int pid(covey_req *req) { return covey_textf(req, 200, "%d", (int)getpid()); }

static void *big;

static int large(covey_req *req) { return covey_bytes_take(req, 200, NULL, big, 32 << 20, NULL); }

static int setup(covey_app *app)
{
    big = calloc(1, 32 << 20);
    covey_get(app, "/pid", pid);
    covey_get(app, "/large", large);
    covey_post(app, "/small", size_of, .body_max = 10);
    covey_post(app, "/brief", size_of, .request_timeout = 300);
    covey_post(app, "/brisk", size_of, .body_rate_min = 1 << 20);
    covey_post(app, "/brisk/stream", count, .body_rate_min = 1 << 20, .stream = true);
    covey_post(app, "/free", size_of, .body_max = COVEY_OFF, .request_timeout = COVEY_OFF,
               .body_rate_min = COVEY_OFF);
    covey_get(app, "/prompt", sleeps, .response_timeout = 200);
    covey_get(app, "/patient", sleeps, .response_timeout = COVEY_OFF);
    return 0;
}
"""


def serving(jobs, **settings):
    """A server of one worker with these settings: request_timeout="1s" and so on."""
    return jobs.server("testbed", workers=1, **settings).wait_serving()


@pytest.fixture
def routes(jobs, tmp_path_factory):
    """The same with ROUTES."""
    program = compile_c(tmp_path_factory.getbasetemp(), ROUTES)
    return lambda **settings: jobs.server(program, workers=1, **settings).wait_serving()


def logged(server, text):
    return eventually(f"in the log: {text}", lambda: text in server.err)


def refused(server, data, status):
    """The bytes get that answer, whose sentence is returned, and the connection is closed."""
    with server.connect() as connection:
        connection.send(data)
        answer = connection.response()
        assert answer.status == status and answer.closes, answer
        assert connection.rest() == b""
    return answer.text


# Heads

def test_head_that_does_not_come(jobs):
    server = serving(jobs, request_head_timeout="1s")
    began = time.monotonic()
    assert refused(server, b"GET / HTTP/1.1\r\nHo", 408) == "The request did not arrive in time (REQUEST_HEAD_TIMEOUT).\n"
    assert 0.9 < time.monotonic() - began < 5
    logged(server, "127.0.0.1: refused with 408: The request did not arrive in time (REQUEST_HEAD_TIMEOUT is 1 s)")


def test_head_has_no_longer_than_the_request(jobs):
    server = serving(jobs, request_timeout="500ms")
    refused(server, b"GET / HTTP/1.1\r\nHo", 408)
    logged(server, "(REQUEST_HEAD_TIMEOUT is 500 ms)")


def test_target_that_is_too_long(jobs):
    server = serving(jobs, request_max_target="100")
    assert server.get("/" + 99 * "a").status == 404
    refused(server, b"GET /" + 100 * b"a" + b" HTTP/1.1\r\nHost: t\r\n\r\n", 414)
    logged(server, "refused with 414: The request target is too long (REQUEST_MAX_TARGET is 100 bytes)")


def test_too_many_fields(jobs):
    server = serving(jobs, request_max_fields="3")
    refused(server, b"GET / HTTP/1.1\r\nHost: t\r\nA: b\r\nA: b\r\nA: b\r\n\r\n", 431)
    logged(server, "refused with 431: The request has too many header fields (REQUEST_MAX_FIELDS is 3)")


def test_head_that_is_too_large(jobs):
    server = serving(jobs, request_max_header_size="300")
    refused(server, b"GET / HTTP/1.1\r\nHost: t\r\nA: " + 300 * b"b" + b"\r\n\r\n", 431)
    logged(server, "refused with 431: The request's header fields are too large (REQUEST_MAX_HEADER_SIZE is 300 bytes)")


# Bodies

def test_body_that_is_too_large(jobs):
    server = serving(jobs, request_max_size="10")
    refused(server, b"POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 11\r\n\r\n", 413)
    logged(server, "refused with 413 at /echo: The request body is too large (REQUEST_MAX_SIZE is 10 bytes)")


def test_bodies_that_take_too_much_memory(jobs):
    server = serving(jobs, bodies_max_memory="100K")
    with server.connect() as connection:
        answer = connection.post("/echo", bytes(200000))
    assert answer.status == 503 and "(BODIES_MAX_MEMORY)" in answer.text
    with server.connect() as connection:
        assert connection.post("/echo", bytes(90000)).status == 200
        assert connection.post("/echo", bytes(90000)).status == 200
    logged(server, "refused with 503 at /echo: The bodies of requests take too much memory (BODIES_MAX_MEMORY is 102400 bytes)")


def test_body_that_does_not_come(jobs):
    server = serving(jobs, request_timeout="500ms")
    refused(server, b"POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 10\r\n\r\n01234", 408)
    logged(server, "refused with 408 at /echo: The request body did not arrive in time (REQUEST_TIMEOUT is 500 ms)")


def drips(server, path, status=408):
    """A body of which a byte comes each 10 ms, until there is an answer: its text."""
    with server.connect() as connection:
        connection.send(b"POST " + path + b" HTTP/1.1\r\nHost: t\r\nContent-Length: 100000\r\n\r\n")
        connection.socket.settimeout(0.01)
        for _ in range(2000):
            connection.send(b"x")
            try:
                connection.buffer += connection.socket.recv(1)
                break
            except TimeoutError:
                pass
        connection.socket.settimeout(20)
        answer = connection.response()
        assert answer.status == status and answer.closes, answer
    return answer.text


def test_body_that_drips(jobs):
    server = serving(jobs, body_rate_min="1000000", rate_span="500ms")
    assert drips(server, b"/echo") == "The request body came too slowly (BODY_RATE_MIN).\n"
    logged(server, "refused with 408 at /echo: The request body came too slowly (BODY_RATE_MIN is 1000000 bytes a second)")


def test_body_that_pauses_within_a_span(jobs):
    server = serving(jobs, body_rate_min="1", rate_span="3s")
    with server.connect() as connection:
        connection.send(b"POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 10\r\n\r\n01234")
        time.sleep(1)
        connection.send(b"56789")
        assert connection.response().text == "0123456789"


# Routes of their own

def test_route_with_a_smaller_body(routes):
    server = routes()
    refused(server, b"POST /small HTTP/1.1\r\nHost: t\r\nContent-Length: 11\r\n\r\n", 413)
    logged(server, "refused with 413 at /small: The request body is too large (.body_max is 10 bytes)")


def test_route_with_a_smaller_body_answers_while_the_client_still_sends(routes):
    """The answer is there to be read by a client that has sent all of it first: no reset."""
    server = routes()
    with server.connect() as connection:
        connection.send(b"POST /small HTTP/1.1\r\nHost: t\r\nContent-Length: 20000000\r\n\r\n")
        for _ in range(20):
            connection.send(bytes(1000000))
        assert connection.response().status == 413
        assert connection.rest() == b""


def test_route_with_less_time_for_a_body(routes):
    server = routes()
    began = time.monotonic()
    refused(server, b"POST /brief HTTP/1.1\r\nHost: t\r\nContent-Length: 10\r\n\r\n01234", 408)
    assert 0.25 < time.monotonic() - began < 10
    logged(server, "refused with 408 at /brief: The request body did not arrive in time (.request_timeout is 300 ms)")


@pytest.mark.parametrize("path", ["/brisk", "/brisk/stream"])
def test_route_with_a_rate_of_its_own(routes, path):
    server = routes(rate_span="500ms")
    drips(server, path.encode())
    logged(server, f"refused with 408 at {path}: The request body came too slowly (.body_rate_min is 1048576 bytes a second)")


def test_route_without_limits_of_a_body(routes):
    server = routes(request_timeout="500ms", body_rate_min="1000000", rate_span="500ms", request_max_size="10")
    with server.connect() as connection:
        connection.send(b"POST /free HTTP/1.1\r\nHost: t\r\nContent-Length: 20\r\n\r\n0123456789")
        time.sleep(2)
        connection.send(b"0123456789")
        assert connection.response().text == "20"


def test_route_with_less_time_for_an_answer(routes):
    server = routes()
    refused(server, b"GET /prompt HTTP/1.1\r\nHost: t\r\n\r\n", 503)
    logged(server, "refused with 503 at /prompt: The application did not answer in time (.response_timeout is 200 ms)")


def test_route_without_a_limit_for_an_answer(routes):
    assert routes(response_timeout="250ms").get("/patient").text == "slept"


# Answers

def takes_little(server, each):
    """Reads `each` bytes of a large answer at a time until the log says that it is cut off."""
    with server.connect() as connection:
        connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.ask("GET", "/large")
        taken = 0
        while ": closed: " not in server.err and taken < 1000 * max(each, 1):
            taken += len(connection.socket.recv(each)) if each > 0 else 1
            time.sleep(0.02)
    assert server.get("/pid").status == 200


def test_client_that_takes_nothing_of_its_answer(routes):
    server = routes(send_timeout="500ms")
    takes_little(server, 0)
    assert "127.0.0.1: closed: The client took nothing of its answer (SEND_TIMEOUT is 500 ms)" in server.err, server.tail()


def test_client_that_takes_its_answer_in_drops(routes):
    server = routes(send_rate_min="10M", rate_span="1s")
    takes_little(server, 100)
    assert "closed: The client took its answer too slowly (SEND_RATE_MIN is 10485760 bytes a second)" in server.err


def test_handler_that_takes_too_long(jobs):
    server = serving(jobs, response_timeout="250ms")
    refused(server, b"GET /slow HTTP/1.1\r\nHost: t\r\n\r\n", 503)
    logged(server, "refused with 503 at /slow: The application did not answer in time (RESPONSE_TIMEOUT is 250 ms)")


# Numbers

def test_requests_on_one_connection(jobs):
    server = serving(jobs, keep_alive_requests="3")
    with server.connect() as connection:
        connection.send(4 * GET)
        assert [connection.response().closes for _ in range(3)] == [False, False, True]
        assert connection.rest() == b""


def test_requests_in_flight(jobs):
    server = serving(jobs, in_flight_max="1")
    with server.connect() as first, server.connect() as second:
        first.ask("GET", "/slow")
        answer = eventually("a 503", lambda: (lambda a: a if a.status == 503 else None)(second.get("/")))
        assert not answer.closes and "(IN_FLIGHT_MAX)" in answer.text
        assert first.response().text == "slow"
        assert second.get("/").text == "Hello, World!"
    logged(server, "refused with 503: Too many requests are being worked on (IN_FLIGHT_MAX is 1)")


# The log

def test_attack_is_a_line_and_a_number(jobs):
    server = serving(jobs)
    for _ in range(200):
        refused(server, b"nonsense\r\n\r\n", 400)
    server.stop()
    lines = [line for line in server.err.splitlines() if "refused with 400" in line]
    more = [int(found[1]) for found in re.finditer(r"(\d+) more in the last", "\n".join(lines))]
    assert len(lines) < 10 and len(lines) - len(more) + sum(more) == 200, lines
