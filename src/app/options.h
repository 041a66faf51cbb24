/* Option structs of the public headers, as far as both sides know them: a program that was built
 * against an older header passes fewer fields. What it does not pass is zero. */
#ifndef CV_APP_OPTIONS_H
#define CV_APP_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

/* For messages. */
#define CV_OPTIONS_UNKNOWN "options of an unknown size: the program was built for another covey"

/* False: `size` is less than `least`, or more than is known: the program was built for another
 * covey. */
bool cv_options_read(void *ret, size_t known, const void *given, size_t size, size_t least);

/* The same for a struct with a field `size`, up to which every program knows it. */
#define CV_OPTIONS_READ(ret, given)                                                                \
    cv_options_read((ret), sizeof(*(ret)), (given), (given)->size,                                 \
                    offsetof(__typeof__(*(ret)), size) + sizeof((ret)->size))

#endif
