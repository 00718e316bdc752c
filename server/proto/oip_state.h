/* oip_state.h — what the reading half of the protocol leaves for the writing half. */
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

struct sv_oip {
    char *id;
    size_t n_outputs; /* asked for; 0: the main one */
    struct sv_oip_output outputs[SV_OIP_MAX_OUTPUTS];
    bool binary; /* for outputs that do not say */
    /* The test model that answers what it is given. */
    struct al_shape echo_shape;
    size_t n_echo;
    float *echo;
};

/* oip_params.c */
double sv_oip_peek_deadline_ms(const char *body, size_t size);
AL_MUST_CHECK enum al_status sv_oip_read_parameters(struct sv_call *c, struct sv_oip *o,
                                                    json_t *object, struct al_error *err);
void sv_oip_apply_urgency(struct sv_call *c, const struct sv_decoder *d);

/* oip_read.c, oip_write.c */
enum al_status sv_oip_read(struct sv_call *c, const struct sv_decoder *d,
                           struct al_error *err);
void sv_oip_write(struct sv_call *c);

#endif
