/* json.h — reads a JSON object whose keys are known. The reader keeps its first failure
 * and does nothing after it, so a caller reads key after key and looks at `status` once.
 * A key that is absent leaves its output as it was, which is how defaults are given.
 * Errors name the key with its path. */
#ifndef PK_JSON_H
#define PK_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "engine/base/status.h"

#define PK_JSON_MAX_STRING 255

struct pk_json {
    const json_t *object;
    char path[64]; /* "" for the root, else like "exits[1]." */
    enum al_status status;
    struct al_error *err;
};

/* Parses a whole text whose root is an object. The caller owns `*ret` (json_decref).
 * Duplicate keys are an error; nesting is bounded by jansson (2048). */
AL_MUST_CHECK enum al_status pk_json_parse(const char *text, size_t size, json_t **ret,
                                           struct al_error *err);

/* A reader of `value`, which must be an object; `path` names it in errors. */
struct pk_json pk_json_reader(const json_t *value, const char *path,
                              struct al_error *err);
/* Fails on a key that is not among the n `keys`, and suggests the nearest. */
void pk_json_only(struct pk_json *j, const char *const *keys, size_t n);
/* Fails when the key is absent. */
void pk_json_need(struct pk_json *j, const char *key);

/* The number must lie in [low, high]. */
void pk_json_number(struct pk_json *j, const char *key, double low, double high,
                    double *inout);
/* A JSON integer in [low, high]. */
void pk_json_uint(struct pk_json *j, const char *key, uint32_t low, uint32_t high,
                  uint32_t *inout);
/* 1 to PK_JSON_MAX_STRING bytes without control characters; lives as long as the JSON. */
void pk_json_string(struct pk_json *j, const char *key, const char **inout);
/* Index of the string among the n `names`. */
void pk_json_choice(struct pk_json *j, const char *key, const char *const *names,
                    size_t n, unsigned *inout);
/* An array of low to high entries; NULL in `*ret` when absent. */
void pk_json_array(struct pk_json *j, const char *key, size_t low, size_t high,
                   const json_t **ret);
/* Exactly n numbers, each in [low, high]. */
void pk_json_numbers(struct pk_json *j, const char *key, size_t n, double low,
                     double high, double *inout);
/* A reader of the object at `key`, or of entry i of the array at `key`; it inherits the
 * failure of `j`. */
struct pk_json pk_json_child(const struct pk_json *j, const char *key);
struct pk_json pk_json_entry(const struct pk_json *j, const char *key, size_t i);

/* Records a failure of the caller's own making, about `key`. */
void pk_json_fail(struct pk_json *j, const char *key, const char *fmt, ...)
    AL_PRINTF(3, 4);

#endif
