/* tfs.h — TensorFlow Serving's predict request: {"instances": […]}, each instance nested
 * numbers or an encoded image as {"b64": "…"}; answered {"predictions": [[…], …]}. */
#ifndef SV_PROTO_TFS_H
#define SV_PROTO_TFS_H

struct sv_codec;

extern const struct sv_codec sv_codec_tfs;

#endif
