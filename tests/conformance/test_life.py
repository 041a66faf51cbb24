"""The test host as a process: sockets, slow and broken clients, its end."""

import os
import random
import signal
import socket
import struct
import time

from client import eventually

GET = b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n"
CLOSE = b"GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


def read_all(client):
    """What comes up to the end of the connection."""
    pieces = []
    while piece := client.recv(65536):
        pieces.append(piece)
    return b"".join(pieces)


def read_until(client, mark):
    data = b""
    while mark not in data:
        piece = client.recv(65536)
        assert piece, data
        data += piece
    return data


def ask(host, path):
    """The body of an answer, on a connection of its own."""
    with host.connect() as client:
        client.sendall(CLOSE % path)
        return read_all(client).split(b"\r\n\r\n", 1)[1]


def reset(client):
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


def descriptors(host):
    return len(os.listdir(f"/proc/{host.process.pid}/fd"))


def refuses(host):
    try:
        host.connect().close()
    except ConnectionError:
        return True
    return False


def test_a_client_that_resets_at_any_moment_leaves_nothing(host):
    one = host()
    before = descriptors(one)
    dice = random.Random(1)
    paths = [b"/", b"/flood", b"/later", b"/never", b"/echo", b"/stalls", b"/big", b"/abort"]
    for _ in range(300):
        client = one.connect()
        request = GET % dice.choice(paths)
        if dice.random() < 0.3:
            request = b"POST /pipe HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nsome"
        client.sendall(request[: dice.randrange(len(request) + 1)])
        if dice.random() < 0.5:
            time.sleep(dice.random() / 500)
        reset(client)
    eventually("no descriptor is left", lambda: descriptors(one) == before)
    assert ask(one, b"/") == b"Hello, World!"
    assert "ERROR" not in one.stop()


def test_garbage_is_answered_or_closed_and_never_fatal(host):
    one = host()
    dice = random.Random(2)
    for _ in range(300):
        with one.connect() as client:
            words = [b"GET ", b"/ ", b"HTTP/1.1", b"\r\n", b"Host: x", b": ", b"\n", b"\0", b"5\r\n", b"Content-Length: 3"]
            data = b"".join(dice.choice(words) for _ in range(dice.randrange(30)))
            client.sendall(data + dice.randbytes(dice.randrange(20)))
            client.shutdown(socket.SHUT_WR)
            answer = read_all(client)
            assert answer == b"" or answer.startswith(b"HTTP/1.1 ")
    assert ask(one, b"/") == b"Hello, World!"


def test_an_early_answer_reaches_a_client_that_sends_all_first(host):
    one = host()
    for path, status in ((b"/refuse", b"403"), (b"/echo", b"413")):
        with one.connect() as client:
            client.sendall(b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: 20000000\r\n\r\n" % path)
            for _ in range(20):
                client.sendall(bytes(1000000))
            assert read_all(client).startswith(b"HTTP/1.1 " + status)


def test_100_continue_comes_before_the_body_and_once(host):
    one = host()
    with one.connect() as client:
        client.sendall(b"POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
        assert read_until(client, b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(b"hello" + CLOSE % b"/")
        answers = read_all(client)
        assert answers.count(b"HTTP/1.1") == 2 and b"\r\n\r\nhello" in answers


def test_slow_readers_hold_up_nobody(host):
    one = host()
    slow = [one.connect() for _ in range(20)]
    for client in slow:
        client.sendall(CLOSE % b"/flood")
    for _ in range(50):
        assert ask(one, b"/") == b"Hello, World!"
    for client in slow:
        assert len(read_all(client)) > 4 << 20
        client.close()


def test_a_unix_socket_serves_and_has_no_peer(host, tmp_path):
    one = host(path=tmp_path / "socket")
    assert ask(one, b"/") == b"Hello, World!"
    assert ask(one, b"/peer") == b""
    with one.connect() as client:
        client.sendall(CLOSE % b"/flood")
        assert len(read_all(client)) > 4 << 20


def test_the_peer_over_tcp_is_an_address(host):
    assert ask(host(), b"/peer") == b"127.0.0.1"


def test_term_answers_what_has_come_and_ends(host):
    one = host()
    clients = [one.connect() for _ in range(10)]
    for client in clients:
        client.sendall(GET % b"/later")
    idle = one.connect()
    idle.sendall(GET % b"/")
    read_until(idle, b"World!")
    one.signal(signal.SIGTERM)
    for client in clients:
        answer = read_all(client)
        assert b"Connection: close" in answer and answer.endswith(b"late")
    assert read_all(idle) == b""
    one.wait()
    assert refuses(one)


def test_retirement_waits_for_the_next_request_of_idle_connections(host):
    one = host()
    idle = one.connect()
    idle.sendall(GET % b"/")
    read_until(idle, b"World!")
    one.signal(signal.SIGUSR1)
    eventually("it does not accept any more", lambda: refuses(one))
    idle.sendall(GET % b"/")
    answer = read_all(idle)
    assert b"Connection: close" in answer and answer.endswith(b"World!")
    one.wait()


def test_access_lines_are_written_before_the_end(host):
    one = host("--access-log")
    for _ in range(3):
        ask(one, b"/known?x")
    lines = one.stop().splitlines()
    assert len(lines) == 3
    assert all('127.0.0.1 "GET /known?x HTTP/1.1" 200 13 ' in line and line.endswith("ms /known") for line in lines)


def test_a_thousand_idle_connections_cost_little_and_go_without_a_word(host):
    one = host("keep_alive_timeout=1000")

    def memory():
        with open(f"/proc/{one.process.pid}/status", encoding="ascii") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))

    ask(one, b"/")
    before = memory()
    clients = [one.connect() for _ in range(1000)]
    for client in clients:
        client.sendall(GET % b"/")
    for client in clients:
        read_until(client, b"World!")
    grown = memory() - before
    for client in clients:
        assert read_all(client) == b""
        client.close()
    assert grown < 4096 or one.sanitized  # KiB: 256 B each, and what is kept for reuse
