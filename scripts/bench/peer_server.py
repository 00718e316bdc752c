"""An image classifier as one would write it for Python: FastAPI on uvicorn, Pillow, torch.

POST an image, get its class as JSON. What arrived while the model ran makes up the next
batch, so that a lone request never waits. Settings come as JSON in PEER_SETTINGS
(scripts/bench/peers): model, max_batch, mean, std, width, height.
"""
import asyncio
import io
import json
import os
import pathlib
import sys

import numpy as np
import torch
from fastapi import FastAPI, Request, Response
from PIL import Image

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "train"))
from onnx_net import OnnxNet  # noqa: E402

settings = json.loads(os.environ["PEER_SETTINGS"])
mode = "RGB" if len(settings["mean"]) == 3 else "L"
mean = torch.tensor(settings["mean"]).view(1, -1, 1, 1) * 255
std = torch.tensor(settings["std"]).view(1, -1, 1, 1) * 255
shape = (settings["height"], settings["width"], len(settings["mean"]))


class FirstOutput(torch.nn.Module):
    """The one output of the network instead of a list of them."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x):
        return self.net(x)[0]


def load_model():
    torch.set_num_threads(1)
    net = FirstOutput(OnnxNet(settings["model"])).eval().requires_grad_(False)
    return torch.jit.freeze(torch.jit.trace(
        net, torch.zeros(2, shape[2], shape[0], shape[1])))


model = load_model()
waiting = []
app = FastAPI()


def decode(body):
    image = np.asarray(Image.open(io.BytesIO(body)).convert(mode)).reshape(shape)
    return torch.from_numpy(image.transpose(2, 0, 1).astype(np.float32))


def run_batch():
    batch = waiting[:settings["max_batch"]]
    del waiting[:settings["max_batch"]]
    if not batch:
        return
    with torch.inference_mode():
        images = torch.stack([image for image, _ in batch])
        best, classes = torch.softmax(model((images - mean) / std), 1).max(1)
    for (_, future), label, probability in zip(batch, classes.tolist(), best.tolist()):
        if not future.done():
            future.set_result((label, probability))
    if waiting:
        asyncio.get_running_loop().call_soon(run_batch)


@app.post("/")
async def classify(request: Request):
    image = decode(await request.body())
    loop = asyncio.get_running_loop()
    future = loop.create_future()
    waiting.append((image, future))
    if len(waiting) == 1:
        loop.call_soon(run_batch)
    label, probability = await future
    return Response(json.dumps({"class": label, "probability": probability}),
                    media_type="application/json")
