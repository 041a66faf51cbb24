#include "http/base64.h"

/* The six bits of a character, or -1. */
static int value_of(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

int64_t cv_base64_decode(struct cv_span text, char *to)
{
    if (text.len % 4 != 0)
        return -400;
    size_t len = text.len;
    while (len > 0 && text.len - len < 2 && text.at[len - 1] == '=')
        len--;

    uint32_t bits = 0;
    int n_bits = 0;
    int64_t n = 0;
    for (size_t i = 0; i < len; i++) {
        int value = value_of(text.at[i]);
        if (value < 0)
            return -400;
        bits = bits << 6 | (uint32_t)value;
        n_bits += 6;
        if (n_bits >= 8) {
            n_bits -= 8;
            to[n++] = (char)(bits >> n_bits);
            bits &= (1u << n_bits) - 1;
        }
    }
    return bits == 0 ? n : -400;
}
