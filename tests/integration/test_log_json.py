"""LOG_FORMAT=json: each line of each process is an object, whatever apps and clients have to say."""

import json
import re

import pytest

from client import eventually

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")

# A handler, an offloaded call, a task and a managed process say something; one handler crashes.
APP = r"""
static const char nasty[] = "two\nlines, \"quotes\", \\, \033[31m, \xff\xfe and \xc3\xa4";
static int offloaded(void *arg) { covey_info("on a thread: %s", (const char *)arg); return 0; }
static void task(void *arg) { covey_info("in a task: %s", (const char *)arg); }
static int say(covey_req *req)
{
    covey_warn("%s", nasty);
    int rc = covey_offload(offloaded, (void *)"x");
    covey_add_task(covey_app_of(req), task, .arg = (void *)"y");
    return rc < 0 ? rc : covey_text(req, 200, "said");
}
static int crash(covey_req *req) { (void)req; abort(); }
static int queue(covey_app *app)
{
    covey_info("beside the workers");
    while (!covey_is_stopping(app) && covey_sleep_ms(50) == 0)
        continue;
    return 0;
}
static int setup(covey_app *app)
{
    covey_manage(app, "queue", queue);
    covey_get(app, "/say", say, .name = "say");
    covey_get(app, "/crash", crash);
    return 0;
}
"""


@pytest.fixture(scope="module")
def program(app):
    return app(APP)


def lines_of(path):
    """The objects of a file. Every line has to be one."""
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    for line in lines:
        assert TIME.fullmatch(line["time"]), line
        assert line["level"] in ("debug", "info", "warn", "error"), line
        assert line["server"] and line["process"], line
    return lines


def test_every_process_writes_objects(jobs, program, tmp_path):
    log, access = tmp_path / "log", tmp_path / "access"
    server = jobs.server(program, ["--log-file", log, "--access-log-file", access, "--log-format", "json", "--log-level",
                                   "debug", "--log-request-id"]).wait_serving()
    assert server.get("/say", X_Request_ID="an-id").text == "said"
    eventually("the task has logged", lambda: "in a task" in log.read_text(), 10)
    eventually("the managed process has logged", lambda: "beside the workers" in log.read_text(), 10)
    server.stop()
    lines = lines_of(log)
    assert {"guardian", "master", "queue 0"} < {line["process"] for line in lines}
    said = next(line for line in lines if "quotes" in line["message"])
    assert said["message"] == 'two\nlines, "quotes", \\, \x1b[31m, \ufffd\ufffd and \xe4'
    assert said["level"] == "warn" and said["request_id"] == "an-id" and said["process"].startswith("worker ")
    assert next(line for line in lines if line["message"] == "on a thread: x")["request_id"] == "an-id"
    assert "request_id" not in next(line for line in lines if line["message"] == "in a task: y")
    assert any("listening on" in line["message"] for line in lines)
    (line,) = [line for line in lines_of(access) if line["target"] == "/say"]
    assert line["log"] == "access" and line["client"] == "127.0.0.1" and line["process"].startswith("worker ")
    assert (line["method"], line["target"], line["protocol"]) == ("GET", "/say", "HTTP/1.1")
    assert (line["status"], line["bytes"], line["route"], line["request_id"]) == (200, 4, "say", "an-id")
    assert line["ms"] > 0


def test_a_crash_is_told_in_objects(jobs, program, tmp_path):
    log = tmp_path / "log"
    server = jobs.server(program, ["--log-file", log, "--log-format", "json"], workers=1).wait_serving()
    with server.connect() as connection:
        connection.send(b"GET /crash HTTP/1.1\r\nHost: x\r\n\r\n")
        assert connection.closed()
    eventually("the crash is described", lambda: "the stack:" in log.read_text(), 10)
    server.stop()
    lines = lines_of(log)
    told = next(line for line in lines if "the stack:" in line["message"])
    assert told["level"] == "error" and told["process"] == "worker 0" and "signal 6" in told["message"]
    assert any(line["process"] == "master" and "worker 0" in line["message"] for line in lines)
