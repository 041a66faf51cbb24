/* Where in the source an address comes from, for error pages. */
#ifndef CV_BASE_SOURCE_H
#define CV_BASE_SOURCE_H

#include <stdbool.h>
#include <stddef.h>

/* The file (up to `cap` bytes with its NUL) and line of the code at `address`, by the DWARF of what
 * is loaded there (cc -g). False where there is none. elfutils' libdw is loaded when this is first
 * called; if it is missing, one line says so. It reads all of a program's maps then, some ms; only
 * one thread of a process may call. */
bool cv_source_find(const void *address, char *file, size_t cap, int *ret_line);

#endif
