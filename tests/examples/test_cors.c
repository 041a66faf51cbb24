/* examples/cors.c lets one origin in, and answers the browser's question before a PUT. */
#define main cors_main
#include "cors.c"
#undef main

#include <covey/test.h>

#include <assert.h>

int main(void)
{
    covey_test *t = covey_test_new(setup);
    const struct covey_test_answer *answer =
        covey_test_get(t, "/price", .headers = {"Origin: https://shop.example"});
    assert(strcmp(answer->body, "{\"price\":42}") == 0);
    assert(strcmp(covey_test_header(answer, "Access-Control-Allow-Origin"), allowed) == 0);
    assert(strcmp(covey_test_header(answer, "Vary"), "Origin") == 0);

    answer = covey_test_get(t, "/price", .headers = {"Origin: https://other.example"});
    assert(covey_test_header(answer, "Access-Control-Allow-Origin") == NULL);

    answer = covey_test_options(
        t, "/price",
        .headers = {"Origin: https://shop.example", "Access-Control-Request-Method: PUT"});
    assert(answer->status == 204);
    assert(strcmp(covey_test_header(answer, "Access-Control-Allow-Origin"), allowed) == 0);
    assert(strcmp(covey_test_header(answer, "Access-Control-Allow-Methods"), "GET, PUT") == 0);
    assert(covey_test_free(t) == 0);
}
