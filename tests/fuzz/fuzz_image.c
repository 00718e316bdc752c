#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "package/image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Any picture becomes a small tensor or an error; the number of bytes chooses how it is
 * fitted. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static float dst[3 * 7 * 5];
    const struct pk_image_limits limits = { .max_side = 2000, .max_pixels = 1 << 18 };
    struct pk_input_spec spec = { .width = 7,
                                  .height = 5,
                                  .colour = (enum pk_colour)(size % PK_N_COLOURS),
                                  .fit = (enum pk_fit)(size / 3 % PK_N_FITS),
                                  .filter = (enum pk_filter)(size / 9 % PK_N_FILTERS),
                                  .scale = 1.0,
                                  .std = { 1.0, 1.0, 1.0 } };
    struct al_error err;

    if (pk_image_to_tensor(data, size, &spec, &limits, dst, &err) != AL_OK)
        return 0;
    for (size_t i = 0; i < pk_input_floats(&spec); i++)
        assert(dst[i] >= 0.0f && dst[i] <= 255.0f);
    return 0;
}
