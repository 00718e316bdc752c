/* oip.h — the Open Inference Protocol v2 with Triton's extensions: binary tensors, raw
 * requests, classification, encoded images as BYTES. */
#ifndef SV_PROTO_OIP_H
#define SV_PROTO_OIP_H

struct sv_codec;

extern const struct sv_codec sv_codec_oip;

#endif
