/* SipHash-2-4 (Aumasson, Bernstein): a hash whose collisions cannot be made without its key, so
 * that names a client has chosen do not all end in one slot. */
#ifndef CV_BASE_SIPHASH_H
#define CV_BASE_SIPHASH_H

#include "base/span.h"

#include <stdint.h>

struct cv_siphash_key {
    uint64_t half[2];
};

uint64_t cv_siphash(const struct cv_siphash_key *key, struct cv_span bytes);

#endif
