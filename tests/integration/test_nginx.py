"""docs/proxy.md: nginx in front of covey, set up as the page says, where there is an nginx."""

import os
import re
import shutil
import subprocess
import tempfile

import pytest

from client import Connection, eventually
from harness import ROOT, free_port

NGINX = shutil.which("nginx", path=os.pathsep.join((os.environ["PATH"], "/usr/sbin", str(ROOT / "build/nginx/usr/sbin"))))
CONFIG = re.search(r"```nginx\n(.*?)```", (ROOT / "docs/proxy.md").read_text(), re.DOTALL)[1]
APP = """
static int who(covey_req *req)
{
    return covey_textf(req, 200, "%s %s %s", covey_client_ip(req), covey_url(req), covey_request_id(req));
}
static int events(covey_req *req)
{
    int rc = covey_sse_begin(req);
    if (rc == 0)
        rc = covey_sse_send(req, "now");
    return rc == 0 ? covey_sleep_ms(60000) : rc;
}
static int begun;
static int upload(covey_req *req)
{
    char piece[100];
    ssize_t n;
    while ((n = covey_body_read(req, piece, sizeof(piece))) > 0)
        begun = 1;
    return n < 0 ? (int)n : covey_text(req, 200, "all");
}
static int has_begun(covey_req *req) { return covey_textf(req, 200, "%d", begun); }
static int setup(covey_app *app)
{
    covey_get(app, "/who", who);
    covey_get(app, "/events", events);
    covey_put(app, "/upload", upload, .stream = true);
    covey_get(app, "/begun", has_begun);
    return 0;
}
"""


@pytest.fixture
def folder():
    """One that all may enter: nginx's workers are another user, if it is root that tests."""
    with tempfile.TemporaryDirectory(prefix="covey-") as name:
        os.chmod(name, 0o755)
        yield name


@pytest.fixture
def proxied(jobs, app, folder):
    """The address of nginx, with covey behind it."""
    if NGINX is None:
        pytest.skip("there is no nginx here")
    socket = f"{folder}/web.sock"
    jobs.server(app(APP, name="shop"), ["--listen", f"unix:{socket}"], address=socket, proxies_count=1, workers=1).wait_serving()
    port = free_port()
    folders = "".join(f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    config = CONFIG.replace("/run/shop/web.sock", socket).replace("listen 80;", f"listen 127.0.0.1:{port};")
    with open(f"{folder}/nginx.conf", "w", encoding="ascii") as file:
        file.write(f"daemon off; pid {folder}/pid; worker_processes 1; events {{}} http {{ access_log off; {folders}\n{config}}}\n")
    with subprocess.Popen([NGINX, "-c", f"{folder}/nginx.conf", "-p", folder, "-e", f"{folder}/error.log"]) as nginx:
        def answers():
            try:
                with Connection(("127.0.0.1", port)) as connection:
                    return connection.get("/who").status == 200
            except ConnectionError:
                return False

        try:
            eventually("it answers through nginx", answers, 10)
            yield "127.0.0.1", port
        finally:
            nginx.terminate()


def test_the_client_is_told_and_cannot_lie(proxied):
    with Connection(proxied) as connection:
        answer = connection.get("/who", x_forwarded_for="192.0.2.1", x_forwarded_path="/evil", x_forwarded_host="evil.example")
        client, url, request_id = answer.text.split()
        assert (client, url) == ("127.0.0.1", "http://test/who")  # as the client has written it
        assert re.fullmatch("[0-9a-f]{32}", request_id)
        assert connection.get("/who").text.split()[2] != request_id


def test_events_and_bodies_are_not_held_back(proxied):
    with Connection(proxied) as connection:
        connection.ask("GET", "/events")
        eventually("the event is here", lambda: b"data: now" in connection.socket.recv(4096), 5)
    with Connection(proxied) as connection:
        connection.send(b"PUT /upload HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\n\r\nab")

        def has_begun():
            with Connection(proxied) as other:
                return other.get("/begun").text == "1"

        eventually("the handler has begun", has_begun, 5)
        connection.send(b"cde")
        assert connection.response().text == "all"
