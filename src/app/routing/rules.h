/* The settings that say how requests are read, looked up once. */
#ifndef CV_APP_RULES_H
#define CV_APP_RULES_H

#include "base/siphash.h"

#include <covey/app.h>

#include <stdbool.h>

struct cv_rules {
    struct cv_siphash_key key;  /* of this process, for whatever clients may choose the names of */
    uint32_t params_max;        /* REQUEST_MAX_PARAMS */
    uint32_t files_max;         /* FORM_MAX_FILES */
    uint64_t form_memory;       /* FORM_MAX_MEMORY, bytes */
    uint64_t json_values;       /* JSON_MAX_VALUES */
    uint32_t proxies_count;     /* PROXIES_COUNT; 0: no X-Forwarded-For is trusted */
    const char *real_ip_header; /* "": none is trusted; the same for the secret */
    const char *forwarded_for_header;
    const char *forwarded_secret;
    const char *server_name;       /* "": by Host */
    const char *request_id_header; /* "": ids are always covey's own */
    bool logs_ids;                 /* LOG_REQUEST_ID: each request has one from the start */
};

/* Reads them all. The app's host must be known. */
void cv_rules_read(covey_app *app, struct cv_rules *ret);

#endif
