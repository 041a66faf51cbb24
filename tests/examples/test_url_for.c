/* examples/url_for.c prints links that lead where they should. */
#define main url_for_main
#include "url_for.c"
#undef main

#include <covey/test.h>

#include <assert.h>
#include <string.h>

int main(void)
{
    covey_test *t = covey_test_new(setup);
    const struct covey_test_answer *answer = covey_test_get(t, "/");
    assert(strcmp(answer->body, "/users/7\n"
                                "/users/7?tab=mail+box#unread\n"
                                "https://example.com/blog/what-is-new\n"
                                "/files/css/my%20style.css\n") == 0);
    assert(strcmp(covey_test_get(t, "/users/7?tab=mail+box")->body, "This is user.\n") == 0);
    assert(strcmp(covey_test_get(t, "/blog/what-is-new")->body, "This is blog.post.\n") == 0);
    assert(covey_test_free(t) == 0);
}
