/* examples/hello.c says hello, on one path only. */
#define main hello_main
#include "hello.c"
#undef main

#include <covey/test.h>

#include <assert.h>
#include <string.h>

int main(void)
{
    covey_test *t = covey_test_new(setup);
    const struct covey_test_answer *answer = covey_test_get(t, "/");
    assert(answer->status == 200);
    assert(strcmp(answer->body, "Hello, World!") == 0);
    assert(covey_test_get(t, "/nowhere")->status == 404);
    assert(covey_test_free(t) == 0);
}
