/* The public log calls, and the version. */
#include <covey/log.h>
#include <covey/version.h>

#include "base/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

static void test_lines_carry_their_level_and_text(void **state)
{
    (void)state;
    char text[4096];
    int memory = memfd_create("log", 0), saved = dup(STDERR_FILENO);
    assert_true(memory >= 0 && saved >= 0);
    dup2(memory, STDERR_FILENO);
    covey_debug("%s", "below the level");
    covey_info("one %d", 1);
    covey_warn("two %d", 2);
    covey_error("three %d", 3);
    dup2(saved, STDERR_FILENO);

    ssize_t len = pread(memory, text, sizeof(text) - 1, 0);
    assert_true(len > 0);
    text[len] = '\0';
    assert_non_null(strstr(text, "INFO  covey: one 1\n"));
    assert_non_null(strstr(text, "WARN  covey: two 2\n"));
    assert_non_null(strstr(text, "ERROR covey: three 3\n"));
    assert_null(strstr(text, "below the level"));
    close(memory);
    close(saved);
}

static void test_the_library_tells_its_version(void **state)
{
    (void)state;
    assert_string_equal(covey_version(), COVEY_VERSION);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines_carry_their_level_and_text),
        cmocka_unit_test(test_the_library_tells_its_version),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
