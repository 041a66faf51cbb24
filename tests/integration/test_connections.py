"""Connections by the thousand: what they cost, and what is left of them; more of them than there can be."""

import random
import re
import resource
import time

import pytest

import proc
from client import eventually
from harness import sanitized
from server import within

MANY = 10000
GET = b"GET / HTTP/1.1\r\nHost: test\r\n\r\n"

shadowed = pytest.mark.skipif(bool(sanitized()), reason="shadow memory")


@pytest.fixture
def crowd():
    """Room for connections, which are closed at the end."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    if before[1] < MANY + 500:
        pytest.skip(f"ulimit -Hn is {before[1]}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (before[1], before[1]))
    connections = []
    yield connections
    for connection in connections:
        connection.close()
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def anonymous(pid):
    """Bytes of a process that are nobody else's, and no file's."""
    return 1024 * sum(map(int, re.findall(rb"^Anonymous: +(\d+) kB", proc.read(f"/proc/{pid}/smaps"), re.M)))


def serve(jobs, **how):
    server = jobs.server("hello", workers=1, **how)
    server.wait_serving()
    return server, next(iter(server.workers()))


def come(server, crowd, count, rest=b""):
    """So many connections more, on each of which a request is answered and `rest` is said."""
    for i in range(count):
        crowd.append(server.connect())
        crowd[-1].send(GET + rest)
        if i % 100 == 99:
            assert all(connection.response().status == 200 for connection in crowd[-100:])


def go(server, worker, crowd, stay=0):
    """All but a few, in any order."""
    random.shuffle(crowd)
    while len(crowd) > stay:
        crowd.pop().close()
    eventually("they are closed", lambda: len(proc.fds(worker)) < 100 + stay)


@shadowed
def test_an_idle_connection_takes_a_quarter_of_a_kilobyte(jobs, crowd):
    server, worker = serve(jobs)
    come(server, crowd, 100)
    before = anonymous(worker)
    for _ in range(MANY):  # one by one: answers that wait for each other take memory, too
        crowd.append(server.connect())
        assert crowd[-1].get("/").status == 200
    cost = (anonymous(worker) - before) / MANY
    print(f"{cost:.0f} bytes for an idle connection")
    assert 100 < cost <= 256


@shadowed
@pytest.mark.parametrize("rest", [b"", b"GET / HTT"], ids=["idle", "within a head"])
def test_what_ten_thousand_connections_took_is_given_back(jobs, crowd, rest):
    """A few stay, and lie anywhere between those that go."""
    server, worker = serve(jobs)
    come(server, crowd, 200)
    go(server, worker, crowd)
    before = anonymous(worker)
    come(server, crowd, MANY, rest)
    assert anonymous(worker) - before > 200 * MANY
    go(server, worker, crowd, stay=20)
    eventually("it is given back", lambda: anonymous(worker) - before <= 1 << 20)
    print(f"{anonymous(worker) - before} bytes kept")


# More than there are descriptors for

LIMIT = 64


def serve_few(jobs):
    return serve(jobs, prepare=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (LIMIT, LIMIT)))


def cpu_seconds(pid):
    return int(proc.read(f"/proc/{pid}/schedstat").split()[0]) / 1e9


def complaints(server):
    return [line for line in server.err.splitlines() if "cannot accept" in line]


def take_all_descriptors(server, worker, crowd):
    """By clients that are in the middle of a head, so that none of them is idle."""
    for _ in range(2 * LIMIT):
        crowd.append(server.connect())
        crowd[-1].send(b"GET / HTT")
    eventually("all descriptors are taken", lambda: len(proc.fds(worker)) == LIMIT)


def test_without_descriptors_it_does_not_spin(jobs, crowd):
    server, worker = serve_few(jobs)
    take_all_descriptors(server, worker, crowd)
    eventually("it says so", lambda: complaints(server))
    before, began = cpu_seconds(worker), time.monotonic()
    time.sleep(3)
    share = (cpu_seconds(worker) - before) / (time.monotonic() - began)
    print(f"{100 * share:.2f} % of a CPU")
    assert share <= 0.05
    (line,) = complaints(server)
    assert "Too many open files" in line and "ulimit -n (LimitNOFILE=" in line


def test_with_descriptors_again_it_serves_at_once(jobs, crowd):
    server, worker = serve_few(jobs)

    def resume(limit):
        take_all_descriptors(server, worker, crowd)
        with server.connect() as waiting:
            waiting.ask("GET", "/")
            began = time.monotonic()
            while crowd:
                crowd.pop().close()
            waiting.socket.settimeout(limit)
            assert waiting.response().status == 200
            return time.monotonic() - began

    within(0.1, resume)


def test_without_descriptors_the_oldest_idle_connection_goes(jobs, crowd):
    server, worker = serve_few(jobs)
    for _ in range(2 * LIMIT):
        crowd.append(server.connect())
        assert crowd[-1].get("/").status == 200
    assert len(proc.fds(worker)) <= LIMIT
    assert crowd[0].rest() == b"" and crowd[LIMIT].rest() == b""  # closed, in order
    assert crowd[-1].get("/").status == 200
    assert len(complaints(server)) == 1


# More than there may be

def test_past_connections_max_they_wait(jobs):
    server, _ = serve(jobs, connections_max=2)
    with server.connect() as first, server.connect() as second, server.connect() as third:
        assert first.get("/").status == second.get("/").status == 200
        third.ask("GET", "/")
        eventually("it says so", lambda: "and more of them wait (CONNECTIONS_MAX is 2)" in server.err)
        assert first.get("/").status == 200
        second.close()
        assert third.response().status == 200


def test_past_connections_max_they_are_refused(jobs):
    server, _ = serve(jobs, connections_max=2, connections_max_action="refuse")
    with server.connect() as first, server.connect() as second:
        assert first.get("/").status == second.get("/").status == 200
        for _ in range(100):
            with server.connect() as more:
                answer = more.get("/")
                assert answer.status == 503 and answer.closes and answer.header("Retry-After") == "1"
                assert more.rest() == b""
        assert first.get("/").status == 200
        assert "refused with 503: There are as many connections as there may be (CONNECTIONS_MAX is 2)" in server.err
    eventually("there is room again", lambda: server.get("/").status == 200)


# Options

ESTABLISHED, SYN_RECEIVED, KEEPALIVE = "01", "03", "02"


def end_of(server, client):
    """The server's end of a connection, by the kernel's word: its state, and which timer runs."""
    port = client.socket.getsockname()[1]
    for line in proc.read("/proc/net/tcp").decode().splitlines()[1:]:
        _, local, remote, state, _, timer, *_ = line.split()
        if local.endswith(f":{server.port:04X}") and remote.endswith(f":{port:04X}"):
            return state, timer[:2]
    return None, None


def test_a_silent_client_is_kept_away_by_the_kernel(jobs):
    server, _ = serve(jobs)
    with server.connect() as first, server.connect() as second, server.connect() as third:
        states = [end_of(server, silent)[0] for silent in (first, second, third)]
        assert SYN_RECEIVED in states  # those that were looked at within a second
        assert third.get("/").status == 200
        assert end_of(server, third)[0] == ESTABLISHED


def test_options_are_settings(jobs):
    """A silent client is taken at once, its silence is looked at, and a loop that polls goes to sleep all the same."""
    server, worker = serve(jobs, defer_accept="off", tcp_keepalive="60s", busy_poll=1000)
    with server.connect() as silent:
        assert end_of(server, silent) == (ESTABLISHED, KEEPALIVE)
        assert silent.get("/").status == 200
        before = cpu_seconds(worker)
        time.sleep(1)
        assert cpu_seconds(worker) - before < 0.1
