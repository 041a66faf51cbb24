#include "supervise/shared/manifest.h"

#include <errno.h>
#include <string.h>

struct record {
    uint16_t kind;
    uint16_t len;
};

int cv_manifest_begin(struct cv_buf *buf)
{
    uint32_t version = CV_MANIFEST_VERSION;
    return cv_buf_append(buf, cv_span(&version, sizeof(version)));
}

int cv_manifest_add(struct cv_buf *buf, enum cv_manifest_kind kind, struct cv_span bytes)
{
    if (bytes.len > UINT16_MAX)
        return -EMSGSIZE;
    struct record record = {(uint16_t)kind, (uint16_t)bytes.len};
    int rc = cv_buf_reserve(buf, sizeof(record) + bytes.len);
    if (rc == 0)
        rc = cv_buf_append(buf, cv_span(&record, sizeof(record)));
    if (rc == 0)
        rc = cv_buf_append(buf, bytes);
    return rc;
}

/* ---- Managed processes ---- */

/* In front of the name and the words. */
struct process_head {
    uint8_t processes;
    uint8_t restart;
    uint8_t is_transient;
    uint8_t name_len;
};

int cv_manifest_add_process(struct cv_buf *buf, const struct cv_managed_spec *spec,
                            struct cv_span words)
{
    char bytes[sizeof(struct process_head) + CV_MANAGED_NAME_BYTES + CV_COMMANDS_BYTES];
    struct process_head head = {.processes = (uint8_t)spec->processes,
                                .restart = (uint8_t)spec->restart,
                                .is_transient = spec->is_transient,
                                .name_len = (uint8_t)strlen(spec->name)};
    size_t len = sizeof(head) + head.name_len;
    if (words.len > CV_COMMANDS_BYTES)
        return -EMSGSIZE;
    memcpy(bytes, &head, sizeof(head));
    memcpy(bytes + sizeof(head), spec->name, head.name_len);
    if (words.len > 0)
        memcpy(bytes + len, words.at, words.len);
    return cv_manifest_add(buf, CV_MANIFEST_PROCESS, cv_span(bytes, len + words.len));
}

/* It ends up in logs and on terminals. */
static bool is_name(struct cv_span name)
{
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.";
    for (size_t i = 0; i < name.len; i++)
        if (memchr(allowed, name.at[i], sizeof(allowed) - 1) == NULL)
            return false;
    return name.len > 0 && name.len < CV_MANAGED_NAME_BYTES;
}

static bool is_new(const struct cv_managed_list *list, const char *name)
{
    for (unsigned i = 0; i < list->n; i++)
        if (strcmp(list->item[i].name, name) == 0)
            return false;
    return true;
}

static unsigned processes_of(const struct cv_managed_list *list)
{
    unsigned n = 0;
    for (unsigned i = 0; i < list->n; i++)
        n += list->item[i].processes;
    return n;
}

static int read_words(struct cv_manifest *manifest, struct cv_span words)
{
    unsigned at = 0;
    for (unsigned i = 0; i < manifest->managed.n; i++)
        at += manifest->commands.of[i].len;
    if (words.len > CV_COMMANDS_BYTES - at || (words.len > 0 && words.at[words.len - 1] != '\0'))
        return -EBADMSG;
    struct cv_command *command = &manifest->commands.of[manifest->managed.n];
    *command = (struct cv_command){.at = (uint16_t)at, .len = (uint16_t)words.len};
    if (words.len > 0)
        memcpy(manifest->commands.bytes + at, words.at, words.len);
    for (size_t i = 0; i < words.len; i++)
        command->n = (uint16_t)(command->n + (words.at[i] == '\0'));
    return 0;
}

bool cv_manifest_append(struct cv_manifest *manifest, const struct cv_managed_spec *spec)
{
    struct cv_managed_list *list = &manifest->managed;
    bool is_possible = list->n < CV_MANAGED_MAX && is_new(list, spec->name) &&
                       processes_of(list) + spec->processes <= CV_MANAGED_MAX;
    if (!is_possible || read_words(manifest, cv_span(NULL, 0)) < 0)
        return false;
    memcpy(manifest->commands.of[list->n].name, spec->name, sizeof(spec->name));
    list->item[list->n++] = *spec;
    return true;
}

static int read_process(struct cv_manifest *manifest, struct cv_span bytes)
{
    struct cv_managed_list *list = &manifest->managed;
    struct process_head head;
    if (bytes.len < sizeof(head) || list->n == CV_MANAGED_MAX)
        return -EBADMSG;
    memcpy(&head, bytes.at, sizeof(head));
    if (head.name_len > bytes.len - sizeof(head) ||
        !is_name(cv_span(bytes.at + sizeof(head), head.name_len)))
        return -EBADMSG;
    struct cv_managed_spec spec = {.processes = head.processes,
                                   .restart = (enum cv_restart)head.restart,
                                   .is_transient = head.is_transient != 0};
    memcpy(spec.name, bytes.at + sizeof(head), head.name_len);
    bool is_possible = head.processes > 0 &&
                       processes_of(list) + head.processes <= CV_MANAGED_MAX &&
                       head.restart < CV_RESTART_COUNT && is_new(list, spec.name);
    size_t words = sizeof(head) + head.name_len;
    if (!is_possible || read_words(manifest, cv_span(bytes.at + words, bytes.len - words)) < 0)
        return -EBADMSG;
    memcpy(manifest->commands.of[list->n].name, spec.name, sizeof(spec.name));
    list->item[list->n++] = spec;
    return 0;
}

/* ---- All ---- */

int cv_manifest_read(struct cv_span bytes, struct cv_manifest *ret)
{
    uint32_t version;
    if (bytes.len < sizeof(version))
        return -EBADMSG;
    memcpy(&version, bytes.at, sizeof(version));
    if (version != CV_MANIFEST_VERSION)
        return -EPROTO;

    struct cv_manifest manifest = {0};
    size_t at = sizeof(version);
    while (at < bytes.len) {
        struct record record;
        if (bytes.len - at < sizeof(record))
            return -EBADMSG;
        memcpy(&record, bytes.at + at, sizeof(record));
        at += sizeof(record);
        if (record.len > bytes.len - at)
            return -EBADMSG;
        if (record.kind == CV_MANIFEST_ROUTE)
            manifest.n_routes++;
        if (record.kind == CV_MANIFEST_MAIN_LISTENERS)
            manifest.has_main = true;
        if (record.kind == CV_MANIFEST_PROCESS &&
            read_process(&manifest, cv_span(bytes.at + at, record.len)) < 0)
            return -EBADMSG;
        at += record.len;
    }
    if (manifest.n_routes > CV_MANIFEST_ROUTES_MAX)
        return -EBADMSG;
    *ret = manifest;
    return 0;
}
