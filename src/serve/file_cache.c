#include "serve/file_cache.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/assert.h"
#include "base/list.h"

/* Buckets for this many entries each. */
#define PER_BUCKET 2

struct cv_file_root {
    struct cv_file_root *next;
    int fd;
    struct cv_file_id id;
    int64_t looked_at;
    unsigned generation; /* of the directory at the path */
    char path[];
};

struct entry {
    struct cv_link used;  /* in the order of use, the latest last */
    struct entry *next;   /* in its bucket */
    struct cv_file *file; /* NULL: there is none */
    const struct cv_file_root *root;
    unsigned generation;
    uint32_t hash;
    int64_t looked_at;
    char path[];
};

struct cv_file_cache {
    struct cv_file_cache_config config;
    size_t open_max;
    size_t entries;
    size_t memory;
    size_t open;
    struct cv_link used;
    struct cv_file_root *roots;
    size_t n_buckets; /* a power of two; 0: none are needed yet */
    struct entry **buckets;
};

/* ---- Entries ---- */

static uint32_t hash_of(const struct cv_file_root *root, const char *path)
{
    uint32_t hash = UINT32_C(2166136261) ^ (uint32_t)((uintptr_t)root >> 4);
    for (; *path != '\0'; path++)
        hash = (hash ^ (uint8_t)*path) * UINT32_C(16777619);
    return hash ^ hash >> 15;
}

static struct entry **place_of(struct cv_file_cache *cache, const struct cv_file_root *root,
                               const char *path, uint32_t hash)
{
    struct entry **place = &cache->buckets[hash & (cache->n_buckets - 1)];
    while (*place != NULL &&
           ((*place)->hash != hash || (*place)->root != root || strcmp((*place)->path, path) != 0))
        place = &(*place)->next;
    return place;
}

static void account(struct cv_file_cache *cache, const struct entry *entry, int sign)
{
    size_t one = (size_t)sign; /* unsigned arithmetic goes round */
    cache->entries += one;
    if (entry->file == NULL)
        return;
    if (entry->file->bytes != NULL)
        cache->memory += one * entry->file->id.size;
    else
        cache->open += one;
}

static void drop(struct cv_file_cache *cache, struct entry **place)
{
    struct entry *entry = *place;
    CV_ASSERT(entry != NULL);
    *place = entry->next;
    cv_list_remove(&entry->used);
    account(cache, entry, -1);
    if (entry->file != NULL)
        cv_file_unref(entry->file);
    free(entry);
}

static void drop_entry(struct cv_file_cache *cache, struct entry *entry)
{
    drop(cache, place_of(cache, entry->root, entry->path, entry->hash));
}

/* The least recently used go until all bounds hold. */
static void trim(struct cv_file_cache *cache)
{
    while (cache->entries > cache->config.files_max || cache->open > cache->open_max ||
           cache->memory > cache->config.memory_max) {
        CV_ASSERT(!cv_list_empty(&cache->used));
        drop_entry(cache, CV_CONTAINER_OF(cache->used.next, struct entry, used));
    }
}

/* ---- Looking ---- */

static bool is_due(const struct cv_file_cache *cache, int64_t looked_at, int64_t now)
{
    return now - looked_at >= cache->config.valid;
}

/* Whether what is kept is what an open would bring now. */
static bool holds(const struct cv_file_cache *cache, struct entry *entry, int64_t now)
{
    struct cv_file_id id;
    if (entry->root != NULL && entry->generation != entry->root->generation)
        return false;
    if (!is_due(cache, entry->looked_at, now))
        return true;
    if (entry->file == NULL || entry->file->young ||
        cv_file_look(cv_file_root_fd(entry->root), entry->path, &id) < 0 ||
        !cv_file_same(&id, &entry->file->id))
        return false;
    entry->looked_at = now;
    return true;
}

int cv_file_cache_find(struct cv_file_cache *cache, const struct cv_file_root *root,
                       const char *path, int64_t now, struct cv_file **ret)
{
    if (cache->n_buckets == 0)
        return -EAGAIN;
    struct entry **place = place_of(cache, root, path, hash_of(root, path));
    struct entry *entry = *place;
    if (entry == NULL)
        return -EAGAIN;
    if (!holds(cache, entry, now)) {
        drop(cache, place);
        return -EAGAIN;
    }
    cv_list_remove(&entry->used);
    cv_list_push(&cache->used, &entry->used);
    if (entry->file == NULL)
        return -ENOENT;
    *ret = cv_file_ref(entry->file);
    return 0;
}

/* ---- Keeping ---- */

static bool fits(const struct cv_file_cache *cache, const struct cv_file *file)
{
    if (file == NULL)
        return cache->config.files_max > 0;
    if (file->bytes != NULL)
        return cache->config.files_max > 0 && file->id.size <= cache->config.memory_max;
    return cache->open_max > 0;
}

static bool has_buckets(struct cv_file_cache *cache)
{
    if (cache->n_buckets > 0)
        return true;
    size_t n = 16;
    while (n * PER_BUCKET < cache->config.files_max)
        n *= 2;
    cache->buckets = calloc(n, sizeof(struct entry *));
    if (cache->buckets != NULL)
        cache->n_buckets = n;
    return cache->buckets != NULL;
}

void cv_file_cache_keep(struct cv_file_cache *cache, const struct cv_file_root *root,
                        const char *path, int64_t now, struct cv_file *file)
{
    if (!fits(cache, file) || !has_buckets(cache))
        return;
    uint32_t hash = hash_of(root, path);
    struct entry **place = place_of(cache, root, path, hash);
    if (*place != NULL)
        drop(cache, place); /* another request was as quick */
    size_t len = strlen(path) + 1;
    struct entry *entry = malloc(sizeof(*entry) + len);
    if (entry == NULL)
        return;
    *entry = (struct entry){.next = *place,
                            .file = file != NULL ? cv_file_ref(file) : NULL,
                            .root = root,
                            .generation = root != NULL ? root->generation : 0,
                            .hash = hash,
                            .looked_at = now};
    memcpy(entry->path, path, len);
    *place = entry;
    cv_list_init(&entry->used);
    cv_list_push(&cache->used, &entry->used);
    account(cache, entry, +1);
    trim(cache);
}

void cv_file_cache_shed(struct cv_file_cache *cache)
{
    CV_LIST_EACH_SAFE (link, &cache->used) {
        struct entry *entry = CV_CONTAINER_OF(link, struct entry, used);
        if (entry->file != NULL && entry->file->fd >= 0 && entry->file->refs == 1)
            drop_entry(cache, entry);
    }
}

/* ---- Roots ---- */

int cv_file_root_fd(const struct cv_file_root *root)
{
    return root != NULL ? root->fd : -1;
}

static int root_new(struct cv_file_cache *cache, const char *path, int64_t now,
                    struct cv_file_root **ret)
{
    CV_AUTOCLOSE int fd = cv_file_root_open(path);
    if (fd < 0)
        return fd;
    size_t len = strlen(path) + 1;
    struct cv_file_root *root = malloc(sizeof(*root) + len);
    if (root == NULL)
        return -ENOMEM;
    *root = (struct cv_file_root){.next = cache->roots, .looked_at = now};
    memcpy(root->path, path, len);
    int rc = cv_file_look(fd, ".", &root->id);
    if (rc < 0) {
        free(root);
        return rc;
    }
    root->fd = cv_take_fd(&fd);
    cache->roots = root;
    *ret = root;
    return 0;
}

/* Another directory may have been put in its place, which is how many deploy. */
static int root_look(struct cv_file_cache *cache, struct cv_file_root *root, int64_t now)
{
    struct cv_file_id id;
    if (!is_due(cache, root->looked_at, now))
        return 0;
    int rc = cv_file_look(-1, root->path, &id);
    if (rc < 0)
        return rc;
    if (id.dev != root->id.dev || id.ino != root->id.ino) {
        int fd = cv_file_root_open(root->path);
        if (fd < 0)
            return fd;
        (void)close(root->fd);
        root->fd = fd;
        root->id = id;
        root->generation++;
    }
    root->looked_at = now;
    return 0;
}

int cv_file_cache_root(struct cv_file_cache *cache, const char *path, int64_t now,
                       struct cv_file_root **ret)
{
    for (struct cv_file_root *root = cache->roots; root != NULL; root = root->next) {
        if (strcmp(root->path, path) == 0) {
            *ret = root;
            return root_look(cache, root, now);
        }
    }
    return root_new(cache, path, now, ret);
}

/* ---- Life ---- */

static size_t descriptors_max(size_t files_max)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur / 4 >= files_max)
        return files_max;
    return limit.rlim_cur / 4;
}

int cv_file_cache_new(const struct cv_file_cache_config *config, struct cv_file_cache **ret)
{
    struct cv_file_cache *cache = calloc(1, sizeof(*cache));
    if (cache == NULL)
        return -ENOMEM;
    cache->config = *config;
    cache->open_max = descriptors_max(config->files_max);
    cv_list_init(&cache->used);
    *ret = cache;
    return 0;
}

void cv_file_cache_free(struct cv_file_cache *cache)
{
    if (cache == NULL)
        return;
    while (!cv_list_empty(&cache->used))
        drop_entry(cache, CV_CONTAINER_OF(cache->used.next, struct entry, used));
    for (struct cv_file_root *root = cache->roots, *next; root != NULL; root = next) {
        next = root->next;
        (void)close(root->fd);
        free(root);
    }
    free(cache->buckets);
    free(cache);
}
