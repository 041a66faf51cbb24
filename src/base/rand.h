/* Kernel randomness. */
#ifndef CV_BASE_RAND_H
#define CV_BASE_RAND_H

#include <stddef.h>
#include <stdint.h>

/* Fills with getrandom(2); by a guess from clock and pid where a sandbox forbids that. */
void cv_rand_bytes(void *to, size_t n);

/* A small deterministic generator (splitmix64) for jitter and simulation. */
uint64_t cv_rand_next(uint64_t *state);

#endif
