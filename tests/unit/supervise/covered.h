/* Whether a table of handover.h names every byte of a struct that means something. */
#ifndef TESTS_UNIT_SUPERVISE_COVERED_H
#define TESTS_UNIT_SUPERVISE_COVERED_H

#include "supervise/handover.h"

#include <stdio.h>
#include <string.h>

/* How many bytes no line covers. `mask` has 0xff in each byte that is no padding; it is used up. */
static inline size_t covered_wrong(const char *type, const struct cv_handover_field *table,
                                   size_t n, unsigned char *mask, size_t size)
{
    size_t wrong = 0;
    for (size_t i = 0; i < n; i++)
        memset(mask + table[i].offset, 0, table[i].size);
    for (size_t i = 0; i < size; i++) {
        if (mask[i] == 0)
            continue;
        wrong++;
        if (i > 0 && mask[i - 1] != 0)
            continue;
        fprintf(stderr, "%s: its field at byte %zu is in no line of its table (handover.h)\n", type,
                i);
        wrong++;
    }
    return wrong;
}

#if defined(__has_builtin)
#if __has_builtin(__builtin_clear_padding)
#define COVERED 1
#endif
#endif

/* Without the builtin (clang) the test says nothing; gcc's build does. */
#ifdef COVERED
#define assert_covered(type, table, n)                                                             \
    do {                                                                                           \
        static type whole;                                                                         \
        memset(&whole, 0xff, sizeof(whole));                                                       \
        __builtin_clear_padding(&whole);                                                           \
        assert_int_equal(covered_wrong(#type, table, n, (unsigned char *)&whole, sizeof(whole)),   \
                         0);                                                                       \
    } while (0)
#else
#define assert_covered(type, table, n) ((void)(table), (void)(n))
#endif

#endif
