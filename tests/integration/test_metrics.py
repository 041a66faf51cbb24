"""What workers count: seen by `covey status`, kept when they die, never less."""

import json
import os
import random
import signal
import struct
import threading
import time

import pytest

from client import eventually
from control import DONE, HEAD, METRICS, REGIONS, answer, message, raw, socket_of
from deployment import run

APP = """
static int root(covey_req *req) { return covey_text(req, 200, "hello"); }
static int item(covey_req *req) { return covey_text(req, covey_param_int(req, "n") < 0 ? 404 : 200, ""); }
static int nap(covey_req *req)
{
    int rc = covey_sleep_ms(covey_param_int(req, "ms"));
    return rc < 0 ? rc : covey_text(req, 200, "slept");
}
static int pid(covey_req *req) { return covey_textf(req, 200, "%d", (int)getpid()); }
/* Whatever is mapped for sharing and large enough. */
static int scribble(covey_req *req)
{
    char line[512];
    FILE *maps = fopen("/proc/self/maps", "r");
    int found = 0;
    while (maps != NULL && fgets(line, sizeof(line), maps) != NULL) {
        unsigned long begin, end;
        if (strstr(line, "covey-region") == NULL || sscanf(line, "%lx-%lx rw-s", &begin, &end) != 2)
            continue;
        for (unsigned char *at = (unsigned char *)begin; at < (unsigned char *)end; at++)
            *at = (unsigned char)rand();
        found++;
    }
    fclose(maps);
    return covey_textf(req, 200, "%d", found);
}
static int setup(covey_app *app)
{
    covey_get(app, "/", root);
    covey_get(app, "/items/<n:int>", item, .name = "an item", .histogram = true);
    covey_get(app, "/nap/<ms:int>", nap);
    covey_get(app, "/pid", pid);
    covey_post(app, "/scribble", scribble);
    return 0;
}
"""


@pytest.fixture
def program(app):
    return app(APP)


def control(server, *words):
    found = run(server, *words, str(server.guardian))
    assert found.returncode == 0, f"{found}\n{server.tail()}"
    return found.stdout


def status(server):
    return json.loads(control(server, "status", "--json"))


def metrics(server):
    return status(server)["metrics"]


def total(server):
    return metrics(server)["total"]


def routes(part):
    return {route["route"]: {name: n for name, n in route["requests"].items() if n} for route in part["routes"]}


def answered(part):
    return sum(part["requests"].values())


def numbers(value, path=""):
    """{path: number} of all that only ever grows."""
    if isinstance(value, dict):
        if "route" in value:
            path += "/" + value["route"]
        return {name: n for key, inner in value.items() for name, n in numbers(inner, f"{path}/{key}").items()
                if key not in ("connections", "in_flight", "now", "p50_us", "p90_us", "p99_us", "up_to_us", "slot")}
    if isinstance(value, list):
        return {name: n for i, inner in enumerate(value) for name, n in numbers(inner, f"{path}/{'' if isinstance(inner, dict) and 'route' in inner else i}").items()}
    return {path: value} if isinstance(value, (int, float)) else {}


def assert_not_less(before, after):
    now = numbers(after)
    for name, n in numbers(before).items():
        assert now[name] >= n, f"{name} was {n} and is {now[name]}"


def test_requests_are_counted_by_route_and_class(jobs, program):
    server = jobs.server(program, workers=1).wait_serving()
    with server.connect() as connection:
        for path in ("/", "/", "/items/1", "/items/-1", "/nowhere"):
            connection.get(path)
        connection.get("/items/x")
    with server.connect() as connection:
        connection.send(b"GET / HTTP/1.1\r\n\r\n")  # no Host
        connection.response()
    seen = total(server)
    found = routes(seen)
    assert found["/"] == {"2xx": 2}
    assert found["an item"] == {"2xx": 1, "4xx": 1}
    assert found["(none)"] == {"4xx": 2}
    assert found["(refused)"] == {"4xx": 1}
    assert seen["refused"]["malformed"] == 1
    assert found["/pid"] == {"2xx": 1}  # of wait_serving()
    assert (seen["requests"]["2xx"], seen["requests"]["4xx"], seen["accepted"]) == (4, 4, 3)
    assert seen["bytes"]["received"] > 200 and seen["bytes"]["sent"] > 500
    assert seen["fibers"]["most"] >= 1
    # Stacks are looked at once a second, when the loop has nothing else to do.
    eventually("a stack has been seen", lambda: server.get("/") and total(server)["fibers"]["stack_most_bytes"] > 0)


def test_latency_is_that_of_the_requests(jobs, program):
    server = jobs.server(program, workers=1).wait_serving()
    with server.connect() as connection:
        for _ in range(10):
            connection.get("/nap/40")
        connection.get("/items/1")
    seen = total(server)
    assert seen["latency"]["n"] == 12 == sum(bucket["n"] for bucket in seen["latency"]["buckets"])
    assert 33000 <= seen["latency"]["p50_us"] <= seen["latency"]["p90_us"] <= seen["latency"]["p99_us"]
    assert seen["latency"]["sum_us"] >= 400000
    own = {route["route"]: route["latency"]["n"] for route in seen["routes"] if "latency" in route}
    assert own == {"an item": 1}
    assert seen["loop"]["n"] >= 11


def test_connections_are_told_by_their_state(jobs, program):
    server = jobs.server(program, workers=1).wait_serving()
    with server.connect() as idle, server.connect() as reading, server.connect() as handling:
        idle.get("/")
        reading.send(b"GET / HT")
        handling.ask("GET", "/nap/30000")
        expected = {"idle": 1, "reading": 1, "handling": 1, "writing": 0, "closing": 0}
        eventually("they are seen", lambda: total(server)["connections"] == expected)
        assert (total(server)["in_flight"], total(server)["fibers"]["now"]) == (1, 1)
        os.kill(next(iter(server.workers())), signal.SIGKILL)
        eventually("nothing of the dead is seen", lambda: not any(total(server)["connections"].values()))
        assert total(server)["in_flight"] == 0


@pytest.mark.parametrize("method", ["spawn", "fork", "preload"])
def test_the_next_one_counts_on(jobs, program, method):
    server = jobs.server(program, workers=2, method=method)
    for round in range(3):
        for connection in server.reach_all().values():
            connection.get("/")
            connection.close()
        before = metrics(server)
        for pid in server.workers():
            os.kill(pid, signal.SIGKILL)
        eventually("they are replaced", lambda: status(server)["ready"] == 2)
        after = metrics(server)
        assert_not_less(before["total"], after["total"])
        assert routes(after["total"])["/"] == {"2xx": 2 * (round + 1)}
        assert routes(after["slots"][0])["/"] == {"2xx": round + 1}


def test_nothing_is_lost_by_reload_upgrade_and_scale(jobs, deployment):
    server = jobs.server(deployment.path, workers=2).wait_serving()
    for command in (["reload"], ["upgrade"], ["scale", "1"], ["scale", "3"], ["upgrade"]):
        server.get("/")
        before = total(server)
        deployment.deploy(answer=str(random.random()))
        control(server, *command)
        assert_not_less(before, total(server))
    assert routes(total(server))["/"] == {"2xx": 5}


def test_totals_never_decrease_while_workers_are_killed(jobs, program):
    server = jobs.server(program, workers=2)
    server.reach_all()
    done = threading.Event()
    ok = [0]

    def ask():
        while not done.is_set():
            try:
                ok[0] += server.get("/").status == 200
            except OSError:
                pass

    clients = [threading.Thread(target=ask) for _ in range(2)]
    for client in clients:
        client.start()
    try:
        last = total(server)
        for _ in range(8):
            victim = random.choice(list(server.workers()))
            os.kill(victim, signal.SIGKILL)
            for _ in range(5):
                now = total(server)
                assert_not_less(last, now)
                last = now
            eventually("it is replaced", lambda v=victim: v not in server.workers() and status(server)["ready"] == 2)
    finally:
        done.set()
        for client in clients:
            client.join()
    assert routes(total(server))["/"]["2xx"] >= ok[0]  # it is counted before its answer leaves


def test_hostile_pages_are_read_without_harm(jobs, program):
    server = jobs.server(program, workers=2)
    for connection in server.reach_all().values():
        assert connection.post("/scribble", b"").text == "1"
        seen = total(server)
        assert answered(seen) >= 0
        connection.close()
    control(server, "status")
    for pid in server.workers():
        os.kill(pid, signal.SIGKILL)
    eventually("they are replaced", lambda: status(server)["ready"] == 2)
    assert server.get("/").status == 200


def test_a_client_gets_descriptors_it_cannot_write_to(jobs, program):
    server = jobs.server(program, workers=2)
    server.reach_all()
    with raw(socket_of(server)) as connection:
        connection.send(message(METRICS))
        found = []
        while True:
            data, rights, _, _ = connection.recvmsg(65536, 4096)
            kind = HEAD.unpack(data[:HEAD.size])[0]
            for _, _, fds in rights:
                found += struct.unpack(f"{len(fds) // 4}i", fds)
            if kind == REGIONS:
                assert struct.unpack("=2I", data[HEAD.size:]) == (0, 1)
            if kind == DONE:
                break
    assert len(found) == 2
    for fd in found:
        with pytest.raises(OSError):
            os.pwrite(fd, b"x", 0)
        with pytest.raises(OSError):
            os.ftruncate(fd, 0)
        os.close(fd)


def test_many_who_ask_leave_no_descriptor_behind(jobs, program):
    server = jobs.server(program, workers=2)
    server.reach_all()
    before = len(os.listdir(f"/proc/{server.master()}/fd"))
    for _ in range(30):
        with raw(socket_of(server)) as connection:
            connection.send(message(METRICS))
            while (got := answer(connection)) is not None and got[0] != DONE:
                pass
    eventually("all are gone", lambda: len(os.listdir(f"/proc/{server.master()}/fd")) <= before)


def test_status_says_it_in_words(jobs, program):
    server = jobs.server(program, workers=1).wait_serving()
    server.get("/")
    server.get("/nowhere")
    said = control(server, "status")
    assert "requests since the start: 4xx 1, 2xx 2, latency p50 " in said
    assert "not done" not in said
    with server.connect() as connection:
        connection.send(b"nonsense\r\n\r\n")
        time.sleep(0.05)
    eventually("it is named", lambda: "not done: malformed 1\n" in control(server, "status"))


