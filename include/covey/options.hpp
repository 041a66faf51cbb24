/* The options of calls in C++: the fields of the structs of the same names in C, which say what they
 * mean. `{.body_max = 1000}`, in the order in which they stand here. Made by tools/options. */
#ifndef COVEY_OPTIONS_HPP
#define COVEY_OPTIONS_HPP

#include <covey/covey.h>
#include <covey/test.h>

namespace covey
{

struct run_options {
    const char *host = {};
    int port = {};
    const char *listen = {};
    int workers = {};
    const char *start_method = {};
    const char *env_prefix = {};
    const char *log_level = {};
    int access_log = {};
    int64_t start_timeout = {};
    int64_t graceful_shutdown_timeout = {};
    int64_t request_timeout = {};
    int64_t response_timeout = {};
    int64_t keep_alive_timeout = {};
    int64_t request_max_size = {};
    int64_t request_max_header_size = {};
    int64_t fibers_max = {};
    const char *config = {};
    const char *pidfile = {};
    const char *user = {};
    const char *log_file = {};
    const char *access_log_file = {};
    int daemon = {};
    int strict_slashes = {};
    const char *const *settings = {};

    struct covey_options with(covey_setup_fn *setup) const
    {
        struct covey_options all = {};
        all.size = sizeof(all);
        all.setup = setup;
        all.host = host;
        all.port = port;
        all.listen = listen;
        all.workers = workers;
        all.start_method = start_method;
        all.env_prefix = env_prefix;
        all.log_level = log_level;
        all.access_log = access_log;
        all.start_timeout = start_timeout;
        all.graceful_shutdown_timeout = graceful_shutdown_timeout;
        all.request_timeout = request_timeout;
        all.response_timeout = response_timeout;
        all.keep_alive_timeout = keep_alive_timeout;
        all.request_max_size = request_max_size;
        all.request_max_header_size = request_max_header_size;
        all.fibers_max = fibers_max;
        all.config = config;
        all.pidfile = pidfile;
        all.user = user;
        all.log_file = log_file;
        all.access_log_file = access_log_file;
        all.daemon = daemon;
        all.strict_slashes = strict_slashes;
        all.settings = settings;
        return all;
    }
};

struct route_options {
    const char *name = {};
    int64_t body_max = {};
    int64_t response_timeout = {};
    bool stream = {};
    bool half_close = {};
    bool histogram = {};
    int64_t spool_above = {};
    int64_t request_timeout = {};
    int64_t body_rate_min = {};
    bool form = {};
    const char *host = {};
    const char *version = {};
    const char *version_prefix = {};
    int strict_slashes = {};
    bool overwrite = {};
    void *ctx = {};
    const char *error_format = {};
    int compress = {};

    struct covey_route with(covey_handler_fn *handler) const
    {
        struct covey_route all = {};
        all.size = sizeof(all);
        all.handler = handler;
        all.name = name;
        all.body_max = body_max;
        all.response_timeout = response_timeout;
        all.stream = stream;
        all.half_close = half_close;
        all.histogram = histogram;
        all.spool_above = spool_above;
        all.request_timeout = request_timeout;
        all.body_rate_min = body_rate_min;
        all.form = form;
        all.host = host;
        all.version = version;
        all.version_prefix = version_prefix;
        all.strict_slashes = strict_slashes;
        all.overwrite = overwrite;
        all.ctx = ctx;
        all.error_format = error_format;
        all.compress = compress;
        return all;
    }
};

struct blueprint_options {
    const char *prefix = {};
    covey_app *copy_of = {};
    const char *host = {};
    const char *version = {};
    const char *version_prefix = {};
    int strict_slashes = {};
    const char *error_format = {};
    int compress = {};
    bool overwrite = {};

    struct covey_blueprint with(const char *name, covey_setup_fn *setup) const
    {
        struct covey_blueprint all = {};
        all.size = sizeof(all);
        all.name = name;
        all.setup = setup;
        all.prefix = prefix;
        all.copy_of = copy_of;
        all.host = host;
        all.version = version;
        all.version_prefix = version_prefix;
        all.strict_slashes = strict_slashes;
        all.error_format = error_format;
        all.compress = compress;
        all.overwrite = overwrite;
        return all;
    }
};

struct middleware_options {
    int priority = {};
    const char *routes = {};

    struct covey_middleware with(covey_handler_fn *handler) const
    {
        struct covey_middleware all = {};
        all.size = sizeof(all);
        all.handler = handler;
        all.priority = priority;
        all.routes = routes;
        return all;
    }
};

struct cors_options {
    covey_origin_fn *allow = {};
    const char *methods = {};
    const char *headers = {};
    const char *expose = {};
    int64_t max_age = {};
    bool credentials = {};
    const char *routes = {};

    struct covey_cors with(const char *origins) const
    {
        struct covey_cors all = {};
        all.size = sizeof(all);
        all.origins = origins;
        all.allow = allow;
        all.methods = methods;
        all.headers = headers;
        all.expose = expose;
        all.max_age = max_age;
        all.credentials = credentials;
        all.routes = routes;
        return all;
    }
};

struct file_options {
    const char *root = {};
    int status = {};
    const char *type = {};
    const char *download = {};
    int64_t max_age = {};
    bool precompressed = {};

    struct covey_file with(const char *path) const
    {
        struct covey_file all = {};
        all.size = sizeof(all);
        all.path = path;
        all.root = root;
        all.status = status;
        all.type = type;
        all.download = download;
        all.max_age = max_age;
        all.precompressed = precompressed;
        return all;
    }
};

struct static_options {
    const char *host = {};
    const char *index = {};
    const char *name = {};
    int64_t max_age = {};
    bool precompressed = {};
    bool hidden = {};
    bool listing = {};
    const char *type = {};

    struct covey_static with(const char *directory) const
    {
        struct covey_static all = {};
        all.size = sizeof(all);
        all.directory = directory;
        all.host = host;
        all.index = index;
        all.name = name;
        all.max_age = max_age;
        all.precompressed = precompressed;
        all.hidden = hidden;
        all.listing = listing;
        all.type = type;
        return all;
    }
};

struct task_options {
    void *arg = {};
    const char *name = {};
    int64_t delay = {};
    int64_t every = {};

    struct covey_task with(void (*fn)(void *arg)) const
    {
        struct covey_task all = {};
        all.size = sizeof(all);
        all.fn = fn;
        all.arg = arg;
        all.name = name;
        all.delay = delay;
        all.every = every;
        return all;
    }
};

struct process_options {
    int workers = {};
    enum covey_restart restart = {};
    bool transient = {};

    struct covey_process with(covey_process_fn *fn) const
    {
        struct covey_process all = {};
        all.size = sizeof(all);
        all.fn = fn;
        all.workers = workers;
        all.restart = restart;
        all.transient = transient;
        return all;
    }
};

struct command_options {
    int workers = {};
    enum covey_restart restart = {};
    bool transient = {};

    struct covey_command with(const char *const *argv) const
    {
        struct covey_command all = {};
        all.size = sizeof(all);
        all.argv = argv;
        all.workers = workers;
        all.restart = restart;
        all.transient = transient;
        return all;
    }
};

struct cookie_options {
    const char *path = {};
    const char *domain = {};
    int64_t max_age = {};
    int64_t expires = {};
    const char *samesite = {};
    int secure = {};
    bool httponly = {};
    bool partitioned = {};
    bool host_prefix = {};
    bool secure_prefix = {};

    struct covey_cookie with(const char *name, const char *value) const
    {
        struct covey_cookie all = {};
        all.size = sizeof(all);
        all.name = name;
        all.value = value;
        all.path = path;
        all.domain = domain;
        all.max_age = max_age;
        all.expires = expires;
        all.samesite = samesite;
        all.secure = secure;
        all.httponly = httponly;
        all.partitioned = partitioned;
        all.host_prefix = host_prefix;
        all.secure_prefix = secure_prefix;
        return all;
    }
};

struct response_options {
    const char *type = {};
    int64_t length = {};

    struct covey_response with(int status) const
    {
        struct covey_response all = {};
        all.size = sizeof(all);
        all.status = status;
        all.type = type;
        all.length = length;
        return all;
    }
};

struct sse_options {
    int64_t heartbeat = {};

    struct covey_sse with(covey_req *req) const
    {
        struct covey_sse all = {};
        all.size = sizeof(all);
        all.req = req;
        all.heartbeat = heartbeat;
        return all;
    }
};

struct sse_event_options {
    const char *event = {};
    const char *id = {};
    int64_t retry = {};

    struct covey_sse_event with(const char *data) const
    {
        struct covey_sse_event all = {};
        all.size = sizeof(all);
        all.data = data;
        all.event = event;
        all.id = id;
        all.retry = retry;
        return all;
    }
};

struct signal_options {
    int priority = {};
    const char *condition = {};
    int exclusive = {};

    struct covey_signal with(covey_signal_fn *handler) const
    {
        struct covey_signal all = {};
        all.size = sizeof(all);
        all.handler = handler;
        all.priority = priority;
        all.condition = condition;
        all.exclusive = exclusive;
        return all;
    }
};

struct dispatch_options {
    void *data = {};
    const char *condition = {};
    bool reverse = {};
    bool background = {};
    void (*release)(void *data) = {};

    struct covey_dispatch with(const char *name) const
    {
        struct covey_dispatch all = {};
        all.size = sizeof(all);
        all.name = name;
        all.data = data;
        all.condition = condition;
        all.reverse = reverse;
        all.background = background;
        all.release = release;
        return all;
    }
};

struct wait_options {
    int64_t timeout = {};
    const char *condition = {};
    int exclusive = {};
    char *param = {};
    size_t param_size = {};
    void **data = {};

    struct covey_wait with(const char *name) const
    {
        struct covey_wait all = {};
        all.size = sizeof(all);
        all.name = name;
        all.timeout = timeout;
        all.condition = condition;
        all.exclusive = exclusive;
        all.param = param;
        all.param_size = param_size;
        all.data = data;
        return all;
    }
};

struct test_request_options {
    const char *method = {};
    const char *type = {};
    const void *body = {};
    size_t len = {};
    const char *headers[COVEY_TEST_HEADERS_MAX] = {};
    const char *client_ip = {};
    int64_t timeout = {};

    struct covey_test_request with(const char *path) const
    {
        struct covey_test_request all = {};
        all.size = sizeof(all);
        all.path = path;
        all.method = method;
        all.type = type;
        all.body = body;
        all.len = len;
        for (int i = 0; i < COVEY_TEST_HEADERS_MAX; i++)
            all.headers[i] = headers[i];
        all.client_ip = client_ip;
        all.timeout = timeout;
        return all;
    }
};

struct url_options {
    const char *const *args = {};
    const char *anchor = {};
    bool external = {};
    const char *scheme = {};
    const char *server = {};
    const char *host = {};

    struct covey_url with(const char *name) const
    {
        struct covey_url all = {};
        all.size = sizeof(all);
        all.name = name;
        all.args = args;
        all.anchor = anchor;
        all.external = external;
        all.scheme = scheme;
        all.server = server;
        all.host = host;
        return all;
    }
};

} // namespace covey

#endif
