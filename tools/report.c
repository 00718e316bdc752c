#include "tools/report.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/printable.h"

enum al_status tl_report_json(json_t *value, struct al_error *err)
{
    if (!value)
        return al_fail(err, AL_NO_MEMORY, "report");
    const int failed = json_dumpf(value, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(9));

    json_decref(value);
    (void)putchar('\n');
    return failed || fflush(stdout) != 0
               ? al_fail(err, AL_IO, "cannot write the report: %s",
                         strerrordesc_np(errno))
               : AL_OK;
}

json_t *tl_json_added(json_t *array, json_t *value)
{
    if (json_array_append_new(array, value) == 0)
        return array;
    json_decref(array);
    return NULL;
}

/* Every byte as the character of its number, in UTF-8. */
static json_t *latin_1(const char *s)
{
    char *text = malloc(2 * strlen(s) + 1), *to = text;
    json_t *value = NULL;

    if (text) {
        for (const unsigned char *c = (const unsigned char *)s; *c; c++) {
            if (*c >= 0x80)
                *to++ = (char)(0xc0 | *c >> 6);
            *to++ = (char)(*c < 0x80 ? *c : 0x80 | (*c & 0x3f));
        }
        *to = '\0';
        value = json_string(text);
    }
    free(text);
    return value;
}

json_t *tl_json_text(const char *s)
{
    json_t *value;

    if (!s)
        return json_null();
    value = json_string(s);
    return value ? value : latin_1(s);
}

json_t *tl_json_real(double v)
{
    return isfinite(v) ? json_real(v) : json_null();
}

json_t *tl_json_spread(const struct tl_spread *s)
{
    return json_pack("{s:f, s:f, s:f}", "low", s->low, "median", s->median, "high",
                     s->high);
}

json_t *tl_json_reals(const double *v, size_t n)
{
    json_t *array = json_array();

    for (size_t i = 0; i < n; i++)
        array = tl_json_added(array, tl_json_real(v[i]));
    return array;
}

json_t *tl_json_exit_names(const struct al_model *m)
{
    json_t *array = json_array();

    for (size_t k = 0; k < al_model_n_stages(m); k++)
        array = tl_json_added(array, tl_json_text(al_model_stage(m, k).exit_name));
    return array;
}

void tl_print_exit_names(const struct al_model *m, int width)
{
    for (size_t k = 0; k < al_model_n_stages(m); k++)
        (void)printf("%*.*s", width, width - 1,
                     tl_printable(al_model_stage(m, k).exit_name).text);
    (void)putchar('\n');
}

void tl_print_percent(double fraction, int width)
{
    if (isfinite(fraction))
        (void)printf("%*.2f %%", width - 2, 100 * fraction);
    else
        (void)printf("%*s", width, "-");
}
