/* examples/basic_auth.c lets one in, and tells others how to ask. */
#define main basic_auth_main
#include "basic_auth.c"
#undef main

#include <covey/test.h>

#include <assert.h>

#define AS(credentials) .headers = {"Authorization: " credentials}

int main(void)
{
    covey_test *t = covey_test_new(setup);
    const struct covey_test_answer *refused = covey_test_get(t, "/vault");
    assert(refused->status == 401);
    assert(strncmp(covey_test_header(refused, "WWW-Authenticate"), "Basic realm=", 12) == 0);

    const struct covey_test_answer *let_in = /* otter:sesame */
        covey_test_get(t, "/vault", AS("Basic b3R0ZXI6c2VzYW1l"));
    assert(let_in->status == 200 && strcmp(let_in->body, "Hello, otter!\n") == 0);
    assert(covey_test_header(let_in, "WWW-Authenticate") == NULL);

    assert(covey_test_get(t, "/vault", AS("Basic b3R0ZXI6b3R0ZXI="))->status ==
           401); /* otter:otter */
    assert(covey_test_get(t, "/vault", AS("Bearer b3R0ZXI6c2VzYW1l"))->status == 401);
    assert(covey_test_free(t) == 0);
}
