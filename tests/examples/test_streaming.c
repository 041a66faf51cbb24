/* examples/streaming.c: bodies go up, down, and both ways at once. */
#define main streaming_main
#include "streaming.c"
#undef main

#include <covey/test.h>

#include <assert.h>
#include <string.h>

static void write_and_hear(covey_test_stream *stream, const char *word, const char *heard)
{
    char got[8] = "";
    assert(covey_test_write(stream, word, strlen(word)) == 0);
    assert(covey_test_read(stream, got, sizeof(got) - 1) == (ssize_t)strlen(heard));
    assert(strcmp(got, heard) == 0);
}

int main(void)
{
    covey_test *t = covey_test_new(setup);
    static const char zeros[1000000];
    const struct covey_test_answer *sum =
        covey_test_put(t, "/count", .body = zeros, .len = sizeof(zeros));
    assert(strcmp(sum->body, "1000000 bytes\n") == 0);
    assert(strcmp(covey_test_get(t, "/lines/3")->body, "line 1\nline 2\nline 3\n") == 0);

    covey_test_stream *shout = covey_test_open(t, "/shout", .method = "PUT");
    write_and_hear(shout, "one", "ONE");
    write_and_hear(shout, "two", "TWO");
    assert(strcmp(covey_test_finish(shout)->body, "ONETWO") == 0);
    assert(covey_test_free(t) == 0);
}
