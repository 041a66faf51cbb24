/* What a process leaves to the program it becomes, when covey is upgraded in place. Pure.
 *
 * A record is a list of sections, a section a list of fields with names: the two programs need not
 * agree in their structs. What the reader does not know it passes over, what the writer did not
 * know keeps its default.
 *
 *     record:  magic, format, length, section ...     (numbers in the machine's own order: both
 *     section: name, length, field ...                 programs run in the same process)
 *     field:   name, kind, length, value
 *
 * Structs are described by tables of fields, one line each; tests/tools/test_handover.py finds the
 * fields of a struct that no line names, so that none is forgotten.
 */
#ifndef CV_SUPERVISE_HANDOVER_H
#define CV_SUPERVISE_HANDOVER_H

#include "base/buf.h"
#include "base/macros.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Changes if the form above does; not with what is handed over. */
#define CV_HANDOVER_FORMAT 1
#define CV_HANDOVER_BYTES_MAX (16U << 20)
#define CV_HANDOVER_NAME_MAX 40

/* ---- Tables of fields ---- */

enum cv_handover_type {
    CV_HANDOVER_BOOL,
    CV_HANDOVER_SIGNED,
    CV_HANDOVER_UNSIGNED,
    CV_HANDOVER_DESCRIPTOR, /* int; -1: there is none */
    CV_HANDOVER_WORD,       /* an enum, by its names: its numbers may change */
    CV_HANDOVER_TEXT,       /* char[], NUL-terminated */
    CV_HANDOVER_RAW,        /* a struct of the kernel's, as it is */
    CV_HANDOVER_LEFT,       /* on purpose not handed over */
};

struct cv_handover_field {
    const char *name;
    uint32_t offset;
    uint32_t size;
    enum cv_handover_type type;
    const char *(*word)(unsigned value); /* WORD: NULL past the last */
};

#define CV_HANDOVER_TYPE(value)                                                                    \
    _Generic((value), bool                                                                         \
             : CV_HANDOVER_BOOL, unsigned char                                                     \
             : CV_HANDOVER_UNSIGNED, unsigned short                                                \
             : CV_HANDOVER_UNSIGNED, unsigned                                                      \
             : CV_HANDOVER_UNSIGNED, unsigned long                                                 \
             : CV_HANDOVER_UNSIGNED, unsigned long long                                            \
             : CV_HANDOVER_UNSIGNED, int                                                           \
             : CV_HANDOVER_SIGNED, long                                                            \
             : CV_HANDOVER_SIGNED, long long                                                       \
             : CV_HANDOVER_SIGNED)

#define CV_HANDOVER_MEMBER(of, member) ((of *)0)->member
#define CV_HANDOVER_LINE(of, member, type, word)                                                   \
    {                                                                                              \
#member, offsetof(of, member), sizeof(CV_HANDOVER_MEMBER(of, member)), type, word          \
    }

/* A number, by its own type; a descriptor; an enum; a text; bytes as they are; nothing. */
#define CV_FIELD(of, member)                                                                       \
    CV_HANDOVER_LINE(of, member, CV_HANDOVER_TYPE(CV_HANDOVER_MEMBER(of, member)), NULL)
#define CV_FIELD_FD(of, member) CV_HANDOVER_LINE(of, member, CV_HANDOVER_DESCRIPTOR, NULL)
#define CV_FIELD_WORD(of, member, word) CV_HANDOVER_LINE(of, member, CV_HANDOVER_WORD, word)
#define CV_FIELD_TEXT(of, member) CV_HANDOVER_LINE(of, member, CV_HANDOVER_TEXT, NULL)
#define CV_FIELD_RAW(of, member) CV_HANDOVER_LINE(of, member, CV_HANDOVER_RAW, NULL)
#define CV_FIELD_LEFT(of, member) CV_HANDOVER_LINE(of, member, CV_HANDOVER_LEFT, NULL)

/* ---- Writing ---- */

/* The first error stays and is told at the end. */
struct cv_handover {
    struct cv_buf buf;
    size_t section; /* where the length of the open section stands; 0: none is open */
    int error;
};

void cv_handover_begin(struct cv_handover *to);
void cv_handover_section(struct cv_handover *to, const char *name);
void cv_handover_put(struct cv_handover *to, const char *name, int64_t number);
void cv_handover_put_fd(struct cv_handover *to, const char *name, int fd);
void cv_handover_put_bytes(struct cv_handover *to, const char *name, struct cv_span bytes);
void cv_handover_put_text(struct cv_handover *to, const char *name, const char *text);

/* All that the table says of the struct at `from`. */
void cv_handover_put_fields(struct cv_handover *to, const struct cv_handover_field *table, size_t n,
                            const void *from);

/* 0, -ENOMEM or -EMSGSIZE. *ret is good until cv_handover_done(). */
CV_MUST_CHECK int cv_handover_end(struct cv_handover *to, struct cv_span *ret);
void cv_handover_done(struct cv_handover *to);

/* ---- Reading ---- */

struct cv_handover_section {
    struct cv_span name;
    struct cv_span fields;
};

/* 0; -EBADMSG: not of the form above; -EPROTO: of another format. The others are only for records
 * that have passed. */
CV_MUST_CHECK int cv_handover_check(struct cv_span record);

/* The section at *at (0: the first), which moves on. False at the end. */
bool cv_handover_next(struct cv_span record, size_t *at, struct cv_handover_section *ret);

/* The first section of that name; an empty one if there is none. */
struct cv_handover_section cv_handover_find(struct cv_span record, const char *name);

/* One field; the fallback, -1, or nothing if it is not there or of another kind. */
int64_t cv_handover_get(const struct cv_handover_section *from, const char *name, int64_t fallback);
int cv_handover_get_fd(const struct cv_handover_section *from, const char *name);
struct cv_span cv_handover_get_bytes(const struct cv_handover_section *from, const char *name);

/* What the table says of the struct at `to`. What the section does not hold is left as it is. 0, or
 * -EBADMSG: a value does not fit, or is a word that is not known. */
CV_MUST_CHECK int cv_handover_get_fields(const struct cv_handover_section *from,
                                         const struct cv_handover_field *table, size_t n, void *to);

/* Every descriptor in the record. */
void cv_handover_each_fd(struct cv_span record, void (*call)(void *arg, int fd), void *arg);

#endif
