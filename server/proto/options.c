#include "server/proto/options.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct option {
    const char *key;
    size_t offset;
    double low, high;
    bool whole;
};

static const struct option options[] = {
#define X(key, low, high, whole, text) \
    { #key, offsetof(struct sv_options, key), low, high, whole },
    SV_OPTION_LIST(X)
#undef X
};

/* NULL: no option of ours. */
static const struct option *find(const char *key)
{
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
        if (strcmp(options[i].key, key) == 0)
            return &options[i];
    return NULL;
}

struct sv_options sv_options_none(void)
{
    struct sv_options o;

#define X(key, low, high, whole, text) o.key = (double)NAN;
    SV_OPTION_LIST(X)
#undef X
    return o;
}

enum al_status sv_options_set(struct sv_options *o, const char *key, double value,
                              struct al_error *err)
{
    const struct option *option = find(key);

    if (!option)
        return AL_OK;
    if (!(value >= option->low && value <= option->high))
        return al_fail(err, AL_INVALID, "%s: %g is not between %g and %g", key, value,
                       option->low, option->high);
    if (option->whole && fabs(value - floor(value)) > 0)
        return al_fail(err, AL_INVALID, "%s: %g is not a whole number", key, value);
    memcpy((char *)o + option->offset, &value, sizeof(value));
    return AL_OK;
}

enum al_status sv_options_set_text(struct sv_options *o, const char *key,
                                   const char *value, struct al_error *err)
{
    const char *text = value ? value : "";
    char *end;
    double number = strtod(text, &end);

    if (!find(key))
        return AL_OK;
    /* strtod takes more for numbers than we do: spaces, hexadecimal, nan. */
    if (*text == '\0' || *end != '\0' || text[strspn(text, "0123456789.eE+-")] != '\0')
        return al_fail(err, AL_INVALID, "%s: '%.40s' is not a number", key, text);
    return sv_options_set(o, key, number, err);
}

/* An exit's number that was given must exist. */
static enum al_status exit_of(double given, const char *key, uint32_t n_exits,
                              uint32_t *ret, struct al_error *err)
{
    if (isnan(given))
        return AL_OK;
    if (given >= n_exits)
        return al_fail(err, AL_INVALID, "%s: %g, the model has exits 0 to %u", key, given,
                       n_exits - 1);
    *ret = (uint32_t)given;
    return AL_OK;
}

enum al_status sv_options_rule(const struct sv_options *o, const struct pk_package *p,
                               struct al_exit_rule *ret, uint32_t *ret_level,
                               struct al_error *err)
{
    uint32_t n_exits = (uint32_t)al_model_n_stages(p->model);
    double max_loss = isnan(o->max_loss) ? p->default_max_loss : o->max_loss;
    uint32_t level = al_policy_pick(&p->policy, max_loss);
    struct al_exit_rule rule = al_policy_rule(&p->policy, level);
    enum al_status s;

    if (!isnan(o->threshold)) {
        for (uint32_t k = 0; k < AL_MAX_EXITS; k++)
            rule.threshold[k] = (float)o->threshold;
        level = SV_NO_LEVEL;
    }
    if (!isnan(o->min_exit) || !isnan(o->max_exit))
        level = SV_NO_LEVEL;
    s = exit_of(o->min_exit, "min_exit", n_exits, &rule.min_exit, err);
    if (s == AL_OK)
        s = exit_of(o->max_exit, "max_exit", n_exits, &rule.max_exit, err);
    if (s == AL_OK && rule.min_exit > rule.max_exit)
        s = al_fail(err, AL_INVALID, "min_exit: %u is above max_exit %u", rule.min_exit,
                    rule.max_exit);
    if (s != AL_OK)
        return s;
    *ret = rule;
    *ret_level = level;
    return AL_OK;
}
