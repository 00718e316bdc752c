/* data.h — a labelled set of pictures: a folder of class folders, a tar of the same, or
 * an IDX pair "images,labels" (gz or not). Opening lists what there is; pictures are read
 * one at a time, in any order, from any number of threads. Every sample comes as an
 * encoded picture (JPEG, PNG, WebP, PNM), IDX ones as PNM, so that all go the way a
 * client's picture goes. Contents are hostile: sizes are bounded and checked. */
#ifndef TL_DATA_H
#define TL_DATA_H

#include <stddef.h>
#include <stdint.h>

#include "engine/base/status.h"

struct tl_data;

struct tl_data_params {
    const char *spec; /* "FOLDER", "FILE.tar" or "IMAGES,LABELS" */
    /* Class names in the model's order, to number class folders by. NULL: there must be a
     * folder for every class, and they are numbered in alphabetical order. */
    char *const *labels;
    size_t n_classes; /* every class number must be below */
    size_t limit;     /* most samples, spread evenly over the set; 0 = all */
};

AL_MUST_CHECK enum al_status tl_data_open(const struct tl_data_params *p,
                                          struct tl_data **ret, struct al_error *err);
void tl_data_free(struct tl_data *d);

size_t tl_data_count(const struct tl_data *d); /* at least 1 */

struct tl_sample {
    size_t index;     /* in the whole set, as stored (limit does not renumber) */
    const char *name; /* path of the picture; "" in an IDX pair */
    uint32_t label;
};
struct tl_sample tl_data_sample(const struct tl_data *d, size_t i);

/* One thread's memory for the picture last read; zero it first. */
struct tl_buffer {
    uint8_t *data;
    size_t size;     /* of the picture */
    size_t capacity; /* of `data` */
};
AL_MUST_CHECK enum al_status tl_data_read(const struct tl_data *d, size_t i,
                                          struct tl_buffer *buf, struct al_error *err);
void tl_buffer_done(struct tl_buffer *buf);

#endif
