#!/usr/bin/env python3
"""The toolbox's commands on the shipped model: run, inspect, bench, calibrate, evaluate.

usage: test_tools.py ALIGHT SOURCE_ROOT
"""
import gzip
import json
import math
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest

import numpy

ALIGHT = sys.argv[1]
ROOT = pathlib.Path(sys.argv[2])
PACKAGE = ROOT / "models/fashion-blenet"
REFERENCE = ROOT / "tests/model/data/fashion-blenet"
FASHION = pathlib.Path("/usr/share/datasets/fashion-mnist")
N_CALIBRATION, N_TEST = 2500, 1000


def call(*arguments):
    return subprocess.run([ALIGHT, *map(str, arguments)], capture_output=True, text=True,
                          timeout=120)


def read_idx(path, n):
    """The first `n` samples of an IDX file of bytes: header dims and data."""
    with gzip.open(path) as f:
        rank = f.read(4)[3]
        dims = struct.unpack(f">{rank}I", f.read(4 * rank))
        data = f.read(n * math.prod(dims[1:]))
    return (n, *dims[1:]), data


def write_idx(path, dims, data):
    path.write_bytes(bytes([0, 0, 8, len(dims)]) + struct.pack(f">{len(dims)}I", *dims) + data)


def write_slice(folder, part, n):
    """The first pictures of Fashion-MNIST as a pair for --data."""
    images, labels = folder / f"{part}-images", folder / f"{part}-labels"
    write_idx(images, *read_idx(FASHION / f"{part}-images-idx3-ubyte.gz", n))
    write_idx(labels, *read_idx(FASHION / f"{part}-labels-idx1-ubyte.gz", n))
    return f"{images},{labels}"


class Toolbox(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.TemporaryDirectory()
        cls.folder = pathlib.Path(cls.scratch.name)
        cls.package = cls.folder / "fashion-blenet"
        shutil.copytree(PACKAGE, cls.package)
        (cls.package / "1/policy.json").unlink(missing_ok=True)

    @classmethod
    def tearDownClass(cls):
        cls.scratch.cleanup()

    def succeed(self, *arguments):
        done = call(*arguments)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def fail_with(self, status, says, *arguments):
        done = call(*arguments)
        self.assertEqual(done.returncode, status, done.stdout)
        self.assertIn(says, done.stderr)

    def test_run_computes_what_the_framework_computed(self):
        for model in (PACKAGE / "1/model.onnx", PACKAGE):
            out = self.folder / f"out-{model.name}"
            self.succeed("run", model, "--input", f"image={REFERENCE / 'input.npy'}", "--output-dir", out)
            for name in ("branch1", "final"):
                want = numpy.load(REFERENCE / f"{name}.npy")
                got = numpy.load(out / f"{name}.npy")
                self.assertEqual(got.shape, want.shape)
                self.assertLess(numpy.abs(got - want).max(), 1e-4 * numpy.abs(want).max())
        self.fail_with(1, "2/model.onnx: No such file", "run", PACKAGE, "--version", 2)

    def test_run_computes_the_same_bits_in_any_batch(self):
        rows = numpy.load(REFERENCE / "input.npy")
        self.assertGreater(len(rows), 2)
        answers = []
        for batch in (1, 2, 32):
            out = self.folder / f"batch{batch}"
            self.succeed("run", PACKAGE / "1/model.onnx", "--input",
                         f"image={REFERENCE / 'input.npy'}", "--batch", batch, "--output-dir", out)
            answers.append(numpy.load(out / "final.npy"))
        self.assertEqual(answers[0].shape[0], len(rows))
        for together in answers[1:]:
            self.assertEqual(together.tobytes(), answers[0].tobytes())
        self.fail_with(1, "at most", "run", PACKAGE / "1/model.onnx", "--input",
                       f"image={REFERENCE / 'input.npy'}", "--batch", 33)

    def test_run_names_the_input_that_is_missing_or_wrong(self):
        model = PACKAGE / "1/model.onnx"
        wrong = self.folder / "wrong.npy"
        numpy.save(wrong, numpy.zeros((1, 1, 28, 27), numpy.float32))
        self.fail_with(1, "input 'image'", "run", model)
        self.fail_with(1, "image", "run", model, "--input", f"image={wrong}")
        self.fail_with(2, "not NAME=FILE.npy", "run", model, "--input", "image")
        self.fail_with(1, "nowhere.onnx", "run", "nowhere.onnx")

    def test_inspect_lists_stages_and_steps(self):
        report = json.loads(self.succeed("inspect", self.package, "--plan", "--json"))
        self.assertEqual([s["exit"] for s in report["stages"]], ["branch1", "final"])
        self.assertTrue(all(s["trunk_macs"] > 0 for s in report["stages"]))
        self.assertTrue(any("Conv" in s["op"] for s in report["plan"]))
        self.assertIn("branch1", self.succeed("inspect", self.package))

    def test_bench_times_every_batch_size(self):
        report = json.loads(self.succeed("bench", self.package, "--batch", "1,8", "--seconds",
                                         "0.05", "--json"))
        self.assertEqual([t["batch"] for t in report["trials"]], [1, 8])
        self.assertTrue(all(t["us"]["median"] > 0 for t in report["trials"]))
        self.fail_with(1, "needs a package and --data", "bench", self.package, "--max-loss",
                       "0.01")

    def test_wrong_command_lines_are_told_apart_from_failures(self):
        self.fail_with(2, "Usage")
        self.fail_with(2, "no command 'classify'", "classify")
        self.fail_with(2, "unknown option '--sped'", "bench", self.package, "--sped", "1")
        self.fail_with(2, "--data is missing", "calibrate", self.package)
        self.fail_with(1, "nowhere", "calibrate", self.package, "--data", "nowhere")
        for command in ("calibrate", "evaluate", "run", "inspect", "bench"):
            text = self.succeed(command, "--help")
            self.assertIn("Usage: alight " + command, text)
            self.assertEqual(self.succeed("help", command), text)
            self.assertEqual(self.succeed(command, "-h"), text)
        self.fail_with(2, "no command 'classify'", "help", "classify")

    @unittest.skipUnless(FASHION.exists(), "needs Fashion-MNIST")
    def test_what_is_calibrated_holds_when_evaluated(self):
        train = write_slice(self.folder, "train", N_CALIBRATION)
        test = write_slice(self.folder, "t10k", N_TEST)
        ladder = json.loads(self.succeed("calibrate", self.package, "--data", train,
                                         "--levels", ".01,.02,.05", "--seconds", ".1",
                                         "--json"))
        self.check_ladder(ladder)
        policy = json.loads((self.package / "1/policy.json").read_text())
        self.assertEqual(policy["calibration"]["id"], ladder["calibration"])
        answers = self.folder / "answers.jsonl"
        report = json.loads(self.succeed("evaluate", self.package, "--data", test, "--seconds",
                                         ".1", "--answers", answers, "--json"))
        self.check_report(report, ladder)
        self.check_answers(answers, report, ladder)

    def check_ladder(self, ladder):
        levels = ladder["levels"]
        self.assertEqual([l["max_loss"] for l in levels], [0, .01, .02, .05])
        self.assertEqual(ladder["rows"], N_CALIBRATION)
        self.assertIsNone(levels[0]["threshold"])
        for below, level in zip(levels, levels[1:]):
            self.assertLessEqual(level["cost_us"], below["cost_us"])
            self.assertLessEqual(level["p_value"], .05 / 3)
            self.assertAlmostEqual(sum(level["share"]), 1, places=6)

    def check_report(self, report, ladder):
        self.assertEqual(len(report["levels"]), len(ladder["levels"]))
        for level in report["levels"]:
            low, high = level["accuracy_95"]
            self.assertTrue(.7 < low < level["accuracy"] < high)
            self.assertAlmostEqual(sum(level["share"]), 1, places=6)
        self.assertGreater(report["levels"][-1]["share"][0], .5)

    def check_answers(self, path, report, ladder):
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        n_levels = len(report["levels"])
        self.assertEqual(len(lines), N_TEST * n_levels)
        for k, level in enumerate(report["levels"]):
            mine = [a for a in lines if a["level"] == k]
            right = sum(a["class"] == a["label"] for a in mine) / N_TEST
            self.assertAlmostEqual(right, level["accuracy"], places=9)
            early = [a for a in mine if a["exit"] == 0]
            self.assertAlmostEqual(len(early) / N_TEST, level["share"][0], places=9)
            threshold = ladder["levels"][k]["threshold"]
            if threshold is not None:
                self.assertTrue(all(a["score"] >= threshold * (1 - 1e-6) for a in early))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
