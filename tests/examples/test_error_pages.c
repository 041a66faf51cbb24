/* examples/error_pages.c has pages of its own, and leaves the rest to covey's. */
#define main error_pages_main
#include "error_pages.c"
#undef main

#include <covey/test.h>

#include <assert.h>
#include <string.h>

int main(void)
{
    covey_test *t = covey_test_new(setup);
    const struct covey_test_answer *answer = covey_test_get(t, "/nowhere");
    assert(answer->status == 404);
    assert(strcmp(answer->body, "There is no /nowhere here. Try /tea.\n") == 0);

    answer = covey_test_get(t, "/broken");
    assert(answer->status == 500);
    assert(strcmp(answer->body, "It is our fault. Try again later.\n") == 0);

    answer = covey_test_get(t, "/tea");
    assert(answer->status == 418 && strstr(answer->body, "I am a teapot") != NULL);
    answer = covey_test_get(t, "/tea", .headers = {"Accept: application/json"});
    assert(strstr(covey_test_header(answer, "Content-Type"), "json") != NULL);
    assert(strstr(answer->body, "\"I am a teapot\"") != NULL);
    assert(covey_test_free(t) == 0);
}
