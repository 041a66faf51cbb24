/* Fuzz target: a body in JSON. What jansson makes of it is as deep and as much as was said before.
 */
#include "http/json.h"

#include "fuzz/target.h"

#include <errno.h>
#include <jansson.h>

static void measure(json_t *json, unsigned depth, struct cv_json_limits *most)
{
    json_t *value;
    const char *key;
    size_t i, n = json_is_array(json) ? json_array_size(json) : json_object_size(json);
    if (!json_is_array(json) && !json_is_object(json))
        return;
    most->depth = ++depth > most->depth ? depth : most->depth;
    most->values += n > 1 ? n : 1; /* its bracket, and the commas in it */
    json_array_foreach(json, i, value) measure(value, depth, most);
    json_object_foreach(json, key, value) measure(value, depth, most);
}

static int check(struct cv_span text, unsigned depth, uint64_t values)
{
    return cv_json_check(text, &(struct cv_json_limits){depth, values});
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cv_span text = cv_span(data, size);
    struct cv_json_limits most = {0, 0};
    json_error_t error;
    int rc = check(text, 100, 1000);
    CHECK(rc == 0 || rc == -EOVERFLOW || rc == -E2BIG);
    json_t *json = json_loadb(text.at, text.len, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &error);
    if (json == NULL)
        return 0;
    measure(json, 0, &most);
    CHECK(check(text, most.depth, most.values) == 0);
    CHECK(most.depth == 0 || check(text, most.depth - 1, most.values) == -EOVERFLOW);
    CHECK(most.values == 0 || check(text, most.depth, most.values - 1) == -E2BIG);
    json_decref(json);
    return 0;
}
