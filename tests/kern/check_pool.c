#include "tests/kern/check.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

typedef void (*pool_fn)(const struct al_pool *p, const float *x, float *y);

static struct al_halo some_halo(void)
{
    return (struct al_halo){ check_random_int(0, 2), check_random_int(0, 2),
                             check_random_int(0, 2), check_random_int(0, 2) };
}

static size_t plain_floats(const struct al_map *m)
{
    return (size_t)m->c * (size_t)m->h * (size_t)m->w;
}

/* One output by ONNX's definition; `x` is the channel. */
static float window(const struct al_pool *p, bool mean, const float *x, int32_t i,
                    int32_t j)
{
    double sum = 0.0, top = -HUGE_VAL;
    int32_t inside = 0, padded = 0;

    for (int32_t r = 0; r < p->kernel_h; r++) {
        const int32_t y = i * p->stride_h - p->pad_top + r * p->dilation_h;
        for (int32_t s = 0; s < p->kernel_w; s++) {
            const int32_t z = j * p->stride_w - p->pad_left + s * p->dilation_w;
            padded += y < p->in.h + p->pad_bottom && z < p->in.w + p->pad_right;
            if (y < 0 || y >= p->in.h || z < 0 || z >= p->in.w)
                continue;
            inside++;
            sum += (double)x[y * p->in.w + z];
            top = fmax(top, (double)x[y * p->in.w + z]);
        }
    }
    if (!mean)
        return (float)top;
    return inside ? (float)(sum / (p->count_include_pad ? padded : inside)) : 0.0F;
}

static void check_pooling(const struct al_kern *k, const struct al_pool *p, bool mean,
                          pool_fn fn)
{
    struct guarded plain = guarded_random(plain_floats(&p->in));
    struct guarded x = block_picture(&p->in, k->block, plain.data);
    struct guarded y = guarded_random(al_map_floats(&p->out, k->block));
    struct guarded want = guarded_new(plain_floats(&p->out));
    size_t at = 0;

    for (int32_t c = 0; c < p->out.c; c++) {
        for (int32_t i = 0; i < p->out.h; i++) {
            for (int32_t j = 0; j < p->out.w; j++)
                want.data[at++] =
                    window(p, mean, plain.data + (ptrdiff_t)c * p->in.h * p->in.w, i, j);
        }
    }
    fn(p, x.data, y.data);
    struct guarded got = unblock_picture(&p->out, k->block, y.data);
    check_near(mean ? "average pool" : "max pool", got.data, want.data, got.n, 1e-6F);
    guarded_free(&got);
    guarded_free(&plain);
    guarded_free(&x);
    guarded_free(&y);
    guarded_free(&want);
}

static int32_t pooled(int32_t in, int32_t pads, int32_t reach, int32_t stride, bool ceil)
{
    const int32_t room = in + pads - reach;

    return (ceil ? (room + stride - 1) / stride : room / stride) + 1;
}

static struct al_pool random_pool(void)
{
    struct al_pool p = {
        .in = { check_random_int(1, 40), check_random_int(1, 12), check_random_int(1, 12),
                some_halo() },
        .kernel_h = check_random_int(1, 4),
        .kernel_w = check_random_int(1, 4),
        .stride_h = check_random_int(1, 3),
        .stride_w = check_random_int(1, 3),
        .dilation_h = check_random_int(1, 2),
        .dilation_w = check_random_int(1, 2),
        .count_include_pad = check_random_int(0, 1),
    };
    const int32_t reach_h = (p.kernel_h - 1) * p.dilation_h + 1;
    const int32_t reach_w = (p.kernel_w - 1) * p.dilation_w + 1;
    const bool ceil = check_random_int(0, 1);

    p.pad_top = check_random_int(0, (p.kernel_h - 1) / 2);
    p.pad_left = check_random_int(0, (p.kernel_w - 1) / 2);
    p.pad_bottom = check_random_int(0, (p.kernel_h - 1) / 2);
    p.pad_right = check_random_int(0, (p.kernel_w - 1) / 2);
    p.in.h = p.in.h < reach_h ? reach_h : p.in.h;
    p.in.w = p.in.w < reach_w ? reach_w : p.in.w;
    p.out = (struct al_map){
        p.in.c, pooled(p.in.h, p.pad_top + p.pad_bottom, reach_h, p.stride_h, ceil),
        pooled(p.in.w, p.pad_left + p.pad_right, reach_w, p.stride_w, ceil), some_halo()
    };
    return p;
}

static void pools_of_any_window_are_right(void **unused)
{
    const struct al_kern *tables[2];
    const size_t n = check_tables(tables);

    (void)unused;
    for (int i = 0; i < 300; i++) {
        const struct al_pool p = random_pool();
        const struct al_kern *k = tables[(size_t)i % n];
        /* a window wholly in the padding has no largest element */
        if ((p.out.h - 1) * p.stride_h - p.pad_top < p.in.h &&
            (p.out.w - 1) * p.stride_w - p.pad_left < p.in.w &&
            p.dilation_h + p.dilation_w == 2)
            check_pooling(k, &p, false, k->max_pool);
        check_pooling(k, &p, true, k->average_pool);
    }
}

static void global_pools_are_right(void **unused)
{
    const struct al_kern *tables[2];
    const size_t n = check_tables(tables);

    (void)unused;
    for (int32_t c = 1; c <= 40; c++) {
        const struct al_kern *k = tables[(size_t)c % n];
        struct al_pool p = {
            .in = { c, check_random_int(1, 9), check_random_int(1, 9), some_halo() },
            .out = { c, 1, 1, some_halo() },
            .stride_h = 1,
            .stride_w = 1,
            .dilation_h = 1,
            .dilation_w = 1,
        };
        p.kernel_h = p.in.h;
        p.kernel_w = p.in.w;
        check_pooling(k, &p, false, k->global_max_pool);
        check_pooling(k, &p, true, k->global_average_pool);
    }
}

static void check_lrn(const struct al_kern *k, const struct al_lrn *l)
{
    const struct al_map in = { l->c, l->h, l->w, l->x_halo };
    const struct al_map out = { l->c, l->h, l->w, l->y_halo };
    const int32_t hw = l->h * l->w;
    struct guarded plain = guarded_random(plain_floats(&in));
    struct guarded x = block_picture(&in, k->block, plain.data);
    struct guarded y = guarded_random(al_map_floats(&out, k->block));
    struct guarded want = guarded_new(plain.n);

    for (int32_t i = 0; i < l->c * hw; i++) {
        const int32_t first = i / hw - (l->size - 1) / 2;
        double sum = 0.0;
        for (int32_t c = first; c < first + l->size; c++) {
            if (c >= 0 && c < l->c)
                sum += pow((double)plain.data[c * hw + i % hw], 2.0);
        }
        want.data[i] = (float)((double)plain.data[i] /
                               pow((double)l->bias + (double)l->alpha / l->size * sum,
                                   (double)l->beta));
    }
    k->lrn(l, x.data, y.data);
    struct guarded got = unblock_picture(&out, k->block, y.data);
    check_near("lrn", got.data, want.data, got.n, 1e-6F);
    guarded_free(&got);
    guarded_free(&plain);
    guarded_free(&x);
    guarded_free(&y);
    guarded_free(&want);
}

static void local_response_normalisation_is_right(void **unused)
{
    const struct al_kern *tables[2];
    const size_t n = check_tables(tables);

    (void)unused;
    for (int32_t c = 1; c <= 60; c++) {
        const struct al_lrn l = { c,          3,    5,     some_halo(), some_halo(),
                                  c % 17 + 1, 1.5F, 0.75F, 1.0F };
        check_lrn(tables[(size_t)c % n], &l);
    }
}

int check_pool(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pools_of_any_window_are_right),
        cmocka_unit_test(global_pools_are_right),
        cmocka_unit_test(local_response_normalisation_is_right),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
