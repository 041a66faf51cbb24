"""--start-method preload: the app is loaded once, workers are copies of that process."""

import contextlib
import json
import os
import re
import signal
import subprocess
import time

import pytest

import proc
from apps import HEAD
from client import eventually
from harness import BUILD, sanitized
from server import KILL_BOUND, STARTING_BOUND, within

# BREAK, a file: setup fails while it is there. SETUP_DELAY in ms. TABLE in MiB, built and filled in setup().
APP = """
static char *volatile table;
static int setups;
static pid_t setup_in;
static int handled_forks;
static void in_fork(void) { handled_forks++; }
static void *idle(void *arg) { for (;;) pause(); return arg; }
static int pid(covey_req *req) { return covey_textf(req, 200, "%d", (int)getpid()); }
static int facts(covey_req *req)
{
    int owned = 0;
    pthread_mutex_t lock;
    pthread_mutexattr_t kind;
    pthread_mutexattr_init(&kind);
    pthread_mutexattr_settype(&kind, PTHREAD_MUTEX_ERRORCHECK);
    pthread_mutex_init(&lock, &kind);
    pthread_mutex_lock(&lock);
    owned = *(int *)((char *)&lock + 8) == gettid(); /* the lock's owner, on Linux with glibc */
    pthread_mutex_unlock(&lock);
    return covey_textf(req, 200, "setups=%d here=%d parent=%d forks=%d owner=%d tag=%s", setups,
                       setup_in == getpid(), setup_in == getppid(), handled_forks, owned, getenv("_COVEY_TAG"));
}
static int say(covey_req *req) { dprintf(2, "said by %d\\n", (int)getpid()); return covey_text(req, 200, ""); }
static int die(covey_req *req) { (void)req; _exit(9); }
static int spawn_child(covey_req *req)
{
    pid_t child = fork();
    if (child == 0) { setsid(); execlp("sleep", "sleep", "300", NULL); _exit(1); }
    return covey_textf(req, 200, "%d", (int)child);
}
static int nap(covey_req *req) { int rc = covey_sleep_ms(50); return rc < 0 ? rc : covey_text(req, 200, "slept"); }
static int twice(void *arg) { *(int *)arg *= 2; return 0; }
static int offload(covey_req *req)
{
    int number = 21;
    int rc = covey_offload(twice, &number);
    return rc < 0 ? rc : covey_textf(req, 200, "%d", number);
}
static int tasks_done;
static void task(void *arg) { (void)arg; tasks_done++; }
static int tasks(covey_req *req) { return covey_textf(req, 200, "%d", tasks_done); }
static int fail_boot(covey_app *app)
{
    return covey_config_bool(app, "FAIL_BOOT", false) ? covey_setup_fail(app, "no boot") : 0;
}
static int setup(covey_app *app)
{
    static pthread_t thread;
    unsigned left = (unsigned)covey_config_int(app, "SETUP_DELAY", 0) * 1000;
    long size = covey_config_int(app, "TABLE", 0) << 20;
    if (access(covey_config_str(app, "BREAK", "/nowhere/at/all"), F_OK) == 0)
        return covey_setup_fail(app, "the table is broken");
    if (covey_config_bool(app, "THREAD", false))
        pthread_create(&thread, NULL, idle, NULL);
    usleep(left);
    printf("setup\\n"); /* stays in the buffer: must be written once */
    if (size > 0)
        memset(table = malloc((size_t)size), 7, (size_t)size);
    setups++;
    setup_in = getpid();
    pthread_atfork(NULL, NULL, in_fork);
    covey_add_task(app, task);
    covey_listener(app, COVEY_BEFORE_SERVER_START, fail_boot);
    covey_get(app, "/pid", pid);
    covey_get(app, "/facts", facts);
    covey_get(app, "/die", die);
    covey_get(app, "/say", say);
    covey_get(app, "/child", spawn_child);
    covey_get(app, "/nap", nap);
    covey_get(app, "/offload", offload);
    covey_get(app, "/tasks", tasks);
    return 0;
}
"""


# What setup() shares is one for all: Sanic's shared_ctx.
SHARED = """
static _Atomic int *count;
static int pid(covey_req *req) { return covey_textf(req, 200, "%d", (int)getpid()); }
static int add(covey_req *req) { return covey_textf(req, 200, "%d", ++*count); }
static int setup(covey_app *app)
{
    count = mmap(NULL, sizeof(*count), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    covey_get(app, "/pid", pid);
    covey_get(app, "/add", add);
    return count == MAP_FAILED ? covey_setup_fail(app, "no memory") : 0;
}
"""


@pytest.fixture
def program(app):
    return app(APP, head="#define _GNU_SOURCE\n" + HEAD)


@pytest.fixture
def preloaded(jobs, program):
    def make(workers=2, **how):
        return jobs.server(program, method="preload", workers=workers, **how)

    return make


def template(server):
    [pid] = server.templates()
    return pid


def wait_in_setup(server):
    """The pid of the template, which is blocked in setup()."""
    return eventually("the template is in setup", lambda: server.templates() and
                      proc.in_sleep(server.templates()[0]) and template(server), 5.0)


# What a worker is

def test_workers_are_copies_and_the_masters_children(preloaded):
    server = preloaded(8)
    connections = server.reach_all()
    assert len(connections) == 8
    tags = set()
    for pid, connection in connections.items():
        assert proc.stat(pid).ppid == server.master()
        facts = connection.get("/facts").text
        assert facts.startswith("setups=1 here=0 parent=0 forks=1 owner=1 tag="), facts
        tags.add(facts.partition("tag=")[2])
        assert f"_COVEY_TAG={facts.partition('tag=')[2]}".encode() in proc.read(f"/proc/{pid}/environ").split(b"\0")
    assert len(tags) == 8
    assert proc.stat(template(server)).ppid == server.master()
    assert not server.zombies() and not server.strays()
    server.stop()
    assert server.out.count("setup") == 1


def test_loop_fibers_threads_and_tasks_are_each_workers_own(preloaded):
    server = preloaded(3)
    for connection in server.reach_all().values():
        assert connection.get("/nap").text == "slept"
        assert connection.get("/offload").text == "42"
        assert connection.get("/tasks").text == "1"
    polls = [{name for name in proc.fds(pid).values() if "eventpoll" in name} for pid in server.workers()]
    assert all(len(poll) >= 1 for poll in polls)
    assert not [name for name in proc.fds(template(server)).values() if "eventpoll" in name]
    server.stop()


def listeners(pid):
    inodes = {name[8:-1] for name in proc.fds(pid).values() if name.startswith("socket:[")}
    return [line for line in proc.read("/proc/net/tcp").decode().splitlines()[1:]
            if line.split()[3] == "0A" and line.split()[9] in inodes]


def test_the_template_holds_no_listener_and_leaks_none(preloaded):
    server = preloaded(2)
    server.reach_all()
    before = len(proc.fds(template(server)))
    for _ in range(3):
        for pid, connection in server.reach_all().items():
            connection.ask("GET", "/die")
            eventually("it is gone", lambda: proc.stat(pid) is None, 5.0)
        server.wait_workers(2)
    server.reach_all()
    assert listeners(template(server)) == [] and len(proc.fds(template(server))) == before
    server.stop()


def pss(pid):
    return int(re.search(r"^Pss: *(\d+) kB", proc.read(f"/proc/{pid}/smaps_rollup").decode(), re.M)[1])


@pytest.mark.skipif(bool(sanitized()), reason="shadow memory")
def test_memory_is_shared(jobs, program):
    used = {}
    for method in ("spawn", "preload"):
        server = jobs.server(program, method=method, workers=8, table=64)
        used[method] = sum(pss(pid) for pid in server.reach_all()) + sum(pss(pid) for pid in server.templates())
        server.stop()
    print({method: f"{kb / 1024:.0f} MiB" for method, kb in used.items()})
    assert used["spawn"] > 8 * 64 * 1024
    assert used["preload"] < used["spawn"] / 4


def test_what_setup_shares_is_one_for_all_workers(jobs, app):
    server = jobs.server(app(SHARED, head=HEAD + "#include <sys/mman.h>\n"), method="preload", workers=3)
    counts = [connection.get("/add").text for connection in server.reach_all().values()]
    assert counts == ["1", "2", "3"]


def test_per_slot_listeners(preloaded):
    server = preloaded(3, per_slot_listeners=1)
    own = [listeners(pid)[0].split()[9] for pid in server.reach_all()]
    assert len(set(own)) == 3
    server.stop()


# A template that fails

def test_setup_that_fails_ends_the_start(jobs, program, tmp_path):
    (tmp_path / "break").touch()
    job = jobs.run([str(program), "--start-method", "preload", "--port", "0", "--workers", "4"],
                   env={"COVEY_BREAK": str(tmp_path / "break")})
    assert job.code == 4 and "the table is broken" in job.err, job.tail()


def test_start_listener_that_fails_ends_the_start(jobs, program):
    job = jobs.run([str(program), "--start-method", "preload", "--port", "0", "--workers", "2"],
                   env={"COVEY_FAIL_BOOT": "1"})
    assert job.code == 3 and "no boot" in job.err, job.tail()


def test_threads_in_setup_are_refused(jobs, program):
    job = jobs.run([str(program), "--start-method", "preload", "--port", "0"], env={"COVEY_THREAD": "1"})
    assert job.code == 4 and "setup has started threads" in job.err, job.tail()


def test_a_template_that_is_late_says_where_it_is(preloaded):
    server = preloaded(2, setup_delay=60000, start_timeout=0.5, start_timeout_max=0.5)
    first = wait_in_setup(server)
    eventually("it is ended", lambda: proc.stat(first) is None, 5.0)
    assert "has not set the app up after 0.5 s (START_TIMEOUT)" in server.err
    assert "the app's setup" in server.err, server.tail()
    eventually("another is made", lambda: server.templates() and server.templates() != [first], 5.0)
    server.stop(signal.SIGTERM, starting=True)


def test_a_stopped_template_does_not_hold_a_start_for_ever(preloaded):
    server = preloaded(2, start_timeout=1, start_timeout_max=1)
    connection = next(iter(server.reach_all().values()))
    old = template(server)
    server.send(old, signal.SIGSTOP)
    connection.ask("GET", "/die")
    eventually("another template has made it", lambda: server.templates() not in ([], [old]) and
               len(server.workers()) == 2, 10.0)
    assert "has made no worker after 1.0 s" in server.err
    server.stop()


# A template that is killed

def test_a_killed_template_costs_nothing(preloaded):
    server = preloaded(2)
    connections = server.reach_all()
    first = template(server)
    server.send(first, signal.SIGKILL)
    eventually("it is reaped", lambda: proc.stat(first) is None, 5.0)
    time.sleep(0.2)
    assert server.templates() == [] and set(server.workers()) == set(connections)
    victim, connection = next(iter(connections.items()))
    connection.ask("GET", "/die")
    eventually("it is gone", lambda: proc.stat(victim) is None, 5.0)
    assert len(server.reach_all()) == 2
    assert template(server) != first
    server.stop()


def test_a_template_killed_in_setup_is_tried_again(preloaded):
    server = preloaded(2, setup_delay=500)
    first = wait_in_setup(server)
    server.send(first, signal.SIGKILL)
    assert len(server.reach_all()) == 2
    assert template(server) != first
    server.stop()


@pytest.mark.parametrize("who", ["master", "guardian", "both"])
@pytest.mark.parametrize("phase", ["setup", "serving"])
def test_a_killed_watcher_ends_everything(preloaded, phase, who):
    def attempt(limit):
        server = preloaded(4, control="off", **({"setup_delay": 60000} if phase == "setup" else {}))
        if phase == "setup":
            wait_in_setup(server)
        else:
            server.reach_all()
        pids = {"master": [server.master()], "guardian": [server.guardian],
                "both": [server.master(), server.guardian]}[who]
        fds = [os.pidfd_open(pid) for pid in pids]
        sent = time.monotonic()
        for fd in fds:
            with contextlib.suppress(ProcessLookupError):  # died with the other
                signal.pidfd_send_signal(fd, signal.SIGKILL)
            os.close(fd)
        taken = server.wait_gone(sent, limit)
        if who != "both":
            server.assert_all_ended()
        return taken

    within(KILL_BOUND, attempt)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
def test_a_stop_while_the_template_is_in_setup(preloaded, number):
    def attempt(limit):
        server = preloaded(4, setup_delay=60000)
        wait_in_setup(server)
        return server.stop(number, starting=True)

    within(STARTING_BOUND, attempt)


def test_what_a_worker_left_behind_goes_with_it(preloaded):
    server = preloaded(2)
    (victim, connection), (_, other) = server.reach_all().items()
    child, kept = int(connection.get("/child").text), int(other.get("/child").text)
    server.send(victim, signal.SIGKILL)
    eventually("its child is gone", lambda: proc.stat(child) is None, 5.0)
    server.wait_workers(2)
    time.sleep(0.3)
    assert proc.stat(kept) is not None
    server.stop(signal.SIGQUIT)


# Reload, status

def test_a_reload_has_a_template_of_its_own(preloaded, tmp_path):
    server = preloaded(2, **{"break": tmp_path / "break"})
    old, first = set(server.reach_all()), template(server)
    server.send(server.guardian, signal.SIGHUP)
    eventually("all is new", lambda: not old & set(server.workers()) and len(server.workers()) == 2 and
               len(server.templates()) == 1 and server.templates() != [first], 10.0)
    eventually("it is said", lambda: "generation 2 serves" in server.err, 5.0)
    new, second = set(server.workers()), template(server)
    (tmp_path / "break").touch()
    server.send(server.guardian, signal.SIGHUP)
    eventually("it has failed", lambda: "the reload has failed" in server.err, 10.0)
    eventually("its template is gone", lambda: server.templates() == [second], 5.0)
    assert set(server.workers()) == new and "the table is broken" in server.err
    server.stop()


def test_workers_made_later_write_to_the_log_file_that_was_opened_anew(preloaded, tmp_path):
    log = tmp_path / "log"
    server = preloaded(2, log_file=log)
    victim, connection = next(iter(server.reach_all().items()))
    log.rename(tmp_path / "log.1")
    server.send(server.guardian, signal.SIGUSR1)
    eventually("it is opened anew", lambda: log.exists() and "opened anew" in log.read_text(), 5.0)
    connection.ask("GET", "/die")
    eventually("it is gone", lambda: proc.stat(victim) is None, 5.0)
    for pid, connection in server.reach_all().items():
        connection.get("/say")
        assert f"said by {pid}\n" in log.read_text()
    assert "said by" not in (tmp_path / "log.1").read_text()
    server.stop()


def test_status_shows_it(preloaded):
    server = preloaded(2)
    server.reach_all()

    def covey(*words):
        return subprocess.run([BUILD / "covey", *words], env={**os.environ, "XDG_RUNTIME_DIR": str(server.cwd)},
                              capture_output=True, text=True, timeout=10).stdout

    assert re.search(rf"^template +{template(server)} +READY", covey("status"), re.M), covey("status")
    roles = [entry["role"] for entry in json.loads(covey("status", "--json"))["workers"]]
    assert sorted(roles) == ["template", "worker", "worker"]
    server.stop()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_the_template_gives_root_up_before_setup(preloaded):
    server = preloaded(2, user="nobody")
    for pid in [*server.reach_all(), template(server)]:
        assert "\t65534\t65534\t65534\t65534" in proc.read(f"/proc/{pid}/status").decode().split("Uid:")[1].split("\n")[0]
    sent = server.send(server.guardian, signal.SIGKILL)
    server.wait_gone(sent, 5.0)
