"""docs/from-sanic.md: its C blocks are one program, which compiles without a warning and does what the page says."""

import re

import pytest

from apps import compile_c
from client import eventually
from harness import ROOT

PAGE = (ROOT / "docs/from-sanic.md").read_text()
MARK = "/* in setup(): */\n"
HEAD = """
#include <covey/covey.h>
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
"""


def source():
    functions, statements = "", ""
    for block in re.findall(r"```c\n(.*?)```", PAGE, re.DOTALL):
        above, _, below = block.partition(MARK)
        functions += above
        statements += below
    return f"{functions}\nstatic int setup(covey_app *app)\n{{\n{statements}return 0;\n}}\n"


def test_every_block_has_its_counterpart():
    blocks = re.findall(r"```(\w+)\n(.*?)```", PAGE, re.DOTALL)
    assert [kind for kind, _ in blocks] == ["python", "c"] * (len(blocks) // 2)
    assert all(MARK in text for kind, text in blocks if kind == "c")


@pytest.fixture
def server(jobs, tmp_path):
    (tmp_path / "app.css").write_text("a {}")
    program = compile_c(tmp_path, source(), name="shop", head=HEAD, libraries=["-ljansson"])
    return jobs.server(program, workers=1, assets=tmp_path, dsn="db://x").wait_serving()


def test_it_does_what_it_says(server):
    def send(method, path, body=None, **fields):
        with server.connect() as connection:
            return connection.request(method, path, body, **fields)

    def ask(path, body=None, method="GET", **fields):
        answer = send(method, path, body, **fields)
        return answer.status, answer.text

    assert ask("/items/7?lang=de") == (200, '{"id":7,"lang":"de"}')
    assert ask("/items/7777")[0] == 404
    created = send("POST", "/items", b'{"name": "x"}')
    assert (created.status, created.header("Location")) == (201, "/items/7")
    assert send("POST", "/items", b"{}").status == 422
    form = b'--b\r\nContent-Disposition: form-data; name="title"\r\n\r\nT\r\n--b\r\n' \
           b'Content-Disposition: form-data; name="photo"; filename="p.png"\r\n\r\nabc\r\n--b--\r\n'
    assert ask("/photos", form, "POST", content_type="multipart/form-data; boundary=b") == (200, "p.png: 3 bytes, T")
    assert ask("/me", cookie="user=otter") == (200, "you are otter")
    assert send("GET", "/me").header("Set-Cookie").startswith("seen=1; Path=/; Max-Age=3600")
    assert ask("/v1/orders/3")[0] == 401
    assert ask("/v1/orders/3", authorization="Bearer sesame") == (404, '{"error":"no order 3"}')
    assert ask("/dsn") == (200, "db://x")
    assert ask("/count", b"12345", "PUT") == (200, "5")
    assert ask("/lines") == (200, "line 0\nline 1\nline 2\n")
    assert ask("/report")[0] == 200
    assert send("GET", "/style").header("Location") == "/assets/app.css"
    assert ask("/assets/app.css") == (200, "a {}")
    eventually("signal and task were heard", lambda: "made: daily" in server.err and "a report was made" in server.err)
