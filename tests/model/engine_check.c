/* engine_check MODEL.onnx DATA TOLERANCE EXIT... — one network against stored outputs.
 *
 * DATA/input.npy holds rows for the first input; DATA/<exit>.npy what a framework
 * answers. For every instruction set of this machine:
 *   - as a plain graph, every output is within TOLERANCE of the stored one, relative to
 *     its largest element; in bf16 mode within 4 %, and where the CPU lacks the
 *     instructions or the mask forbids them within TOLERANCE, too;
 *   - every exit's probabilities are those of the stored output, within as much;
 *   - every row's probabilities, score and decision are the same bits alone, in batches
 *     of 3, 8 and 32, in reverse order, shared by a team of threads, and whether or not
 *     others leave early;
 *   - a stage run allocates nothing (malloc and friends are wrapped).
 * Prints "steps:" and the kinds of step that ran.
 *
 * engine_check --run MODEL.onnx — only that a run of the plain graph on zeroes allocates
 * nothing; prints "steps:" and every step's kind and operator. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/engine.h"
#include "package/file.h"
#include "tools/clock.h"
#include "tools/npy.h"
#include "tools/team.h"

#define MAX_EXITS      8
#define MAX_ROWS       32
#define TEAM_THREADS   3
/* Of outputs in bf16 mode, relative to the largest. */
#define BF16_TOLERANCE 0.04

static const char *where = "";

static void die(const char *fmt, ...) AL_PRINTF(1, 2) __attribute__((noreturn));

static void die(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    (void)fprintf(stderr, "engine_check: %s: ", where);
    (void)vfprintf(stderr, fmt, ap);
    (void)fputc('\n', stderr);
    va_end(ap);
    exit(1);
}

/* ---- allocation ---- */

static size_t n_allocations;

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_aligned_alloc(size_t align, size_t n);
void *__real_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_aligned_alloc(size_t align, size_t n);
void *__wrap_realloc(void *p, size_t n);

void *__wrap_malloc(size_t n)
{
    n_allocations++;
    return __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
    n_allocations++;
    return __real_calloc(n, size);
}

void *__wrap_aligned_alloc(size_t align, size_t n)
{
    n_allocations++;
    return __real_aligned_alloc(align, n);
}

void *__wrap_realloc(void *p, size_t n)
{
    n_allocations++;
    return __real_realloc(p, n);
}

/* ---- what is checked ---- */

struct net {
    const char *onnx_path, *data;
    char *onnx;
    size_t onnx_bytes;
    double tolerance;
    struct al_exit_spec exits[MAX_EXITS];
    size_t n_exits;
    struct al_tensor input;
    size_t n_rows;
};

static struct al_tensor read_array(const struct net *net, const char *name)
{
    char path[1024];
    struct al_tensor t;
    struct al_error err;

    (void)snprintf(path, sizeof(path), "%s/%s.npy", net->data, name);
    if (tl_npy_read(path, &t, &err) != AL_OK)
        die("%s", err.text);
    return t;
}

static struct al_model *load(const struct net *net, unsigned mask, size_t n_exits,
                             enum al_precision precision)
{
    struct al_model_params p = {
        .onnx = net->onnx,
        .onnx_bytes = net->onnx_bytes,
        .exits = net->exits,
        .n_exits = n_exits,
        .precision = precision,
        .cpu_mask = mask,
        .max_threads = TEAM_THREADS,
        .now_ns = tl_now_ns,
    };
    struct al_model *m;
    struct al_error err;

    if (al_model_load(&p, &m, &err) != AL_OK)
        die("%s", err.text);
    return m;
}

/* Rows of memory with the inputs written. */
struct rows {
    struct al_stage_row row[MAX_ROWS];
    size_t n;
};

static void write_input(const struct net *net, const struct al_model *m, void *memory,
                        size_t row)
{
    size_t bytes = al_tensor_bytes(&net->input) / net->n_rows;

    memcpy(al_row_input(m, memory, 0), (const char *)net->input.data + row * bytes,
           bytes);
}

static struct rows new_rows(const struct net *net, const struct al_model *m, size_t n,
                            const struct al_exit_rule *rule)
{
    struct rows rows = { .n = n };

    for (size_t i = 0; i < n; i++) {
        size_t bytes = (al_model_row_bytes(m) + 63) / 64 * 64;
        rows.row[i].row = aligned_alloc(64, bytes);
        rows.row[i].rule = rule;
        memset(rows.row[i].row, 0xee, bytes); /* NaNs where nobody writes */
        write_input(net, m, rows.row[i].row, i % net->n_rows);
    }
    return rows;
}

static void free_rows(struct rows *rows)
{
    for (size_t i = 0; i < rows->n; i++)
        free(rows->row[i].row);
}

static struct al_workspace *reserve(const struct al_model *m)
{
    struct al_workspace *ws = al_workspace_new();
    struct al_error err;

    if (!ws || al_workspace_reserve(ws, m, &err) != AL_OK)
        die("no workspace");
    return ws;
}

static struct al_team *team; /* of the runs from here on */

static void run_stage(const struct al_model *m, struct al_workspace *ws, size_t k,
                      struct al_stage_row *rows, size_t n)
{
    size_t before = n_allocations;

    al_stage_run(m, ws, k, n, rows, team);
    if (n_allocations != before)
        die("stage %zu allocates", k);
}

/* Every step's kind, and with `ops` its operator. */
static void print_steps(const struct al_model *m, bool ops)
{
    printf("steps:");
    for (size_t i = 0; i < al_model_n_steps(m); i++) {
        struct al_step_info s = al_model_step(m, i);

        if (!s.kind)
            die("step '%s' (%s) is of no kind", s.node, s.op);
        printf(" %s%s%s", s.kind, ops ? ":" : "", ops ? s.op : "");
    }
    putchar('\n');
}

/* ---- against the stored outputs ---- */

static void compare_output(const struct net *net, const struct al_model *m, size_t output,
                           const struct rows *rows, double tolerance)
{
    struct al_tensor_info info = al_model_output(m, output);
    struct al_tensor want = read_array(net, info.name);
    size_t n = al_tensor_count(&want) / net->n_rows;
    double largest = 0;
    double worst = 0;

    for (size_t i = 0; i < net->n_rows; i++) {
        const float *got = al_row_output(m, rows->row[i].row, output);
        const float *expected = (const float *)want.data + i * n;

        for (size_t k = 0; k < n; k++) {
            double error = fabs((double)got[k] - (double)expected[k]);
            worst = error <= worst ? worst : error; /* a NaN becomes the worst */
            largest = fmax(largest, fabs((double)expected[k]));
        }
    }
    free(want.data);
    printf("%s: output '%s' within %.2g of the reference\n", where, info.name,
           worst / largest);
    if (!(worst <= tolerance * largest))
        die("output '%s' is off by %g, relative %g", info.name, worst, worst / largest);
}

/* Whether a step of the plan computes in bfloat16. */
static bool runs_bf16(const struct al_model *m)
{
    for (size_t i = 0; i < al_model_n_steps(m); i++) {
        const char *kernel = al_model_step(m, i).kernel;

        if (kernel && strstr(kernel, "bf16"))
            return true;
    }
    return false;
}

static void check_outputs(const struct net *net, unsigned mask, enum al_precision p,
                          bool may_bf16)
{
    struct al_model *m = load(net, mask, 0, p);
    struct al_workspace *ws = reserve(m);
    struct rows rows = new_rows(net, m, net->n_rows, NULL);

    if (runs_bf16(m) && !may_bf16)
        die("bfloat16 in mode %s", al_precision_name(p));
    run_stage(m, ws, 0, rows.row, rows.n);
    print_steps(m, false);
    for (size_t i = 0; i < al_model_n_outputs(m); i++)
        compare_output(net, m, i, &rows, runs_bf16(m) ? BF16_TOLERANCE : net->tolerance);
    free_rows(&rows);
    al_workspace_free(ws);
    al_model_free(m);
}

/* ---- bit identity ---- */

struct answer {
    float probs[MAX_EXITS][1024];
    float score[MAX_EXITS];
    uint32_t top[MAX_EXITS];
    bool leave[MAX_EXITS];
};

static void keep(const struct al_model *m, size_t k, const struct al_stage_row *row,
                 struct answer *a)
{
    size_t n = al_model_stage(m, k).n_classes;

    memcpy(a->probs[k], al_row_probs(m, row->row, k), n * sizeof(float));
    a->score[k] = row->score;
    a->top[k] = row->top;
    a->leave[k] = row->leave;
}

static void compare(const struct al_model *m, size_t k, const struct al_stage_row *row,
                    const struct answer *alone, const char *company)
{
    size_t n = al_model_stage(m, k).n_classes;

    if (!row->evaluated)
        die("exit %zu was not evaluated (%s)", k, company);
    if (memcmp(al_row_probs(m, row->row, k), alone->probs[k], n * sizeof(float)) != 0 ||
        memcmp(&row->score, &alone->score[k], sizeof(float)) != 0 ||
        row->top != alone->top[k] || row->leave != alone->leave[k])
        die("exit %zu: other bits than alone (%s)", k, company);
}

/* Probabilities are off by no more than what they were made of. */
static void check_probs(const struct net *net, const struct al_model *m, size_t k,
                        const struct answer *alone)
{
    const size_t n = al_model_stage(m, k).n_classes;
    const double tolerance = runs_bf16(m) ? BF16_TOLERANCE : net->tolerance;
    struct al_tensor want = read_array(net, net->exits[k].tensor);

    for (size_t i = 0; i < net->n_rows; i++) {
        const float *x = (const float *)want.data + i * n;
        double sum = 0, largest = 1;

        for (size_t c = 0; c < n; c++) {
            sum += exp((double)x[c]);
            largest = fmax(largest, fabs((double)x[c]));
        }
        for (size_t c = 0; c < n; c++) {
            double error = fabs((double)alone[i].probs[k][c] - exp((double)x[c]) / sum);
            if (!(error <= tolerance * largest))
                die("exit %zu: probability %zu of row %zu is off by %g", k, c, i, error);
        }
    }
    free(want.data);
}

/* Runs all exits for the rows in batches of `batch`, last row first when `reverse`. */
static void check_company(const struct net *net, const struct al_model *m,
                          struct al_workspace *ws, const struct answer *alone,
                          size_t batch, bool reverse, const struct al_exit_rule *rule)
{
    struct rows rows = new_rows(net, m, MAX_ROWS, rule);
    struct al_stage_row order[MAX_ROWS];
    char company[64];

    (void)snprintf(company, sizeof(company), "batch of %zu%s", batch,
                   reverse ? ", reversed" : "");
    for (size_t k = 0; k < net->n_exits; k++)
        for (size_t first = 0; first < MAX_ROWS; first += batch) {
            size_t n = MAX_ROWS - first < batch ? MAX_ROWS - first : batch;

            for (size_t i = 0; i < n; i++)
                order[i] = rows.row[reverse ? MAX_ROWS - 1 - first - i : first + i];
            run_stage(m, ws, k, order, n);
            for (size_t i = 0; i < n; i++) {
                size_t row = reverse ? MAX_ROWS - 1 - first - i : first + i;
                compare(m, k, &order[i], &alone[row % net->n_rows], company);
            }
        }
    free_rows(&rows);
}

/* Every other row skips the branches: the rest must not notice. */
static void check_mixed(const struct net *net, const struct al_model *m,
                        struct al_workspace *ws, const struct answer *alone,
                        const struct al_exit_rule *rule)
{
    struct al_exit_rule full = al_exit_rule_full();
    struct rows rows = new_rows(net, m, MAX_ROWS, rule);

    for (size_t i = 0; i < MAX_ROWS; i += 2)
        rows.row[i].rule = &full;
    for (size_t k = 0; k < net->n_exits; k++) {
        run_stage(m, ws, k, rows.row, MAX_ROWS);
        for (size_t i = 0; i < MAX_ROWS; i++) {
            if (i % 2 || k + 1 == net->n_exits)
                compare(m, k, &rows.row[i], &alone[i % net->n_rows], "mixed rules");
            else if (rows.row[i].evaluated || rows.row[i].leave)
                die("exit %zu was evaluated for a row that cannot leave there", k);
        }
    }
    free_rows(&rows);
}

/* Three threads share every run. */
static void check_team(const struct net *net, const struct al_model *m,
                       struct al_workspace *ws, const struct answer *alone,
                       const struct al_exit_rule *rule)
{
    struct al_error err;

    if (tl_team_new(TEAM_THREADS, &team, &err) != AL_OK)
        die("%s", err.text);
    check_company(net, m, ws, alone, 1, false, rule);
    check_company(net, m, ws, alone, 8, true, rule);
    tl_team_free(team);
    team = NULL;
}

static void check_bits(const struct net *net, unsigned mask, enum al_precision p)
{
    struct al_model *m = load(net, mask, net->n_exits, p);
    struct al_workspace *ws = reserve(m);
    struct al_exit_rule rule = al_exit_rule_full();
    struct answer *alone = calloc(net->n_rows, sizeof(*alone));

    for (size_t k = 0; k < AL_MAX_EXITS; k++)
        rule.threshold[k] = 0.5F; /* evaluated everywhere, some leave */
    struct rows rows = new_rows(net, m, net->n_rows, &rule);
    for (size_t i = 0; i < net->n_rows; i++)
        for (size_t k = 0; k < net->n_exits; k++) {
            run_stage(m, ws, k, &rows.row[i], 1);
            keep(m, k, &rows.row[i], &alone[i]);
        }
    free_rows(&rows);
    for (size_t k = 0; k < net->n_exits; k++)
        check_probs(net, m, k, alone);
    check_company(net, m, ws, alone, 3, false, &rule);
    check_company(net, m, ws, alone, 8, false, &rule);
    check_company(net, m, ws, alone, 32, false, &rule);
    check_company(net, m, ws, alone, 8, true, &rule);
    check_mixed(net, m, ws, alone, &rule);
    check_team(net, m, ws, alone, &rule);
    free(alone);
    al_workspace_free(ws);
    al_model_free(m);
}

/* ---- allocation alone ---- */

static int run_on_zeroes(const char *path)
{
    struct net net = { .onnx_path = path };
    struct al_error err;

    where = path;
    if (pk_file_read(path, (size_t)1 << 30, &net.onnx, &net.onnx_bytes, &err) != AL_OK)
        die("%s", err.text);
    struct al_model *m = load(&net, ~0U, 0, AL_PRECISION_DEFAULT);
    struct al_workspace *ws = reserve(m);
    size_t bytes = (al_model_row_bytes(m) + 63) / 64 * 64;
    struct al_stage_row row = { .row = aligned_alloc(64, bytes + 64) };

    memset(row.row, 0, bytes);
    run_stage(m, ws, 0, &row, 1);
    print_steps(m, true);
    free(row.row);
    al_workspace_free(ws);
    al_model_free(m);
    free(net.onnx);
    return 0;
}

/* ---- the command ---- */

static struct net net_of(int argc, char **argv)
{
    struct net net = { .onnx_path = argv[1], .data = argv[2] };
    struct al_error err;

    where = argv[1];
    net.tolerance = strtod(argv[3], NULL);
    for (int i = 4; i < argc && net.n_exits < MAX_EXITS; i++)
        net.exits[net.n_exits++] =
            (struct al_exit_spec){ .tensor = argv[i], .name = argv[i] };
    if (pk_file_read(net.onnx_path, (size_t)1 << 30, &net.onnx, &net.onnx_bytes, &err) !=
        AL_OK)
        die("%s", err.text);
    net.input = read_array(&net, "input");
    net.n_rows = (size_t)net.input.shape.dims[0];
    if (net.n_rows > MAX_ROWS)
        die("%zu rows, at most %d", net.n_rows, MAX_ROWS);
    return net;
}

/* A level has kernels of bf16 mode, or kernels of the others, or both; without any that
 * mode is as default. */
static void check_level(const struct net *net, unsigned mask, bool has_bf16,
                        bool has_others)
{
    check_outputs(net, mask, AL_PRECISION_BF16, has_bf16);
    if (has_others) {
        check_outputs(net, mask, AL_PRECISION_STRICT, false);
        check_outputs(net, mask, AL_PRECISION_DEFAULT, false);
    }
    if (net->n_exits && has_bf16)
        check_bits(net, mask, AL_PRECISION_BF16);
    if (net->n_exits && has_others)
        check_bits(net, mask, AL_PRECISION_DEFAULT);
}

int main(int argc, char **argv)
{
    static const char *const levels[] = { "scalar", "avx2", "avx512", "avx512_bf16",
                                          "amx" };
    unsigned mask = 0;

    if (argc == 3 && strcmp(argv[1], "--run") == 0)
        return run_on_zeroes(argv[2]);
    if (argc < 4) {
        (void)fprintf(stderr,
                      "usage: engine_check MODEL.onnx DATA TOLERANCE EXIT...\n"
                      "       engine_check --run MODEL.onnx\n");
        return 2;
    }
    struct net net = net_of(argc, argv);
    for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
        char name[1200];

        if (!al_engine_cpu_mask(levels[i], &mask) ||
            (i > 0 &&
             strcmp(al_engine_cpu_name(al_engine_cpu_flags() & mask), levels[i])))
            continue;
        (void)snprintf(name, sizeof(name), "%s, %s", argv[1], levels[i]);
        where = name;
        check_level(&net, mask, i >= 3, i != 3);
    }
    free(net.input.data);
    free(net.onnx);
    return 0;
}
