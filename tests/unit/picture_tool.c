/* picture_tool.c — pk_image_decode, pk_image_resize and the fits for scripts: reads jobs
 * "CHANNELS WIDTH HEIGHT FILTER FIT PATH" from standard input, one a line, and writes the
 * picture each makes as PNM to standard output, or a line "error: …". FIT "none" with
 * WIDTH 0 only decodes; with a size it resizes. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "package/image.h"

enum {
    MAX_FILE = 1 << 26
};

struct job {
    uint32_t channels, width, height;
    unsigned filter;
    char fit[16];
    char path[1024];
};

static int fail(const char *text)
{
    printf("error: %s\n", text);
    return 0;
}

static void write_pnm(uint32_t width, uint32_t height, uint32_t channels,
                      const uint8_t *pixels)
{
    printf("P%c %" PRIu32 " %" PRIu32 " 255\n", channels == 1 ? '5' : '6', width, height);
    (void)fwrite(pixels, channels, (size_t)width * height, stdout);
}

/* Scale 1, mean 0: the tensor's floats are the fitted picture's bytes, plane by plane. */
static enum al_status fit(const struct pk_image *img, const struct job *job,
                          struct al_error *err)
{
    struct pk_input_spec spec = {
        .width = job->width,
        .height = job->height,
        .colour = job->channels == 1 ? PK_COLOUR_GRAY : PK_COLOUR_RGB,
        .fit = strcmp(job->fit, "pad") == 0 ? PK_FIT_PAD : PK_FIT_CROP,
        .filter = (enum pk_filter)job->filter,
        .scale = 1.0,
        .std = { 1.0, 1.0, 1.0 }
    };
    size_t plane = (size_t)job->width * job->height;
    float *floats = calloc(pk_input_floats(&spec), sizeof(*floats));
    uint8_t *bytes = calloc(pk_input_floats(&spec), 1);
    enum al_status s = AL_NO_MEMORY;

    if (floats && bytes)
        s = pk_picture_to_tensor(img, &spec, floats, err);
    if (s == AL_OK) {
        for (size_t c = 0; c < job->channels; c++)
            for (size_t i = 0; i < plane; i++)
                bytes[i * job->channels + c] = (uint8_t)floats[c * plane + i];
        write_pnm(job->width, job->height, job->channels, bytes);
    }
    free(floats);
    free(bytes);
    return s;
}

static enum al_status resize(const struct pk_image *img, const struct job *job,
                             struct al_error *err)
{
    struct pk_image out;
    enum al_status s = pk_image_resize(img, job->width, job->height,
                                       (enum pk_filter)job->filter, &out, err);

    if (s != AL_OK)
        return s;
    write_pnm(out.width, out.height, out.channels, out.pixels);
    pk_image_done(&out);
    return AL_OK;
}

static enum al_status transform(const struct pk_image *img, const struct job *job,
                                struct al_error *err)
{
    if (strcmp(job->fit, "none") != 0)
        return fit(img, job, err);
    if (job->width > 0)
        return resize(img, job, err);
    write_pnm(img->width, img->height, img->channels, img->pixels);
    return AL_OK;
}

static int run(const struct job *job)
{
    static uint8_t data[MAX_FILE];
    struct pk_image_limits limits = pk_image_limits_default();
    struct pk_image img = { 0 };
    struct al_error err;
    FILE *f = fopen(job->path, "rbe");
    enum al_status s;

    if (!f)
        return fail("cannot open");
    size_t n = fread(data, 1, sizeof(data), f);
    (void)fclose(f);
    s = pk_image_decode(data, n, job->channels, &limits, &img, &err);
    if (s == AL_OK)
        s = transform(&img, job, &err);
    pk_image_done(&img);
    return s == AL_OK ? 0 : fail(err.text);
}

int main(void)
{
    struct job job;

    while (scanf("%" SCNu32 " %" SCNu32 " %" SCNu32 " %u %15s %1023s", &job.channels,
                 &job.width, &job.height, &job.filter, job.fit, job.path) == 6)
        if (job.filter >= PK_N_FILTERS || run(&job) != 0)
            return EXIT_FAILURE;
    return EXIT_SUCCESS;
}
