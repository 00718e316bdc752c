#include "package/policy_file.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "package/json.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define FORMAT   1
#define METHOD   "learn-then-test, fixed sequence, exact p-values"

static const char *const scores[AL_N_SCORES] = {
#define X(id, name) name,
    AL_SCORE_LIST(X)
#undef X
};

static const char *const losses[AL_N_LOSSES] = {
#define X(id, name) name,
    AL_LOSS_LIST(X)
#undef X
};

static const char *const precisions[AL_N_PRECISIONS] = {
#define X(id, name) name,
    AL_PRECISION_LIST(X)
#undef X
};

/* ---- reading ---- */

static bool is_hex(const char *s)
{
    return s[strspn(s, "0123456789abcdef")] == '\0';
}

static enum al_status read_calibration(const struct pk_json *root,
                                       const struct pk_policy_model *model,
                                       struct al_policy *p, unsigned *precision)
{
    static const char *const keys[] = { "id", "rows", "model_sha256", "precision" };
    struct pk_json j = pk_json_child(root, "calibration");
    const char *id = "", *sha = "";

    pk_json_only(&j, keys, COUNT(keys));
    for (size_t i = 0; i < 3; i++) /* the last may be missing */
        pk_json_need(&j, keys[i]);
    pk_json_choice(&j, "precision", precisions, COUNT(precisions), precision);
    pk_json_string(&j, "id", &id);
    pk_json_uint(&j, "rows", 1, UINT32_MAX, &p->n_calibration);
    pk_json_string(&j, "model_sha256", &sha);
    if (strlen(id) >= sizeof(p->calibration_id) || !is_hex(id))
        pk_json_fail(&j, "id", "is not up to %zu hexadecimal digits",
                     sizeof(p->calibration_id) - 1);
    if (strcmp(sha, model->sha256) != 0)
        pk_json_fail(&j, "model_sha256",
                     "is %.12s…, but model.onnx is %.12s…: calibrate this model", sha,
                     model->sha256);
    if (j.status == AL_OK)
        (void)snprintf(p->calibration_id, sizeof(p->calibration_id), "%s", id);
    return j.status;
}

static void check_exits(struct pk_json *j, const struct pk_policy_model *model)
{
    const json_t *array;

    pk_json_array(j, "exits", model->n_exits, model->n_exits, &array);
    for (size_t k = 0; array && k < model->n_exits; k++) {
        const char *name = json_string_value(json_array_get(array, k));

        if (!name || strcmp(name, model->exit_names[k]) != 0)
            pk_json_fail(j, "exits", "entry %zu is not the model's exit \"%s\"", k,
                         model->exit_names[k]);
    }
}

/* null: no row leaves there. */
static void read_thresholds(struct pk_json *j, uint32_t n_early, struct al_level *level)
{
    const json_t *array;

    pk_json_array(j, "thresholds", n_early, n_early, &array);
    for (size_t k = 0; array && k < n_early; k++) {
        const json_t *value = json_array_get(array, k);
        double v = json_number_value(value);

        if (json_is_null(value))
            continue;
        if (!json_is_number(value) || v < 0.0 || v > 1.0) {
            pk_json_fail(j, "thresholds", "entry %zu is neither null nor in 0 to 1", k);
            return;
        }
        level->threshold[k] = (float)v;
    }
}

static enum al_status read_level(const struct pk_json *root, size_t i,
                                 const struct al_policy *p, struct al_level *level)
{
    static const char *const keys[] = { "max_loss", "thresholds", "share",  "cost_us",
                                        "losses",   "wins",       "p_value" };
    struct pk_json j = pk_json_entry(root, "levels", i);

    pk_json_only(&j, keys, COUNT(keys));
    pk_json_need(&j, "max_loss");
    pk_json_need(&j, "thresholds");
    pk_json_number(&j, "max_loss", 0.0, 1.0, &level->max_loss);
    read_thresholds(&j, p->n_exits - 1, level);
    pk_json_numbers(&j, "share", p->n_exits, 0.0, 1.0, level->share);
    pk_json_number(&j, "cost_us", 0.0, 1e12, &level->cost);
    pk_json_uint(&j, "losses", 0, UINT32_MAX, &level->n_losses);
    pk_json_uint(&j, "wins", 0, UINT32_MAX, &level->n_wins);
    pk_json_number(&j, "p_value", 0.0, 1.0, &level->p_value);
    return j.status;
}

static bool leaves_early(const struct al_level *level, uint32_t n_exits)
{
    for (uint32_t k = 0; k + 1 < n_exits; k++)
        if (level->threshold[k] < INFINITY)
            return true;
    return false;
}

/* Level 0 promises the full model, and al_policy_pick() relies on the order. */
static void check_order(struct pk_json *j, const struct al_policy *p)
{
    if (p->levels[0].max_loss > 0.0 || leaves_early(&p->levels[0], p->n_exits))
        pk_json_fail(j, "levels", "must begin with max_loss 0 and no threshold");
    for (size_t i = 1; i < p->n_levels; i++)
        if (p->levels[i].max_loss <= p->levels[i - 1].max_loss)
            pk_json_fail(j, "levels", "entry %zu: max_loss %g does not grow", i,
                         p->levels[i].max_loss);
}

static void read_levels(struct pk_json *j, struct al_policy *p)
{
    const struct al_level never = p->levels[0];
    const json_t *array;

    pk_json_array(j, "levels", 1, AL_MAX_LEVELS, &array);
    if (!array)
        return;
    p->n_levels = (uint32_t)json_array_size(array);
    for (size_t i = 0; j->status == AL_OK && i < p->n_levels; i++) {
        p->levels[i] = never;
        j->status = read_level(j, i, p, &p->levels[i]);
    }
    if (j->status == AL_OK)
        check_order(j, p);
}

static enum al_status read_root(struct pk_json *j, const struct pk_policy_model *model,
                                struct al_policy *p, enum al_precision *ret_precision)
{
    static const char *const keys[] = { "format", "score",       "loss",  "confidence",
                                        "method", "calibration", "exits", "levels" };
    uint32_t format;
    unsigned score = p->score, loss = p->loss, precision = AL_PRECISION_DEFAULT;
    const char *method;

    pk_json_only(j, keys, COUNT(keys));
    for (size_t i = 0; i < COUNT(keys); i++)
        pk_json_need(j, keys[i]);
    pk_json_uint(j, "format", FORMAT, FORMAT, &format);
    pk_json_choice(j, "score", scores, COUNT(scores), &score);
    pk_json_choice(j, "loss", losses, COUNT(losses), &loss);
    pk_json_number(j, "confidence", 0.0, 1.0, &p->confidence);
    pk_json_string(j, "method", &method);
    if (j->status == AL_OK)
        j->status = read_calibration(j, model, p, &precision);
    check_exits(j, model);
    read_levels(j, p);
    p->score = (enum al_score)score;
    p->loss = (enum al_loss)loss;
    *ret_precision = (enum al_precision)precision;
    return j->status;
}

enum al_status pk_policy_parse(const char *text, size_t size,
                               const struct pk_policy_model *model, struct al_policy *ret,
                               enum al_precision *ret_precision, struct al_error *err)
{
    enum al_precision precision = AL_PRECISION_DEFAULT;
    struct al_policy p;
    struct pk_json j;
    json_t *root;
    enum al_status s = pk_json_parse(text, size, &root, err);

    if (s != AL_OK)
        return s;
    al_policy_init(&p, model->n_exits);
    j = pk_json_reader(root, "", err);
    s = read_root(&j, model, &p, &precision);
    json_decref(root);
    if (s == AL_OK) {
        *ret = p;
        *ret_precision = precision;
    }
    return s;
}

/* ---- writing ---- */

/* The shortest decimal that reads back as the same double. */
static void put_double(FILE *f, double v)
{
    char text[32];

    for (int digits = 6; digits <= 17; digits++) {
        (void)snprintf(text, sizeof(text), "%.*g", digits, v);
        if (!islessgreater(strtod(text, NULL), v))
            break;
    }
    (void)fputs(text, f);
}

/* The shortest decimal that reads back, by way of double, as the same float. */
static void put_threshold(FILE *f, float v)
{
    char text[32];

    if (!isfinite(v)) {
        (void)fputs("null", f);
        return;
    }
    for (int digits = 4; digits <= 17; digits++) {
        (void)snprintf(text, sizeof(text), "%.*g", digits, (double)v);
        if (!islessgreater((float)strtod(text, NULL), v))
            break;
    }
    (void)fputs(text, f);
}

static void put_string(FILE *f, const char *s)
{
    json_t *value = json_string(s);
    char *text = json_dumps(value, JSON_ENCODE_ANY);

    (void)fputs(text ? text : "null", f);
    free(text);
    json_decref(value);
}

static void put_level(FILE *f, const struct al_level *level, uint32_t n_exits)
{
    (void)fputs("    {\"max_loss\": ", f);
    put_double(f, level->max_loss);
    (void)fputs(", \"thresholds\": [", f);
    for (uint32_t k = 0; k + 1 < n_exits; k++) {
        (void)fputs(k > 0 ? ", " : "", f);
        put_threshold(f, level->threshold[k]);
    }
    (void)fputs("], \"share\": [", f);
    for (uint32_t k = 0; k < n_exits; k++) {
        (void)fputs(k > 0 ? ", " : "", f);
        put_double(f, level->share[k]);
    }
    (void)fputs("], \"cost_us\": ", f);
    put_double(f, level->cost);
    (void)fprintf(f, ", \"losses\": %" PRIu32 ", \"wins\": %" PRIu32 ", \"p_value\": ",
                  level->n_losses, level->n_wins);
    put_double(f, level->p_value);
    (void)fputs("}", f);
}

static void put_policy(FILE *f, const struct al_policy *p,
                       const struct pk_policy_model *model)
{
    (void)fprintf(f,
                  "{\n  \"format\": %d,\n  \"score\": \"%s\",\n  \"loss\": \"%s\",\n"
                  "  \"confidence\": ",
                  FORMAT, scores[p->score], losses[p->loss]);
    put_double(f, p->confidence);
    (void)fprintf(f,
                  ",\n  \"method\": \"%s\",\n  \"calibration\": {\"id\": \"%s\", "
                  "\"rows\": %" PRIu32
                  ",\n    \"model_sha256\": \"%s\",\n    \"precision\": \"%s\"},\n"
                  "  \"exits\": [",
                  METHOD, p->calibration_id, p->n_calibration, model->sha256,
                  precisions[model->precision]);
    for (uint32_t k = 0; k < model->n_exits; k++) {
        (void)fputs(k > 0 ? ", " : "", f);
        put_string(f, model->exit_names[k]);
    }
    (void)fputs("],\n  \"levels\": [\n", f);
    for (uint32_t i = 0; i < p->n_levels; i++) {
        put_level(f, &p->levels[i], p->n_exits);
        (void)fputs(i + 1 < p->n_levels ? ",\n" : "\n", f);
    }
    (void)fputs("  ]\n}\n", f);
}

/* What was written must be what a reader accepts: NaN, an order broken, a foreign id. */
static enum al_status check_text(const char *text, size_t size,
                                 const struct pk_policy_model *model,
                                 struct al_error *err)
{
    enum al_precision precision;
    struct al_policy again;
    enum al_status s = pk_policy_parse(text, size, model, &again, &precision, err);

    return s == AL_OK ? s : al_error_prefix(err, s, "policy not writable");
}

enum al_status pk_policy_format(const struct al_policy *policy,
                                const struct pk_policy_model *model, char **ret,
                                size_t *ret_size, struct al_error *err)
{
    char *text = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&text, &size);
    enum al_status s;

    if (!f)
        return al_fail(err, AL_NO_MEMORY, "policy");
    put_policy(f, policy, model);
    if (fclose(f) != 0) {
        free(text);
        return al_fail(err, AL_NO_MEMORY, "policy");
    }
    s = check_text(text, size, model, err);
    if (s != AL_OK) {
        free(text);
        return s;
    }
    *ret = text;
    *ret_size = size;
    return AL_OK;
}
