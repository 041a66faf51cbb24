/* The version of the library that is loaded, which may differ from the header's. */
#include <covey/version.h>

const char *covey_version(void)
{
    return COVEY_VERSION;
}
