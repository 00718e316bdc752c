// An image classifier as one would write it for node: http, onnxruntime-node, npm's image
// decoders, one process per core (cluster). POST an image, get its class as JSON.
// What comes while the session runs makes up the next batch, so that a lone request never
// waits. argv[2]: settings as JSON (scripts/bench/peers): modules, model, port, workers,
// max_batch, width, height, mean, std.
'use strict';

const cluster = require('cluster');
const http = require('http');
const path = require('path');

const settings = JSON.parse(process.argv[2]);
const channels = settings.mean.length;
const pixels = settings.width * settings.height;

function packageOf(name) {
  return require(path.resolve(settings.modules, name));
}

// Interleaved bytes, `step` of them a pixel.
function decode(body) {
  if (body[0] === 0x89) {
    const image = packageOf('pngjs').PNG.sync.read(body);
    return { ...image, step: 4 };
  }
  const turbo = packageOf('@julusian/jpeg-turbo');
  const image = turbo.decompressSync(body, { format: turbo.FORMAT_RGB });
  return { ...image, step: 3 };
}

function normalise({ data, width, height, step }, out, offset) {
  if (width !== settings.width || height !== settings.height)
    throw new Error(`${width}x${height} pixels, not ${settings.width}x${settings.height}`);
  for (let c = 0; c < channels; c++) {
    const scale = 1 / (255 * settings.std[c]);
    const shift = settings.mean[c] / settings.std[c];
    for (let i = 0; i < pixels; i++)
      out[offset++] = data[i * step + c] * scale - shift;
  }
}

function classify(logits) {
  let best = 0;
  let sum = 0;
  for (let i = 1; i < logits.length; i++)
    if (logits[i] > logits[best]) best = i;
  for (const x of logits) sum += Math.exp(x - logits[best]);
  return { class: best, probability: 1 / sum };
}

function answer(response, status, object) {
  const text = JSON.stringify(object);
  response.writeHead(status, {
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(text),
  });
  response.end(text);
}

class Batcher {
  constructor(ort, session) {
    this.ort = ort;
    this.session = session;
    this.waiting = [];
    this.running = false;
  }

  add(image, response) {
    this.waiting.push({ image, response });
    if (!this.running) this.run();
  }

  async run() {
    this.running = true;
    while (this.waiting.length > 0) {
      const batch = this.waiting.splice(0, settings.max_batch);
      const input = new Float32Array(batch.length * channels * pixels);
      batch.forEach(({ image }, i) => normalise(image, input, i * channels * pixels));
      const shape = [batch.length, channels, settings.height, settings.width];
      const result = await this.session.run({
        [this.session.inputNames[0]]: new this.ort.Tensor('float32', input, shape) });
      const { data, dims } = result[this.session.outputNames[0]];
      batch.forEach(({ response }, i) =>
        answer(response, 200, classify(data.subarray(i * dims[1], (i + 1) * dims[1]))));
    }
    this.running = false;
  }
}

async function serve() {
  const ort = packageOf('onnxruntime-node');
  const session = await ort.InferenceSession.create(settings.model, {
    intraOpNumThreads: 1, interOpNumThreads: 1, graphOptimizationLevel: 'all' });
  const batcher = new Batcher(ort, session);
  http.createServer((request, response) => {
    const parts = [];
    request.on('data', (part) => parts.push(part));
    request.on('end', () => {
      try {
        batcher.add(decode(parts.length === 1 ? parts[0] : Buffer.concat(parts)), response);
      } catch (error) {
        answer(response, 400, { error: error.message });
      }
    });
  }).listen(settings.port, '127.0.0.1');
}

if (cluster.isPrimary && settings.workers > 1)
  for (let i = 0; i < settings.workers; i++) cluster.fork();
else
  serve();
