/* examples/middleware.c shows the order in which it runs. */
#define main middleware_main
#include "middleware.c"
#undef main

#include <covey/test.h>

#include <assert.h>
#include <string.h>

int main(void)
{
    covey_test *t = covey_test_new(setup);
    const struct covey_test_answer *handled = covey_test_get(t, "/");
    assert(handled->status == 200);
    assert(strcmp(covey_test_header(handled, "X-Order"), "first, A, B, handler, D, C") == 0);

    const struct covey_test_answer *stopped = covey_test_get(t, "/?stop");
    assert(stopped->status == 403 && strcmp(stopped->body, "stopped\n") == 0);
    assert(strcmp(covey_test_header(stopped, "X-Order"), "first, A, D, C") == 0);
    assert(covey_test_free(t) == 0);
}
