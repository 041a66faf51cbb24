#include "app/options.h"

#include <string.h>

bool cv_options_read(void *ret, size_t known, const void *given, size_t size, size_t least)
{
    if (size < least || size > known)
        return false;
    memset(ret, 0, known);
    memcpy(ret, given, size);
    return true;
}
