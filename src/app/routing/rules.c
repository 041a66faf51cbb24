#include "app/routing/rules.h"

#include "app/app.h"
#include "base/rand.h"

static uint64_t size_of(covey_app *app, const char *name, int64_t fallback)
{
    int64_t size = covey_config_int(app, name, fallback);
    return size < 0 ? UINT64_MAX : (uint64_t)size;
}

void cv_rules_read(covey_app *app, struct cv_rules *ret)
{
    cv_rand_bytes(&ret->key, sizeof(ret->key));
    ret->params_max = (uint32_t)covey_config_int(app, "REQUEST_MAX_PARAMS", 1000);
    ret->files_max = (uint32_t)covey_config_int(app, "FORM_MAX_FILES", 100);
    ret->json_values = (uint64_t)covey_config_int(app, "JSON_MAX_VALUES", 1000000);
    ret->proxies_count = (uint32_t)covey_config_int(app, "PROXIES_COUNT", 0);
    ret->real_ip_header = covey_config_str(app, "REAL_IP_HEADER", "");
    ret->forwarded_for_header = covey_config_str(app, "FORWARDED_FOR_HEADER", "X-Forwarded-For");
    ret->forwarded_secret = covey_config_str(app, "FORWARDED_SECRET", "");
    ret->server_name = covey_config_str(app, "SERVER_NAME", "");
    ret->request_id_header = covey_config_str(app, "REQUEST_ID_HEADER", "X-Request-ID");
    ret->logs_ids = covey_config_bool(app, "LOG_REQUEST_ID", false);
    if (ret->logs_ids)
        cv_app_log_ids();
    ret->form_memory = size_of(app, "FORM_MAX_MEMORY", 1 << 20);
}
