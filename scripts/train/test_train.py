#!/usr/bin/python3
"""Tests of the trainer: every network takes a step and exports; splits and resuming reproduce."""
import dataclasses
import sys
import tempfile
import unittest
from pathlib import Path

SKIP = 77                                           # meson's exit code for a skipped test

try:
    import onnx
    import torch
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(SKIP)

import numpy as np

import data
import distill
import export
import finetune
import heads
import onnx_net
import pruning
import regenerate
import trainer
import windows
from nets import NETWORKS
from nets.base import count_parameters, fold_standardisation


def synthetic(kind, count=64):
    """A data set of noise with the shape of `kind`: enough to take steps on."""
    shape = (28, 28, 1) if kind == "fashion" else (32, 32, 3)
    rng = np.random.default_rng(0)
    part = data.Part(rng.integers(0, 256, (count, *shape), np.uint8), np.arange(count) % 10)
    return data.Dataset(part, part, part, [f"class {i}" for i in range(10)],
                        mean=[0.5] * shape[2], std=[0.25] * shape[2])


def short(recipe, **changes):
    return dataclasses.replace(recipe, epochs=1, batch=32, low_res_share=0.0, **changes)


class EveryNetwork(unittest.TestCase):
    def test_takes_joint_steps_and_exports_one_output_per_exit(self):
        for name, entry in NETWORKS.items():
            with self.subTest(name), tempfile.TemporaryDirectory() as folder:
                dataset, net = synthetic(entry.data), entry.build()
                run = trainer.Trainer(net, dataset, short(entry.recipe, trunk_share=0.0), folder, 1)
                before = [p.detach().clone() for p in net.parameters()]
                run.run_epoch()
                self.assertTrue(all(not torch.equal(a, b) for a, b in zip(before, net.parameters())))
                export.write_package(net, dataset, folder)
                graph = onnx.load(str(Path(folder) / "1" / "model.onnx")).graph
                self.assertEqual([o.name for o in graph.output], net.exit_names)
                self.assertEqual(graph.input[0].type.tensor_type.shape.dim[0].dim_param, "N")

    def test_answers_at_the_size_it_is_first_trained_at(self):
        for name, entry in NETWORKS.items():
            if entry.recipe.low_res_share:
                with self.subTest(name), torch.no_grad():
                    side = entry.recipe.low_res
                    logits = entry.build().eval()(torch.zeros(1, 3, side, side))
                    self.assertTrue(all(z.shape == (1, 10) for z in logits))

    def test_keeps_its_final_exit_when_made_plain(self):
        for name, entry in NETWORKS.items():
            with self.subTest(name):
                dataset, net = synthetic(entry.data, 8), entry.build()
                both = trainer.predict(net, dataset, dataset.test)
                alone = trainer.predict(net.plain(), dataset, dataset.test)
                self.assertTrue(torch.equal(both[-1:], alone))


    def test_answers_the_same_once_its_heads_are_folded(self):
        for name in ("cifar10-resnet9", "cifar10-bdensenet"):
            with self.subTest(name), torch.no_grad():
                net = NETWORKS[name].build().train()
                x = torch.randn(16, 3, 32, 32)
                net(x)                                          # running means leave zero
                before = torch.stack(net.eval()(x))
                after = torch.stack(fold_standardisation(net)(x))
                self.assertTrue(torch.allclose(before, after, atol=1e-4))


class Training(unittest.TestCase):
    def run_for(self, folder, epochs, stop_after):
        entry = NETWORKS["fashion-blenet"]
        net = entry.build()
        recipe = dataclasses.replace(short(entry.recipe), epochs=epochs)
        run = trainer.Trainer(net, synthetic("fashion"), recipe, folder, seed=3)
        run.resume()
        while run.epoch < stop_after:
            run.one_epoch()
        return net.state_dict()

    def test_resumed_after_a_kill_ends_where_an_unbroken_run_does(self):
        with tempfile.TemporaryDirectory() as whole, tempfile.TemporaryDirectory() as broken:
            expected = self.run_for(whole, 3, 3)
            self.run_for(broken, 3, 1)
            resumed = self.run_for(broken, 3, 3)
        for key, value in expected.items():
            self.assertTrue(torch.equal(value, resumed[key]), key)


class Methods(unittest.TestCase):
    def parts(self, folder):
        entry = NETWORKS["fashion-bresnet8"]
        recipe = dataclasses.replace(short(entry.recipe), epochs=4)
        return entry.build(), synthetic("fashion"), recipe, folder, 1

    def test_pruned_network_answers_as_the_masked_one_did(self):
        for rapid in (False, True):
            with self.subTest(rapid=rapid), tempfile.TemporaryDirectory() as folder:
                run = pruning.PruneTrainer(*self.parts(folder), target=0.5, rapid=rapid)
                n_before = count_parameters(run.net)
                for _ in range(4):
                    run.one_epoch()
                masked = trainer.predict(run.net, run.dataset, run.dataset.test)
                run.finish()
                shrunk = trainer.predict(run.net, run.dataset, run.dataset.test)
                self.assertTrue(torch.allclose(masked, shrunk, atol=1e-4))
                self.assertLess(count_parameters(run.net), 0.75 * n_before)

    def test_heads_learn_on_a_trunk_that_stays_as_it_was(self):
        with tempfile.TemporaryDirectory() as folder:
            trunk_run = trainer.Trainer(*self.parts(folder))
            trunk_run.one_epoch()
            net, *rest = self.parts(folder)
            trunk = heads.trunk_state(Path(folder), net)
            run = heads.HeadTrainer(net, *rest, trunk=trunk)
            before = trainer.predict(net, run.dataset, run.dataset.test)
            run.run_epoch()
            after = trainer.predict(net, run.dataset, run.dataset.test)
            self.assertTrue(torch.equal(before[-1], after[-1]))
            self.assertFalse(torch.equal(before[0], after[0]))

    def test_the_mean_of_runs_is_that_of_their_weights(self):
        with tempfile.TemporaryDirectory() as folder:
            folders = [Path(folder) / name for name in "ab"]
            for at, value in zip(folders, (1.0, 4.0)):
                at.mkdir()
                torch.save({"net": {"weight": torch.full((2, 3), value),
                                    "count": torch.tensor(int(value))}}, at / "checkpoint.pt")
            mean = trainer.mean_state(folders)
            self.assertTrue(torch.equal(mean["weight"], torch.full((2, 3), 2.5)))
            self.assertEqual(mean["count"].dtype, torch.int64)

    def test_a_trunk_is_taken_over_however_it_is_cut(self):
        with tempfile.TemporaryDirectory() as folder:
            source = NETWORKS["cifar10-bresnet20"].build()
            torch.save({"net": source.state_dict()}, Path(folder) / "checkpoint.pt")
            net = NETWORKS["cifar10-bresnet20-conv"].build()
            net.load_state_dict(heads.trunk_state(Path(folder), net), strict=False)
            images = synthetic("cifar10", 4)
            self.assertTrue(torch.equal(trainer.predict(source, images, images.test)[-1],
                                        trainer.predict(net, images, images.test)[-1]))
            with self.assertRaises(SystemExit):
                heads.trunk_state(Path(folder), NETWORKS["cifar10-resnet9"].build())

    def test_onnx_network_answers_as_its_source_and_keeps_its_graph_when_trained(self):
        for name in ("cifar10-balexnet", "cifar10-bdensenet", "fashion-blenet"):
            with self.subTest(name), tempfile.TemporaryDirectory() as folder:
                entry = NETWORKS[name]
                net, dataset = entry.build(), synthetic(entry.data)
                source, target = Path(folder) / "a.onnx", Path(folder) / "b.onnx"
                export.write_onnx(net, export.sample_input(dataset, 2), source)
                tuned = onnx_net.OnnxNet(source)
                x = export.sample_input(dataset, 8)
                with torch.no_grad():
                    for a, b in zip(net.eval()(x), tuned(x)):
                        self.assertTrue(torch.allclose(a, b, atol=1e-4))
                run = finetune.FineTuner(tuned, dataset, short(entry.recipe), folder, 1)
                run.one_epoch()
                tuned.save(target)
                nodes = [onnx.load(str(path)).graph.node for path in (source, target)]
                self.assertEqual(nodes[0], nodes[1])
                again = onnx_net.OnnxNet(target)
                self.assertTrue(torch.allclose(tuned(x)[-1], again(x)[-1], atol=1e-4))

    def test_regeneration_raises_gammas_below_the_median_to_it(self):
        net = NETWORKS["fashion-bresnet8"].build()
        values = regenerate.gammas(net)
        with torch.no_grad():
            values[0][:8] = 0.001
        self.assertEqual(regenerate.dead_channels(net)[0], 8)
        regenerate.regenerate(net)
        self.assertEqual(regenerate.dead_channels(net)[0], 0)
        self.assertTrue(torch.equal(values[0][:8], torch.ones(8)))

    def test_windows_are_dropped_while_training_only(self):
        with tempfile.TemporaryDirectory() as folder:
            net, recipe = NETWORKS["cifar10-bvit"].build(), NETWORKS["cifar10-bvit"].recipe
            run = windows.WindowTrainer(net, synthetic("cifar10", 32), short(recipe), folder, 1,
                                        random=False)
            kept, forward = [], net.segments[0][0].forward

            def count(image):
                tokens = forward(image)
                kept.append(tokens.shape[1] // 4)
                return tokens

            net.segments[0][0].forward = count
            for number in range(4):
                run.step(number, (run.dataset.train.images, run.dataset.train.labels, None))
            run.after_epoch()
            net(torch.zeros(1, 3, 32, 32))
        self.assertGreater(len(set(kept[:-1])), 1)
        self.assertTrue(all(6 <= n <= 16 for n in kept))
        self.assertEqual(kept[-1], 16)

    def test_distillation_loss_is_zero_for_a_student_that_equals_its_teacher(self):
        z = torch.randn(5, 10)
        self.assertAlmostEqual(distill.distillation_loss(z, z, 3.0).item(), 0.0, places=6)
        self.assertGreater(distill.distillation_loss(z, -z, 3.0).item(), 0.1)


class Data(unittest.TestCase):
    def test_calibration_part_is_balanced_and_a_function_of_the_labels(self):
        labels = np.random.default_rng(1).permutation(np.arange(6000) % 10)
        held = data.calibration_indices(labels, per_class=50)
        self.assertEqual(np.bincount(labels[held]).tolist(), [50] * 10)
        self.assertTrue(np.array_equal(held, data.calibration_indices(labels, per_class=50)))

    def test_idx_file_reads_back_what_was_written(self):
        images = np.random.default_rng(2).integers(0, 256, (3, 4, 5), np.uint8)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "x.gz"
            data.write_idx(path, images)
            self.assertTrue(np.array_equal(data.read_idx(path), images))

    def test_shift_and_mirror_only_move_pixels(self):
        part = synthetic("cifar10", 1).train
        batches = data.Batches(part, 1, 0, True, "constant", seed=1)
        (images, _, _), = batches.epoch(0)
        same = np.array_equal(images, part.images)
        self.assertTrue(same or np.array_equal(images, part.images[:, :, ::-1]))


if __name__ == "__main__":
    torch.set_num_threads(1)
    unittest.main()
