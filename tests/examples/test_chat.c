/* examples/chat.c: what one says all hear, also who comes back; an end is none with an error. */
#define main chat_main
#include "chat.c"
#undef main

#include <covey/test.h>

#include <assert.h>

static void hear_line(covey_test_stream *stream, const char *expected)
{
    char got[256];
    size_t n = strlen(expected);
    assert(covey_test_read(stream, got, n) == (ssize_t)n); /* more may stand behind it */
    assert(memcmp(got, expected, n) == 0);
}

static void say_line(covey_test *t, const char *text)
{
    assert(covey_test_post(t, "/chat", .body = text, .type = "text/plain")->status == 204);
}

int main(void)
{
    covey_test *t = covey_test_new(setup);
    say_line(t, "nobody is here");

    covey_test_stream *a = covey_test_open(t, "/chat");
    covey_test_stream *b = covey_test_open(t, "/chat", .headers = {"Last-Event-ID: 0"});
    hear_line(b, "id: 1\ndata: nobody is here\n\n");
    assert(covey_test_look(a)->status == 200);
    say_line(t, "hello");
    hear_line(a, "id: 2\ndata: hello\n\n");
    hear_line(b, "id: 2\ndata: hello\n\n");
    covey_test_leave(a);

    for (int i = 0; i < KEPT + 3; i++)
        say_line(t, "again");
    a = covey_test_open(t, "/chat", .headers = {"Last-Event-ID: 1"});
    hear_line(a, "id: 6\ndata: again\n\n"); /* 5 lines are no longer there */

    assert(covey_test_post(t, "/chat", .body = "")->status == 400);
    char long_line[300] = {0};
    memset(long_line, 'x', sizeof(long_line) - 1);
    assert(covey_test_post(t, "/chat", .body = long_line)->status == 413);
    assert(covey_test_free(t) == 0); /* both have heard that it ends */
}
