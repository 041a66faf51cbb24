#include "supervise/belongings.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

static const struct cv_handover_field listener_fields[] = {
    CV_FIELD_TEXT(struct cv_listener, text),   CV_FIELD_RAW(struct cv_listener, address),
    CV_FIELD(struct cv_listener, address_len), CV_FIELD_FD(struct cv_listener, fd),
    CV_FIELD_RAW(struct cv_listener, file),    CV_FIELD_TEXT(struct cv_listener, owner),
};

static const struct cv_handover_field control_file_fields[] = {
    CV_FIELD_FD(struct cv_control_file, fd),     CV_FIELD_FD(struct cv_control_file, folder),
    CV_FIELD(struct cv_control_file, is_ours),   CV_FIELD_TEXT(struct cv_control_file, folder_path),
    CV_FIELD_TEXT(struct cv_control_file, name), CV_FIELD_RAW(struct cv_control_file, file),
};

static const struct cv_handover_field pidfile_fields[] = {
    CV_FIELD_LEFT(struct cv_pidfile, path), /* a field of its own */
    CV_FIELD_FD(struct cv_pidfile, fd),
    CV_FIELD_RAW(struct cv_pidfile, file),
};

static const struct cv_handover_field outer_fields[] = {
    CV_FIELD_RAW(struct cv_outer, address),
    CV_FIELD(struct cv_outer, address_len),
    CV_FIELD(struct cv_outer, watchdog),
    CV_FIELD(struct cv_outer, listen_fds),
};

static const struct cv_handover_field logs_fields[] = {
    CV_FIELD_LEFT(struct cv_logs, log), /* fields of their own */
    CV_FIELD_LEFT(struct cv_logs, access),
    CV_FIELD_FD(struct cv_logs, access_fd), /* the log itself is descriptor 2 */
};

/* ---- Writing ---- */

void cv_belongings_export(const struct cv_supervise *how, struct cv_handover *to)
{
    cv_handover_section(to, "covey");
    cv_handover_put_text(to, "version", how->version);
    cv_handover_put(to, "layout", CV_BOOT_LAYOUT);
    cv_handover_put(to, "abi", how->abi);
    cv_handover_put(to, "backlog", how->listeners->backlog);
    for (int i = 0; i < how->listeners->n; i++) {
        cv_handover_section(to, "listener");
        cv_handover_put_fields(to, listener_fields, CV_COUNT(listener_fields),
                               &how->listeners->item[i]);
    }
    cv_handover_section(to, "control");
    cv_handover_put_fields(to, control_file_fields, CV_COUNT(control_file_fields), how->control);
    cv_handover_section(to, "pidfile");
    cv_handover_put_fields(to, pidfile_fields, CV_COUNT(pidfile_fields), &how->pidfile);
    if (how->pidfile.path != NULL)
        cv_handover_put_text(to, "path", how->pidfile.path);
    cv_handover_section(to, "logs");
    cv_handover_put_fields(to, logs_fields, CV_COUNT(logs_fields), how->logs);
    cv_handover_put_text(to, "log", how->logs->log);
    cv_handover_put_text(to, "access", how->logs->access);
    cv_handover_section(to, "outer");
    cv_handover_put_fields(to, outer_fields, CV_COUNT(outer_fields), &how->outer);
}

/* ---- Reading ---- */

/* What the living workers speak, and what workers of the old program would be told at birth, should
 * the new one fail and the old one be wanted again. */
static int check_version(const struct cv_supervise *how, struct cv_span record, char *reason,
                         size_t cap)
{
    struct cv_handover_section section = cv_handover_find(record, "covey");
    int64_t layout = cv_handover_get(&section, "layout", 0);
    int64_t abi = cv_handover_get(&section, "abi", 0);
    struct cv_span version = cv_handover_get_bytes(&section, "version");
    if (layout == CV_BOOT_LAYOUT && abi == how->abi)
        return 0;
    (void)snprintf(reason, cap,
                   "covey %s of the new program and covey %.*s of the one that runs do not "
                   "understand each other's workers: restart instead",
                   how->version, (int)version.len, version.at);
    return -EPROTO;
}

static int import_listeners(struct cv_listeners *listeners, struct cv_span record)
{
    struct cv_handover_section section = cv_handover_find(record, "covey");
    int rc = 0;
    listeners->n = 0;
    listeners->backlog = (int)cv_handover_get(&section, "backlog", SOMAXCONN);
    for (size_t at = 0; rc == 0 && cv_handover_next(record, &at, &section);) {
        if (!cv_span_eq(section.name, CV_SPAN("listener")))
            continue;
        if (listeners->n == CV_LISTEN_MAX)
            return -EBADMSG;
        rc = cv_handover_get_fields(&section, listener_fields, CV_COUNT(listener_fields),
                                    &listeners->item[listeners->n++]);
    }
    return rc;
}

/* A path of its own, "" if it is not there. 0 or -EBADMSG. */
static int import_path(const struct cv_handover_section *from, const char *name, char to[PATH_MAX])
{
    struct cv_span text = cv_handover_get_bytes(from, name);
    if (text.len >= PATH_MAX)
        return -EBADMSG;
    if (text.len > 0)
        memcpy(to, text.at, text.len);
    to[text.len] = '\0';
    return 0;
}

static int import_logs(struct cv_logs *logs, struct cv_span record)
{
    static char log[PATH_MAX];
    static char access[PATH_MAX];
    struct cv_handover_section section = cv_handover_find(record, "logs");
    int rc = import_path(&section, "log", log);
    if (rc == 0)
        rc = import_path(&section, "access", access);
    *logs = (struct cv_logs){log, access, -1};
    return rc < 0 ? rc : cv_handover_get_fields(&section, logs_fields, CV_COUNT(logs_fields), logs);
}

static int import_pidfile(struct cv_pidfile *pidfile, struct cv_span record)
{
    static char path[PATH_MAX];
    struct cv_handover_section section = cv_handover_find(record, "pidfile");
    *pidfile = (struct cv_pidfile){.fd = -1};
    int rc = import_path(&section, "path", path);
    if (rc < 0)
        return rc;
    pidfile->path = path[0] != '\0' ? path : NULL;
    return cv_handover_get_fields(&section, pidfile_fields, CV_COUNT(pidfile_fields), pidfile);
}

int cv_belongings_import(struct cv_supervise *how, struct cv_span record, char *reason, size_t cap)
{
    int rc = check_version(how, record, reason, cap);
    if (rc < 0)
        return rc;
    struct cv_handover_section control = cv_handover_find(record, "control");
    struct cv_handover_section outer = cv_handover_find(record, "outer");
    *how->control = (struct cv_control_file){.fd = -1, .folder = -1};
    how->outer = (struct cv_outer){0};
    rc = import_listeners(how->listeners, record);
    if (rc == 0)
        rc = cv_handover_get_fields(&control, control_file_fields, CV_COUNT(control_file_fields),
                                    how->control);
    if (rc == 0)
        rc = import_pidfile(&how->pidfile, record);
    if (rc == 0)
        rc = import_logs(how->logs, record);
    if (rc == 0)
        rc = cv_handover_get_fields(&outer, outer_fields, CV_COUNT(outer_fields), &how->outer);
    if (rc < 0)
        (void)snprintf(reason, cap, "the sockets and files of the server cannot be read");
    return rc;
}
