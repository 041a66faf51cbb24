/* Names for addresses of this process's code, for stack dumps.
 *
 * The dynamic linker knows exported names only; those of static functions are read from the file's
 * own symbol table, as long as it has not been stripped. Meant for a signal handler of a process
 * that is about to end: no heap is used.
 */
#ifndef CV_BASE_SYMBOL_H
#define CV_BASE_SYMBOL_H

#include <stddef.h>

/* Writes "name (file+0x12)", or "?? (file+0x12)", or "??" for an address in no file. */
void cv_symbol_write(const void *address, char *to, size_t cap);

#endif
