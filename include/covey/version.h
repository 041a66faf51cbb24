/* Which covey this is. */
#ifndef COVEY_VERSION_H
#define COVEY_VERSION_H

#include <covey/export.h>

#define COVEY_VERSION "0.1.0"

/* Changes whenever a program built against an older header could misbehave. Apps carry the number
 * they were compiled with; another one is refused with a sentence. */
#define COVEY_ABI 1

/* The version of the library that is loaded. */
COVEY_API const char *covey_version(void);

#endif
