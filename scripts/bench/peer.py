"""ONNX Runtime as the peer of comparisons: got from npm into a folder outside the tree, run
by Node (peer.js), asked one thing at a time."""
import contextlib
import json
import pathlib
import subprocess
import tempfile

from common import need

NAME = "onnxruntime-node"


class PeerError(Exception):
    """What the peer says it cannot do."""


@contextlib.contextmanager
def installed(cache):
    """The folder of node_modules: kept in `cache`, or a temporary one without."""
    if cache:
        pathlib.Path(cache).mkdir(parents=True, exist_ok=True)
        yield install(cache)
        return
    with tempfile.TemporaryDirectory() as folder:
        yield install(folder)


def install(folder):
    modules = pathlib.Path(folder) / "node_modules"
    if not (modules / NAME).exists():
        need("npm")
        subprocess.run(["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund",
                        "--silent", "--prefix", folder, NAME], check=True)
    return modules


def version(modules):
    return json.loads((modules / NAME / "package.json").read_text())["version"]


class Peer:
    """The Node process."""

    def __init__(self, modules):
        script = pathlib.Path(__file__).with_name("peer.js")
        self.process = subprocess.Popen(["node", str(script), str(modules)], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()

    def ask(self, action, **request):
        self.process.stdin.write(json.dumps({"do": action, **request}) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise PeerError(f"{NAME} has ended")
        answer = json.loads(line)
        if "error" in answer:
            raise PeerError(answer["error"])
        return answer

    def time(self, model, batch, seconds):
        """Processor microseconds per row."""
        return self.ask("time", model=str(model), batch=batch, seconds=seconds)["us"]

    def run(self, model, inputs, folder):
        """{output name: array} for {input name: float32 array}; files go to `folder`."""
        import numpy
        given = {}
        for i, (name, array) in enumerate(inputs.items()):
            file = pathlib.Path(folder) / f"input{i}.f32"
            file.write_bytes(numpy.ascontiguousarray(array, "<f4").tobytes())
            given[name] = {"file": str(file), "dims": array.shape}
        outputs = self.ask("run", model=str(model), inputs=given, folder=str(folder))["outputs"]
        return {name: numpy.fromfile(o["file"], "<f4").reshape(o["dims"])
                for name, o in outputs.items()}

    def serve(self, model, batch, runs):
        """Load time in ms and the process's peak in KB; model None: of the bare process."""
        return self.ask("serve", model=model and str(model), batch=batch, runs=runs)
