#include "supervise/handover/handover.h"

#include "base/assert.h"

#include <errno.h>
#include <string.h>

static const char magic[8] = {'c', 'o', 'v', 'e', 'y', 'H', 'O', '\n'};

struct head {
    char magic[8];
    uint32_t format;
    uint32_t length; /* of what follows */
};

/* How a value stands in a record. */
enum kind { NUMBER = 1, FD, BYTES };

/* ---- Writing ---- */

static void append(struct cv_handover *to, const void *bytes, size_t n)
{
    if (to->error == 0 && n > 0)
        to->error = cv_buf_append(&to->buf, cv_span(bytes, n));
}

static void append_name(struct cv_handover *to, const char *name)
{
    size_t len = strlen(name);
    CV_ASSERT(len > 0 && len <= CV_HANDOVER_NAME_MAX);
    uint8_t byte = (uint8_t)len;
    append(to, &byte, sizeof(byte));
    append(to, name, len);
}

static void append_length(struct cv_handover *to, size_t n)
{
    uint32_t length = (uint32_t)n;
    append(to, &length, sizeof(length));
}

void cv_handover_begin(struct cv_handover *to)
{
    *to = (struct cv_handover){0};
    cv_buf_init(&to->buf, CV_HANDOVER_BYTES_MAX);
    struct head head = {.format = CV_HANDOVER_FORMAT};
    memcpy(head.magic, magic, sizeof(magic));
    append(to, &head, sizeof(head));
}

/* Its length is known now. */
static void close_section(struct cv_handover *to)
{
    if (to->error != 0 || to->section == 0)
        return;
    uint32_t length = (uint32_t)(to->buf.len - to->section - sizeof(length));
    memcpy(to->buf.at + to->section, &length, sizeof(length));
    to->section = 0;
}

void cv_handover_section(struct cv_handover *to, const char *name)
{
    close_section(to);
    append_name(to, name);
    to->section = to->buf.len;
    append_length(to, 0);
}

static void put(struct cv_handover *to, const char *name, enum kind kind, const void *value,
                size_t n)
{
    CV_ASSERT(to->section != 0 || to->error != 0);
    append_name(to, name);
    uint8_t byte = (uint8_t)kind;
    append(to, &byte, sizeof(byte));
    append_length(to, n);
    append(to, value, n);
}

void cv_handover_put(struct cv_handover *to, const char *name, int64_t number)
{
    put(to, name, NUMBER, &number, sizeof(number));
}

void cv_handover_put_fd(struct cv_handover *to, const char *name, int fd)
{
    int32_t value = fd;
    if (fd >= 0)
        put(to, name, FD, &value, sizeof(value));
}

void cv_handover_put_bytes(struct cv_handover *to, const char *name, struct cv_span bytes)
{
    put(to, name, BYTES, bytes.at, bytes.len);
}

void cv_handover_put_text(struct cv_handover *to, const char *name, const char *text)
{
    cv_handover_put_bytes(to, name, cv_span_str(text));
}

static int64_t load(const struct cv_handover_field *field, const void *at)
{
    bool is_signed = field->type == CV_HANDOVER_SIGNED || field->type == CV_HANDOVER_DESCRIPTOR;
    int64_t wide = 0;
    int32_t narrow = 0;
    if (field->size == sizeof(narrow) && is_signed) {
        memcpy(&narrow, at, sizeof(narrow));
        return narrow;
    }
    memcpy(&wide, at, field->size); /* little-endian, or of full size */
    return wide;
}
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "load() and store() cut numbers short");

void cv_handover_put_fields(struct cv_handover *to, const struct cv_handover_field *table, size_t n,
                            const void *from)
{
    for (size_t i = 0; i < n; i++) {
        const struct cv_handover_field *field = &table[i];
        const char *at = (const char *)from + field->offset;
        switch (field->type) {
        case CV_HANDOVER_BOOL:
        case CV_HANDOVER_SIGNED:
        case CV_HANDOVER_UNSIGNED: cv_handover_put(to, field->name, load(field, at)); break;
        case CV_HANDOVER_DESCRIPTOR:
            cv_handover_put_fd(to, field->name, (int)load(field, at));
            break;
        case CV_HANDOVER_WORD:
            cv_handover_put_text(to, field->name, field->word((unsigned)load(field, at)));
            break;
        case CV_HANDOVER_TEXT:
            cv_handover_put_bytes(to, field->name, cv_span(at, strnlen(at, field->size - 1)));
            break;
        case CV_HANDOVER_RAW:
            cv_handover_put_bytes(to, field->name, cv_span(at, field->size));
            break;
        case CV_HANDOVER_LEFT: break;
        }
    }
}

int cv_handover_end(struct cv_handover *to, struct cv_span *ret)
{
    close_section(to);
    if (to->error != 0)
        return to->error;
    uint32_t length = (uint32_t)(to->buf.len - sizeof(struct head));
    memcpy(to->buf.at + offsetof(struct head, length), &length, sizeof(length));
    *ret = cv_buf_span(&to->buf);
    return 0;
}

void cv_handover_done(struct cv_handover *to)
{
    cv_buf_done(&to->buf);
}

/* ---- Reading ---- */

struct field {
    struct cv_span name;
    enum kind kind;
    struct cv_span value;
};

static bool take(struct cv_span *from, size_t n, struct cv_span *ret)
{
    if (from->len < n)
        return false;
    *ret = cv_span(from->at, n);
    *from = cv_span(from->at + n, from->len - n);
    return true;
}

static bool take_name(struct cv_span *from, struct cv_span *ret)
{
    struct cv_span byte;
    if (!take(from, 1, &byte))
        return false;
    size_t len = (uint8_t)byte.at[0];
    return len > 0 && len <= CV_HANDOVER_NAME_MAX && take(from, len, ret);
}

/* As many bytes as stand before them. */
static bool take_counted(struct cv_span *from, struct cv_span *ret)
{
    struct cv_span bytes;
    uint32_t length;
    if (!take(from, sizeof(length), &bytes))
        return false;
    memcpy(&length, bytes.at, sizeof(length));
    return take(from, length, ret);
}

static bool take_section(struct cv_span *from, struct cv_handover_section *ret)
{
    return take_name(from, &ret->name) && take_counted(from, &ret->fields);
}

/* A kind that is not known is passed over like a name. */
static bool take_field(struct cv_span *from, struct field *ret)
{
    struct cv_span byte;
    if (!take_name(from, &ret->name) || !take(from, 1, &byte) || !take_counted(from, &ret->value))
        return false;
    ret->kind = (enum kind)(uint8_t)byte.at[0];
    return !(ret->kind == NUMBER && ret->value.len != sizeof(int64_t)) &&
           !(ret->kind == FD && ret->value.len != sizeof(int32_t));
}

static int as_fd(const struct field *field)
{
    int32_t value;
    memcpy(&value, field->value.at, sizeof(value));
    return value;
}

static bool are_fields(struct cv_span fields)
{
    struct field field;
    while (fields.len > 0)
        if (!take_field(&fields, &field) || (field.kind == FD && as_fd(&field) < 0))
            return false;
    return true;
}

int cv_handover_check(struct cv_span record)
{
    struct head head;
    if (record.len < sizeof(head))
        return -EBADMSG;
    memcpy(&head, record.at, sizeof(head));
    if (memcmp(head.magic, magic, sizeof(magic)) != 0)
        return -EBADMSG;
    if (head.format != CV_HANDOVER_FORMAT)
        return -EPROTO;
    if (head.length != record.len - sizeof(head))
        return -EBADMSG;
    struct cv_span rest = cv_span(record.at + sizeof(head), head.length);
    struct cv_handover_section section;
    while (rest.len > 0)
        if (!take_section(&rest, &section) || !are_fields(section.fields))
            return -EBADMSG;
    return 0;
}

bool cv_handover_next(struct cv_span record, size_t *at, struct cv_handover_section *ret)
{
    size_t from = *at > 0 ? *at : sizeof(struct head);
    struct cv_span rest = cv_span(record.at + from, record.len - from);
    if (!take_section(&rest, ret))
        return false;
    *at = record.len - rest.len;
    return true;
}

struct cv_handover_section cv_handover_find(struct cv_span record, const char *name)
{
    struct cv_handover_section section;
    for (size_t at = 0; cv_handover_next(record, &at, &section);)
        if (cv_span_eq(section.name, cv_span_str(name)))
            return section;
    return (struct cv_handover_section){0};
}

static bool find(const struct cv_handover_section *from, const char *name, enum kind kind,
                 struct field *ret)
{
    struct cv_span rest = from->fields;
    while (rest.len > 0 && take_field(&rest, ret))
        if (ret->kind == kind && cv_span_eq(ret->name, cv_span_str(name)))
            return true;
    return false;
}

int64_t cv_handover_get(const struct cv_handover_section *from, const char *name, int64_t fallback)
{
    struct field field;
    if (find(from, name, NUMBER, &field))
        memcpy(&fallback, field.value.at, sizeof(fallback));
    return fallback;
}

int cv_handover_get_fd(const struct cv_handover_section *from, const char *name)
{
    struct field field;
    return find(from, name, FD, &field) ? as_fd(&field) : -1;
}

struct cv_span cv_handover_get_bytes(const struct cv_handover_section *from, const char *name)
{
    struct field field;
    return find(from, name, BYTES, &field) ? field.value : cv_span(NULL, 0);
}

/* ---- Into structs ---- */

static int store(const struct cv_handover_field *field, int64_t value, void *at)
{
    unsigned bits = 8 * field->size;
    bool fits = true;
    if (field->type == CV_HANDOVER_BOOL)
        fits = value == 0 || value == 1;
    else if (bits < 64 && field->type == CV_HANDOVER_UNSIGNED)
        fits = value >= 0 && value < INT64_C(1) << bits;
    else if (bits < 64)
        fits = value >= -(INT64_C(1) << (bits - 1)) && value < INT64_C(1) << (bits - 1);
    if (!fits)
        return -EBADMSG;
    memcpy(at, &value, field->size);
    return 0;
}

static int store_word(const struct cv_handover_field *field, struct cv_span word, void *at)
{
    const char *known;
    for (unsigned i = 0; (known = field->word(i)) != NULL; i++) {
        if (!cv_span_eq(word, cv_span_str(known)))
            continue;
        CV_ASSERT(field->size == sizeof(i));
        memcpy(at, &i, sizeof(i));
        return 0;
    }
    return -EBADMSG;
}

static int store_bytes(const struct cv_handover_field *field, struct cv_span bytes, void *at)
{
    if (field->type == CV_HANDOVER_WORD)
        return store_word(field, bytes, at);
    if (field->type == CV_HANDOVER_RAW ? bytes.len != field->size : bytes.len >= field->size)
        return -EBADMSG;
    memcpy(at, bytes.at, bytes.len);
    if (field->type == CV_HANDOVER_TEXT)
        memset((char *)at + bytes.len, 0, field->size - bytes.len);
    return 0;
}

static int read_one(const struct cv_handover_section *from, const struct cv_handover_field *field,
                    void *at)
{
    struct field found;
    int64_t number;
    switch (field->type) {
    case CV_HANDOVER_BOOL:
    case CV_HANDOVER_SIGNED:
    case CV_HANDOVER_UNSIGNED:
        if (!find(from, field->name, NUMBER, &found))
            return 0;
        memcpy(&number, found.value.at, sizeof(number));
        return store(field, number, at);
    case CV_HANDOVER_DESCRIPTOR: return store(field, cv_handover_get_fd(from, field->name), at);
    case CV_HANDOVER_WORD:
    case CV_HANDOVER_TEXT:
    case CV_HANDOVER_RAW:
        return find(from, field->name, BYTES, &found) ? store_bytes(field, found.value, at) : 0;
    case CV_HANDOVER_LEFT: break;
    }
    return 0;
}

int cv_handover_get_fields(const struct cv_handover_section *from,
                           const struct cv_handover_field *table, size_t n, void *to)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < n; i++)
        rc = read_one(from, &table[i], (char *)to + table[i].offset);
    return rc;
}

void cv_handover_each_fd(struct cv_span record, void (*call)(void *arg, int fd), void *arg)
{
    struct cv_handover_section section;
    struct field field;
    for (size_t at = 0; cv_handover_next(record, &at, &section);)
        for (struct cv_span rest = section.fields; rest.len > 0 && take_field(&rest, &field);)
            if (field.kind == FD)
                call(arg, as_fd(&field));
}
