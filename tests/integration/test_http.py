"""HTTP/1.1 on the wire: a strict server, driven byte by byte over TCP (IPv4, IPv6) and Unix sockets."""

import os
import re
import socket
import struct
import threading
import time

import pytest

import proc
from client import Connection, eventually
from harness import free_port
from server import Server

GET = b"GET / HTTP/1.1\r\nHost: t\r\n\r\n"


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """One server for the tests that leave it as it was. It listens on IPv4, IPv6 and a Unix socket."""
    path = f"/tmp/covey-{os.getpid()}-http.sock"
    four, six = free_port(), free_port("::1")
    server = Server(tmp_path_factory.mktemp("http"), "testbed", [
        "--listen", f"127.0.0.1:{four},[::1]:{six},unix:{path}", "--request-max-size", "1000000"],
        address=("127.0.0.1", four), workers=2)
    server.addresses = {"ipv4": ("127.0.0.1", four), "ipv6": ("::1", six), "unix": path}
    try:
        server.reach_all()
        pids = set(server.workers())
        yield server
        assert set(server.workers()) == pids, f"a worker has died\n{server.tail()}"
        server.stop()
    finally:
        server.close()


@pytest.fixture(params=["ipv4", "ipv6", "unix"])
def address(request, served):
    return served.addresses[request.param]


@pytest.fixture
def connection(served):
    with served.connect() as made:
        yield made


def refused(server, data, status):
    """The bytes get that answer, once, and the connection is closed."""
    with server.connect() as connection:
        connection.send(data)
        answer = connection.response()
        assert answer.status == status, (data, answer)
        assert answer.closes
        assert connection.rest() == b"", "a second interpretation"
    return answer


# Transports

def test_get_and_keep_alive(address):
    with Connection(address) as connection:
        for _ in range(3):
            answer = connection.get("/")
            assert (answer.status, answer.version, answer.text) == (200, "HTTP/1.1", "Hello, World!")
            assert not answer.closes


def test_large_body_comes_back_whole(address):
    body = os.urandom(1000000)
    with Connection(address) as connection:
        sender = threading.Thread(target=connection.ask, args=("POST", "/echo", body))
        sender.start()
        answer = connection.response()
        sender.join()
        assert answer.body == body
        assert connection.get("/").status == 200


def test_peer_that_disappears_hurts_nobody(address, served):
    for _ in range(20):
        connection = Connection(address)
        connection.ask("GET", "/slow")
        if not isinstance(address, str):
            connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()
    assert served.get("/").status == 200


# Answers

def test_answer_has_the_fields_it_needs(connection):
    answer = connection.get("/")
    assert answer.header("Content-Length") == "13"
    assert answer.header("Content-Type") == "text/plain; charset=utf-8"
    assert answer.reason == "OK"


def test_head_has_the_length_and_no_body(connection):
    answer = connection.request("HEAD", "/")
    assert answer.status == 200 and answer.header("Content-Length") == "13"
    assert connection.get("/").text == "Hello, World!"


def test_pipelined_requests_are_answered_in_order(connection):
    names = [f"n{number}" for number in range(100)]
    connection.send(b"".join(f"GET /hello/{name} HTTP/1.1\r\nHost: t\r\n\r\n".encode() for name in names))
    assert [connection.response().text for _ in names] == [f"Hello, {name}!" for name in names]


def test_pipelined_request_behind_a_waiting_one_waits(connection):
    connection.send(b"GET /slow HTTP/1.1\r\nHost: t\r\n\r\n" + GET)
    assert [connection.response().text for _ in range(2)] == ["slow", "Hello, World!"]


def test_answers_do_not_wait_for_all_of_a_long_batch(jobs):
    server = jobs.server("testbed", workers=1).wait_serving()
    with server.connect() as connection:
        connection.send(GET * 50)
        assert all(connection.response().status == 200 for _ in range(50))
        began = time.monotonic()
        connection.send(b"GET /block HTTP/1.1\r\nHost: t\r\n\r\n" * 3)
        assert connection.response().text == "blocked"
        first = time.monotonic() - began
        assert [connection.response().text for _ in range(2)] == ["blocked"] * 2
        assert first < (time.monotonic() - began) / 2


def test_waiting_request_does_not_hold_up_other_connections(jobs):
    server = jobs.server("testbed", workers=1).wait_serving()
    with server.connect() as slow:
        slow.ask("GET", "/slow")
        began = time.monotonic()
        assert server.get("/").status == 200
        assert time.monotonic() - began < 0.8
        assert slow.response().text == "slow"


def test_pieces_of_any_size_are_the_same_request(served):
    """Every split of a request in two, and byte by byte."""
    message = (b"POST /echo HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n"
               b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n")
    with served.connect() as connection:
        for at in range(1, len(message)):
            connection.send(message[:at])
            time.sleep(0.001)
            connection.send(message[at:])
            assert connection.response().body == b"abcde", at
        for byte in message:
            connection.send(bytes([byte]))
        assert connection.response().body == b"abcde"


def test_close_is_answered_by_close(connection):
    answer = connection.get("/", Connection="close")
    assert answer.closes and connection.closed()


def test_http_1_0_closes_unless_asked(served):
    with served.connect() as connection:
        connection.send(b"GET / HTTP/1.0\r\n\r\n")
        assert connection.response().text == "Hello, World!"
        assert connection.closed()
    with served.connect() as connection:
        for _ in range(2):
            connection.send(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            answer = connection.response()
            assert answer.text == "Hello, World!" and answer.header("Connection").lower() == "keep-alive"


def test_half_closed_client_gets_its_answer(connection):
    connection.send(GET)
    connection.socket.shutdown(socket.SHUT_WR)
    assert connection.response().text == "Hello, World!"
    assert connection.closed()


def test_unknown_path_and_method(connection):
    assert connection.get("/nowhere").status == 404
    answer = connection.request("DELETE", "/echo")
    assert answer.status == 405 and "POST" in answer.header("Allow")
    assert connection.request("BREW", "/").status in (405, 501)


@pytest.mark.parametrize("accept, kind", [("text/html", "text/html"), ("application/json", "application/json"),
                                          ("text/plain", "text/plain")])
def test_error_pages_follow_accept(connection, accept, kind):
    answer = connection.get("/nowhere", Accept=accept)
    assert answer.status == 404 and answer.header("Content-Type").startswith(kind)


def test_parameters_are_decoded(connection):
    assert connection.get("/hello/a%20b%2Fc").text == "Hello, a b/c!"
    assert connection.get("/hello/%C3%A9").text == "Hello, \u00e9!"


# Bodies

def test_chunked_request_body(connection):
    connection.send(b"POST /echo HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n"
                    b"A\r\n0123456789\r\n1\r\nx\r\n0\r\nTrailer: yes\r\n\r\n" + GET)
    assert connection.response().body == b"0123456789x"
    assert connection.response().text == "Hello, World!"


def test_expect_continue_is_answered_before_the_body(connection):
    connection.send(b"POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
    assert connection.response().status == 100
    connection.send(b"abc")
    assert connection.response().body == b"abc"


def test_body_past_the_limit_is_413(served):
    refused(served, b"POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 1000001\r\n\r\n", 413)


def test_chunked_body_past_the_limit_is_413(served):
    with served.connect() as connection:
        connection.send(b"POST /echo HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n")
        try:
            for _ in range(20):
                connection.send(b"ea60\r\n" + b"x" * 60000 + b"\r\n")
        except OSError:
            pass
        assert connection.response().status == 413


def test_expect_continue_past_the_limit_is_refused_without_the_body(served):
    with served.connect() as connection:
        connection.send(b"POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 1000001\r\nExpect: 100-continue\r\n\r\n")
        assert connection.response().status == 413


# What is refused

@pytest.mark.parametrize("data", [
    b"GARBAGE\r\n\r\n",
    b"GET /\r\n\r\n",
    b"GET  / HTTP/1.1\r\nHost: t\r\n\r\n",
    b"GET / HTTP/1.1 \r\nHost: t\r\n\r\n",
    b"GET / http/1.1\r\nHost: t\r\n\r\n",
    b"GET nowhere HTTP/1.1\r\nHost: t\r\n\r\n",
    b"GET / HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost : t\r\n\r\n",
    b"GET / HTTP/1.1\r\n Host: t\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: t\r\nX: a\r\n b\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: t\r\nX\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: t\r\n: x\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: t\r\nX: a\0b\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: t\r\nX: a\rb\r\n\r\n",
    b"GET /\0 HTTP/1.1\r\nHost: t\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
], ids=repr)
def test_malformed_request_is_400(served, data):
    refused(served, data, 400)


@pytest.mark.parametrize("target", ["/hello/a%00b", "/hello/%zz", "/hello/%", "/hello/%4", "/%00"])
def test_broken_escape_is_400_and_closes(connection, target):
    assert connection.get(target).status == 400
    assert connection.closed(2)


@pytest.mark.parametrize("fields", [
    b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n",
    b"Content-Length: 4\r\nContent-Length: 4\r\n",
    b"Content-Length: 4\r\nContent-Length: 5\r\n",
    b"Content-Length: 4, 4\r\n",
    b"Content-Length: +4\r\n",
    b"Content-Length: -1\r\n",
    b"Content-Length: 0x4\r\n",
    b"Content-Length: 4 4\r\n",
    b"Content-Length: \r\n",
    b"Content-Length: 99999999999999999999999\r\n",
    b"Transfer-Encoding: chunked, chunked\r\n",
    b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: xchunked\r\n",
    b"Transfer-Encoding: gzip, chunked\r\n",
    b"Transfer-Encoding: \x0bchunked\r\n",
    b"Transfer-Encoding: chunked;q=1\r\n",
], ids=repr)
def test_ambiguous_framing_is_refused(served, fields):
    """Request smuggling: what a proxy in front could read otherwise has no second reading here."""
    data = b"POST /echo HTTP/1.1\r\nHost: t\r\n" + fields + b"\r\n0\r\n\r\nGET /pid HTTP/1.1\r\nHost: t\r\n\r\n"
    with served.connect() as connection:
        connection.send(data)
        answer = connection.response()
        assert answer.status in (400, 413, 501) and answer.closes, answer
        assert connection.rest() == b"", "a second interpretation"


@pytest.mark.parametrize("body", [b"x\r\n", b"3\nabc\r\n0\r\n\r\n", b"3\r\nabcX\r\n", b"-1\r\n",
                                  b"0x3\r\nabc\r\n0\r\n\r\n", b" 3\r\nabc\r\n0\r\n\r\n",
                                  b"11111111111111111\r\n", b"\r\n"], ids=repr)
def test_malformed_chunks_are_400(served, body):
    refused(served, b"POST /echo HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n" + body, 400)


def test_http_1_0_with_chunked_is_refused(served):
    refused(served, b"POST /echo HTTP/1.0\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400)


@pytest.mark.parametrize("data, status", [
    (b"GET /" + b"x" * 20000 + b" HTTP/1.1\r\nHost: t\r\n\r\n", 414),
    (b"GET / HTTP/1.1\r\nHost: t\r\nX: " + b"x" * 20000 + b"\r\n\r\n", 431),
    (b"GET / HTTP/1.1\r\nHost: t\r\n" + b"X: y\r\n" * 200 + b"\r\n", 431),
    (b"GET / HTTP/2.0\r\nHost: t\r\n\r\n", 505),
    (b"GET / HTTP/1.1\r\nHost: t\r\nExpect: the-moon\r\nContent-Length: 1\r\n\r\nx", 417),
    (b"CONNECT other:80 HTTP/1.1\r\nHost: other:80\r\n\r\n", 501),
], ids=["long target", "long field", "many fields", "version", "expect", "connect"])
def test_limits_and_versions(served, data, status):
    refused(served, data, status)


def test_http_2_preface_gets_an_answer_and_no_service(served):
    with served.connect() as connection:
        connection.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        assert connection.response().status in (400, 505)
        assert connection.rest() == b""


def test_fields_of_the_client_cannot_forge_an_answer(connection):
    answer = connection.post("/echo", b"x", Content_Type="text/plain\tevil")
    assert answer.status in (200, 400, 500)
    assert [name for name, _ in answer.fields if name.lower() == "evil"] == []


# Time-outs

def test_request_that_does_not_come_is_408(jobs):
    server = jobs.server("testbed", ["--request-timeout", "1"], workers=1).wait_serving()
    with server.connect() as connection:
        connection.send(b"GET / HTTP/1.1\r\nHo")
        began = time.monotonic()
        answer = connection.response()
        assert answer.status == 408 and answer.closes
        assert 0.9 < time.monotonic() - began < 5


def test_body_that_does_not_come_is_408(jobs):
    server = jobs.server("testbed", ["--request-timeout", "1"], workers=1).wait_serving()
    with server.connect() as connection:
        connection.send(b"POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 10\r\n\r\n01234")
        assert connection.response().status == 408


def test_client_that_drips_bytes_does_not_live_for_ever(jobs):
    """Slowloris: the time-out is for the whole head."""
    server = jobs.server("testbed", ["--request-timeout", "1"], workers=1).wait_serving()
    with server.connect() as connection:
        connection.send(b"GET / HTTP/1.1\r\nHost: t\r\nX: ")
        began = time.monotonic()
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            while time.monotonic() < began + 10:
                connection.send(b"x")
                time.sleep(0.1)
        assert time.monotonic() - began < 5


def test_idle_connection_is_closed(jobs):
    server = jobs.server("testbed", ["--keep-alive-timeout", "1"], workers=1).wait_serving()
    with server.connect() as connection:
        assert connection.get("/").status == 200
        began = time.monotonic()
        assert connection.closed(within=6)
        assert 0.9 < time.monotonic() - began < 4


def test_handler_past_the_response_timeout_is_503(jobs):
    server = jobs.server("testbed", ["--response-timeout", "250ms"], workers=1).wait_serving()
    with server.connect() as connection:
        assert connection.get("/slow").status == 503


def test_keep_alive_can_be_switched_off(jobs):
    server = jobs.server("testbed", env={"COVEY_KEEP_ALIVE": "false"}, workers=1).wait_serving()
    with server.connect() as connection:
        assert connection.get("/").closes
        assert connection.closed()


# Load

def test_many_connections_at_once(served):
    connections = [served.connect() for _ in range(300)]
    for connection in connections:
        connection.ask("GET", "/")
    assert all(connection.response().text == "Hello, World!" for connection in connections)
    for connection in connections:
        connection.close()


def test_connections_spread_over_workers(jobs):
    """128 kept-alive connections on 4 workers: nobody is left out, nobody has more than half."""
    server = jobs.server("testbed", workers=4)
    server.reach_all()
    connections = [server.connect() for _ in range(128)]
    counts = {}
    for connection in connections:
        pid = int(connection.get("/pid").text)
        counts[pid] = counts.get(pid, 0) + 1
    assert len(counts) == 4 and max(counts.values()) <= 64, counts
    for connection in connections:
        connection.close()


def test_descriptors_of_workers_do_not_grow_with_connections(jobs):
    server = jobs.server("testbed", workers=1)
    pid, connection = next(iter(server.reach_all().items()))
    connection.close()
    time.sleep(0.2)
    before = len(proc.fds(pid))
    for _ in range(200):
        assert server.get("/").status == 200
    eventually("as many as before", lambda: len(proc.fds(pid)) == before, 5)


def test_access_log_is_written_by_the_end(jobs):
    server = jobs.server("testbed", ["--access-log"], workers=1).wait_serving()
    for _ in range(5):
        server.get("/hello/log")
    server.stop()
    assert len(re.findall(r"GET /hello/log", server.err + server.out)) == 5
