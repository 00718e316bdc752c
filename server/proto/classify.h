/* classify.h — the native protocol: encoded images in, classes with exit and certificate
 * out; and TorchServe's shape of the same. */
#ifndef SV_PROTO_CLASSIFY_H
#define SV_PROTO_CLASSIFY_H

struct sv_codec;

extern const struct sv_codec sv_codec_classify;
extern const struct sv_codec sv_codec_torchserve;

#endif
