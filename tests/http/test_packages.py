"""Every shipped package answers every protocol, and all protocols say the same."""
import functools
import json

from daemon import IMAGE, MODELS, DaemonCase, main

PACKAGES = sorted(p.parent.parent.name for p in MODELS.glob("*/1/model.onnx"))
TOLERANCE = 1e-4                        # JSON carries the shortest text that reads back as float32


def nested(values, dims):
    """A flat list as nested lists of `dims`."""
    if len(dims) == 1:
        return values
    step = len(values) // dims[0]
    return [nested(values[i * step:(i + 1) * step], dims[1:]) for i in range(dims[0])]


def noise(count):
    state, out = 99, []
    for _ in range(count):
        state = (1103515245 * state + 12345) & 0x7FFFFFFF
        out.append((state >> 8) / (1 << 22) - 1)
    return out


def labels_of(name):
    return (MODELS / name / "labels.txt").read_text().splitlines()


def policy_of(name):
    return json.loads((MODELS / name / "1/policy.json").read_text())


def every_package(test):
    """Runs a test method once per package, as a subtest each."""
    @functools.wraps(test)
    def run(self):
        for name in PACKAGES:
            with self.subTest(name):
                test(self, name)
    return run


class EveryPackage(DaemonCase):
    def dims(self, name):
        status, meta = self.daemon.json("GET", f"/v2/models/{name}")
        self.assertEqual(status, 200, meta)
        return meta["inputs"][0]["shape"][1:]

    def infer(self, name, data):
        """Probabilities of one row through the open inference protocol."""
        body = {"inputs": [
            {"name": "image", "shape": [1, *self.dims(name)], "datatype": "FP32", "data": data}]}
        status, answer = self.daemon.json("POST", f"/v2/models/{name}/infer", json.dumps(body))
        self.assertEqual(status, 200, answer)
        return answer["outputs"][0]["data"]

    @every_package
    def test_is_ready_and_certified(self, name):
        self.assertEqual(self.ask("GET", f"/v2/models/{name}/ready")[0], 200)
        policy = policy_of(name)
        self.assertGreaterEqual(policy["calibration"]["rows"], 5000)
        self.assertIn(0.005, [level["max_loss"] for level in policy["levels"]])

    @every_package
    def test_classifies_an_image_by_its_labels_at_every_exit(self, name):
        labels = labels_of(name)
        for k, exit_name in enumerate(policy_of(name)["exits"]):
            path = f"/v1/models/{name}:classify?top={len(labels)}&min_exit={k}&max_exit={k}"
            status, answer = self.daemon.json("POST", path, IMAGE)
            self.assertEqual(status, 200, answer)
            prediction, = answer["predictions"]
            self.assertEqual(prediction["exit"]["name"], exit_name)
            self.assertEqual(sorted(c["label"] for c in prediction["classes"]), sorted(labels))
            self.assertAlmostEqual(sum(c["probability"] for c in prediction["classes"]), 1, 4)

    @every_package
    def test_answers_by_default_with_a_certificate(self, name):
        status, answer = self.daemon.json("POST", f"/v1/models/{name}:classify", IMAGE)
        self.assertEqual(status, 200, answer)
        self.assertEqual(answer["predictions"][0]["certificate"]["max_loss"], 0.005)

    @every_package
    def test_says_the_same_in_torchserves_shape(self, name):
        one = self.daemon.json("POST", f"/v1/models/{name}:classify", IMAGE)[1]
        status, two = self.daemon.json("POST", f"/predictions/{name}", IMAGE)
        self.assertEqual(status, 200, two)
        for c in one["predictions"][0]["classes"]:
            self.assertAlmostEqual(two[c["label"]], c["probability"], delta=TOLERANCE)

    @every_package
    def test_says_the_same_in_tensorflow_servings_shape(self, name):
        dims = self.dims(name)
        data = noise(dims[0] * dims[1] * dims[2])
        expected = self.infer(name, data)
        self.assertEqual(len(expected), len(labels_of(name)))
        self.assertAlmostEqual(sum(expected), 1, 4)
        body = json.dumps({"instances": [nested(data, dims)]})
        status, answer = self.daemon.json("POST", f"/v1/models/{name}:predict", body)
        self.assertEqual(status, 200, answer)
        for a, b in zip(answer["predictions"][0], expected):
            self.assertAlmostEqual(a, b, delta=TOLERANCE)


if __name__ == "__main__":
    main()
