"""A worker that blocks its loop says where it is and is replaced; a slow start is named, and can be extended."""

import re
import signal
import threading
import time

import pytest

import preload
from client import eventually
from harness import sanitized

# /busy?ms=N computes, /native waits in a system call, both without giving the loop back.
APP = """
static int busy(covey_req *req)
{
    int64_t ms = atoi(covey_query(req, "ms"));
    struct timespec begun, now;
    clock_gettime(CLOCK_MONOTONIC, &begun);
    do
        clock_gettime(CLOCK_MONOTONIC, &now);
    while ((now.tv_sec - begun.tv_sec) * 1000 + (now.tv_nsec - begun.tv_nsec) / 1000000 < ms);
    return covey_text(req, 200, "done");
}
static int ignore_abort(covey_req *req)
{
    signal(SIGABRT, SIG_IGN);
    sleep(1000);
    return covey_text(req, 200, "never");
}
static int crash(covey_req *req)
{
    raise(SIGSEGV);
    return covey_text(req, 200, "never");
}
static int recurse(covey_req *req)
{
    volatile char room[65536];
    room[0] = (char)(uintptr_t)req;
    int rc = room[0] != 0 || getppid() != 0 ? recurse((covey_req *)(uintptr_t)room) : 0;
    return rc + room[0];
}
static int eat(int depth)
{
    volatile char frame[1024];
    frame[depth % 1024] = (char)depth;
    return depth == 0 ? 0 : eat(depth - 1) + frame[depth % 1024];
}
static int deep(covey_req *req) { return covey_textf(req, 200, "%d", eat(1 << 20)); }
static int null(covey_req *req) { int *volatile nowhere = NULL; return covey_textf(req, 200, "%d", *nowhere); }
static int wait_on_a_fiber(covey_req *req) { covey_sleep_ms(1500); return covey_text(req, 200, "waited"); }
static int stall(covey_req *req) { return covey_query(req, "stall") != NULL ? (int)sleep(1000) : 0; }
static int pid(covey_req *req) { return covey_textf(req, 200, "%d", (int)getpid()); }
static int init(covey_app *app)
{
    for (int64_t left = covey_config_int(app, "STEPS", 0); left > 0; left--) {
        covey_extend_start(app, 2000);
        usleep(500 * 1000);
    }
    return 0;
}
static int setup(covey_app *app)
{
    covey_listener(app, COVEY_BEFORE_SERVER_START, init);
    covey_middleware(app, COVEY_REQUEST, stall);
    covey_get(app, "/busy", busy);
    covey_get(app, "/ignore", ignore_abort);
    covey_get(app, "/crash", crash);
    covey_get(app, "/recurse", recurse);
    covey_get(app, "/deep", deep);
    covey_get(app, "/null", null);
    covey_get(app, "/wait", wait_on_a_fiber);
    covey_get(app, "/pid", pid);
    return 0;
}
"""


@pytest.fixture
def serve(jobs, app):
    return lambda **how: jobs.server(app(APP), **how)


def ask(server, path):
    """Asks and does not care for the answer; the thread ends with the connection."""
    def run():
        try:
            server.get(path)
        except OSError:
            pass
        except Exception:  # noqa: BLE001 - any form of "no answer" will do
            pass
    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


def test_blocked_loop_is_described_and_replaced(serve, method):
    server = serve(method=method, hang_timeout="700ms")
    before = set(server.reach_all())
    ask(server, "/busy?ms=600000")
    eventually("one is replaced", lambda: len(server.workers()) == 2 and set(server.workers()) != before, 15)
    server.reach_all()
    assert "has not come round its loop for 0.7 s (HANG_TIMEOUT)" in server.err
    assert "in the handler of GET /busy (" in server.err
    assert "busy (" in server.err.split("the stack:")[1]
    assert "ended with signal 6" in server.err
    assert len(before & set(server.workers())) == 1, "the other one was left alone"


@pytest.mark.parametrize("path", ["/pid", "/nowhere"])
def test_blocked_middleware_is_described(serve, path):
    server = serve(hang_timeout="700ms")
    before = set(server.reach_all())
    ask(server, f"{path}?stall")
    eventually("one is replaced", lambda: len(server.workers()) == 2 and set(server.workers()) != before, 15)
    place = path if path == "/pid" else "a request without a route"
    assert re.search(rf"in stall \(.*app\.c:\d+\) for {place}", server.err)


def test_requests_to_others_do_not_notice_a_blocked_loop(serve):
    server = serve(hang_timeout="700ms")
    (_, blocked), (pid, other) = server.reach_all().items()
    blocked.ask("GET", "/busy?ms=600000")
    slowest = 0.0
    while "ended with signal" not in server.err:
        began = time.monotonic()
        assert int(other.get("/pid").text) == pid
        slowest = max(slowest, time.monotonic() - began)
        time.sleep(0.005)
    assert sanitized() or slowest < 0.3


def test_blocked_loop_that_ignores_abort_is_killed(serve):
    server = serve(hang_timeout="500ms")
    before = set(server.reach_all())
    ask(server, "/ignore")
    eventually("one is replaced", lambda: len(server.workers()) == 2 and set(server.workers()) != before, 15)
    assert "ended with signal 9" in server.err


def test_long_request_on_a_fiber_is_no_hang(serve):
    server = serve(hang_timeout="500ms")
    before = set(server.reach_all())
    assert server.get("/wait").body == b"waited"
    assert set(server.workers()) == before


def test_busy_but_beating_worker_is_left_alone(serve):
    server = serve(hang_timeout=1, workers=1)
    before = set(server.reach_all())
    until = time.monotonic() + 2.5
    while time.monotonic() < until:
        assert server.get("/busy?ms=50").body == b"done"
    assert set(server.workers()) == before


def test_idle_server_hangs_nobody_and_wakes_nobody(serve):
    server = serve(hang_timeout="300ms")
    before = set(server.reach_all())
    time.sleep(1)  # what the requests have set off is over

    def switches():
        total = 0
        for pid in [server.guardian, server.master(), *server.workers()]:
            with open(f"/proc/{pid}/status") as status:
                total += sum(int(line.split()[1]) for line in status if "ctxt_switches" in line)
        return total

    counted = switches()
    time.sleep(2)
    assert switches() == counted
    assert set(server.workers()) == before


def test_paused_tree_is_not_held_against_its_workers(serve):
    server = serve(hang_timeout=1)
    before = set(server.reach_all())
    ask(server, "/busy?ms=100")
    tree = [server.guardian, server.master(), *server.workers()]
    for pid in tree:
        server.send(pid, signal.SIGSTOP)
    time.sleep(3)
    for pid in tree:
        server.send(pid, signal.SIGCONT)
    time.sleep(0.5)
    assert set(server.workers()) == before
    server.reach_all()


def test_stuck_worker_that_is_paused_and_resumed_is_still_found(serve):
    server = serve(hang_timeout=1)
    before = set(server.reach_all())
    ask(server, "/busy?ms=600000")
    time.sleep(0.3)
    for pid in before:
        server.send(pid, signal.SIGSTOP)
    time.sleep(0.5)
    for pid in before:
        server.send(pid, signal.SIGCONT)
    eventually("one is replaced", lambda: len(server.workers()) == 2 and set(server.workers()) != before, 15)
    assert len(before & set(server.workers())) == 1
    assert "in the handler of GET /busy (" in server.err


@pytest.mark.skipif(sanitized() == "address", reason="ASan describes crashes itself")
@pytest.mark.parametrize("path", ["/crash", "/recurse"])
def test_crash_names_route_and_stack(serve, path):
    server = serve()
    server.reach_all()
    ask(server, path)
    eventually("it is described", lambda: "the stack:" in server.err, 10)
    eventually("it has ended", lambda: "ended with signal 11" in server.err, 10)
    assert f"in the handler of GET {path} (" in server.err


@pytest.mark.skipif(sanitized() == "address", reason="ASan describes crashes itself")
@pytest.mark.parametrize("size", ["64k", "1M"])
def test_overflowed_stack_names_route_and_remedy(serve, size):
    server = serve(fiber_stack_size=size)
    server.reach_all()
    ask(server, "/deep")
    eventually("it has ended", lambda: "ended with signal 11" in server.err, 10)
    kib = {"64k": 64, "1M": 1024}[size]
    assert "in the handler of GET /deep (" in server.err
    assert f"), which has overflowed its stack of {kib} KiB: large arrays belong on the heap (covey_alloc())" in server.err
    server.reach_all()


@pytest.mark.skipif(sanitized() == "address", reason="ASan describes crashes itself")
def test_other_crashes_are_no_overflows(serve):
    server = serve()
    server.reach_all()
    ask(server, "/null")
    eventually("it has ended", lambda: "ended with signal 11" in server.err, 10)
    assert "in the handler of GET /null (" in server.err
    assert "overflowed" not in server.err


def test_handler_that_blocks_is_named_afterwards(serve):
    server = serve(slow_handler="100ms", workers=1)
    server.reach_all()
    assert server.get("/busy?ms=300").body == b"done"
    eventually("it is named", lambda: "the handler of GET /busy (" in server.err, 10)
    assert "(SLOW_HANDLER is 100 ms), and nobody else was served; what blocks belongs into covey_offload()" in server.err


def test_slow_handlers_are_not_named_where_that_is_off(serve):
    server = serve(slow_handler="off", workers=1)
    server.reach_all()
    assert server.get("/busy?ms=600").body == b"done"
    assert server.get("/busy?ms=1").body == b"done"
    assert "SLOW_HANDLER" not in server.err


def test_slow_start_listener_is_named_while_it_runs(jobs):
    server = jobs.server("slow_start", workers=1, custom_delay=2, slow_listener="400ms")
    eventually("it is named twice", lambda: server.err.count("is still in before_server_start listener init") >= 2, 10)
    assert "after 0.4 s" in server.err
    server.wait_serving()
    named = server.err.count("is still in")
    time.sleep(1)
    assert server.err.count("is still in") == named, "not once it has returned"


def test_late_start_says_where_it_is(jobs, method):
    server = jobs.server("slow_start", workers=1, method=method, custom_delay=100, start_timeout="500ms")
    eventually("it is described", lambda: "the stack:" in server.err, 10)
    assert "was not ready after 0.5 s (START_TIMEOUT)" in server.err
    assert "in before_server_start listener init (" in server.err
    eventually("and killed", lambda: "ended with signal 6" in server.err, 10)
    server.stop(starting=True)


def test_progress_extends_the_start(serve):
    server = serve(workers=1, steps=6, start_timeout=1)
    server.reach_all()
    assert "START_TIMEOUT" not in server.err


def test_progress_extends_no_further_than_the_limit(serve):
    server = serve(workers=1, steps=60, start_timeout=1, start_timeout_max=2)
    eventually("it is too late", lambda: "was not ready after 2.0 s (START_TIMEOUT)" in server.err, 10)
    server.stop(starting=True)


def test_master_that_stays_stopped_is_killed_and_all_with_it(jobs, method):
    server = jobs.server("testbed", method=method, hang_timeout=1)
    server.reach_all()
    since = server.send(server.master(), signal.SIGSTOP)
    taken = server.wait_gone(since, 15)
    assert taken > 0.9
    assert server.code == 128 + signal.SIGKILL
    assert "the master was stopped by a signal for too long" in server.err
    server.assert_all_ended()


@pytest.mark.skipif(bool(sanitized()), reason="the sanitizers' runtime wants to be preloaded first")
def test_master_that_hangs_is_described_and_all_with_it_ends(jobs, app, tmp_path):
    """Its loop does not come round for 10 s: the guardian asks it where it is, and ends everything."""
    hangs = tmp_path / "hangs"
    library = app(preload.HANGS, name="hangs.so", shared=True, head="")
    server = jobs.server("testbed", env={"LD_PRELOAD": library, "HANGS": hangs})
    victim = next(iter(server.reach_all()))
    hangs.write_text(str(server.master()))
    since = server.send(victim, signal.SIGKILL)  # which wakes it
    assert 9.9 < server.wait_gone(since, 20)
    assert server.code == 128 + signal.SIGABRT
    assert "pause" in server.err.split("the stack:")[1]
    server.assert_all_ended()


def test_briefly_stopped_master_goes_on(jobs):
    server = jobs.server("testbed", hang_timeout=2)
    before = set(server.reach_all())
    master = server.master()
    server.send(master, signal.SIGSTOP)
    time.sleep(0.5)
    server.send(master, signal.SIGCONT)
    time.sleep(2.5)
    assert server.master() == master
    assert set(server.workers()) == before


def test_abort_of_the_master_names_its_stack_and_ends_all(jobs):
    server = jobs.server("testbed")
    server.reach_all()
    server.wait_gone(server.send(server.master(), signal.SIGABRT), 10)
    assert server.code == 128 + signal.SIGABRT
    assert "epoll_wait" in server.err.split("the stack:")[1]
    server.assert_all_ended()
