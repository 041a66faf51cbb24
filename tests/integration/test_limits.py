"""Each limit of docs/limits.md with a server that runs: what the client sees, and what the log says."""

import re
import time

from client import eventually

GET = b"GET / HTTP/1.1\r\nHost: t\r\n\r\n"


def serving(jobs, **settings):
    """A server of one worker with these settings: request_timeout="1s" and so on."""
    return jobs.server("testbed", workers=1, **settings).wait_serving()


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


def test_body_that_does_not_come(jobs):
    server = serving(jobs, request_timeout="500ms")
    refused(server, b"POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 10\r\n\r\n01234", 408)
    logged(server, "refused with 408 at /echo: The request body did not arrive in time (REQUEST_TIMEOUT is 500 ms)")


# Answers

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
