/* examples/slow_start.c greets by name, once its listener has slept. */
#define main slow_start_main
#include "slow_start.c"
#undef main

#include <covey/test.h>

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int main(void)
{
    setenv("COVEY_CUSTOM_DELAY", "0", 1);
    covey_test *t = covey_test_new(setup);
    assert(strcmp(covey_test_get(t, "/hello/World")->body, "Hello, World!\n") == 0);
    assert(strcmp(covey_test_get(t, "/hello/a%20b")->body, "Hello, a b!\n") == 0);
    assert(covey_test_get(t, "/hello/")->status == 404);
    assert(covey_test_free(t) == 0);

    setenv("COVEY_CUSTOM_DELAY", "soon", 1);
    t = covey_test_new(setup);
    assert(strstr(covey_test_error(t), "CUSTOM_DELAY") != NULL);
    covey_test_free(t);
}
