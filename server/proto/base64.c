#include "server/proto/base64.h"

static int digit_of(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '+' || c == '-') /* the URL alphabet is welcome, too */
        return 62;
    return c == '/' || c == '_' ? 63 : -1;
}

bool sv_base64_decode(const char *text, size_t size, uint8_t *dst, size_t *ret_size)
{
    uint32_t bits = 0;
    unsigned n_bits = 0;
    size_t n = 0;

    while (size > 0 && text[size - 1] == '=')
        size--;
    if (size % 4 == 1)
        return false;
    for (size_t i = 0; i < size; i++) {
        int digit = digit_of(text[i]);

        if (digit < 0)
            return false;
        bits = bits << 6 | (uint32_t)digit;
        n_bits += 6;
        if (n_bits >= 8) {
            n_bits -= 8;
            dst[n++] = (uint8_t)(bits >> n_bits);
        }
    }
    *ret_size = n;
    return true;
}
