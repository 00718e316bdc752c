"""Workers that help with a lone request's runs: the same bits, and only when nothing else waits."""
import random
import struct
import threading
import unittest

from daemon import MODELS, Daemon, main

MODEL = "cifar10-resnet9"
INFER = f"/v2/models/{MODEL}/infer?max_loss=0"


def picture(seed):
    chance = random.Random(seed)
    return struct.pack("<3072f", *(chance.uniform(-2, 2) for _ in range(3072)))


PICTURES = [picture(seed) for seed in range(8)]


@unittest.skipUnless((MODELS / MODEL).exists(), f"models/{MODEL} is not there")
class Teams(unittest.TestCase):
    def start(self, **options):
        d = Daemon(**options)
        self.addCleanup(d.kill)
        return d

    def classify(self, daemon, n):
        """The probabilities of n pictures, one after the other over one connection."""
        c, answers = daemon.connect(), []
        for i in range(n):
            c.request("POST", INFER, PICTURES[i % len(PICTURES)], {"Inference-Header-Content-Length": "0"})
            r = c.getresponse()
            body = r.read()
            self.assertEqual(r.status, 200, body)
            answers.append(body[int(r.headers["Inference-Header-Content-Length"]):])
        c.close()
        return answers

    def helped(self, daemon):
        return daemon.metric("alight_helped_runs_total")

    def test_answers_are_the_same_bits_with_and_without_help_alone_and_under_load(self):
        alone = self.start(workers=1)
        want = self.classify(alone, len(PICTURES))
        self.assertEqual(self.helped(alone), 0)
        self.assertEqual(alone.stop(), 0)
        d = self.start(workers=3, team_threads=3)
        d.wait_until(lambda: self.classify(d, len(PICTURES)) == want and self.helped(d) > 0)
        answers = [None] * 6

        def client(i):
            answers[i] = self.classify(d, 5 * len(PICTURES))

        threads = [threading.Thread(target=client, args=(i,)) for i in range(len(answers))]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual(answers, [want * 5] * len(answers))
        stages = [s for m in d.stats()["models"] if m["name"] == MODEL for s in m["stages"]]
        self.assertEqual(sum(s["helped_runs"] for s in stages), self.helped(d))
        self.assertEqual(d.stop(), 0)

    def test_help_can_be_turned_off(self):
        d = self.start(workers=2, team_threads=1)
        self.classify(d, 100)
        self.assertEqual(self.helped(d), 0)
        self.assertEqual(d.stop(), 0)

    def test_small_runs_wake_nobody(self):
        d = self.start(workers=2)
        c = d.connect()
        body = struct.pack("<784f", *([0.5] * 784))
        for _ in range(50):
            c.request("POST", "/v2/models/fashion-blenet/infer", body,
                      {"Inference-Header-Content-Length": "0"})
            r = c.getresponse()
            self.assertEqual(r.status, 200, r.read())
            r.read()
        self.assertLess(self.helped(d), 25)  # a machine that stands still makes any run long
        self.assertEqual(d.stop(), 0)


if __name__ == "__main__":
    main()
