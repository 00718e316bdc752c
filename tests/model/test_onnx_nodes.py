#!/usr/bin/env python3
"""The ONNX project's own operator tests, through `alight run`.

Usage: test_onnx_nodes.py ALIGHT ENGINE_CHECK [--markdown FILE] [PATTERN]

Every test whose operators Alight knows must give the expected outputs, or be refused when the
table below says so. What passes must run without allocating memory, and every operator that can
be left to run must do so in one of the tests. Exit status 77 (skipped) without python3-onnx.
"""
import argparse
import pathlib
import re
import subprocess
import sys
import tempfile
import warnings

try:
    import numpy as np
    import onnx
    for alias, kind in (("float", float), ("bool", bool), ("int", int), ("object", object)):
        if alias not in np.__dict__:  # the tests of onnx 1.12 were written for an older NumPy
            setattr(np, alias, kind)
    warnings.simplefilter("ignore")
    from onnx import numpy_helper
    from onnx.backend.test.case.node import collect_testcases
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

MIN_OPSET = 7
RTOL, ATOL = 1e-3, 1e-6  # the ONNX runner's relative tolerance; absolute for values near 0

# Inputs that say what to do rather than what to do it to: constants in every real model.
PARAMETERS = {
    "ConstantOfShape": [0], "Expand": [1], "Pad": [1, 3], "Range": [0, 1, 2], "ReduceSum": [1],
    "Reshape": [1], "Resize": [1, 2, 3], "Slice": [1, 2, 3, 4], "Split": [1], "Squeeze": [1],
    "Tile": [1], "TopK": [1], "Unsqueeze": [1], "Dropout": [1, 2],
}

# What is refused on purpose: pattern of the test's name, and why.
REFUSED = {
    r"_(1d|3d)_default$": "only 2-D windows",
    r"training_(mode|dropout)|^test_training_": "training",
    r"STRING": "strings",
    r"BFLOAT16": ".npy files hold no bfloat16",
    r"^test_identity_(sequence|opt)": "sequences and optionals are no tensors",
    r"^test_(max|min)_(uint64|float16)$": "arithmetic in uint64 and float16",
    r"^test_maxpool_2d_uint8": "pooling of integers",
    r"with_argmax_2d_precomputed_strides": "storage_order 1 (column-major indices)",
    r"^test_resize_.*cubic": "cubic interpolation",
    r"tf_crop_and_resize": "tf_crop_and_resize",
}


# What never runs: folded when the model is loaded, or nothing but a name for what is there.
NEVER_RUN = {"Constant", "ConstantOfShape", "Flatten", "Identity", "Range", "Reshape", "Shape", "Squeeze",
             "Unsqueeze"}
RUN_ELSEWHERE = {"Attention", "Gelu"}  # younger than the package; test_families.py has them


def known_operators(alight_source):
    text = (alight_source / "engine/graph/op.h").read_text()
    return set(re.findall(r'X\(\w+, "(\w+)"', text))


def prepared(case):
    """The test's model with parameters as initialisers, and the remaining inputs' values."""
    model = onnx.ModelProto()
    model.CopyFrom(case.model)
    for opset in model.opset_import:
        if opset.domain == "":
            opset.version = max(opset.version, MIN_OPSET)  # these operators have not changed
    parameters = {n.input[i] for n in model.graph.node for i in PARAMETERS.get(n.op_type, [])
                  if i < len(n.input)}
    values = dict(zip([i.name for i in model.graph.input], case.data_sets[0][0]))
    for name in parameters & values.keys():
        model.graph.initializer.append(numpy_helper.from_array(np.asarray(values.pop(name)), name))
    inputs = [i for i in model.graph.input if i.name in values]
    del model.graph.input[:]
    model.graph.input.extend(inputs)
    return model, values


def mismatch(case, model, folder):
    """What is wrong with the outputs in `folder`, or None."""
    for info, want in zip(model.graph.output, case.data_sets[0][1]):
        want = np.asarray(want)
        got = np.load(folder / f"{info.name}.npy")
        if got.dtype != want.dtype or got.shape != want.shape:
            return f"{info.name} is {got.dtype}{got.shape}, not {want.dtype}{want.shape}"
        if not np.allclose(got.astype(np.float64), want.astype(np.float64), RTOL, ATOL, equal_nan=True):
            worst = np.abs(got.astype(np.float64) - want.astype(np.float64)).max()
            return f"{info.name} is off by up to {worst:g}"
    return None


def run(alight, case, folder):
    """(verdict, detail): "passed", "refused" with the error, or "wrong"."""
    model, values = prepared(case)
    if any(np.asarray(v).dtype == object for v in [*values.values(), *case.data_sets[0][1]]):
        return "refused", "values that are no numbers"
    (folder / "m.onnx").write_bytes(model.SerializeToString())
    command = [alight, "run", folder / "m.onnx", "--output-dir", folder]
    for name, value in values.items():
        np.save(folder / f"in_{name}.npy", np.ascontiguousarray(value).reshape(np.shape(value)))
        command += ["--input", f"{name}={folder}/in_{name}.npy"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    if done.returncode < 0 or done.returncode > 2:
        return "wrong", f"status {done.returncode}: {done.stderr[-300:]}"
    if done.returncode:
        return "refused", done.stderr.strip()
    wrong = mismatch(case, model, folder)
    return ("wrong", wrong) if wrong else ("passed", "")


def steps_of(engine_check, folder):
    """Operators of the plan's steps; None when a run allocates memory."""
    done = subprocess.run([engine_check, "--run", folder / "m.onnx"], capture_output=True, text=True,
                          check=False, timeout=60)
    if done.returncode:
        print(done.stderr.strip())
        return None
    return {step.split(":")[1].split("+")[0] for line in re.findall("(?m)^steps:(.*)", done.stdout)
            for step in line.split()}


def reason_to_refuse(name):
    return next((why for pattern, why in REFUSED.items() if re.search(pattern, name)), None)


def markdown(passed, refused):
    lines = ["# ONNX operator tests", "",
             f"The tests of the onnx package {onnx.__version__} for the operators Alight knows, run by "
             "`tests/model/test_onnx_nodes.py build/alight build/tests/model/engine_check`: "
             f"{len(passed)} pass, {len(refused)} are refused on purpose, none is wrong.", "",
             "## Refused", "", "| test | why |", "| --- | --- |"]
    lines += [f"| {name} | {why} |" for name, why in refused]
    lines += ["", "## Passed", ""] + [f"- {name}" for name in passed]
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("alight")
    parser.add_argument("engine_check")
    parser.add_argument("pattern", nargs="?", default="")
    parser.add_argument("--markdown")
    args = parser.parse_args()
    source = pathlib.Path(__file__).resolve().parents[2]
    operators = known_operators(source)
    documented = set(re.findall(r"\w+", (source / "docs/operators.md").read_text()))
    if operators - documented:
        print(f"docs/operators.md does not name {sorted(operators - documented)}")
        return 1
    passed, refused, failures, ran = [], [], [], set(NEVER_RUN)
    for case in sorted(collect_testcases(None), key=lambda c: c.name):
        if not operators.issuperset(n.op_type for n in case.model.graph.node):
            continue
        if args.pattern not in case.name:
            continue
        with tempfile.TemporaryDirectory() as folder:
            verdict, detail = run(args.alight, case, pathlib.Path(folder))
            steps = steps_of(args.engine_check, pathlib.Path(folder)) if verdict == "passed" else set()
        if steps is None:
            verdict, detail = "wrong", "it allocates memory while it runs"
        ran |= steps or set()
        why = reason_to_refuse(case.name)
        if verdict == "passed" and not why:
            passed.append(case.name)
        elif verdict == "refused" and why:
            refused.append((case.name, why))
        else:
            failures.append(f"{case.name}: {verdict} {detail}")
    if not args.pattern and operators - ran - RUN_ELSEWHERE:
        failures.append(f"no test runs {sorted(operators - ran - RUN_ELSEWHERE)}")
    print(f"{len(passed)} passed, {len(refused)} refused on purpose, {len(failures)} wrong")
    print("\n".join(failures))
    if args.markdown:
        pathlib.Path(args.markdown).write_text(markdown(passed, refused))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
