"""The inspector: what `covey status --json` says, over HTTP, in a process that nothing depends on."""

import json
import os
import re
import signal
import socket

import pytest

import proc
from client import Connection, eventually
from deployment import run
from harness import BUILD, free_port

APP = """
static int root(covey_req *req) { return covey_text(req, 200, "hello"); }
static int item(covey_req *req) { return covey_text(req, 200, ""); }
static int pid(covey_req *req) { return covey_textf(req, 200, "%d", (int)getpid()); }
static int setup(covey_app *app)
{
    covey_get(app, "/", root);
    covey_get(app, "/items/<n:int>", item, .name = "\\"an\\\\item\\"", .histogram = true);
    covey_get(app, "/pid", pid);
    return 0;
}
"""


@pytest.fixture
def program(app):
    return app(APP)


class Inspected:
    """A server with an inspector; `at` is its address."""

    def __init__(self, jobs, program, *, at=None, workers=2, **how):
        port = free_port()
        self.at = at or ("127.0.0.1", port)
        self.server = jobs.server(program, workers=workers, inspect=f"unix:{at}" if at else f"127.0.0.1:{port}", **how)
        self.server.wait_serving()
        eventually("the inspector serves", self.pid)

    def get(self, path):
        connection = Connection(self.at, 20.0)
        try:
            return connection.get(path)
        finally:
            connection.close()

    def pid(self):
        found = self.server.managed("inspector")
        return next(iter(found)) if len(found) == 1 else None

    def metrics(self):
        answer = self.get("/metrics")
        assert answer.status == 200, answer.text
        assert answer.header("Content-Type") == "text/plain; version=0.0.4; charset=utf-8"
        return parse(answer.text)


# A strict reader of the text format: https://prometheus.io/docs/instrumenting/exposition_formats/

SAMPLE = re.compile(r'([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)')
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\\\|\\"|\\n)*)"(?:,|$)')


def labels_of(text):
    found, at = {}, 0
    while at < len(text):
        match = LABEL.match(text, at)
        assert match, f"labels that cannot be read: {text}"
        assert match[1] not in found, f"a label twice: {text}"
        found[match[1]] = match[2].replace('\\"', '"').replace("\\n", "\n").replace("\\\\", "\\")
        at = match.end()
    return found


def family_of(name, types):
    for suffix in ("_bucket", "_sum", "_count"):
        if name.endswith(suffix) and types.get(name[:-len(suffix)]) == "histogram":
            return name[:-len(suffix)]
    return name


def check_histograms(samples, types):
    for family in (name for name, kind in types.items() if kind == "histogram"):
        series = {}
        for (name, labels), value in samples.items():
            if name == family + "_bucket":
                rest = tuple(item for item in labels if item[0] != "le")
                series.setdefault(rest, []).append((float(dict(labels)["le"]), value))
        for rest, buckets in series.items():
            assert buckets == sorted(buckets) and buckets[-1][0] == float("inf"), f"{family}{rest}: {buckets}"
            assert [n for _, n in buckets] == sorted(n for _, n in buckets), f"{family}{rest} is not cumulative"
            assert buckets[-1][1] == samples[family + "_count", rest]
            assert (family + "_sum", rest) in samples


def parse(text):
    """{(name, ((label, value), ...)): number}; whatever the format does not allow fails."""
    assert text.endswith("\n")
    samples, types, helps, current = {}, {}, set(), None
    for line in text.splitlines():
        if line.startswith("# HELP "):
            _, _, current, words = line.split(" ", 3)
            assert words and current not in helps
            helps.add(current)
        elif line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name == current and name not in types and kind in ("counter", "gauge", "histogram")
            types[name] = kind
        else:
            match = SAMPLE.fullmatch(line)
            assert match, f"no sample: {line}"
            assert family_of(match[1], types) == current, f"{line} stands under {current}"
            key = match[1], tuple(labels_of(match[2] or "").items())
            assert key not in samples, f"twice: {line}"
            samples[key] = float(match[3])
            assert types[current] != "counter" or match[1].endswith("_total")
    assert helps == set(types)
    check_histograms(samples, types)
    return samples


def counters(samples):
    return {key: value for key, value in samples.items()
            if key[0].endswith(("_total", "_bucket", "_count", "_sum"))}


def assert_not_less(before, after):
    for key, value in counters(before).items():
        assert after[key] >= value, f"{key} was {value} and is {after[key]}"


def requests(samples, route, kind="2xx"):
    return samples["covey_requests_total", (("route", route), ("class", kind))]


@pytest.mark.parametrize("method", ["spawn", "fork", "preload"])
def test_metrics_in_prometheus_format(jobs, program, method):
    inspected = Inspected(jobs, program, method=method)
    server = inspected.server
    for path in ("/", "/", "/items/3", "/nowhere"):
        server.get(path)
    eventually("all are seen", lambda: requests(inspected.metrics(), "/") == 2)
    found = inspected.metrics()
    name = '"an\\item"'
    assert requests(found, name) == 1
    assert requests(found, "(none)", "4xx") == 1
    assert found["covey_workers_ready", ()] == found["covey_workers_wanted", ()] == 2
    assert found["covey_route_duration_seconds_count", (("route", name),)] == 1
    assert found["covey_request_duration_seconds_count", ()] == sum(
        value for (kind, _), value in found.items() if kind == "covey_requests_total")


def test_status_is_that_of_the_command(jobs, program):
    inspected = Inspected(jobs, program)
    server = inspected.server
    server.get("/")

    def same():
        answer = inspected.get("/status")
        assert (answer.status, answer.header("Content-Type")) == (200, "application/json")
        ours = json.loads(answer.body)
        theirs = json.loads(run(server, "status", "--json", str(server.guardian)).stdout)
        assert ours.keys() == theirs.keys()
        return ours["metrics"] == theirs["metrics"] and ours["listeners"] == theirs["listeners"]

    eventually("both say the same", same)


def test_health_is_that_of_the_workers(jobs, app):
    program = app(APP.replace("static int setup(covey_app *app)\n{", """
static int begin(covey_app *app)
{
    (void)app;
    while (access("SLOW", F_OK) == 0)
        usleep(10000);
    return 0;
}
static int setup(covey_app *app)
{
    covey_listener(app, COVEY_BEFORE_SERVER_START, begin);"""))
    inspected = Inspected(jobs, program, workers=1)
    server = inspected.server
    answer = inspected.get("/healthz")
    assert (answer.status, answer.text) == (200, "1 of 1 workers are ready\n")
    slow = os.path.join(server.cwd, "SLOW")
    open(slow, "w").close()
    os.kill(next(iter(server.workers())), signal.SIGKILL)
    eventually("nobody is ready", lambda: inspected.get("/healthz").status == 503)
    assert inspected.get("/metrics").status == 200
    os.unlink(slow)
    eventually("one is ready", lambda: inspected.get("/healthz").status == 200)


def test_a_killed_inspector_is_replaced_and_workers_do_not_notice(jobs, program):
    inspected = Inspected(jobs, program)
    server = inspected.server
    connections = server.reach_all()
    last = inspected.metrics()
    for _ in range(3):
        victim = inspected.pid()
        os.kill(victim, signal.SIGKILL)
        now = inspected.metrics()  # the listener is the master's: nothing is refused meanwhile
        assert_not_less(last, now)
        last = now
        for connection in connections.values():
            assert connection.get("/").status == 200
        eventually("another serves", lambda v=victim: inspected.pid() not in (None, v))
    assert set(server.workers()) == set(connections)


def test_values_never_decrease_when_workers_are_killed(jobs, program):
    inspected = Inspected(jobs, program)
    server = inspected.server
    last = inspected.metrics()
    for _ in range(4):
        server.get("/")
        os.kill(next(iter(server.workers())), signal.SIGKILL)
        eventually("it is replaced", lambda: inspected.get("/healthz").text.startswith("2 of 2"))
        now = inspected.metrics()
        assert_not_less(last, now)
        last = now
    eventually("all are counted", lambda: requests(inspected.metrics(), "/") == 4)


def test_reload_and_upgrade_replace_it(jobs, program):
    inspected = Inspected(jobs, program)
    server = inspected.server
    for command in ("reload", "upgrade"):
        before, last = inspected.pid(), inspected.metrics()
        assert run(server, command, str(server.guardian)).returncode == 0
        eventually("another serves", lambda b=before: inspected.pid() not in (None, b))
        assert_not_less(last, inspected.metrics())


def test_unix_socket_is_removed_at_the_end(jobs, program, tmp_path):
    path = str(tmp_path / "inspect.sock")
    inspected = Inspected(jobs, program, at=path)
    assert requests(inspected.metrics(), "/") == 0
    inspected.server.stop()
    assert not os.path.lexists(path)


def test_inspector_dies_with_master_and_guardian(jobs, program):
    inspected = Inspected(jobs, program)
    server = inspected.server
    sent = server.send(server.master(), signal.SIGKILL)
    server.wait_gone(sent, 10)
    with pytest.raises(OSError):
        inspected.get("/healthz")


def test_seats_are_not_for_the_inspector(jobs, program):
    inspected = Inspected(jobs, program, per_slot_listeners=1)
    server = inspected.server
    server.reach_all()
    assert inspected.get("/healthz").status == 200
    assert run(server, "scale", "4", str(server.guardian)).returncode == 0
    for _ in range(20):
        assert inspected.get("/healthz").status == 200


def test_a_master_that_hangs_is_said_to(jobs, program):
    inspected = Inspected(jobs, program)
    server = inspected.server
    master = server.master()
    os.kill(master, signal.SIGSTOP)
    try:
        eventually("what is known is old", lambda: inspected.get("/healthz").status == 503, 20)
        assert inspected.get("/metrics").text == "the master could not be asked: it does not answer\n"
    finally:
        os.kill(master, signal.SIGCONT)
    eventually("it answers again", lambda: inspected.get("/healthz").status == 200, 20)


def test_many_who_ask_are_served_by_few_questions(jobs, program):
    inspected = Inspected(jobs, program)
    before = len(proc.fds(inspected.pid())), proc.held(inspected.server.master())
    connections = [Connection(inspected.at, 20.0) for _ in range(20)]
    for _ in range(20):
        for connection in connections:
            connection.ask("GET", "/metrics")
        for connection in connections:
            assert connection.response().status == 200
    for connection in connections:
        connection.close()
    eventually("nothing is left open", lambda: (len(proc.fds(inspected.pid())), proc.held(inspected.server.master()))
               == before)


def test_its_requests_are_not_the_servers(jobs, program):
    inspected = Inspected(jobs, program, access_log=1)
    server = inspected.server
    before = sum(value for (name, _), value in inspected.metrics().items() if name == "covey_requests_total")
    for _ in range(3):
        inspected.metrics()
    after = sum(value for (name, _), value in inspected.metrics().items() if name == "covey_requests_total")
    assert after == before
    server.stop()
    assert "/metrics" not in server.out


def test_address_in_use_ends_the_start(jobs, program):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        server = jobs.server(program, inspect=f"127.0.0.1:{port}")
        assert server.wait_code() == 69
        assert f"cannot listen on http://127.0.0.1:{port}: the address is in use" in server.err


@pytest.mark.parametrize("where, what", [("nonsense", "is no address"), ("127.0.0.1:0,127.0.0.1:0", "one address")])
def test_a_wrong_address_is_named(jobs, program, where, what):
    server = jobs.server(program, inspect=where)
    assert server.wait_code() == 2
    assert what in server.err


def test_a_command_has_none(jobs):
    server = jobs.server(BUILD / "covey", ["run", "--inspect", "127.0.0.1:0", "--", "sleep", "100"], workers=None, method=None,
                         address=("127.0.0.1", 1))
    assert server.wait_code() == 2
    assert "INSPECT: a command counts nothing" in server.err


def test_without_room_for_it_the_server_says_so_once_and_serves(jobs, app):
    program = app(APP.replace("static int setup(covey_app *app)\n{", """
static int work(covey_app *app) { (void)app; return pause(); }
static int setup(covey_app *app)
{
    covey_manage(app, "crowd", work, .workers = 64);"""))
    server = jobs.server(program, inspect="127.0.0.1:0").wait_serving()
    server.reach_all()
    assert server.err.count("the inspector does not run: there is no room for one more managed process") == 1
    server.stop(signal.SIGQUIT)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_another_user_may_look(jobs, program):
    """Neither the control socket nor the counters' memory could be opened by that user."""
    inspected = Inspected(jobs, program, user="nobody", control="off")
    assert os.stat(f"/proc/{inspected.pid()}").st_uid != 0
    inspected.server.get("/")
    eventually("it is counted", lambda: requests(inspected.metrics(), "/") == 1)


def test_an_app_cannot_have_its_name(jobs, app):
    program = app("""
static int work(covey_app *app) { (void)app; return 0; }
static int setup(covey_app *app) { covey_manage(app, "inspector", work); return 0; }
""")
    server = jobs.server(program)
    assert server.wait_code() == 4
    assert "covey's own processes have that name" in server.err
