/* Fuzz target: a line of JSON with the input in it, in a place of any size, against what jansson
 * reads of it. */
#include "base/json_line.h"

#include "fuzz/target.h"

#include <jansson.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cv_span text = cv_span(data, size);
    size_t cap = 4 + mix(data, size) % (2 * size + 100);
    char *to = malloc(cap);
    struct cv_json_line line;
    CHECK(to != NULL);

    cv_json_open(&line, to, cap);
    cv_json_number(&line, "n", CV_SPAN("1"));
    cv_json_text(&line, "text", text, SIZE_MAX);
    cv_json_text(&line, "again", text, size / 2);
    size_t len = cv_json_close(&line);
    CHECK(len >= 3 && len <= cap && memchr(to, '\n', len) == to + len - 1);
    for (size_t i = 0; i + 1 < len; i++)
        CHECK((unsigned char)to[i] >= ' ' && to[i] != 0x7f);

    json_t *read = json_loadb(to, len, JSON_ALLOW_NUL, NULL);
    CHECK(json_is_object(read));
    json_t *value = json_object_get(read, "text");
    bool is_ascii = true;
    for (size_t i = 0; i < size; i++)
        is_ascii &= data[i] < 0x80;
    if (value != NULL && is_ascii) /* what is there is what the input begins with */
        CHECK(json_string_length(value) <= size &&
              memcmp(json_string_value(value), data, json_string_length(value)) == 0);
    json_decref(read);
    free(to);
    return 0;
}
