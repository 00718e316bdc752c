/* text_number.c — numbers as printf's %.*g writes them, character by character the same
 * but in a third of its time. A double is m / 2^s with whole m; where m * 10^k fits
 * 128 bits its first digits are that product, shifted by s and rounded to even: exactly.
 * What lies outside of this range is left to printf. */
#include <math.h>
#include <string.h>

#include "server/proto/text.h"

#define MAX_POWER  19 /* of ten in 64 bits */
#define MAX_DIGITS 17
#define MAX_SHIFT  100
#define ROOM       32 /* bytes: sign, "0.0001" or exponent, digits, point */

__extension__ typedef unsigned __int128 uint128; /* ISO C has no name for it */

struct decimal {
    uint64_t digits;
    int exponent; /* of ten, of the first digit */
};

static uint64_t power_of_ten(int n)
{
    uint64_t p = 1;

    while (n-- > 0)
        p *= 10;
    return p;
}

/* m * 10^k / 2^s, rounded to the nearest, to the even one of two. */
static uint64_t scale(uint64_t m, int k, int s)
{
    uint128 product = (uint128)m * power_of_ten(k), unit = (uint128)1 << s;
    uint128 rest = product & (unit - 1);
    uint64_t whole = (uint64_t)(product >> s);

    return whole + (rest > unit / 2 || (s > 0 && rest == unit / 2 && whole % 2));
}

/* The first `n` digits of v > 0. False: it is out of range. */
static bool to_decimal(double v, int n, struct decimal *ret)
{
    int binary;
    uint64_t m = (uint64_t)ldexp(frexp(v, &binary), 53);
    int s = 53 - binary;

    if (m == 0 || s < 0 || s > MAX_SHIFT)
        return false;
    /* Of 2^(binary - 1) <= v: at most one too small, which a digit too many tells. */
    ret->exponent = (int)floor((binary - 1) * 0.30103 - 1e-6);
    for (uint64_t limit = power_of_ten(n);; ret->exponent++) {
        int k = n - 1 - ret->exponent;

        if (k < 0 || k > MAX_POWER)
            return false;
        ret->digits = scale(m, k, s);
        if (ret->digits < limit)
            return true;
    }
}

static char *put_bytes(char *at, const char *bytes, int n)
{
    return (char *)memcpy(at, bytes, (size_t)n) + n;
}

/* `n` digits, the point after the first `whole` of them, no zeros at the end. */
static char *put_with_point(char *at, const char *digits, int n, int whole)
{
    while (n > whole && digits[n - 1] == '0')
        n--;
    at = put_bytes(at, digits, whole);
    if (n > whole)
        *at++ = '.';
    return put_bytes(at, digits + whole, n - whole);
}

static char *put_exponent(char *at, int exponent)
{
    at = put_bytes(at, exponent < 0 ? "e-" : "e+", 2);
    exponent = exponent < 0 ? -exponent : exponent;
    if (exponent < 10)
        *at++ = '0';
    return sv_put_digits(at, (uint64_t)exponent);
}

static char *put_decimal(char *at, const struct decimal *d, int n)
{
    char digits[ROOM] = "0000"; /* those before the first one of a small number */
    int leading = d->exponent < 0 && d->exponent >= -4 ? -d->exponent : 0;

    (void)sv_put_digits(digits + leading, d->digits);
    if (leading || d->exponent == 0)
        return put_with_point(at, digits, n + leading, 1);
    if (d->exponent > 0 && d->exponent < n)
        return put_with_point(at, digits, n, d->exponent + 1);
    return put_exponent(put_with_point(at, digits, n, 1), d->exponent);
}

void sv_text_number(struct sv_text *t, double v, int digits)
{
    struct decimal d;
    char text[ROOM], *at = text;

    if (!isfinite(v)) {
        sv_text_str(t, "null");
    } else if (digits < 1 || digits > MAX_DIGITS || !to_decimal(fabs(v), digits, &d)) {
        sv_text_printf(t, "%.*g", digits, v);
    } else {
        if (v < 0)
            *at++ = '-';
        sv_text_bytes(t, text, (size_t)(put_decimal(at, &d, digits) - text));
    }
}
