#include "supervise/shared/beat.h"

#include "base/clock.h"

void cv_beats_init(struct cv_beats *beats, _Atomic uint32_t *looking, int64_t limit)
{
    *beats = (struct cv_beats){.looking = looking, .limit = limit, .next = CV_NEVER};
    atomic_store(looking, 0);
}

void cv_beats_wake(struct cv_beats *beats, int64_t now)
{
    atomic_store(beats->looking, 1);
    if (beats->next == CV_NEVER)
        beats->next = now + beats->limit;
}

void cv_beats_forgive(struct cv_beats *beats, int64_t now)
{
    beats->forgiven = now;
    if (beats->next != CV_NEVER)
        beats->next = now + beats->limit;
}

/* The longest-running beat of those that do not hang; CV_NEVER if all wait. */
static int64_t earliest(const struct cv_beats *beats, const struct cv_beat_source *source,
                        int64_t now)
{
    int64_t first = CV_NEVER;
    for (unsigned i = 0; i < source->n; i++) {
        int64_t since = source->since(source->arg, i);
        if (since <= 0 ||
            since > now) /* waits; or a time that cannot be: it is the worker who writes it */
            since = since == 0 ? CV_NEVER : now;
        else if (since < beats->forgiven)
            since = beats->forgiven;
        if (since != CV_NEVER && now - since >= beats->limit) {
            if (source->hung(source->arg, i, now - since))
                continue;
            since = now;
        }
        if (since < first)
            first = since;
    }
    return first;
}

void cv_beats_look(struct cv_beats *beats, const struct cv_beat_source *source, int64_t now)
{
    int64_t first = earliest(beats, source, now);
    if (first == CV_NEVER) {
        /* Whoever runs on from here wakes us; whoever did so just before is seen by the second
         * look. */
        atomic_store(beats->looking, 0);
        first = earliest(beats, source, now);
        if (first != CV_NEVER)
            atomic_store(beats->looking, 1);
    }
    beats->next = first == CV_NEVER ? CV_NEVER : first + beats->limit;
}
