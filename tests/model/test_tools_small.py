#!/usr/bin/env python3
"""The toolbox on small models made here: what users and files do wrong, and what exits with gates do.

usage: test_tools_small.py ALIGHT
Exits 77 (skipped) without python3-onnx.
"""
import json
import os
import pathlib
import signal
import struct
import subprocess
import sys
import tempfile
import time
import unittest

try:
    import numpy
    import onnx
    from onnx import helper, numpy_helper
except ImportError:
    print("NumPy or onnx is missing")
    sys.exit(77)

ALIGHT = sys.argv[1]
F32 = onnx.TensorProto.FLOAT
SIDE, WIDE, N_PICTURES = 4, 512, 600


def call(*arguments, **options):
    return subprocess.run([ALIGHT, *map(os.fsencode, map(str, arguments))], text=True, timeout=120,
                          **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options})


def save_model(path, nodes, inputs, outputs, weights=None):
    def info(values):
        return [helper.make_tensor_value_info(name, F32, shape) for name, shape in values.items()]

    graph = helper.make_graph(nodes, "g", info(inputs), info(outputs),
                              [numpy_helper.from_array(w, name) for name, w in (weights or {}).items()])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(model.SerializeToString())


def save_gated_package(folder):
    """Dark pictures are class 1, bright ones class 0. The branch is sure of class 1 whatever it
    sees; its gate keeps bright pictures out. The layers behind it cost more and are right."""
    eye = numpy.eye(WIDE, dtype=numpy.float32)
    mean = numpy.full((SIDE * SIDE, 1), 1 / SIDE ** 2, numpy.float32)
    node = helper.make_node
    save_model(folder / "1/model.onnx", [
        node("Flatten", ["image"], ["pixels"]),
        node("MatMul", ["pixels", "mean"], ["brightness"]),
        node("Sub", ["half", "brightness"], ["darkness"]),
        node("MatMul", ["brightness", "none"], ["nothing"]),
        node("Add", ["nothing", "sure"], ["branch"]),
        node("MatMul", ["darkness", "spread"], ["wide"]),
        *[node("MatMul", [a, "eye"], [b]) for a, b in [("wide", "w1"), ("w1", "w2"), ("w2", "w3")]],
        node("MatMul", ["w3", "decide"], ["final"])],
        {"image": ["N", 1, SIDE, SIDE]}, {"branch": ["N", 2], "final": ["N", 2]},
        {"mean": mean, "half": numpy.array([[.5]], numpy.float32),
         "none": numpy.zeros((1, 2), numpy.float32), "sure": numpy.array([[0, 9]], numpy.float32),
         "spread": numpy.ones((1, WIDE), numpy.float32), "eye": eye,
         "decide": numpy.tile(numpy.array([[-.01, .01]], numpy.float32), (WIDE, 1))})
    (folder / "model.json").write_text(json.dumps({
        "input": {"tensor": "image", "width": SIDE, "height": SIDE, "colour": "gray"},
        "exits": [{"tensor": "branch", "gate": "darkness"}, {"tensor": "final"}]}))
    (folder / "labels.txt").write_text("bright\ndark\n")


def save_pictures(folder, name, seed, step=1):
    """An IDX pair, the dark half first; last with `step` -1."""
    rng = numpy.random.default_rng(seed)
    labels = (numpy.arange(N_PICTURES) < N_PICTURES // 2).astype(numpy.uint8)
    low = numpy.where(labels == 1, 0, 200)[:, None]
    pixels = (low + rng.integers(0, 50, (N_PICTURES, SIDE * SIDE))).astype(numpy.uint8)[::step]
    labels = labels[::step]
    images = bytes([0, 0, 8, 3]) + struct.pack(">3I", N_PICTURES, SIDE, SIDE) + pixels.tobytes()
    (folder / f"{name}-images").write_bytes(images)
    (folder / f"{name}-labels").write_bytes(bytes([0, 0, 8, 1]) + struct.pack(">I", N_PICTURES) +
                                            labels.tobytes())
    return f"{folder}/{name}-images,{folder}/{name}-labels"


class Small(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.TemporaryDirectory()
        cls.folder = pathlib.Path(cls.scratch.name)
        cls.package = cls.folder / "gated"
        save_gated_package(cls.package)
        cls.seen = save_pictures(cls.folder, "seen", 1)
        cls.unseen = save_pictures(cls.folder, "unseen", 2)
        cls.rows = cls.folder / "rows.npy"
        numpy.save(cls.rows, numpy.arange(12, dtype=numpy.float32).reshape(3, 4))
        cls.plain = cls.folder / "plain.onnx"
        save_model(cls.plain, [helper.make_node("Relu", ["x"], ["y"])], {"x": ["N", 4]}, {"y": ["N", 4]})

    @classmethod
    def tearDownClass(cls):
        cls.scratch.cleanup()

    def succeed(self, *arguments):
        done = call(*arguments)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def fail_with(self, status, says, *arguments, **options):
        done = call(*arguments, **options)
        self.assertEqual(done.returncode, status, done.stderr)
        self.assertIn(says, done.stderr)

    def test_rows_that_a_gate_keeps_out_do_not_leave_there(self):
        ladder = json.loads(self.succeed("calibrate", self.package, "--data", self.seen, "--levels", ".05",
                                         "--seconds", ".05", "--json"))
        self.assertEqual(ladder["exit_accuracy"], [.5, 1])
        self.assertEqual(ladder["levels"][1]["share"], [.5, .5])
        self.assertEqual(ladder["levels"][1]["losses"], 0)
        report = json.loads(self.succeed("evaluate", self.package, "--data", self.unseen, "--seconds",
                                         ".05", "--precision", "strict", "--json"))
        self.assertEqual((report["precision"], report["certified_in"]), ("strict", "default"))
        self.assertEqual(report["levels"][1]["share"], [.5, .5])
        self.assertEqual(report["levels"][1]["accuracy"], 1)

    def test_pictures_the_thresholds_were_chosen_on_are_told(self):
        self.succeed("calibrate", self.package, "--data", self.seen, "--seconds", ".01")
        turned = save_pictures(self.folder, "turned", 1, -1)
        for data, told in ((self.seen, True), (turned, True), (self.unseen, False)):
            arguments = ("evaluate", self.package, "--data", data, "--seconds", ".01", "--precision", "strict",
                         "--cpu-mask", "scalar")
            self.assertEqual(json.loads(self.succeed(*arguments, "--json"))["calibrated_on"], told)
            self.assertEqual("chosen on these very pictures" in self.succeed(*arguments), told)

    def test_levels_need_a_policy_to_be_timed(self):
        (self.package / "1/policy.json").unlink(missing_ok=True)
        self.fail_with(1, "no policy.json", "bench", self.package, "--data", self.seen, "--max-loss", ".01")

    def test_wrong_values_are_wrong_command_lines(self):
        data = "--data", self.seen
        for says, *arguments in (
                ("--precision: 'half'", "inspect", self.plain, "--precision", "half"),
                ("--cpu-mask: 'mmx'", "evaluate", self.package, *data, "--cpu-mask", "mmx"),
                ("--score: 'sure'", "calibrate", self.package, *data, "--score", "sure"),
                ("--loss: 'gross'", "calibrate", self.package, *data, "--loss", "gross"),
                ("--levels: level 2: max_loss 0.01", "calibrate", self.package, *data, "--levels", ".02,.01"),
                ("--batch: 1.5 is not a whole number", "bench", self.plain, "--batch", "1.5"),
                ("either --threads or --team", "bench", self.plain, "--threads", "2", "--team", "2"),
                ("'x' is given twice", "run", self.plain, "--input", "x=a", "--input", "x=b"),
                ("not NAME=FILE.npy", "run", self.plain, "--input", "x")):
            self.fail_with(2, says, *arguments)

    def test_a_full_disk_is_a_failure(self):
        with open("/dev/full", "w") as full:
            for arguments in (["--help"], ["--version"], ["run", "--help"], ["inspect", self.plain],
                              ["inspect", self.plain, "--json"], ["inspect", self.package, "--plan"]):
                self.fail_with(1, "No space left on device", *arguments, stdout=full)
        self.fail_with(1, "/dev/full: No space left", "evaluate", self.package, "--data", self.seen,
                       "--seconds", "0", "--answers", "/dev/full")

    def test_answers_appear_whole_or_not_at_all(self):
        answers = self.folder / "answers"
        answers.write_text("of an earlier run")
        broken = self.folder / "broken/bright"
        broken.mkdir(parents=True)
        (broken / "1.png").write_bytes(b"no picture")
        self.fail_with(1, "1.png", "evaluate", self.package, "--data", broken.parent, "--answers", answers)
        self.assertEqual(answers.read_text(), "of an earlier run")
        self.assertEqual([p.name for p in self.folder.glob("answers*")], ["answers"])

    def test_an_interrupted_command_leaves_nothing(self):
        policy = self.package / "1/policy.json"
        answers = self.folder / "interrupted"
        self.succeed("calibrate", self.package, "--data", self.seen, "--seconds", ".01")
        held = policy.read_text()
        for command, written in ((["calibrate"], policy), (["evaluate", "--answers", answers], answers)):
            for number in (signal.SIGINT, signal.SIGTERM):
                with self.subTest(command=command[0], signal=number):
                    self.interrupt([*command, self.package, "--data", self.seen, "--seconds", "60"], written, number)
        self.assertEqual(policy.read_text(), held)
        self.assertFalse(answers.exists())

    def interrupt(self, arguments, written, number):
        """Sends the signal while the command works on the file `written`."""
        process = subprocess.Popen([ALIGHT, *map(str, arguments)], stdout=subprocess.DEVNULL)
        while not list(written.parent.glob(written.name + ".*")):
            self.assertIsNone(process.poll())
            time.sleep(.001)
        process.send_signal(number)
        self.assertEqual(process.wait(10), -number)
        self.assertEqual(list(written.parent.glob(written.name + ".*")), [])

    def test_names_that_are_no_utf_8_are_reported(self):
        latin = os.fsdecode(os.fsencode(self.folder) + b"/caf\xe9.onnx")
        os.symlink(self.plain, latin)
        report = json.loads(self.succeed("inspect", latin, "--json"))
        self.assertTrue(report["model"].endswith("/caf\u00e9.onnx"))

    def test_a_terminal_gets_no_control_characters(self):
        clear = "a\x1b[2Jb"
        model = self.folder / "clear.onnx"
        save_model(model, [helper.make_node("Relu", ["x"], [clear], name=clear)],
                   {"x": ["N", 4]}, {clear: ["N", 4]})
        for arguments in (["inspect", model, "--plan"],
                          ["run", model, "--input", f"x={self.rows}", "--output-dir", self.folder / "clear"]):
            text = self.succeed(*arguments)
            self.assertIn("a?[2Jb", text)
            self.assertNotIn("\x1b", text)
        self.fail_with(1, "no input 'x?'", "run", self.plain, "--input", f"x={self.rows}", "--input",
                       f"x\x1b={self.rows}")

    def test_an_output_that_mixes_rows_is_computed_whole(self):
        flat = self.folder / "flat.onnx"
        save_model(flat, [helper.make_node("Reshape", ["x", "all"], ["y"]),
                          helper.make_node("Relu", ["x"], ["z"])],
                   {"x": ["N", 4]}, {"y": None, "z": ["N", 4]}, {"all": numpy.array([-1])})
        out = self.folder / "flat"
        self.succeed("run", flat, "--input", f"x={self.rows}", "--output-dir", out)
        self.assertEqual(numpy.load(out / "y.npy").tolist(), list(range(12)))
        self.assertEqual(numpy.load(out / "z.npy").shape, (3, 4))

    def test_outputs_of_one_file_name_are_refused(self):
        clash = self.folder / "clash.onnx"
        save_model(clash, [helper.make_node("Relu", ["x"], ["a/b"]), helper.make_node("Abs", ["x"], ["a_b"])],
                   {"x": ["N", 4]}, {"a/b": ["N", 4], "a_b": ["N", 4]})
        self.fail_with(1, "outputs 'a/b' and 'a_b' would both be", "run", clash, "--input",
                       f"x={self.rows}", "--output-dir", self.folder / "clash")

    def test_no_rows_make_no_rows(self):
        empty = self.folder / "empty.npy"
        numpy.save(empty, numpy.zeros((0, 4), numpy.float32))
        out = self.folder / "none"
        self.succeed("run", self.plain, "--input", f"x={empty}", "--output-dir", out)
        self.assertEqual(numpy.load(out / "y.npy").shape, (0, 4))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
