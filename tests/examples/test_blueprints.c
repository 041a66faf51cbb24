/* examples/blueprints.c has the same users in two places, and a key for one of them. */
#define main blueprints_main
#include "blueprints.c"
#undef main

#include <covey/test.h>

#include <assert.h>

int main(void)
{
    covey_test *t = covey_test_new(setup);
    assert(strcmp(covey_test_get(t, "/users/7")->body, "user 7, read only\n") == 0);
    assert(covey_test_get(t, "/users/x")->status == 404);
    assert(covey_test_get(t, "/admin/users/7")->status == 401);
    assert(covey_test_get(t, "/admin/users/7", .headers = {"X-Key: please"})->status == 401);
    assert(strcmp(covey_test_get(t, "/admin/users/7", .headers = {"X-Key: sesame"})->body,
                  "user 7, with all rights\n") == 0);
    assert(covey_test_free(t) == 0);
}
