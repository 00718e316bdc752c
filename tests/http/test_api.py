"""What every endpoint answers, and what it says to nonsense."""
import base64
import json
import struct

from daemon import IMAGE, MODEL, DaemonCase, main, png, sample

CLASSIFY = f"/v1/models/{MODEL}:classify"
INFER = f"/v2/models/{MODEL}/infer"


def floats(n=1, seed=0):
    """Pixels of n samples as the network wants them."""
    return [((p / 255) - 0.286) / 0.353 for i in range(n) for p in sample(seed + i)]


def infer_body(**changes):
    tensor = {"name": "image", "shape": [1, 1, 28, 28], "datatype": "FP32", "data": floats()}
    body = {"inputs": [tensor]}
    for key, value in changes.items():
        (tensor if key in ("name", "shape", "datatype", "data") else body)[key] = value
    return json.dumps(body)


class Health(DaemonCase):
    def test_health_and_metadata(self):
        d = self.daemon
        self.assertEqual(d.json("GET", "/v2/health/live"), (200, {"live": True}))
        self.assertEqual(d.json("GET", "/v2/health/ready"), (200, {"ready": True}))
        self.assertEqual(d.json("GET", f"/v2/models/{MODEL}/ready"),
                         (200, {"name": MODEL, "ready": True}))
        status, meta = d.json("GET", f"/v2/models/{MODEL}")
        self.assertEqual(status, 200)
        self.assertEqual(meta["inputs"], [{"name": "image", "datatype": "FP32",
                                           "shape": [-1, 1, 28, 28]}])
        self.assertEqual(meta["outputs"], [{"name": "probabilities", "datatype": "FP32",
                                            "shape": [-1, 10]}])
        self.assertIn("1", meta["versions"])
        self.assertEqual(d.json("GET", f"/v2/models/{MODEL}/versions/1")[1], meta)
        status, config = d.json("GET", f"/v2/models/{MODEL}/config")
        self.assertEqual(config["input"][0]["dims"], [1, 28, 28])
        server = d.json("GET", "/v2")[1]
        self.assertEqual(server["name"], "alight")
        self.assertIn("binary_tensor_data", server["extensions"])

    def test_trailing_slash_and_query_are_ignored(self):
        self.assertEqual(self.ask("GET", "/v2/health/live/?x=1")[0], 200)

    def test_head_answers_like_get_without_a_body(self):
        status, headers, body = self.ask("HEAD", "/v2/health/live")
        self.assertEqual((status, body), (200, b""))
        self.assertEqual(headers["Content-Length"], "13")

    def test_request_ids_are_kept_or_made(self):
        given = {"X-Request-Id": "abc-1.2_3"}
        self.assertEqual(self.ask("GET", "/v2", headers=given)[1]["X-Request-Id"], "abc-1.2_3")
        for bad in ("a b", "x" * 129, "a/b"):
            made = self.ask("GET", "/v2", headers={"X-Request-Id": bad})[1]["X-Request-Id"]
            self.assertRegex(made, r"^[A-Za-z0-9._-]{1,128}$")
            self.assertNotEqual(made, bad)


class Statistics(DaemonCase):
    def test_counts_add_up_exactly(self):
        d = self.daemon
        for i in range(20):
            d.ask("POST", f"{CLASSIFY}?max_exit={i % 2}", IMAGE)
        for _ in range(3):
            d.ask("POST", CLASSIFY, b"junk")
        d.ask("POST", INFER, infer_body(shape=[4, 1, 28, 28], data=floats(4)))
        model, = [m for m in d.stats()["models"] if m["name"] == MODEL]
        self.assertEqual(sum(e["images"] for e in model["exits"]), 24)
        for name in ("queue", "total"):  # the clock of one thread behind another's: centuries
            self.assertLess(model["latency_ms"][name]["max"], d.stats()["up_s"] * 1000)
        oip = d.json("GET", f"/v2/models/{MODEL}/stats")[1]["model_stats"][0]
        self.assertEqual(oip["inference_count"], 24)
        self.assertEqual(oip["inference_stats"]["success"]["count"], 21)
        self.assertEqual(oip["inference_stats"]["fail"]["count"], 3)
        names = [m["name"] for m in d.json("GET", "/v2/models/stats")[1]["model_stats"]]
        self.assertIn(MODEL, names)
        status, headers, text = d.ask("GET", "/metrics")
        self.assertEqual((status, headers["Content-Type"][:25]), (200, "text/plain; version=0.0.4"))
        rows = [float(line.split()[-1]) for line in text.decode().splitlines()
                if line.startswith("alight_rows_total") and MODEL in line and "linear" not in line]
        self.assertEqual(sum(rows), 24)


class Classify(DaemonCase):
    def test_an_image_is_classified(self):
        status, answer = self.daemon.json("POST", CLASSIFY, IMAGE)
        self.assertEqual(status, 200)
        self.assertEqual((answer["model"], answer["version"]), (MODEL, "1"))
        prediction, = answer["predictions"]
        probabilities = [c["probability"] for c in prediction["classes"]]
        self.assertEqual(len(probabilities), 5)
        self.assertEqual(probabilities, sorted(probabilities, reverse=True))
        self.assertEqual(prediction["exit"]["of"], 2)
        self.assertLessEqual(0, prediction["exit"]["score"])
        self.assertFalse(prediction["exit"]["forced"])
        for key in ("decode", "queue", "compute", "total"):
            self.assertGreaterEqual(answer["timing_us"][key], 0)

    def test_top_and_exits_can_be_chosen(self):
        d = self.daemon
        for k, name in enumerate(("branch1", "final")):
            p = d.json("POST", f"{CLASSIFY}?top=1&min_exit={k}&max_exit={k}", IMAGE)[1]
            p = p["predictions"][0]
            self.assertEqual(len(p["classes"]), 1)
            self.assertEqual((p["exit"]["index"], p["exit"]["name"]), (k, name))
            self.assertIsNone(p["certificate"])
        p = d.json("POST", f"{CLASSIFY}?threshold=0", IMAGE)[1]["predictions"][0]
        self.assertEqual(p["exit"]["index"], 0)
        self.assertIsNone(p["certificate"])
        p = d.json("POST", f"{CLASSIFY}?max_loss=0", IMAGE)[1]["predictions"][0]
        self.assertEqual(p["exit"]["index"], 1)
        self.assertEqual(p["certificate"]["max_loss"], 0)

    def test_versions(self):
        self.assertEqual(self.ask("POST", f"/v1/models/{MODEL}/versions/1:classify", IMAGE)[0], 200)
        for version in ("2", "0", "01x", "99999999999"):
            answer = self.ask("POST", f"/v1/models/{MODEL}/versions/{version}:classify", IMAGE)
            self.assert_error(answer, 404, MODEL, version)

    def test_several_images_in_one_body(self):
        images = [png(sample(i), 28, 28) for i in range(3)]
        body = b"".join(b"--b\r\nContent-Type: image/png\r\n\r\n" + i + b"\r\n" for i in images)
        headers = {"Content-Type": "multipart/form-data; boundary=b"}
        status, answer = self.daemon.json("POST", CLASSIFY, body + b"--b--\r\n", headers)
        self.assertEqual(status, 200)
        alone = [self.daemon.json("POST", CLASSIFY, i)[1]["predictions"][0] for i in images]
        self.assertEqual(answer["predictions"], alone)
        self.assert_error(self.ask("POST", CLASSIFY, body, headers), 400, "part 2 is not closed")
        self.assert_error(self.ask("POST", f"/predictions/{MODEL}", body + b"--b--", headers), 400,
                          "3 images")
        self.assert_error(self.ask("POST", CLASSIFY, b"--b--", headers), 400, "no input")
        self.assert_error(self.ask("POST", CLASSIFY, b"x", headers), 400, "multipart")

    def test_bad_options_are_named(self):
        for query, *words in (("top=0", "top", "0"), ("top=1.5", "top", "whole"),
                              ("max_loss=2", "max_loss", "2"), ("threshold=x", "threshold", "x"),
                              ("min_exit=2", "min_exit", "2"), ("max_exit=7", "max_exit", "7"),
                              ("min_exit=1&max_exit=0", "min_exit"), ("priority=9", "priority"),
                              ("deadline_ms=-1", "deadline_ms"), ("top=", "top"),
                              ("max_loss=nan", "max_loss")):
            self.assert_error(self.ask("POST", f"{CLASSIFY}?{query}", IMAGE), 400, *words)

    def test_what_is_no_image_is_refused(self):
        self.assert_error(self.ask("POST", CLASSIFY, b"hello"), 415, "5 bytes")
        self.assert_error(self.ask("POST", CLASSIFY, IMAGE[:60]), 400)
        self.assert_error(self.ask("POST", CLASSIFY, b""), 400, "empty")
        self.assert_error(self.ask("POST", CLASSIFY, png(b"\0" * 17000, 17000, 1)), 413)

    def test_torchserve_shape(self):
        for method in ("PUT", "POST"):
            status, answer = self.daemon.json(method, f"/predictions/{MODEL}", IMAGE)
            self.assertEqual((status, len(answer)), (200, 5))
            self.assertTrue(all(isinstance(p, float) for p in answer.values()))


class Errors(DaemonCase):
    def test_unknown_paths_models_and_methods(self):
        self.assert_error(self.ask("GET", "/nothing"), 404, "/nothing")
        self.assert_error(self.ask("GET", "/v2/models/none"), 404,
                          "Request for unknown model: 'none' is not found")
        self.assert_error(self.ask("POST", "/v1/models/none:classify", IMAGE), 404, "'none'")
        answer = self.ask("DELETE", "/v2")
        self.assert_error(answer, 405, "DELETE")
        self.assertEqual(answer[1]["Allow"], "GET, HEAD")
        self.assert_error(self.ask("BREW", "/v2"), 405, "BREW")
        for code in (404, 405):
            self.assertGreaterEqual(self.daemon.metric(f'alight_http_answers_total{{code="{code}"}}'), 2)

    def test_errors_keep_the_connection(self):
        c = self.daemon.connect()
        for _ in range(3):
            c.request("POST", "/nothing", b"x" * 100000)
            self.assertEqual(c.getresponse().read()[:9], b'{"error":')
        c.request("GET", "/v2")
        self.assertEqual(c.getresponse().status, 200)
        c.close()


class Infer(DaemonCase):
    def infer(self, body, headers=None):
        return self.ask("POST", INFER, body, headers)

    def test_fp32_nested_and_flat_give_the_same(self):
        d = self.daemon
        flat = floats()
        rows = [flat[i:i + 28] for i in range(0, 784, 28)]
        one = d.json("POST", INFER, infer_body())[1]
        two = d.json("POST", INFER, infer_body(data=[[rows]]))[1]
        self.assertEqual(one["outputs"], two["outputs"])
        output, = one["outputs"]
        self.assertEqual((output["name"], output["datatype"], output["shape"]),
                         ("probabilities", "FP32", [1, 10]))
        self.assertAlmostEqual(sum(output["data"]), 1, 4)
        self.assertIn("exit", one["parameters"])

    def test_uint8_pixels_are_the_image(self):
        body = infer_body(datatype="UINT8", data=list(sample()), parameters={"max_loss": 0})
        tensor = self.daemon.json("POST", INFER, body)[1]["outputs"][0]["data"]
        image = self.daemon.json("POST", f"{CLASSIFY}?max_loss=0&top=10", IMAGE)[1]
        for c in image["predictions"][0]["classes"]:
            self.assertEqual(tensor[c["index"]], c["probability"])

    def test_a_batch_gives_each_row_its_own_answer(self):
        body = infer_body(shape=[4, 1, 28, 28], data=floats(4))
        batch = self.daemon.json("POST", INFER, body)[1]["outputs"][0]
        self.assertEqual(batch["shape"], [4, 10])
        for i in range(4):
            alone = self.daemon.json("POST", INFER, infer_body(data=floats(1, i)))[1]
            self.assertEqual(batch["data"][10 * i:10 * i + 10], alone["outputs"][0]["data"])

    def test_outputs_id_and_classification(self):
        outputs = [{"name": "exit_index"}, {"name": "exit_score"},
                   {"name": "probabilities", "parameters": {"classification": 2}}]
        status, a = self.daemon.json("POST", INFER, infer_body(id="q7", outputs=outputs,
                                                               parameters={"min_exit": 1}))
        self.assertEqual((status, a["id"]), (200, "q7"))
        self.assertEqual(a["outputs"][0]["data"], [1])
        self.assertEqual(a["outputs"][2]["shape"], [1, 2])
        self.assertRegex(a["outputs"][2]["data"][0], r"^0\.\d+:\d+:.+")

    def test_binary_tensors_both_ways(self):
        raw = struct.pack("<784f", *floats())
        tensor = {"name": "image", "shape": [1, 1, 28, 28], "datatype": "FP32",
                  "parameters": {"binary_data_size": len(raw)}}
        head = json.dumps({"inputs": [tensor], "parameters": {"binary_data_output": True}}).encode()
        status, headers, body = self.infer(
            head + raw, {"Inference-Header-Content-Length": str(len(head))})
        self.assertEqual(status, 200, body)
        size = int(headers["Inference-Header-Content-Length"])
        output = json.loads(body[:size])["outputs"][0]
        self.assertEqual(output["parameters"]["binary_data_size"], 40)
        values = struct.unpack("<10f", body[size:])
        expected = self.daemon.json("POST", INFER, infer_body())[1]["outputs"][0]["data"]
        self.assertEqual([struct.pack("<f", v) for v in values],
                         [struct.pack("<f", v) for v in expected])
        status, headers, body = self.infer(raw, {"Inference-Header-Content-Length": "0"})
        self.assertEqual((status, len(body)), (200, int(headers["Inference-Header-Content-Length"])
                                               + 40))

    def test_encoded_images_as_bytes(self):
        text = base64.b64encode(IMAGE).decode()
        body = infer_body(shape=[2], datatype="BYTES", data=[text, text])
        a = self.daemon.json("POST", INFER, body)[1]["outputs"][0]
        self.assertEqual(a["shape"], [2, 10])
        raw = struct.pack("<I", len(IMAGE)) + IMAGE
        tensor = {"name": "image", "shape": [1], "datatype": "BYTES",
                  "parameters": {"binary_data_size": len(raw)}}
        head = json.dumps({"inputs": [tensor]}).encode()
        status, _, body = self.infer(head + raw, {"Inference-Header-Content-Length": str(len(head))})
        self.assertEqual(status, 200, body)
        self.assertEqual(json.loads(body)["outputs"][0]["data"], a["data"][:10])

    def test_malformed_requests_are_named(self):
        big = 1 << 70
        for body, *words in (
                ("", "empty"), ("{", "JSON"), ("[]", "object"), ("{}", "1 input"),
                ('{"inputs":[]}', "1 input"), (infer_body(name="x"), "'x'", "'image'"),
                (infer_body(shape=[1, 784]), "[1,784]", "[-1,1,28,28]"),
                (infer_body(shape=[-1, 1, 28, 28]), "dimension 0"),
                (infer_body(shape=[1.5, 1, 28, 28]), "dimension 0"),
                (infer_body(shape=[1 << 62, 1 << 40, 28, 28]), "too many"),
                (infer_body(shape=[big, 1, 28, 28])[:400] + "]", "JSON"),
                (infer_body(shape=[0, 1, 28, 28], data=[]), "no input"),
                (infer_body(datatype="FP31"), "FP31"), (infer_body(datatype="FP16"), "binary"),
                (infer_body(datatype="UINT8", data=[256] * 784), "256"),
                (infer_body(datatype="INT8", data=[0.5] * 784), "0.5"),
                (infer_body(data=[1e60] * 784), "FP32"), (infer_body(data="x"), "data"),
                (infer_body(data=[1]), "1 element", "784"), (infer_body(data=["a"]), "numbers"),
                (infer_body(data=[0] * 785), "784"), (infer_body(id=3), "id"),
                (infer_body(outputs=[{"name": "y"}]), "'y'"), (infer_body(outputs={}), "outputs"),
                (infer_body(outputs=[{}] * 9), "9"), (infer_body(parameters=1), "parameters"),
                (infer_body(parameters={"max_loss": 2}), "max_loss"),
                ('{"a":' + "[" * 200 + "]" * 200 + "}", "100"), ('{"a":1,"a":2}', "duplicate")):
            self.assert_error(self.infer(body), 400, *words)

    def test_bad_binary_framing_is_refused(self):
        raw = struct.pack("<784f", *floats())
        tensor = {"name": "image", "shape": [1, 1, 28, 28], "datatype": "FP32",
                  "parameters": {"binary_data_size": len(raw)}}
        head = json.dumps({"inputs": [tensor]}).encode()
        for size in ("99999999", "-1", "x", "", str(len(head) - 1)):
            answer = self.infer(head + raw, {"Inference-Header-Content-Length": size})
            self.assert_error(answer, 400)
        self.assert_error(self.infer(head + raw[:-4],
                                     {"Inference-Header-Content-Length": str(len(head))}), 400)
        self.assert_error(self.infer(head), 400)
        tensor = {"name": "image", "shape": [0, 1, 28, 28], "datatype": "FP32",
                  "parameters": {"binary_data_size": 0}}
        self.assert_error(self.infer(json.dumps({"inputs": [tensor]})), 400,
                          "Inference-Header-Content-Length")

    def test_too_many_rows_are_refused(self):
        body = infer_body(shape=[300, 1, 28, 28], data=[0] * 300 * 784)
        self.assert_error(self.infer(body), 413, "300", "256")


if __name__ == "__main__":
    main()
