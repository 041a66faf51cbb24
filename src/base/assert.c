#include "base/assert.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void cv_assert_failed(const char *condition, const char *file, int line, const char *function)
{
    char text[512];
    int n = snprintf(text, sizeof(text), "covey: assertion failed: %s (%s:%d, %s)\n", condition,
                     file, line, function);
    if (n > (int)sizeof(text) - 1)
        n = (int)sizeof(text) - 1;
    if (n > 0)
        (void)!write(STDERR_FILENO, text, (size_t)n);
    abort();
}
