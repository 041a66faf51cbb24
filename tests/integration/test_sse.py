"""Server-sent events as a browser meets them: slow streams, a lost connection, a server that stops."""

import pytest

from client import eventually
from server import Server

APP = r"""
static int numbers(covey_req *req)
{
    char id[24];
    const char *last = covey_sse_last_id(req);
    int rc = covey_sse_begin(req, .heartbeat = 50);
    for (long n = last != NULL ? strtol(last, NULL, 10) + 1 : 1; rc == 0; n++) {
        snprintf(id, sizeof(id), "%ld", n);
        rc = covey_sse_send(req, "line one\nline two", .event = "number", .id = id);
        if (rc == 0)
            rc = covey_sleep_ms(200);
    }
    covey_info("the stream has ended: cause %d", (int)covey_cancel_cause(req));
    return rc;
}

static int setup(covey_app *app)
{
    covey_get(app, "/numbers", numbers);
    return 0;
}
"""


@pytest.fixture
def served(app, tmp_path):
    """As strict to slow clients as it can be set."""
    server = Server(tmp_path, app(APP, name="events"), workers=1, rate_span="100ms", send_timeout="500ms",
                    response_timeout="300ms", keep_alive_timeout="300ms", graceful_shutdown_timeout="500ms", compress="on")
    try:
        server.wait_serving()
        yield server
    finally:
        server.close()


def begin(connection, **fields):
    connection.ask("GET", "/numbers", Accept_Encoding="gzip", **fields)
    head = connection._until(b"\r\n\r\n").decode()
    assert "Content-Type: text/event-stream\r\n" in head and "Content-Encoding" not in head
    return head


def events(connection, n):
    """The first `n`, and how many comments stood in front of the last."""
    text, comments = "", 0
    while text.count("\n\n") < n:
        size = int(connection._until(b"\r\n").split(b";")[0], 16)
        chunk = connection._exactly(size).decode()
        connection._exactly(2)
        if chunk == ":\n\n":
            comments += 1
        else:
            text += chunk
    return text.split("\n\n")[:n], comments


def test_a_slow_stream_is_cut_by_no_time_out(served):
    with served.connect() as connection:
        begin(connection)
        seen, comments = events(connection, 10)  # 2 s, at some 30 bytes each 50 ms
        assert seen == [f"event: number\nid: {n}\ndata: line one\ndata: line two" for n in range(1, 11)]
        assert comments > 0
    eventually("its handler has ended", lambda: "the stream has ended: cause 1" in served.err)
    served.stop()


def test_it_goes_on_where_it_was_lost(served):
    with served.connect() as connection:
        begin(connection, Last_Event_ID="41")
        assert "id: 42\n" in events(connection, 1)[0][0]
    served.stop()


def test_a_stop_ends_it(served):
    with served.connect() as connection:
        begin(connection)
        events(connection, 1)
        served.stop()
        assert "the stream has ended: cause 3" in served.err
