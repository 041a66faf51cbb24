/* The head of one part of a multipart/form-data body (RFC 7578, section 4). */
#ifndef CV_HTTP_PART_HEAD_H
#define CV_HTTP_PART_HEAD_H

#include <stddef.h>

/* What it says, as strings inside it. */
struct cv_part {
    const char *name;
    const char *filename; /* without folders; NULL: it is no file */
    const char *type;     /* NULL: not given */
};

/* Reads `len` bytes of lines that end in CR LF, and changes them: quotes, escapes (\", %22, %0D,
 * %0A, as browsers write them) and folders are taken away, NULs put behind. NULL, or a sentence
 * about what is wrong. */
const char *cv_part_head_read(char *head, size_t len, struct cv_part *ret);

#endif
