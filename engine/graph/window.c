/* Window geometry of Conv and pooling, after ONNX Operators.md (Conv, MaxPool,
 * AveragePool). In ceil_mode a last window that would start in the padding behind the
 * input is dropped, as PyTorch does and ONNX since opset 19. */
#include <inttypes.h>
#include <string.h>

#include "engine/graph/graph.h"

/* Bounds every parameter so that no sum or product below can overflow. */
#define MAX_WINDOW ((int64_t)1 << 20)

/* Reads `n` integers >= `least` into `ret`, which holds the defaults. */
static enum al_status read_ints(const struct al_node *n, const char *name, size_t count,
                                int64_t least, int64_t *ret, struct al_error *err)
{
    const int64_t *ints;
    size_t n_ints;

    if (!al_node_ints(n, name, &ints, &n_ints))
        return AL_OK;
    if (n_ints != count)
        return al_fail(err, AL_UNSUPPORTED,
                       "%s has %zu numbers, only 2-D windows are supported", name,
                       n_ints);
    for (size_t i = 0; i < count; i++) {
        if (ints[i] < least || ints[i] > MAX_WINDOW)
            return al_fail(err, AL_INVALID,
                           "%s has %" PRId64 ", outside %" PRId64 "..%" PRId64, name,
                           ints[i], least, MAX_WINDOW);
        ret[i] = ints[i];
    }
    return AL_OK;
}

static int64_t ceil_div(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

/* Output size and padding of axis `i` under auto_pad SAME_*. */
static void same_padding(struct al_window *w, size_t i, int64_t in, int64_t extent,
                         bool upper)
{
    w->out[i] = ceil_div(in, w->stride[i]);
    int64_t total = (w->out[i] - 1) * w->stride[i] + extent - in;
    if (total < 0)
        total = 0;
    w->pad_begin[i] = upper ? total / 2 : total - total / 2;
    w->pad_end[i] = total - w->pad_begin[i];
}

/* Output size of axis `i` with the padding given; false when no window fits. */
static bool explicit_padding(struct al_window *w, size_t i, int64_t in, int64_t extent,
                             bool ceil_mode)
{
    int64_t room = w->pad_begin[i] + in + w->pad_end[i] - extent;

    if (room < 0)
        return false;
    w->out[i] = (ceil_mode ? ceil_div(room, w->stride[i]) : room / w->stride[i]) + 1;
    if (ceil_mode && (w->out[i] - 1) * w->stride[i] >= in + w->pad_begin[i])
        w->out[i]--;
    int64_t past = (w->out[i] - 1) * w->stride[i] - room;
    if (past > 0) {
        w->excess[i] = past;
        w->pad_end[i] += past;
    }
    return true;
}

static enum al_status fit(struct al_window *w, const char *auto_pad, bool ceil_mode,
                          const struct al_shape *input, struct al_error *err)
{
    bool upper = !strcmp(auto_pad, "SAME_UPPER");
    bool same = upper || !strcmp(auto_pad, "SAME_LOWER");

    for (size_t i = 0; i < 2; i++) {
        int64_t in = input->dims[2 + i];
        int64_t extent = (w->kernel[i] - 1) * w->dilation[i] + 1;
        if (same)
            same_padding(w, i, in, extent, upper);
        else if (!explicit_padding(w, i, in, extent, ceil_mode))
            return al_fail(err, AL_INVALID,
                           "a window of %" PRId64 " does not fit an input of %" PRId64
                           " padded by %" PRId64 " and %" PRId64,
                           extent, in, w->pad_begin[i], w->pad_end[i]);
    }
    return AL_OK;
}

static enum al_status read_window(const struct al_node *n, struct al_window *w,
                                  struct al_error *err)
{
    int64_t pads[4] = { 0 };
    enum al_status s;

    if ((s = read_ints(n, "kernel_shape", 2, 1, w->kernel, err)) != AL_OK ||
        (s = read_ints(n, "strides", 2, 1, w->stride, err)) != AL_OK ||
        (s = read_ints(n, "dilations", 2, 1, w->dilation, err)) != AL_OK ||
        (s = read_ints(n, "pads", 4, 0, pads, err)) != AL_OK)
        return s;
    if (!strcmp(al_node_string(n, "auto_pad", "NOTSET"), "VALID"))
        return AL_OK;
    memcpy(w->pad_begin, pads, sizeof(w->pad_begin));
    memcpy(w->pad_end, pads + 2, sizeof(w->pad_end));
    return AL_OK;
}

static enum al_status check_sizes(const struct al_window *w, const struct al_shape *input,
                                  const int64_t *kernel_hw, struct al_error *err)
{
    for (size_t i = 0; i < 2; i++) {
        if (kernel_hw && w->kernel[i] != kernel_hw[i])
            return al_fail(err, AL_INVALID,
                           "kernel_shape says %" PRId64 ", the weights %" PRId64,
                           w->kernel[i], kernel_hw[i]);
        if (w->kernel[i] < 1 || w->kernel[i] > MAX_WINDOW)
            return al_fail(err, AL_INVALID, "a window of %" PRId64, w->kernel[i]);
        if (input->dims[2 + i] < 1 || input->dims[2 + i] > INT32_MAX)
            return al_fail(err, AL_INVALID, "axis %zu of the input is %" PRId64, 2 + i,
                           input->dims[2 + i]);
    }
    return AL_OK;
}

enum al_status al_node_window(const struct al_node *n, const struct al_shape *input,
                              const int64_t kernel_hw[2], struct al_window *ret,
                              struct al_error *err)
{
    const char *auto_pad = al_node_string(n, "auto_pad", "NOTSET");
    struct al_window w = { .stride = { 1, 1 }, .dilation = { 1, 1 } };

    if (strcmp(auto_pad, "NOTSET") != 0 && strcmp(auto_pad, "VALID") != 0 &&
        strcmp(auto_pad, "SAME_UPPER") != 0 && strcmp(auto_pad, "SAME_LOWER") != 0)
        return al_fail(err, AL_UNSUPPORTED, "auto_pad '%s'", auto_pad);
    if (input->rank != 4)
        return al_fail(err, AL_UNSUPPORTED, "input has %zu dimensions, not 4",
                       input->rank);
    if (kernel_hw)
        memcpy(w.kernel, kernel_hw, sizeof(w.kernel));
    enum al_status s = read_window(n, &w, err);
    if (s != AL_OK)
        return s;
    s = check_sizes(&w, input, kernel_hw, err);
    if (s != AL_OK)
        return s;
    s = fit(&w, auto_pad, al_node_int(n, "ceil_mode", 0) != 0, input, err);
    if (s == AL_OK)
        *ret = w;
    return s;
}
