/* Random requests: a grammar that now and then says something odd, and mutations of its bytes. The
 * same seed gives the same message. */
#ifndef CV_TEST_DIFFERENTIAL_GENERATE_H
#define CV_TEST_DIFFERENTIAL_GENERATE_H

#include <stddef.h>
#include <stdint.h>

#define GENERATE_MAX 2048

/* Writes a message of at most GENERATE_MAX bytes and returns its length. */
size_t generate(uint64_t seed, char *to);

#endif
