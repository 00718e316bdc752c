/* oip_state.h — inside of the Open Inference Protocol, shared by its files only:
 *   oip_read.c    a request into what it asks for
 *   oip_params.c  its parameters, and how urgent they make it
 *   oip_rows.c    its input into rows
 *   oip_write.c   the answer */
#ifndef SV_PROTO_OIP_STATE_H
#define SV_PROTO_OIP_STATE_H

#include <jansson.h>

#include "engine/base/tensor.h"
#include "server/proto/call.h"

#define SV_OIP_MAX_OUTPUTS 8

enum sv_oip_output_kind {
    SV_OIP_MAIN, /* the model's vector: probabilities */
    SV_OIP_EXIT_INDEX,
    SV_OIP_EXIT_SCORE
};

struct sv_oip_output {
    enum sv_oip_output_kind kind;
    bool binary;
    uint32_t n_classes; /* classification extension: labels of the best; 0: off */
};

/* What the answer needs to know of the request; the call's state. */
struct sv_oip {
    char *id;         /* owned, NULL: none */
    size_t n_outputs; /* at least 1: the main one is the default */
    struct sv_oip_output outputs[SV_OIP_MAX_OUTPUTS];
    bool binary; /* for outputs that do not say */
    /* The test model that answers what it is given: that. */
    struct al_shape echo_shape;
    size_t n_echo;
    float *echo; /* owned */
};

/* The one input as the request describes it. */
struct sv_oip_input {
    const char *name, *datatype; /* as the request has them */
    struct al_shape shape;
    const struct sv_json_span *numbers; /* JSON data of numbers, */
    const json_t *strings;              /* or of strings, */
    const char *bytes;                  /* or binary data */
    size_t n_bytes;
};

/* oip_params.c */
double sv_oip_peek_deadline_ms(const char *body, size_t size);
AL_MUST_CHECK enum al_status sv_oip_read_parameters(struct sv_call *c, struct sv_oip *o,
                                                    json_t *object, struct al_error *err);
void sv_oip_apply_urgency(struct sv_call *c, const struct sv_decoder *d);

/* oip_rows.c */
/* Makes the rows of `c` and fills them, or keeps the input in `o` for the model that
 * echoes it. */
AL_MUST_CHECK enum al_status sv_oip_take_input(struct sv_call *c,
                                               const struct sv_decoder *d,
                                               const struct sv_oip_input *in,
                                               struct sv_oip *o, struct al_error *err);

/* oip_read.c, oip_write.c */
enum al_status sv_oip_read(struct sv_call *c, const struct sv_decoder *d,
                           struct al_error *err);
void sv_oip_write(struct sv_call *c);

#endif
