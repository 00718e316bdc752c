// Times ONNX Runtime (onnxruntime-node) on request, one thread. Reads a JSON object a line
// on stdin, {"model", "batch", "seconds"}, and answers each with one on stdout: microseconds
// per row as the median of short series of runs, or {"error"}. The clock runs around
// session.run() with input tensors made beforehand and counts processor time, as the other
// side's does. argv[2]: folder of node_modules.
'use strict';

const path = require('path');
const readline = require('readline');
const ort = require(path.resolve(process.argv[2], 'onnxruntime-node'));

const SETTINGS = {
  intraOpNumThreads: 1,
  interOpNumThreads: 1,
  graphOptimizationLevel: 'all',
  executionMode: 'sequential',
};
const SERIES_MS = 10;
const sessions = new Map();

async function sessionOf(model) {
  if (!sessions.has(model))
    sessions.set(model, await ort.InferenceSession.create(model, SETTINGS));
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
    feeds[input.name] = new ort.Tensor('float32', data, dims);
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

async function measure({ model, batch, seconds }) {
  const session = await sessionOf(model);
  const feeds = makeFeeds(session, batch);
  await series(session, feeds, 3);
  const once = await series(session, feeds, 3);
  const count = Math.max(1, Math.round(SERIES_MS * 1e3 / once));
  const start = process.hrtime.bigint();
  const values = [];
  while (values.length < 3 || elapsedUs(start) < seconds * 1e6)
    values.push(await series(session, feeds, count) / batch);
  return { us: median(values), series: values.length };
}

async function main() {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    let answer;
    try {
      answer = await measure(JSON.parse(line));
    } catch (error) {
      answer = { error: String(error.message || error) };
    }
    process.stdout.write(JSON.stringify(answer) + '\n');
  }
}

main();
