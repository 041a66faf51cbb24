"""AUTO_RELOAD: what has been built anew is served, without anybody asking."""

import os
import re
import shutil
import time

import pytest

from client import eventually
from harness import BUILD

COVEY = BUILD / "covey"
APP = r"""
static int version(covey_req *req) { return covey_text(req, 200, VERSION); }
static int setup(covey_app *app)
{
    covey_get(app, "/", version);
    return 0;
}
"""


@pytest.fixture
def build(app, tmp_path):
    """build(version): as a linker does it, in the place of the one before; its path. `moved`: as a copy that is renamed."""
    def put(version, shared=False, moved=False, rests=0.0):
        built = app(APP + ("COVEY_APP(setup)" if shared else ""), define=[f'VERSION="{version}"'], shared=shared,
                    name="app.so" if shared else "app")
        target = tmp_path / "out" / built.name
        target.parent.mkdir(exist_ok=True)
        if moved:
            shutil.copy(built, f"{target}.new")
            os.rename(f"{target}.new", target)
            return target
        target.unlink(missing_ok=True)
        code = built.read_bytes()
        with open(target, "wb") as file:
            file.write(code[:len(code) // 2])
            file.flush()
            time.sleep(rests)
            file.write(code[len(code) // 2:])
            os.fchmod(file.fileno(), 0o755)
        return target

    return put


def wait_for(server, version):
    eventually(f"version {version} serves", lambda: server.get("/").text == version, 20)


@pytest.mark.parametrize("method", ["spawn", "preload"])
def test_what_is_built_anew_is_served(jobs, build, method):
    server = jobs.server(build("1"), method=method, auto_reload=1).wait_serving()
    assert server.get("/").text == "1"
    build("2", rests=0.6)  # longer than the server waits for more: it is not complete before it is closed
    wait_for(server, "2")
    build("3", moved=True)
    wait_for(server, "3")
    assert re.findall(r"reloading: generation (\d)", server.err) == ["2", "3"]


@pytest.mark.parametrize("method", ["spawn", "fork"])
def test_a_shared_object_too(jobs, build, method):
    server = jobs.server(COVEY, ["run", build("1", shared=True)], method=method, auto_reload=1).wait_serving()
    assert server.get("/").text == "1"
    build("2", shared=True)
    wait_for(server, "2")


def test_what_cannot_run_is_waited_for_to_be_mended(jobs, build):
    path = build("1")
    server = jobs.server(path, auto_reload=1).wait_serving()
    assert server.get("/").text == "1"
    path.unlink()
    path.write_bytes(b"\x7fnot a program")
    path.chmod(0o755)
    eventually("it is tried", lambda: "reloading: generation 2" in server.err, 10)
    assert server.get("/").text == "1"
    build("3")
    wait_for(server, "3")


def test_other_files_of_the_folder_do_not_matter(jobs, build):
    path = build("1")
    server = jobs.server(path, auto_reload=1).wait_serving()
    for number in range(300):  # more than are told of at once
        path.with_name(f"object-{number:0100}.o").touch()
    build("2")
    wait_for(server, "2")
    assert server.err.count("what runs has been built anew") == 1


def test_by_default_nobody_looks(jobs, build):
    server = jobs.server(build("1")).wait_serving()
    assert server.get("/").text == "1"
    build("2")
    time.sleep(1)
    assert server.get("/").text == "1"
    assert "reloading" not in server.err
