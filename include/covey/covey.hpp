/* covey for C++20: the calls that are macros in C, and what C++ can do more safely. Header only.
 *
 *     static int setup(covey_app *app)
 *     {
 *         covey::get(app, "/", [](covey_req *req) { return covey::text(req, 200, "Hello, World!");
 * }); covey::post(app, "/up", upload, {.body_max = 1 << 20}); return 0;
 *     }
 *
 * Everything else is called as in C: covey_param(req, "name"), covey_sleep_ms(10). Functions that
 * covey is given are functions or lambdas without captures. No exception may leave them: it would
 * end the worker, as one that nobody catches ends any program; covey::caught makes errors 500 of
 * them. Do not wait inside a catch block: what is being caught is the thread's, not the fiber's.
 */
#ifndef COVEY_COVEY_HPP
#define COVEY_COVEY_HPP

#include <covey/options.hpp>

#include <cerrno>
#include <cstdlib>
#include <exception>
#include <initializer_list>
#include <memory>
#include <new>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace covey
{

/* Where a call stands, for sentences about it. Not to be given. */
struct place {
    const char *file;
    int line;

    static constexpr place here(const char *file = __builtin_FILE(), int line = __builtin_LINE())
    {
        return {file, line};
    }
};

/* ---- Running ---- */

/* covey_main() and covey_run(). */
inline int main(int argc, char **argv, covey_setup_fn *setup, const run_options &options = {})
{
    struct covey_options all = options.with(setup);
    return covey_main_with(argc, argv, &all);
}

inline int run(covey_setup_fn *setup, const run_options &options = {})
{
    struct covey_options all = options.with(setup);
    return covey_run_with(&all);
}

/* ---- Declaring an app ---- */

/* covey_route(), and covey_get() and its kin. */
inline void route(covey_app *app, const char *methods, const char *path, covey_handler_fn *handler,
                  const route_options &options = {}, place at = place::here())
{
    struct covey_route all = options.with(handler);
    covey_route_at(app, methods, path, &all, at.file, at.line);
}

inline void get(covey_app *app, const char *path, covey_handler_fn *handler,
                const route_options &options = {}, place at = place::here())
{
    route(app, "GET", path, handler, options, at);
}

inline void post(covey_app *app, const char *path, covey_handler_fn *handler,
                 const route_options &options = {}, place at = place::here())
{
    route(app, "POST", path, handler, options, at);
}

inline void put(covey_app *app, const char *path, covey_handler_fn *handler,
                const route_options &options = {}, place at = place::here())
{
    route(app, "PUT", path, handler, options, at);
}

inline void patch(covey_app *app, const char *path, covey_handler_fn *handler,
                  const route_options &options = {}, place at = place::here())
{
    route(app, "PATCH", path, handler, options, at);
}

/* covey_delete(): `delete` is taken. */
inline void del(covey_app *app, const char *path, covey_handler_fn *handler,
                const route_options &options = {}, place at = place::here())
{
    route(app, "DELETE", path, handler, options, at);
}

inline void options(covey_app *app, const char *path, covey_handler_fn *handler,
                    const route_options &options = {}, place at = place::here())
{
    route(app, "OPTIONS", path, handler, options, at);
}

/* covey_pattern(). */
inline void pattern(covey_app *app, const char *name, covey_pattern_fn *matcher,
                    place at = place::here())
{
    covey_pattern_at(app, name, matcher, at.file, at.line);
}

/* covey_blueprint(); without a function its contents are the caller's to declare. */
inline covey_app *blueprint(covey_app *app, const char *name, covey_setup_fn *setup,
                            const blueprint_options &options = {}, place at = place::here())
{
    struct covey_blueprint all = options.with(name, setup);
    return covey_blueprint_at(app, &all, at.file, at.line);
}

inline covey_app *blueprint(covey_app *app, const char *name, const blueprint_options &options = {},
                            place at = place::here())
{
    return blueprint(app, name, nullptr, options, at);
}

/* covey_static(). */
inline void static_files(covey_app *app, const char *path, const char *directory,
                         const static_options &options = {}, place at = place::here())
{
    struct covey_static all = options.with(directory);
    covey_static_at(app, path, &all, at.file, at.line);
}

/* covey_listener(), covey_middleware(), covey_on_error(). A lambda has no name: the log says where
 * it stands. */
inline void listener(covey_app *app, covey_event event, covey_listener_fn *listener,
                     place at = place::here())
{
    covey_listener_at(app, event, listener, "function", at.file, at.line);
}

inline void middleware(covey_app *app, covey_phase phase, covey_handler_fn *handler,
                       const middleware_options &options = {}, place at = place::here())
{
    struct covey_middleware all = options.with(handler);
    covey_middleware_at(app, phase, &all, "function", at.file, at.line);
}

inline void on_error(covey_app *app, int status, covey_handler_fn *handler,
                     place at = place::here())
{
    covey_on_error_at(app, status, handler, "function", at.file, at.line);
}

/* covey_cors(); `origins` may be nullptr, with {.allow = ...}. */
inline void cors(covey_app *app, const char *origins, const cors_options &options = {},
                 place at = place::here())
{
    struct covey_cors all = options.with(origins);
    covey_cors_at(app, &all, at.file, at.line);
}

/* covey_manage(), covey_manage_command(). */
inline void manage(covey_app *app, const char *name, covey_process_fn *fn,
                   const process_options &options = {}, place at = place::here())
{
    struct covey_process all = options.with(fn);
    covey_manage_at(app, name, &all, at.file, at.line);
}

inline void manage_command(covey_app *app, const char *name, const char *const *argv,
                           const command_options &options = {}, place at = place::here())
{
    struct covey_command all = options.with(argv);
    covey_manage_command_at(app, name, &all, at.file, at.line);
}

/* ---- Signals ---- */

/* covey_signal(), covey_dispatch(), covey_wait_signal(). */
inline void signal(covey_app *app, const char *name, covey_signal_fn *handler,
                   const signal_options &options = {}, place at = place::here())
{
    struct covey_signal all = options.with(handler);
    covey_signal_at(app, name, &all, "function", at.file, at.line);
}

inline int dispatch(covey_app *app, const char *name, const dispatch_options &options = {})
{
    struct covey_dispatch all = options.with(name);
    return covey_dispatch_with(app, &all);
}

inline int wait_signal(covey_app *app, const char *name, const wait_options &options = {})
{
    struct covey_wait all = options.with(name);
    return covey_wait_signal_with(app, &all);
}

/* ---- Requests ---- */

/* covey_body() as bytes. They belong to the request. */
inline std::string_view body(covey_req *req)
{
    size_t len = 0;
    const void *bytes = covey_body(req, &len);
    return {static_cast<const char *>(bytes), len};
}

/* Has `fn()` called when the request ends, in reverse order, as covey_defer(): it must not wait. It
 * is moved, and may have captures. 0 or -ENOMEM (then it has been called already). */
template <class F> int defer(covey_req *req, F fn)
{
    void *at = covey_alloc(req, sizeof(F) + alignof(F));
    size_t room = sizeof(F) + alignof(F);
    if (at == nullptr) {
        fn();
        return -ENOMEM;
    }
    F *kept = new (std::align(alignof(F), sizeof(F), at, room)) F(std::move(fn));
    return covey_defer(
        req,
        [](void *arg) {
            F *held = static_cast<F *>(arg);
            (*held)();
            held->~F();
        },
        kept);
}

/* An object that lives as long as the request, or NULL without memory. */
template <class T, class... Args> T *make(covey_req *req, Args &&...args)
{
    void *at = covey_alloc(req, sizeof(T) + alignof(T));
    size_t room = sizeof(T) + alignof(T);
    if (at == nullptr)
        return nullptr;
    T *made = new (std::align(alignof(T), sizeof(T), at, room)) T(std::forward<Args>(args)...);
    int rc = covey_defer(
        req, [](void *arg) { static_cast<T *>(arg)->~T(); }, made);
    return rc == 0 ? made : nullptr;
}

/* covey_accepts(): the one of these media types that the client likes best, or NULL. */
template <class... Types> const char *accepts(covey_req *req, Types... types)
{
    const char *const all[] = {types..., nullptr};
    return covey_accepts_of(req, all);
}

/* What covey_app_url_for() gives, which frees itself. */
struct freed {
    void operator()(char *text) const
    {
        std::free(text);
    }
};
using owned_text = std::unique_ptr<char, freed>;

/* covey_url_for(): covey::url_for(req, "user", {"id", "7"}, {.anchor = "top"}). */
inline const char *url_for(covey_req *req, const char *name,
                           std::initializer_list<const char *> args = {},
                           const url_options &options = {})
{
    std::vector<const char *> terminated(args);
    terminated.push_back(nullptr);
    struct covey_url all = options.with(name);
    all.args = terminated.data();
    return covey_url_for_with(req, &all);
}

/* covey_app_url_for(). */
inline owned_text app_url_for(covey_app *app, const char *name,
                              std::initializer_list<const char *> args = {},
                              const url_options &options = {})
{
    std::vector<const char *> terminated(args);
    terminated.push_back(nullptr);
    struct covey_url all = options.with(name);
    all.args = terminated.data();
    return owned_text(covey_app_url_for_with(app, &all));
}

/* ---- Answers ---- */

inline int text(covey_req *req, int status, std::string_view text)
{
    return covey_bytes(req, status, "text/plain; charset=utf-8", text.data(), text.size());
}

inline int html(covey_req *req, int status, std::string_view html)
{
    return covey_bytes(req, status, "text/html; charset=utf-8", html.data(), html.size());
}

/* covey_file(). */
inline int file(covey_req *req, const char *path, const file_options &options = {})
{
    struct covey_file all = options.with(path);
    return covey_file_with(req, &all);
}

/* covey_set_cookie(), covey_delete_cookie(). */
inline int set_cookie(covey_req *req, const char *name, const char *value,
                      const cookie_options &options = {})
{
    struct covey_cookie all = options.with(name, value);
    return covey_set_cookie_with(req, &all);
}

inline int delete_cookie(covey_req *req, const char *name, const cookie_options &options = {})
{
    struct covey_cookie all = options.with(name, nullptr);
    return covey_delete_cookie_with(req, &all);
}

/* covey_respond(), covey_send(), covey_sse_begin(), covey_sse_send(). */
inline int respond(covey_req *req, int status, const response_options &options = {})
{
    struct covey_response all = options.with(status);
    return covey_respond_with(req, &all);
}

inline int send(covey_req *req, std::string_view bytes)
{
    return covey_send(req, bytes.data(), bytes.size());
}

inline int sse_begin(covey_req *req, const sse_options &options = {})
{
    struct covey_sse all = options.with(req);
    return covey_sse_begin_with(&all);
}

inline int sse_send(covey_req *req, const char *data, const sse_event_options &options = {})
{
    struct covey_sse_event all = options.with(data);
    return covey_sse_send_with(req, &all);
}

/* ---- Exceptions ---- */

/* A handler that answers 500 for an exception, whose text is logged: covey::get(app, "/x",
 * covey::caught<handler>), also with a lambda between the angles. */
template <auto Handler> int caught(covey_req *req) noexcept
{
    try {
        return Handler(req);
    } catch (const std::exception &error) {
        return covey_fail(req, 500, "%s", error.what());
    } catch (...) {
        return covey_fail(req, 500, "an exception of no known kind");
    }
}

/* ---- Waiting ---- */

/* covey_offload() of anything that can be called and gives an int, with captures: it stays with the
 * caller, who waits for it. */
template <class F> int offload(F &&fn)
{
    using Called = std::remove_reference_t<F>;
    return covey_offload([](void *arg) -> int { return (*static_cast<Called *>(arg))(); },
                         std::addressof(fn));
}

/* covey_add_task(). */
inline int add_task(covey_app *app, void (*fn)(void *arg), const task_options &options = {})
{
    struct covey_task all = options.with(fn);
    return covey_add_task_with(app, &all);
}

/* ---- Tests ---- */

/* A worker in a test (<covey/test.h>), which ends with it. */
class test
{
  public:
    explicit test(covey_setup_fn *setup, const run_options &options = {})
    {
        struct covey_options all = options.with(setup);
        held = covey_test_new_with(&all);
    }
    test(const test &) = delete;
    test &operator=(const test &) = delete;
    ~test()
    {
        (void)end();
    }

    /* For the calls of <covey/test.h>. */
    covey_test *get() const
    {
        return held;
    }

    const covey_test_answer &request(const char *method, const char *path,
                                     const test_request_options &options = {})
    {
        struct covey_test_request all = options.with(path);
        all.method = method;
        return *covey_test_request_with(held, &all);
    }
    const covey_test_answer &get(const char *path, const test_request_options &options = {})
    {
        return request("GET", path, options);
    }
    const covey_test_answer &post(const char *path, const test_request_options &options = {})
    {
        return request("POST", path, options);
    }

    covey_test_stream *open(const char *path, const test_request_options &options = {})
    {
        struct covey_test_request all = options.with(path);
        return covey_test_open_with(held, &all);
    }

    /* As covey_test_free(): 0 if all has ended. Once. */
    int end()
    {
        return covey_test_free(std::exchange(held, nullptr));
    }

  private:
    covey_test *held;
};

/* The body of an answer. */
inline std::string_view body(const covey_test_answer &answer)
{
    return {answer.body, answer.len};
}

} // namespace covey

#endif
