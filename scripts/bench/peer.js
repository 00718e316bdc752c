// ONNX Runtime (onnxruntime-node) on request, one thread. Reads a JSON object a line on
// stdin, {"do", "model", ...}, and answers each with one on stdout, {"error"} in trouble.
//   time   batch, seconds: {"us"}, processor microseconds per row as the median of short
//          series of runs, the clock around session.run() with tensors made beforehand
//   run    inputs {name: {file, dims}} of raw little-endian float32, folder:
//          {"outputs": {name: {file, dims}}}
//   serve  batch, runs: {"load_ms", "peak_kb"}, time to make a session and the process's
//          largest resident set after that many runs; without a model, as it is
// argv[2]: folder of node_modules.
'use strict';

const fs = require('fs');
const path = require('path');
const readline = require('readline');

const SETTINGS = {
  intraOpNumThreads: 1,
  interOpNumThreads: 1,
  graphOptimizationLevel: 'all',
  executionMode: 'sequential',
};
const SERIES_MS = 10;
const MIN_SERIES = 2;
const sessions = new Map();

function ort() { // when it is first needed: the process alone is measured, too
  return require(path.resolve(process.argv[2], 'onnxruntime-node'));
}

async function sessionOf(model) {
  if (!sessions.has(model))
    sessions.set(model, await ort().InferenceSession.create(model, SETTINGS));
  return sessions.get(model);
}

// Noise in [0, 1) for every input; open dimensions are the batch (first) or 1.
function makeFeeds(session, batch) {
  const feeds = {};
  for (const input of session.inputMetadata) {
    const open = typeof input.shape[0] !== 'number' || input.shape[0] < 0;
    if (!open && batch !== input.shape[0])
      throw new Error(`input ${input.name} has a fixed leading dimension of ${input.shape[0]}`);
    const dims = input.shape.map((d, i) =>
      typeof d === 'number' && d >= 0 ? d : i === 0 ? batch : 1);
    const data = new Float32Array(dims.reduce((a, b) => a * b, 1)).map(Math.random);
    feeds[input.name] = new (ort().Tensor)('float32', data, dims);
  }
  return feeds;
}

function median(values) {
  const sorted = Float64Array.from(values).sort();
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

function elapsedUs(start) {
  return Number(process.hrtime.bigint() - start) / 1e3;
}

function processorUs() {
  const { user, system } = process.cpuUsage();
  return user + system;
}

// Mean processor microseconds of one run over `count` runs.
async function series(session, feeds, count) {
  const start = processorUs();
  for (let i = 0; i < count; i++)
    await session.run(feeds);
  return (processorUs() - start) / count;
}

async function time({ model, batch, seconds }) {
  const session = await sessionOf(model);
  const feeds = makeFeeds(session, batch);
  await series(session, feeds, 1);
  let once = await series(session, feeds, 1);
  if (once < SERIES_MS * 1e3) // the first runs are slow, and the clock coarse
    once = await series(session, feeds, 10);
  const count = Math.max(1, Math.round(SERIES_MS * 1e3 / once));
  const start = process.hrtime.bigint();
  const values = [];
  while (values.length < MIN_SERIES || elapsedUs(start) < seconds * 1e6)
    values.push(await series(session, feeds, count) / batch);
  return { us: median(values), series: values.length };
}

function readTensor({ file, dims }) {
  const bytes = fs.readFileSync(file);
  const copy = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
  return new (ort().Tensor)('float32', new Float32Array(copy), dims);
}

async function run({ model, inputs, folder }) {
  const session = await sessionOf(model);
  const feeds = {};
  for (const [name, input] of Object.entries(inputs))
    feeds[name] = readTensor(input);
  const outputs = {};
  for (const [name, tensor] of Object.entries(await session.run(feeds))) {
    const file = path.join(folder, `${Object.keys(outputs).length}.f32`);
    fs.writeFileSync(file, Buffer.from(
      tensor.data.buffer, tensor.data.byteOffset, tensor.data.byteLength));
    outputs[name] = { file, dims: tensor.dims };
  }
  sessions.delete(model);
  return { outputs };
}

async function serve({ model, batch, runs }) {
  if (model)
    ort(); // the library's own loading is not the session's
  const start = process.hrtime.bigint();
  const session = model && await sessionOf(model);
  const load_ms = elapsedUs(start) / 1e3;
  if (session)
    await series(session, makeFeeds(session, batch), runs);
  return { load_ms, peak_kb: process.resourceUsage().maxRSS };
}

async function main() {
  const actions = { time, run, serve };
  for await (const line of readline.createInterface({ input: process.stdin })) {
    let answer;
    try {
      const request = JSON.parse(line);
      answer = await actions[request.do](request);
    } catch (error) {
      answer = { error: String(error.message || error) };
    }
    process.stdout.write(JSON.stringify(answer) + '\n');
  }
}

main();
