/* Normalisations, softmax and the activations that have parameters. */
#include <inttypes.h>
#include <string.h>

#include "engine/graph/infer.h"

static enum al_status channels(const struct al_infer *f, int64_t *ret,
                               struct al_error *err)
{
    if (f->a.in[0].shape.rank < 2)
        return al_fail(err, AL_INVALID, "input has %zu dimensions, not 2 or more",
                       f->a.in[0].shape.rank);
    *ret = f->a.in[0].shape.dims[1];
    return AL_OK;
}

enum al_status al_infer_batch_norm(const struct al_infer *f, struct al_error *err)
{
    static const char *const names[] = { "X", "the scale", "the bias", "the mean",
                                         "the variance" };
    int64_t c = 0;
    enum al_status s = channels(f, &c, err);

    if (f->n_out > 1 || al_node_int(f->a.node, "training_mode", 0))
        return al_fail(err, AL_UNSUPPORTED, "it is in training mode");
    if (!al_node_int(f->a.node, "spatial", 1))
        return al_fail(err, AL_UNSUPPORTED, "spatial 0");
    if (s == AL_OK)
        s = al_infer_one_type(f, err);
    for (size_t i = 1; s == AL_OK && i < 5; i++)
        s = al_infer_vector(f, i, c, names[i], err);
    return s == AL_OK ? al_infer_same(f, err) : s;
}

enum al_status al_infer_instance_norm(const struct al_infer *f, struct al_error *err)
{
    int64_t c = 0;
    enum al_status s;

    if ((s = channels(f, &c, err)) != AL_OK || (s = al_infer_one_type(f, err)) != AL_OK ||
        (s = al_infer_vector(f, 1, c, "the scale", err)) != AL_OK ||
        (s = al_infer_vector(f, 2, c, "the bias", err)) != AL_OK)
        return s;
    return al_infer_same(f, err);
}

/* Scale or bias: a shape that broadcasts to the normalised dimensions. */
static enum al_status check_layer_param(const struct al_infer *f, size_t i,
                                        const struct al_shape *normalised,
                                        struct al_error *err)
{
    struct al_shape full;

    if (!al_args_has(&f->a, i))
        return AL_OK;
    enum al_status s = al_broadcast(normalised, &f->a.in[i].shape, &full, err);
    if (s == AL_OK && !al_shape_equal(&full, normalised))
        s = al_fail(err, AL_INVALID, "input %zu is larger than what is normalised", i);
    return s;
}

enum al_status al_infer_layer_norm(const struct al_infer *f, struct al_error *err)
{
    const struct al_shape *x = &f->a.in[0].shape;
    struct al_shape normalised = { 0 }, outer = *x;
    size_t axis = 0;
    enum al_status s;

    if ((s = al_infer_one_type(f, err)) != AL_OK ||
        (s = al_param_axis(al_node_int(f->a.node, "axis", -1), x->rank, &axis, err)) !=
            AL_OK)
        return s;
    normalised.rank = x->rank - axis;
    memcpy(normalised.dims, x->dims + axis, normalised.rank * sizeof(x->dims[0]));
    if ((s = check_layer_param(f, 1, &normalised, err)) != AL_OK ||
        (s = check_layer_param(f, 2, &normalised, err)) != AL_OK)
        return s;
    for (size_t k = axis; k < x->rank; k++)
        outer.dims[k] = 1;
    for (size_t i = 1; i < f->n_out; i++)
        f->out[i] = (struct al_tensor){ .dtype = AL_F32, .shape = outer };
    return al_infer_same(f, err);
}

/* Heads of one width, queries and keys of one length: [B,H,N,D], [B,H,M,D], [B,H,M,E]. */
enum al_status al_infer_attention(const struct al_infer *f, struct al_error *err)
{
    const struct al_shape *q = &f->a.in[0].shape, *k = &f->a.in[1].shape;
    const struct al_shape *v = &f->a.in[2].shape;
    enum al_status s = al_infer_one_type(f, err);

    for (size_t i = 0; s == AL_OK && i < 3; i++)
        s = al_infer_rank(f, i, 4, "a matrix for each head", err);
    if (s != AL_OK)
        return s;
    for (size_t i = 0; i < 2; i++)
        if (k->dims[i] != q->dims[i] || v->dims[i] != q->dims[i])
            return al_fail(err, AL_UNSUPPORTED,
                           "dimension %zu is %" PRId64 ", %" PRId64 " and %" PRId64, i,
                           q->dims[i], k->dims[i], v->dims[i]);
    if (k->dims[3] != q->dims[3] || v->dims[2] != k->dims[2])
        return al_fail(err, AL_INVALID,
                       "queries of %" PRId64 ", %" PRId64 " keys of %" PRId64 ", %" PRId64
                       " values",
                       q->dims[3], k->dims[2], k->dims[3], v->dims[2]);
    al_infer_out(
        f, f->a.in[0].dtype,
        &(struct al_shape){ 4, { q->dims[0], q->dims[1], q->dims[2], v->dims[3] } });
    return AL_OK;
}

enum al_status al_infer_lrn(const struct al_infer *f, struct al_error *err)
{
    int64_t size = al_node_int(f->a.node, "size", 0);
    int64_t c = 0;
    enum al_status s = channels(f, &c, err);

    if (s == AL_OK && (size < 1 || size > INT32_MAX))
        s = al_fail(err, AL_INVALID, "size is %" PRId64, size);
    return s == AL_OK ? al_infer_same(f, err) : s;
}

enum al_status al_infer_softmax(const struct al_infer *f, struct al_error *err)
{
    int64_t axis = al_node_int(f->a.node, "axis", f->a.node->opset < 13 ? 1 : -1);
    size_t rank = f->a.in[0].shape.rank;
    size_t at;
    enum al_status s = AL_OK;

    if (f->a.node->opset >= 13 || axis != (int64_t)rank) /* before 13, rank is allowed */
        s = al_param_axis(axis, rank, &at, err);
    return s == AL_OK ? al_infer_same(f, err) : s;
}

enum al_status al_infer_prelu(const struct al_infer *f, struct al_error *err)
{
    struct al_shape full;
    enum al_status s;

    if ((s = al_infer_one_type(f, err)) != AL_OK ||
        (s = al_broadcast(&f->a.in[0].shape, &f->a.in[1].shape, &full, err)) != AL_OK)
        return s;
    if (!al_shape_equal(&full, &f->a.in[0].shape))
        return al_fail(err, AL_INVALID, "the slope is larger than the input");
    return al_infer_same(f, err);
}

enum al_status al_infer_clip(const struct al_infer *f, struct al_error *err)
{
    enum al_status s = al_infer_one_type(f, err);

    for (size_t i = 1; s == AL_OK && i < f->a.n_in; i++)
        if (al_args_has(&f->a, i) && al_tensor_count(&f->a.in[i]) != 1)
            s = al_fail(err, AL_INVALID, "bound %zu is not one number", i);
    return s == AL_OK ? al_infer_same(f, err) : s;
}

enum al_status al_infer_gelu(const struct al_infer *f, struct al_error *err)
{
    const char *how = al_node_string(f->a.node, "approximate", "none");

    if (strcmp(how, "none") != 0 && strcmp(how, "tanh") != 0)
        return al_fail(err, AL_UNSUPPORTED, "approximate '%.40s'", how);
    return al_infer_same(f, err);
}

/* The mask of a Dropout that drops nothing is all true. */
enum al_status al_infer_dropout(const struct al_infer *f, struct al_error *err)
{
    if (al_args_has(&f->a, 2)) {
        const struct al_tensor *training = &f->a.in[2];
        if (!training->data || training->dtype != AL_BOOL ||
            al_tensor_count(training) != 1 || *(const uint8_t *)training->data)
            return al_fail(err, AL_UNSUPPORTED, "it is in training mode");
    }
    if (f->n_out > 1) {
        f->out[1] = f->a.in[0];
        f->out[1].dtype = f->a.node->opset < 10 ? f->a.in[0].dtype : AL_BOOL;
    }
    return al_infer_same(f, err);
}
