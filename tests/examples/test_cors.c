/* examples/cors.c lets one origin in, and answers the browser's question before a PUT. */
#define main cors_main
#include "cors.c"
#undef main

#include <covey/test.h>

#include <assert.h>
#include <string.h>

static const char shop[] = "https://shop.example";

static bool has(const struct covey_test_answer *answer, const char *name, const char *value)
{
    const char *is = covey_test_header(answer, name);
    return is != NULL && strcmp(is, value) == 0;
}

int main(void)
{
    covey_test *t = covey_test_new(setup);
    const struct covey_test_answer *answer =
        covey_test_get(t, "/price", .headers = {"Origin: https://shop.example"});
    assert(strcmp(answer->body, "{\"price\":42}") == 0);
    assert(has(answer, "Access-Control-Allow-Origin", shop));
    assert(has(answer, "Vary", "Origin"));

    answer = covey_test_get(t, "/prize", .headers = {"Origin: https://shop.example"});
    assert(answer->status == 404 && has(answer, "Access-Control-Allow-Origin", shop));

    answer = covey_test_get(t, "/price", .headers = {"Origin: https://other.example"});
    assert(answer->status == 200 && has(answer, "Vary", "Origin"));
    assert(covey_test_header(answer, "Access-Control-Allow-Origin") == NULL);

    answer = covey_test_options(
        t, "/price",
        .headers = {"Origin: https://shop.example", "Access-Control-Request-Method: PUT"});
    assert(answer->status == 204);
    assert(has(answer, "Access-Control-Allow-Origin", shop));
    assert(has(answer, "Access-Control-Allow-Methods", "PUT"));
    assert(has(answer, "Access-Control-Allow-Headers", "Content-Type"));
    assert(covey_test_free(t) == 0);
}
