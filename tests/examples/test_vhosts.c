/* examples/vhosts.c answers by name. */
#define main vhosts_main
#include "vhosts.c"
#undef main

#include <covey/test.h>

#include <assert.h>
#include <string.h>

int main(void)
{
    covey_test *t = covey_test_new(setup);
    const char *shop = "Welcome to the shop!\n";
    assert(strcmp(covey_test_get(t, "/", .headers = {"Host: shop.example"})->body, shop) == 0);
    assert(strcmp(covey_test_get(t, "/", .headers = {"Host: WWW.shop.example:80"})->body, shop) ==
           0);
    assert(strcmp(covey_test_get(t, "/", .headers = {"Host: blog.example"})->body,
                  "Welcome to the blog!\n") == 0);
    const struct covey_test_answer *other = covey_test_get(t, "/", .headers = {"Host: x"});
    assert(other->status == 404 && strcmp(other->body, "Nobody called x lives here.\n") == 0);
    assert(covey_test_free(t) == 0);
}
