/* What a multipart parser says of a body, as text: "[name|filename|type]data;" a part, "end", and
 * the reason where it is malformed. Shared by the unit tests and the fuzz target. */
#ifndef CV_TEST_MULTIPART_LOG_H
#define CV_TEST_MULTIPART_LOG_H

#include "http/multipart.h"

#include <stdio.h>
#include <stdlib.h>

static inline void multipart_note(const struct cv_multipart *m, int event, struct cv_span data,
                                  FILE *to)
{
    switch (event) {
    case CV_MULTIPART_PART:
        fprintf(to, "[%s|%s|%s]", m->part.name, m->part.filename != NULL ? m->part.filename : "-",
                m->part.type != NULL ? m->part.type : "-");
        break;
    case CV_MULTIPART_DATA: fwrite(data.at, 1, data.len, to); break;
    case CV_MULTIPART_PART_END: fputc(';', to); break;
    case CV_MULTIPART_END: fputs("end", to); break;
    case -400: fputs(m->reason, to); break;
    default: break;
    }
}

/* The body in pieces: of `first` bytes, then of at most `piece`. The text is the caller's.
 * `ret_len` may be NULL. */
static inline char *multipart_log(struct cv_span type, struct cv_span body, size_t first,
                                  size_t piece, size_t *ret_len)
{
    struct cv_multipart *m = malloc(sizeof(*m));
    char *text = NULL;
    size_t len = 0;
    FILE *to = open_memstream(&text, &len);
    int event = cv_multipart_init(m, type);
    size_t part = first;

    if (event < 0)
        multipart_note(m, event, cv_span(NULL, 0), to);
    for (size_t at = 0; event >= 0 && at < body.len; part = piece) {
        size_t end = part < body.len - at ? at + part : body.len;
        do {
            struct cv_span data = {NULL, 0};
            size_t used = 0;
            event = cv_multipart_next(m, cv_span(body.at + at, end - at), &used, &data);
            at += used;
            multipart_note(m, event, data, to);
        } while (event > CV_MULTIPART_MORE || (event == CV_MULTIPART_MORE && at < end));
    }
    if (event >= 0 && cv_multipart_finish(m) < 0)
        multipart_note(m, -400, cv_span(NULL, 0), to);
    fclose(to);
    free(m);
    if (ret_len != NULL)
        *ret_len = len;
    return text;
}

#endif
