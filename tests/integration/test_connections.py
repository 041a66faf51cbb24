"""Connections by the thousand: what they cost, and what is left of them."""

import random
import re
import resource

import pytest

import proc
from client import eventually
from harness import sanitized

MANY = 10000
GET = b"GET / HTTP/1.1\r\nHost: test\r\n\r\n"

pytestmark = pytest.mark.skipif(bool(sanitized()), reason="shadow memory")


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


def serve(jobs):
    server = jobs.server("hello", workers=1)
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


def test_an_idle_connection_takes_a_quarter_of_a_kilobyte(jobs, crowd):
    server, worker = serve(jobs)
    come(server, crowd, 2000)
    before = anonymous(worker)
    come(server, crowd, MANY - 2000)
    cost = (anonymous(worker) - before) / (MANY - 2000)
    print(f"{cost:.0f} bytes for an idle connection")
    assert 100 < cost <= 256


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
