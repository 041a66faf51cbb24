#include "app/response/trace.h"

#include "base/source.h"
#include "base/symbol.h"

#include <stdio.h>
#include <unwind.h>

#define LINES_AROUND 2
#define LINE_MAX_SHOWN 160

struct walk {
    struct cv_trace *trace;
    uintptr_t from; /* calls before it are covey's own; 0: passed */
};

static _Unwind_Reason_Code take_frame(struct _Unwind_Context *frame, void *arg)
{
    struct walk *walk = arg;
    /* A return address lies behind its call, which may be the next line's start. */
    int is_before_call = 0;
    uintptr_t at = _Unwind_GetIPInfo(frame, &is_before_call);
    if (walk->from != 0 && at != walk->from)
        return _URC_NO_REASON;
    walk->from = 0;
    if (at == 0 || walk->trace->n == CV_TRACE_MAX)
        return _URC_END_OF_STACK;
    walk->trace->at[walk->trace->n++] = (const void *)(at - (is_before_call ? 0 : 1));
    return _URC_NO_REASON;
}

struct cv_trace *cv_trace_take(struct cv_arena *arena, const void *from)
{
    struct cv_trace *trace = cv_arena_alloc(arena, sizeof(*trace));
    if (trace == NULL)
        return NULL;
    trace->n = 0;
    struct walk walk = {trace, (uintptr_t)from};
    (void)_Unwind_Backtrace(take_frame, &walk);
    if (walk.from != 0) { /* not met: all is better than nothing */
        walk.from = 0;
        (void)_Unwind_Backtrace(take_frame, &walk);
    }
    return trace;
}

/* Lines of a file, each cut to what is shown; NULL if it is not there (any more). */
static const char *read_source(struct cv_arena *arena, const char *path, int first, int last)
{
    char line[512];
    char text[(2 * LINES_AROUND + 1) * (LINE_MAX_SHOWN + 1) + 1] = "";
    size_t len = 0;
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return NULL;
    for (int number = 1; number <= last && fgets(line, sizeof(line), file) != NULL;) {
        bool is_whole = strchr(line, '\n') != NULL; /* else its rest is the next one */
        line[strcspn(line, "\n")] = '\0';
        if (number >= first && is_whole)
            len += (size_t)snprintf(text + len, sizeof(text) - len, "%.*s\n", LINE_MAX_SHOWN, line);
        number += is_whole;
    }
    (void)fclose(file);
    return len > 0 ? cv_arena_strndup(arena, cv_span(text, len)) : NULL;
}

static void find_source(struct cv_frame *frame, const void *at, struct cv_arena *arena)
{
    char file[1024];
    if (!cv_source_find(at, file, sizeof(file), &frame->line))
        return;
    frame->file = cv_arena_strndup(arena, cv_span_str(file));
    frame->source_line = frame->line > LINES_AROUND ? frame->line - LINES_AROUND : 1;
    frame->source = read_source(arena, file, frame->source_line, frame->line + LINES_AROUND);
}

struct cv_frame *cv_trace_frames(const struct cv_trace *trace, struct cv_arena *arena)
{
    struct cv_frame *frames = cv_arena_alloc(arena, (trace->n + 1) * sizeof(*frames));
    for (size_t i = 0; frames != NULL && i < trace->n; i++) {
        char name[256];
        cv_symbol_write(trace->at[i], name, sizeof(name));
        frames[i] = (struct cv_frame){.symbol = cv_arena_strndup(arena, cv_span_str(name))};
        if (frames[i].symbol == NULL)
            frames[i].symbol = "??";
        find_source(&frames[i], trace->at[i], arena);
    }
    return frames;
}
