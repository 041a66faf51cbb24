/* examples/cookies.c counts visits, until it is told to forget them. */
#define main cookies_main
#include "cookies.c"
#undef main

#include <covey/test.h>

#include <assert.h>
#include <string.h>

int main(void)
{
    covey_test *t = covey_test_new(setup);
    const struct covey_test_answer *first = covey_test_get(t, "/");
    assert(strcmp(first->body, "visit 1\n") == 0);
    assert(strstr(covey_test_header(first, "Set-Cookie"), "HttpOnly") != NULL);
    assert(strcmp(covey_test_get(t, "/")->body, "visit 2\n") == 0);
    assert(strcmp(covey_test_cookie(t, "visits"), "2") == 0);

    assert(covey_test_get(t, "/forget")->status == 303);
    assert(covey_test_cookie(t, "visits") == NULL);
    assert(strcmp(covey_test_get(t, "/")->body, "visit 1\n") == 0);
    assert(covey_test_free(t) == 0);
}
