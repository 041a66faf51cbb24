"""A disk that takes nothing for a while holds up who writes to it, and nobody else."""

import select

import pytest

import preload
from client import eventually
from harness import sanitized

APP = r"""
#include <sys/stat.h>

static int tell_size(covey_req *req, int fd)
{
    struct stat st;
    return fd >= 0 && fstat(fd, &st) == 0 ? covey_textf(req, 200, "%lld on disk", (long long)st.st_size) : fd;
}
static int body(covey_req *req) { return tell_size(req, covey_body_file(req)); }
static int upload(covey_req *req) { return tell_size(req, covey_upload_file(req, covey_upload(req, "f"))); }
static int hello(covey_req *req) { return covey_text(req, 200, "hello"); }
static int other(void *arg) { return arg != NULL; }
static int offload(covey_req *req) { return covey_textf(req, 200, "%d", covey_offload(other, req)); }
static int setup(covey_app *app)
{
    covey_get(app, "/", hello);
    covey_get(app, "/offload", offload);
    covey_post(app, "/body", body, .spool_above = 1);
    covey_post(app, "/upload", upload, .form = true);
    return 0;
}
"""
HEAD = b'--b\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\n'
LONG = 300000  # goes to disk as it comes
SHORT = 1000  # goes there because the handler wants a file


@pytest.fixture
def slow(jobs, app, tmp_path):
    """A server that stops writing while the file `slow.file` is there."""
    library = app(preload.SLOW_DISK, name="slow-disk.so", shared=True, head="")
    hold = tmp_path / "slow"
    server = jobs.server(app(APP, name="slow-disk"), workers=1, upload_dir=tmp_path, offload_threads=1,
                         env={"LD_PRELOAD": library, "SLOW": hold}).wait_serving()
    server.hold = hold
    server.held = tmp_path / "slow.held"
    return server


def send(connection, path, size):
    if path == "/upload":
        connection.ask("POST", path, HEAD + bytes(size) + b"\r\n--b--\r\n",
                       Content_Type="multipart/form-data; boundary=b")
    else:
        connection.ask("POST", path, bytes(size))


@pytest.mark.skipif(bool(sanitized()), reason="the sanitizers' runtime wants to be preloaded first")
@pytest.mark.parametrize("size", [LONG, SHORT])
@pytest.mark.parametrize("path", ["/body", "/upload"])
def test_others_are_served_meanwhile(slow, path, size):
    slow.hold.touch()
    with slow.connect() as writer, slow.connect() as other:
        send(writer, path, size)
        eventually("a write is held up", slow.held.exists)
        for _ in range(100):
            assert other.get("/").text == "hello"
            assert other.get("/offload").text == "1"
        assert not select.select([writer.socket], [], [], 0)[0]
        slow.hold.unlink()
        assert writer.response().text == f"{size} on disk"


@pytest.mark.skipif(bool(sanitized()), reason="the sanitizers' runtime wants to be preloaded first")
@pytest.mark.parametrize("path", ["/body", "/upload"])
def test_a_client_may_leave_meanwhile(slow, path):
    slow.hold.touch()
    with slow.connect() as writer:
        send(writer, path, LONG)
        eventually("a write is held up", slow.held.exists)
    with slow.connect() as other:
        assert other.get("/").text == "hello"
        slow.hold.unlink()
        send(other, path, LONG)
        assert other.response().text == f"{LONG} on disk"
