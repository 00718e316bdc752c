/* What /stats, /metrics and Triton's statistics say of a known snapshot. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "server/app/metrics.h"
#include "server/app/metrics_list.h"
#include "server/app/stats.h"

#define MS UINT64_C(1000000)
#define S  UINT64_C(1000000000)

static const char *const exit_names[] = { "branch \"1\"\\", "final" };

/* 10 requests of 3 images each: 8 answered, 1 timed out, 1 in flight; 5 refused. */
static void fill(struct sv_model_counters *c)
{
    c->n_requests = 10;
    c->n_rows = 30;
    c->n_rows_failed = 3;
    c->n_answered[AL_OK] = 8;
    c->n_answered[AL_TIMEOUT] = 1;
    c->n_refused[AL_OVERLOADED] = 5;
    c->n_rejected[SV_REJECT_QUEUE_ROWS] = 5;
    c->n_rejected[SV_REJECT_DEADLINE] = 1;
    c->total = (struct sv_timed){ 8, 40 * MS };
    c->last_answer_ns = 99 * S;
    sv_histogram_add(&c->total_ns, 5 * MS, 8);
    sv_rate_add(&c->rate, 99 * S, 24);
    for (size_t k = 0; k < 2; k++) {
        struct sv_stage_counters *e = &c->stage[k];
        e->n_rows = k == 0 ? 18 : 6;
        e->n_forced = k;
        e->n_helped = k;
        e->score_bin[k == 0 ? 19 : 10] = e->n_rows;
        e->score_sum = (double)e->n_rows * (k == 0 ? 0.99 : 0.52);
        sv_histogram_add(&e->total_ns, (k + 1) * 3 * MS, e->n_rows);
        sv_histogram_add(&e->run_ns, 2 * MS, 2);
        e->by_batch[k == 0 ? 12 : 3] = (struct sv_timed){ 2, 4 * MS };
    }
}

static int setup(void **state)
{
    static struct sv_model_view view;
    static struct sv_snapshot s;

    view = (struct sv_model_view){ .name = "m\n1",
                                   .version = 7,
                                   .state = "READY",
                                   .exit_names = exit_names,
                                   .n_rows_queued = { 2, 1 },
                                   .counters = sv_model_counters_new(2) };
    s = (struct sv_snapshot){
        .now_ns = 100 * S,
        .up_ns = 50 * S,
        .epoch_ms = 1000000,
        .state = "ready",
        .is_ready = true,
        .n_workers = 2,
        .max_rows = 4096,
        .n_by_state = { [SV_MODEL_READY] = 1, [SV_MODEL_UNAVAILABLE] = 2 },
        .loads = { .n_loaded = 3, .n_failed = 2 },
        .process.start_s = 1763778901.25,
        .n_requests = 1,
        .n_rows = 3,
        .n_models = 1,
        .models = &view
    };
    if (!view.counters)
        return -1;
    fill(view.counters);
    *state = &s;
    return 0;
}

static int teardown(void **state)
{
    struct sv_snapshot *s = *state;

    sv_model_counters_unref(s->models[0].counters);
    return 0;
}

static json_t *json_of(const struct sv_snapshot *s,
                       void (*render)(struct sv_text *, const struct sv_snapshot *))
{
    struct sv_text t = { 0 };
    json_error_t e;
    json_t *root;

    render(&t, s);
    assert_false(t.failed);
    root = json_loadb(t.data, t.size, JSON_REJECT_DUPLICATES, &e);
    if (!root)
        fail_msg("%s at %d", e.text, e.position);
    sv_text_done(&t);
    return root;
}

/* "a.b.0.c" in a document. */
static json_t *at(json_t *root, const char *path)
{
    char copy[128];
    char *save = NULL;

    (void)snprintf(copy, sizeof(copy), "%s", path);
    for (char *p = strtok_r(copy, ".", &save); p; p = strtok_r(NULL, ".", &save)) {
        root = json_is_array(root) ? json_array_get(root, strtoul(p, NULL, 10))
                                   : json_object_get(root, p);
        if (!root)
            fail_msg("no %s in %s", p, path);
    }
    return root;
}

static json_int_t number(json_t *root, const char *path)
{
    return json_integer_value(at(root, path));
}

static void stats_add_up(void **state)
{
    json_t *root = json_of(*state, sv_stats_json);

    assert_int_equal(number(root, "models.0.images.accepted"), 30);
    assert_int_equal(number(root, "models.0.images.answered"), 24);
    assert_int_equal(number(root, "models.0.images.failed"), 3);
    assert_int_equal(number(root, "models.0.images.in_flight"), 3);
    assert_int_equal(number(root, "models.0.requests.accepted"), 10);
    assert_int_equal(number(root, "models.0.requests.answered"), 8);
    assert_int_equal(number(root, "models.0.requests.in_flight"), 1);
    assert_int_equal(number(root, "models.0.requests.failed.deadline_exceeded"), 1);
    assert_int_equal(number(root, "models.0.requests.rejected.queue_rows"), 5);
    assert_int_equal(number(root, "models.0.exits.0.images"), 18);
    assert_int_equal(number(root, "models.0.exits.1.images"), 6);
    assert_int_equal(number(root, "models.0.exits.1.forced"), 1);
    assert_int_equal(number(root, "models.0.stages.0.images"), 24);
    assert_int_equal(number(root, "models.0.stages.0.waiting"), 2);
    assert_int_equal(number(root, "models.0.stages.1.helped_runs"), 1);
    assert_int_equal(number(root, "in_flight.max_images"), 4096);
    assert_int_equal(number(root, "repository.UNAVAILABLE"), 2);
    assert_int_equal(number(root, "loads.failed"), 2);
    assert_string_equal(json_string_value(at(root, "state")), "ready");
    json_decref(root);
}

static void stats_give_shares_rates_and_milliseconds(void **state)
{
    json_t *root = json_of(*state, sv_stats_json);

    assert_float_equal(json_number_value(at(root, "models.0.exits.0.share")), 0.75, 1e-6);
    assert_float_equal(json_number_value(at(root, "models.0.images_per_second.1s")), 24,
                       1e-6);
    assert_float_equal(json_number_value(at(root, "models.0.images_per_second.10s")), 2.4,
                       1e-6);
    assert_float_equal(json_number_value(at(root, "models.0.latency_ms.total.p50")), 5,
                       0.3);
    assert_float_equal(
        json_number_value(at(root, "models.0.exits.1.latency_ms.total.max")), 6, 1e-6);
    assert_float_equal(json_number_value(at(root, "models.0.stages.1.mean_batch")), 3,
                       1e-6);
    assert_string_equal(json_string_value(at(root, "models.0.exits.0.name")),
                        exit_names[0]);
    json_decref(root);
}

static void statistics_have_tritons_fields(void **state)
{
    json_t *root = json_of(*state, sv_stats_oip);

    assert_string_equal(json_string_value(at(root, "model_stats.0.version")), "7");
    assert_int_equal(number(root, "model_stats.0.inference_count"), 24);
    assert_int_equal(number(root, "model_stats.0.execution_count"), 4);
    assert_int_equal(number(root, "model_stats.0.last_inference"), 999000);
    assert_int_equal(number(root, "model_stats.0.inference_stats.success.count"), 8);
    assert_int_equal(number(root, "model_stats.0.inference_stats.success.ns"), 40 * MS);
    assert_int_equal(number(root, "model_stats.0.batch_stats.1.batch_size"), 12);
    assert_int_equal(number(root, "model_stats.0.batch_stats.1.compute_infer.ns"),
                     4 * MS);
    assert_int_equal(number(root, "model_stats.0.exit_stats.0.inference_count"), 18);
    assert_int_equal(number(root, "model_stats.0.exit_stats.1.forced_count"), 1);
    (void)at(root, "model_stats.0.inference_stats.cache_miss.ns");
    (void)at(root, "model_stats.0.inference_stats.compute_output.count");
    json_decref(root);
}

/* The text of /metrics, NUL-terminated; the caller frees it. */
static char *metrics_of(const struct sv_snapshot *s)
{
    struct sv_text t = { 0 };

    sv_metrics_text(&t, s);
    sv_text_bytes(&t, "", 1);
    assert_false(t.failed);
    return t.data;
}

static void assert_line(const char *text, const char *line)
{
    char with_ends[256];

    (void)snprintf(with_ends, sizeof(with_ends), "\n%s\n", line);
    if (!strstr(text, with_ends))
        fail_msg("no line: %s", line);
}

static void metrics_name_model_exit_and_code(void **state)
{
    char *text = metrics_of(*state);

    assert_line(text,
                "alight_requests_total{model=\"m\\n1\",version=\"7\",code=\"200\"} 8");
    assert_line(text,
                "alight_requests_total{model=\"m\\n1\",version=\"7\",code=\"503\"} 5");
    assert_line(text,
                "alight_requests_total{model=\"m\\n1\",version=\"7\",code=\"504\"} 1");
    assert_line(text,
                "alight_rows_total{model=\"m\\n1\",version=\"7\","
                "exit=\"branch \\\"1\\\"\\\\\"} 18");
    assert_line(text,
                "alight_batch_rows_bucket{model=\"m\\n1\",version=\"7\",stage=\"0\","
                "le=\"16\"} 2");
    assert_line(text,
                "alight_batch_rows_sum{model=\"m\\n1\",version=\"7\",stage=\"0\"} 24");
    assert_line(text,
                "alight_exit_score_bucket{model=\"m\\n1\",version=\"7\","
                "exit=\"final\",le=\"0.5\"} 0");
    assert_line(text, "alight_workers 2");
    assert_line(text, "alight_ready 1");
    assert_line(text, "alight_models{state=\"UNAVAILABLE\"} 2");
    assert_line(text, "alight_model_loads_total{result=\"failed\"} 2");
    assert_line(text, "alight_inflight_rows_limit 4096");
    assert_line(text, "process_start_time_seconds 1763778901.25");
    free(text);
}

static void every_metric_is_introduced_once_and_no_series_comes_twice(void **state)
{
    char *text = metrics_of(*state), *save = NULL;
    size_t n_help = 0, n_lines = 0;
    char **series = calloc(5000, sizeof(*series));

    assert_non_null(series);
    for (char *line = strtok_r(text, "\n", &save); line;
         line = strtok_r(NULL, "\n", &save)) {
        n_help += strncmp(line, "# HELP ", 7) == 0;
        if (line[0] == '#')
            continue;
        *strrchr(line, ' ') = '\0';
        for (size_t i = 0; i < n_lines; i++)
            assert_string_not_equal(line, series[i]);
        series[n_lines++] = line;
    }
#define X(name, type, per, labels, put, help) +1
    assert_int_equal(n_help, 0 SV_METRIC_LIST(X));
#undef X
    assert_true(n_lines > 200);
    free(series);
    free(text);
}

static void buckets_never_fall_and_end_at_the_count(void **state)
{
    char *text = metrics_of(*state), *save = NULL;
    unsigned long long last = 0;
    size_t n_ends = 0;

    for (char *line = strtok_r(text, "\n", &save); line;
         line = strtok_r(NULL, "\n", &save)) {
        unsigned long long n = strtoull(strrchr(line, ' '), NULL, 10);
        bool is_bucket = strstr(line, "_bucket{") != NULL;
        if (is_bucket)
            assert_true(n >= last);
        last = is_bucket ? n : strstr(line, "_sum{") ? last : 0;
        if (is_bucket && strstr(line, "le=\"+Inf\"")) {
            line = strtok_r(NULL, "\n", &save); /* the sum */
            assert_non_null(strstr(line, "_sum{"));
            line = strtok_r(NULL, "\n", &save);
            assert_non_null(strstr(line, "_count{"));
            assert_int_equal(strtoull(strrchr(line, ' '), NULL, 10), n);
            last = 0;
            n_ends++;
        }
    }
    assert_int_equal(n_ends, 3 + 4 * 2);
    free(text);
}

static void the_page_about_metrics_is_current(void **state)
{
    char *wanted = NULL, *found;
    size_t size = 0;
    FILE *f = open_memstream(&wanted, &size);

    (void)state;
    assert_non_null(f);
    sv_metrics_print_page(f);
    (void)fclose(f);
    found = calloc(1, size + 2);
    f = fopen(DOCS "/metrics.md", "r");
    assert_non_null(f);
    assert_int_equal(fread(found, 1, size + 1, f), size);
    (void)fclose(f);
    assert_string_equal(found, wanted);
    free(found);
    free(wanted);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stats_add_up),
        cmocka_unit_test(stats_give_shares_rates_and_milliseconds),
        cmocka_unit_test(statistics_have_tritons_fields),
        cmocka_unit_test(metrics_name_model_exit_and_code),
        cmocka_unit_test(every_metric_is_introduced_once_and_no_series_comes_twice),
        cmocka_unit_test(buckets_never_fall_and_end_at_the_count),
        cmocka_unit_test(the_page_about_metrics_is_current),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
