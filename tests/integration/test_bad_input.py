"""Hostile neighbours: a worker that says anything on its channel and writes anything into its page, clients that
misuse the control socket, managers outside that do not listen. The master goes on, others are not harmed."""

import contextlib
import os
import signal
import socket
import struct
import time

import pytest

import proc
from client import Closed, eventually
from control import DONE, HEAD, STATUS, answer, message, raw, socket_of
from harness import sanitized
from test_control import control, status

HELLO, READY, DRAINED, LEAVING, FAILED, EXTEND, DOING, BEAT, GO, STOP = 1, 2, 3, 4, 5, 6, 7, 8, 32, 64

# POST /say sends its body on the channel to the master; ?times=N so often, ?fds=1 with descriptors attached.
# GET /scribble?ms=N has a thread write random bytes over the worker's page for so long.
APP = r"""
#include <pthread.h>
#include <sys/socket.h>
#include <time.h>

static int channel(void)
{
    for (int fd = 3; fd < 256; fd++) {
        int type = 0;
        socklen_t len = sizeof(type);
        if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_SEQPACKET)
            return fd;
    }
    return -1;
}

static long number(covey_req *req, const char *name)
{
    const char *text = covey_query(req, name);
    return text != NULL ? atol(text) : 0;
}

static int say(covey_req *req)
{
    size_t len = 0;
    struct iovec part = {.iov_base = (void *)covey_body(req, &len)};
    part.iov_len = len;
    union { struct cmsghdr head; char bytes[CMSG_SPACE(3 * sizeof(int))]; } extra = {0};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (number(req, "fds") != 0) {
        extra.head = (struct cmsghdr){.cmsg_len = CMSG_LEN(3 * sizeof(int)), .cmsg_level = SOL_SOCKET,
                                      .cmsg_type = SCM_RIGHTS};
        memcpy(CMSG_DATA(&extra.head), (int[]){0, 1, 2}, 3 * sizeof(int));
        message.msg_control = &extra;
        message.msg_controllen = sizeof(extra);
    }
    long times = number(req, "times"), sent = 0;
    for (long i = 0; i < (times > 0 ? times : 1); i++) {
        ssize_t rc;
        while ((rc = sendmsg(channel(), &message, MSG_NOSIGNAL)) < 0 && errno == EAGAIN && times > 0)
            usleep(100);
        sent += rc >= 0;
    }
    return covey_textf(req, 200, "%ld", sent);
}

static unsigned long page, page_end;

static void find_page(void)
{
    char line[512], flags[8];
    unsigned long from, to;
    FILE *maps = fopen("/proc/self/maps", "re");
    while (maps != NULL && fgets(line, sizeof(line), maps) != NULL)
        if (strstr(line, "covey-slots") != NULL && sscanf(line, "%lx-%lx %7s", &from, &to, flags) == 3 &&
            flags[1] == 'w')
            page = from, page_end = to;
    if (maps != NULL)
        fclose(maps);
}

static void *scribble_for(void *arg)
{
    struct timespec now;
    unsigned random = 1;
    long ms = (long)arg, until;
    clock_gettime(CLOCK_MONOTONIC, &now);
    until = now.tv_sec * 1000 + now.tv_nsec / 1000000 + ms;
    do {
        for (unsigned long at = page; at < page_end; at++)
            *(volatile char *)at = (char)rand_r(&random);
        clock_gettime(CLOCK_MONOTONIC, &now);
    } while (now.tv_sec * 1000 + now.tv_nsec / 1000000 < until);
    return NULL;
}

static int scribble(covey_req *req)
{
    pthread_t thread;
    find_page();
    if (page == 0 || pthread_create(&thread, NULL, scribble_for, (void *)number(req, "ms")) != 0)
        return covey_text(req, 500, "cannot");
    pthread_detach(thread);
    return covey_textf(req, 200, "%lu", page_end - page);
}

static int fds(covey_req *req)
{
    char path[64], link[128];
    int boots = 0;
    for (int fd = 0; fd < 256; fd++) {
        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        ssize_t len = readlink(path, link, sizeof(link) - 1);
        boots += len > 0 && (link[len] = '\0', strstr(link, "covey-") != NULL);
    }
    return covey_textf(req, 200, "%d", boots);
}

static int hold(covey_app *app)
{
    int times = (int)covey_config_int(app, "EXTENDS", 0);
    for (int i = 0; i < times; i++)
        covey_extend_start(app, 1000 + i % 2);
    return 0;
}

static int pid(covey_req *req) { return covey_textf(req, 200, "%d", (int)getpid()); }

static int setup(covey_app *app)
{
    covey_listener(app, COVEY_BEFORE_SERVER_START, hold);
    covey_post(app, "/say", say);
    covey_get(app, "/scribble", scribble);
    covey_get(app, "/fds", fds);
    covey_get(app, "/pid", pid);
    return 0;
}
"""


@pytest.fixture
def program(app):
    return app(APP)


def said(kind, *words, body=b""):
    words = (*words, 0, 0, 0, 0)[:4]
    return HEAD.pack(kind, len(body), *words, 0) + body


def say(connection, data, **query):
    """Has the worker of a connection say that to the master. False if it did not live to answer."""
    path = "/say?" + "&".join(f"{name}={value}" for name, value in query.items())
    try:
        return connection.post(path, data).status == 200
    except Closed:
        return False


def is_well(server, but=()):
    """All workers wanted are ready, and those of before are still there but for the ones named."""
    eventually("all are ready", lambda: status(server)["ready"] == server.workers_wanted, 20)
    assert not set(but) & set(server.workers())


# Worker -> master

NONSENSE = {
    "a byte": b"x", "a torn head": b"\0" * (HEAD.size - 1), "no kind": said(0), "a kind that is unknown": said(99),
    "the master's own words": said(GO), "the guardian's words": said(STOP, 2), "a length that lies": said(BEAT) + b"more",
    "a body that is missing": HEAD.pack(READY, 100, 0, 0, 0, 0, 0), "noise": os.urandom(3000),
    "more than a message": said(FAILED, body=b"x" * 32768) + b"x" * 5000,
}


@pytest.mark.parametrize("data", NONSENSE.values(), ids=NONSENSE.keys())
def test_worker_that_talks_nonsense_is_killed_and_replaced(jobs, program, data):
    server = jobs.server(program)
    (victim, connection), (other, second) = server.reach_all().items()
    say(connection, data)
    eventually("it is gone", lambda: victim not in server.workers(), 10)
    is_well(server)
    assert other in server.workers() and int(second.get("/pid").text) == other
    assert "sends nonsense: killed" in server.err


STALE = {
    "READY twice": [said(READY)] * 3, "GO's answer again": [said(HELLO, 0, 0, 9)],
    "a status without end": [said(DOING, body=b"x" * 32768)] * 3, "time it does not need": [said(EXTEND, 2**32 - 1)] * 3,
    "beats": [said(BEAT)] * 100, "a body where none belongs": [said(READY, body=b"y" * 1000)],
    "words it should not use": [said(READY, 2**32 - 1, 2**32 - 1, 2**32 - 1)],
    "a reason without a failure": [said(FAILED, 3, body=b"bang\n\0\x1b[2J" * 50)],
}


@pytest.mark.parametrize("data", STALE.values(), ids=STALE.keys())
def test_messages_out_of_turn_do_no_harm(jobs, program, data):
    server = jobs.server(program)
    (_, connection), (other, second) = server.reach_all().items()
    for one in data:
        say(connection, one)
    is_well(server)
    assert other in server.workers() and int(second.get("/pid").text) == other
    assert "\x1b" not in server.err


def test_drained_and_leaving_by_a_liar_end_only_the_liar(jobs, program):
    """DRAINED before it was asked is ignored; LEAVING is what a TERM to the worker would bring about."""
    server = jobs.server(program)
    (liar, connection), (other, _) = server.reach_all().items()
    say(connection, said(DRAINED))
    is_well(server)
    assert liar in server.workers()
    say(connection, said(LEAVING))
    eventually("it is replaced", lambda: len(server.workers()) == 3 or liar not in server.workers(), 10)
    assert other in server.workers()


def test_flood_of_messages_ends_the_worker_and_delays_nobody(jobs, program):
    server = jobs.server(program)
    (victim, connection), (other, second) = server.reach_all().items()
    connection.ask("POST", "/say?times=100000", said(BEAT))
    slowest = 0.0
    until = time.monotonic() + 0.5
    while time.monotonic() < until:
        began = time.monotonic()
        assert status(server)["wanted"] == 2
        slowest = max(slowest, time.monotonic() - began)
    assert sanitized() or slowest < 1.0
    eventually("it is gone", lambda: victim not in server.workers(), 10)
    is_well(server)
    assert "10,000 messages" in server.err
    assert other in server.workers() and int(second.get("/pid").text) == other


def test_app_that_asks_for_time_without_end_is_no_flood(jobs, program):
    server = jobs.server(program, extends=200000)
    server.reach_all()
    assert "killed" not in server.err


def test_descriptors_sent_along_are_closed(jobs, program):
    server = jobs.server(program)
    (_, connection), _ = server.reach_all().items()
    before = proc.held(server.master())
    for _ in range(20):
        assert say(connection, said(BEAT), fds=1)
    time.sleep(0.1)
    assert proc.held(server.master()) <= before
    is_well(server)


# The page of a worker

@pytest.mark.limit(60)
def test_worker_that_scribbles_over_its_page_harms_nobody_else(jobs, program, method):
    """It may be taken for one that hangs, for its beat says so; others may not, and status stays sane."""
    server = jobs.server(program, ["--hang-timeout", "0.3"], workers=3, method=method)
    (liar, connection), *others = server.reach_all().items()
    assert connection.get("/scribble?ms=1500").text == "4096"
    until = time.monotonic() + 1.8
    while time.monotonic() < until:
        found = status(server)
        assert found["wanted"] == 3 and len(found["workers"]) == 3
        for pid, other in others:
            assert int(other.get("/pid").text) == pid
        time.sleep(0.02)
    is_well(server)
    now = server.workers()
    assert all(pid in now for pid, _ in others), f"the liar was {liar}\n{server.tail()}"
    for slot in [slot for pid, slot in now.items() if pid in dict(others)]:
        assert f"worker {slot} has not come round" not in server.err
    assert server.master() is not None and "the master" not in server.err
    for connection in (connection, *(other for _, other in others)):
        connection.close()
    for connection in server.reach_all().values():  # new connections are still shared
        connection.close()


def test_worker_holds_neither_its_boot_record_nor_the_table_of_pages(jobs, program):
    """What it could write to, or map anew, is closed: the record it was born with, and the memory of all pages."""
    server = jobs.server(program)
    connection = next(iter(server.reach_all().values()))
    assert connection.get("/fds").text == "0"


# The control socket

def test_thousand_clients_that_say_nothing_keep_nobody_out(jobs):
    server = jobs.server().wait_serving()
    master, before = server.master(), proc.held(server.master())
    with contextlib.ExitStack() as stack:
        silent = []
        for _ in range(1000):
            client = stack.enter_context(raw(socket_of(server)))
            silent.append(client)
        began = time.monotonic()
        assert status(server)["ready"] == 2
        assert sanitized() or time.monotonic() - began < 1
        assert proc.held(master) <= before + 8
    eventually("all are forgotten", lambda: proc.held(master) <= before + 1, 10)
    assert status(server)["ready"] == 2


def test_clients_that_do_not_read_or_shut_one_side_are_dropped(jobs):
    server = jobs.server().wait_serving()
    before = proc.held(server.master())
    for _ in range(50):
        with raw(socket_of(server)) as client:
            client.send(message(STATUS))
        with raw(socket_of(server)) as client:
            client.shutdown(socket.SHUT_RD)
            client.send(message(STATUS))
        with raw(socket_of(server)) as client:
            client.send(message(STATUS))
            client.shutdown(socket.SHUT_WR)
            answer(client)
    assert status(server)["ready"] == 2
    eventually("all are forgotten", lambda: proc.held(server.master()) <= before, 10)


def test_descriptors_sent_to_the_control_socket_are_closed(jobs):
    server = jobs.server().wait_serving()
    before = proc.held(server.master())
    kept = []
    for _ in range(20):
        with raw(socket_of(server)) as client:
            socket.send_fds(client, [message(STATUS)], [0, 1, 2])
            while (found := answer(client)) and found[0] != DONE:
                kept.append(found)
            assert found
    assert kept
    eventually("none is left", lambda: proc.held(server.master()) <= before, 10)


# The manager outside

@pytest.mark.parametrize("kind", ["full", "missing", "a stream", "a file"])
def test_manager_that_does_not_listen_delays_nothing(jobs, tmp_path, kind):
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM if kind == "a stream" else socket.SOCK_DGRAM) as outside:
        if kind == "a file":
            path.touch()
        elif kind != "missing":
            outside.bind(str(path))
        if kind == "a stream":
            outside.listen(1)
        if kind == "full":
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as filler:
                filler.setblocking(False)
                with contextlib.suppress(BlockingIOError):
                    while True:
                        filler.sendto(b"STATUS=full", str(path))
        server = jobs.server(env={"NOTIFY_SOCKET": path})
        server.reach_all()
        server.send(server.guardian, signal.SIGHUP)
        eventually("it is reloaded", lambda: "generation 2 serves" in server.err, 10)
        taken = server.stop()
        assert sanitized() or taken < 2
