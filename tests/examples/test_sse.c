/* examples/sse.c counts, from where a browser has been. */
#define main sse_main
#include "sse.c"
#undef main

#include <covey/test.h>

#include <assert.h>
#include <string.h>

static void hear(covey_test_stream *stream, const char *expected)
{
    char got[256];
    ssize_t len = covey_test_read(stream, got, sizeof(got) - 1);
    assert(len > 0);
    got[len] = '\0';
    assert(strcmp(got, expected) == 0);
}

int main(void)
{
    covey_test *t = covey_test_new(setup);
    assert(strstr(covey_test_get(t, "/")->body, "EventSource('/events')") != NULL);

    covey_test_stream *stream = covey_test_open(t, "/events");
    const struct covey_test_answer *answer = covey_test_look(stream);
    assert(strncmp(covey_test_header(answer, "Content-Type"), "text/event-stream", 17) == 0);
    hear(stream, "id: 1\ndata: 1\n\n");
    hear(stream, "id: 2\ndata: 2\n\n");
    covey_test_leave(stream);

    stream = covey_test_open(t, "/events", .headers = {"Last-Event-ID: 41"});
    hear(stream, "id: 42\ndata: 42\n\n");
    covey_test_leave(stream);
    assert(covey_test_free(t) == 0);
}
