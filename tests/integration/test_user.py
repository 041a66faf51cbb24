"""Workers that give root up: who they are afterwards, and that they still die with their master."""

import grp
import os
import pwd
import shutil
import signal

import pytest

import proc
from client import eventually
from harness import free_port, sanitized
from server import example

APP = """
static int pid(covey_req *req) { return covey_textf(req, 200, "%d", (int)getpid()); }
static int block(covey_req *req)
{
    signal(SIGTERM, SIG_IGN);
    for (int i = 0; i < 1000; i++)
        sleep(100);
    return covey_text(req, 200, "unblocked");
}
static int who(covey_req *req) { return covey_textf(req, 200, "%d %d", (int)getuid(), (int)getgid()); }
static int uid_in_setup;
static int in_setup(covey_req *req) { return covey_textf(req, 200, "%d", uid_in_setup); }
static int stop(covey_app *app) { (void)app; covey_info("stopped as %d", (int)getuid()); return 0; }
static int setup(covey_app *app)
{
    uid_in_setup = (int)getuid();
    covey_get(app, "/pid", pid);
    covey_get(app, "/block", block);
    covey_get(app, "/who", who);
    covey_get(app, "/in-setup", in_setup);
    covey_listener(app, COVEY_AFTER_SERVER_STOP, stop);
    return 0;
}
"""
root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


@pytest.fixture
def program(app):
    return app(APP)


def ids(pid):
    return [proc.status(pid)[name].split() for name in ("Uid", "Gid")]


def of(user, group):
    return str(pwd.getpwnam(user).pw_uid), str(grp.getgrnam(group).gr_gid)


@root
@pytest.mark.parametrize("name, group", [("daemon", "daemon"), ("daemon:adm", "adm")])
def test_workers_become_the_user_for_good(jobs, program, method, name, group):
    server = jobs.server(program, ["--user", name], method=method)
    uid, gid = of("daemon", group)
    for pid in server.reach_all():
        assert ids(pid) == [[uid] * 4, [gid] * 4]
        status = proc.status(pid)
        assert int(status["CapPrm"], 16) == int(status["CapEff"], 16) == 0
        assert "0" not in status["Groups"].split()
    for pid in (server.guardian, server.master()):
        assert ids(pid) == [["0"] * 4, ["0"] * 4]
    assert server.get("/in-setup").text == uid
    server.stop()
    assert f"stopped as {uid}" in server.err


@root
def test_replacements_and_the_next_generation_become_it_too(jobs, program, method):
    server = jobs.server(program, ["--user", "daemon"], method=method)
    victim = next(iter(server.reach_all()))
    server.send(victim, signal.SIGKILL)
    eventually("it is replaced", lambda: len(server.workers()) == 2 and victim not in server.workers(), 10)
    uid, _ = of("daemon", "daemon")
    assert all(ids(pid)[0] == [uid] * 4 for pid in server.reach_all())


@root
def test_workers_still_die_with_the_master(jobs, program, method):
    """The change of user clears the parent-death signal. The guardian is stopped, so that nothing else can end them."""
    server = jobs.server(program, ["--user", "daemon"], method=method)
    connection = next(iter(server.reach_all().values()))
    connection.ask("GET", "/block")
    workers = server.workers()
    server.send(server.guardian, signal.SIGSTOP)
    sent = server.send(server.master(), signal.SIGKILL)
    eventually("the workers are dead", lambda: all((proc.stat(pid) or 0) == 0 or proc.stat(pid).zombie
                                                   for pid in workers), 5)
    server.send(server.guardian, signal.SIGCONT)
    server.wait_gone(sent, 10)


@root
def test_single_process_becomes_it_too(jobs, program):
    server = jobs.server(program, ["--user", "daemon", "--single-process"], method=None, workers=None)
    server.wait_serving()
    assert server.get("/who").text == " ".join(of("daemon", "daemon"))


@root
def test_main_process_becomes_it_too(jobs, app):
    body = APP.replace("static int setup(", "static int main_start(covey_app *app) { (void)app; "
                        'covey_info("main is %d", (int)getuid()); return 0; }\nstatic int setup(')
    body = body.replace("    covey_listener(", "    covey_listener(app, COVEY_MAIN_PROCESS_START, main_start);\n"
                        "    covey_listener(", 1)
    server = jobs.server(app(body), ["--user", "daemon"])
    server.reach_all()
    assert f"main is {of('daemon', 'daemon')[0]}" in server.err


@pytest.mark.parametrize("name, words", [("no-such-user", 'no user "no-such-user"'),
                                         ("root:no-such-group", 'no group "no-such-group"')])
def test_unknown_names_end_the_start(jobs, name, words):
    job = jobs.run([example("hello"), "--user", name, "--port", free_port()])
    assert job.code == 2 and words in job.err


@root
@pytest.mark.skipif(bool(sanitized()), reason="the sanitizer's own files are root's")
def test_who_is_not_root_is_told(jobs, public):
    setpriv = shutil.which("setpriv")
    job = jobs.run([setpriv, "--reuid", "1", "--regid", "1", "--clear-groups", public(example("hello")), "--user", "root",
                    "--port", free_port()])
    assert job.code == 71 and 'only root can become user "root"' in job.err
