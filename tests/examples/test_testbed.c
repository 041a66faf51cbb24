/* examples/testbed.c answers as its first lines say; what needs a server of its own is in
 * tests/integration. */
#define main testbed_main
#include "testbed.c"
#undef main

#include <covey/test.h>

#include <assert.h>

int main(void)
{
    covey_test *t = covey_test_new(setup);
    assert(strcmp(covey_test_get(t, "/hello/covey")->body, "Hello, covey!") == 0);
    assert(strcmp(covey_test_get(t, "/slow")->body, "slow") == 0);

    const struct covey_test_answer *echo =
        covey_test_post(t, "/echo", .body = "\0\r\nbytes", .len = 8, .type = "application/x-own");
    assert(echo->len == 8 && memcmp(echo->body, "\0\r\nbytes", 8) == 0);
    assert(strcmp(covey_test_header(echo, "Content-Type"), "application/x-own") == 0);
    assert(covey_test_free(t) == 0);
}
