"""Compressed answers, as a client decodes them: whole, and while they come."""

import socket
import zlib

import pytest

from server import Server

APP = r"""
static char text[3000000];

static int whole(covey_req *req)
{
    return covey_bytes(req, 200, "text/plain", text, (size_t)covey_param_int(req, "len"));
}

static int pieces(covey_req *req)
{
    int rc = covey_respond(req, 200, .type = "text/plain");
    if (rc == 0)
        rc = covey_send(req, "first,", 6);
    if (rc == 0)
        rc = covey_sleep_ms(100000);
    return rc;
}

static int many(covey_req *req)
{
    int rc = covey_respond(req, 200, .type = "text/plain", .length = sizeof(text));
    for (size_t at = 0; at < sizeof(text) && rc == 0; at += 100000)
        rc = covey_send(req, text + at, 100000);
    return rc;
}

static int setup(covey_app *app)
{
    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = (char)('a' + i * i % 23 + i / 100000 % 3);
    covey_get(app, "/whole/<len:int>", whole);
    covey_get(app, "/pieces", pieces);
    covey_get(app, "/many", many);
    return 0;
}
"""
TEXT = bytes(ord("a") + i * i % 23 + i // 100000 % 3 for i in range(3000000))


@pytest.fixture(scope="module")
def served(app, tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("compress"), app(APP, name="compress"), workers=1, compress="on")
    try:
        server.wait_serving()
        yield server
        server.stop()
    finally:
        server.close()


def unzip(data):
    decoder = zlib.decompressobj(31)
    text = decoder.decompress(data)
    assert decoder.eof and not decoder.unused_data
    return text


@pytest.mark.parametrize("length", [1024, 8192, 8193, 100000, 3000000])
def test_a_whole_answer(served, length):
    with served.connect() as connection:
        answer = connection.get(f"/whole/{length}", Accept_Encoding="gzip")
        assert answer.header("Content-Encoding") == "gzip" and answer.header("Vary") == "Accept-Encoding"
        assert int(answer.header("Content-Length")) == len(answer.body) < length
        assert unzip(answer.body) == TEXT[:length]
        assert connection.get(f"/whole/{length}").body == TEXT[:length]


def test_a_short_one_stays_as_it_is(served):
    with served.connect() as connection:
        answer = connection.get("/whole/1023", Accept_Encoding="gzip")
        assert answer.header("Content-Encoding") is None and answer.body == TEXT[:1023]


def test_a_streamed_answer(served):
    with served.connect() as connection:
        answer = connection.get("/many", Accept_Encoding="gzip")
        assert answer.header("Content-Length") is None
        assert unzip(answer.body) == TEXT


def test_what_was_sent_can_be_read_at_once(served):
    with socket.create_connection(served.address, timeout=20) as client:
        client.sendall(b"GET /pieces HTTP/1.1\r\nHost: test\r\nAccept-Encoding: gzip\r\n\r\n")
        data = b""
        text = b""
        while text != b"first,":
            more = client.recv(4096)
            assert more
            data += more
            head, _, body = data.partition(b"\r\n\r\n")
            _, _, chunk = body.partition(b"\r\n")
            text = zlib.decompressobj(31).decompress(chunk) if chunk else b""
        assert b"Content-Encoding: gzip" in head
