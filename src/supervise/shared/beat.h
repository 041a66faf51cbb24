/* Beats: who has not come round his loop for too long.
 *
 * A beat is a state, not a tick: a process writes "waiting" before its wait and "running since t"
 * after it. Only an old "running" is a hang. Nobody wakes up to beat or to look while everybody
 * waits: a watcher that has seen all waiting says "I do not look", and the first who runs on wakes
 * it by a message.
 *
 *     watched: store since; if (!looking) tell the watcher         watcher: store !looking; if (any
 * runs) look again
 *
 * Both sides store before they load (sequentially consistent), so that one of them sees the other.
 */
#ifndef CV_SUPERVISE_BEAT_H
#define CV_SUPERVISE_BEAT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* ---- The watched ---- */

/* Writes the beat: `now` while running, 0 while waiting. True if the watcher must be woken. */
static inline bool cv_beat_write(_Atomic int64_t *since, const _Atomic uint32_t *looking,
                                 int64_t now)
{
    atomic_store(since, now);
    return now != 0 && atomic_load(looking) == 0;
}

/* ---- The watcher ---- */

/* Those who are watched. */
struct cv_beat_source {
    unsigned n;
    int64_t (*since)(void *arg, unsigned i); /* the beat; 0: waits, or is not to be watched */
    bool (*hung)(void *arg, unsigned i, int64_t for_ns); /* false: let its time count anew */
    void *arg;
};

/* Times in ns of CLOCK_MONOTONIC. */
struct cv_beats {
    _Atomic uint32_t *looking; /* shared with the watched */
    int64_t limit;             /* running for longer is a hang */
    int64_t next;              /* when to look; CV_NEVER: not */
    int64_t forgiven;          /* a beat older than this counts from here */
};

void cv_beats_init(struct cv_beats *beats, _Atomic uint32_t *looking, int64_t limit);

/* Somebody has run on while nobody looked. */
void cv_beats_wake(struct cv_beats *beats, int64_t now);

/* The watcher itself did not run until `now`: a suspended machine hangs nobody. */
void cv_beats_forgive(struct cv_beats *beats, int64_t now);

/* Once `next` is due: reports who hangs, and sets `next` anew. */
void cv_beats_look(struct cv_beats *beats, const struct cv_beat_source *source, int64_t now);

#endif
