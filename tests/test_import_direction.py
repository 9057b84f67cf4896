"""Who may import whom, read off the syntax trees: one way, no cycles, nothing heavy behind `--help`, no pickle."""

import ast
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("engine", "features", "models", "simulate", "stages", "pipeline", "cli")
HEAVY = {"numpy", "pandas", "torch", "sklearn", "cv2", "numba", "scipy", "lightgbm", "xgboost", "matplotlib", "pyarrow"}
RUNS_CODE = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "shelve", "marshal", "jsonpickle", "subprocess"}
RUNS_CODE_CALLS = {"joblib.load", "joblib.dump", "yaml.load", "yaml.unsafe_load", "torch.load", "pandas.read_pickle",
                   "pd.read_pickle", "eval", "exec", "compile", "__import__", "os.system", "os.popen"}  # fmt: skip
TORCHSCRIPT = {("features._embedder", "torch.jit.load")}
"""The one place that runs code of a file: --backbone with a TorchScript file, which the user names and is warned of."""
GROUND_FLOOR = {"features._channels": 0, "features._table": 1, "features._device": 2}


@dataclass(frozen=True)
class Import:
    """`name` is what stands in the source; `deferred` means inside a function."""

    name: str
    deferred: bool


def read_project(root):
    """Syntax trees of all rooms by dotted name, packages by their own name."""
    files = [path for room in ROOMS for path in (root / f"{room}.py", *(root / room).rglob("*.py")) if path.is_file()]
    names = [".".join(p.relative_to(root).with_suffix("").parts).removesuffix(".__init__") for p in files]
    return {name: ast.parse(path.read_text()) for name, path in zip(names, files, strict=True)}


def imports_of(name, trees):
    """What a module imports, submodules by their full name."""
    deferred = {
        inner
        for node in ast.walk(trees[name])
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for inner in ast.walk(node)
    }
    found = set()
    for node in ast.walk(trees[name]):
        if isinstance(node, ast.Import):
            found |= {Import(alias.name, node in deferred) for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name}: import by full name, not relative (line {node.lineno})"
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                found.add(Import(full if full in trees else node.module, node in deferred))
    return found


def ours(name, trees):
    """The project's own modules that a module imports, now or later."""
    return {i.name for i in imports_of(name, trees) if i.name.split(".")[0] in ROOMS}


def is_family(name):
    room, _, rest = name.partition(".")
    return room == "features" and bool(rest) and not rest.startswith("_")


def floor(name):
    """Height of a module in features: what it imports lies no higher. The package itself stands on the families."""
    if name == "features":
        return 5
    if name.startswith("features._kernels"):
        return 1
    return GROUND_FLOOR.get(name, 4 if is_family(name) else 3)


def room_breaches(name, imported):
    """Why a module may not import another, if so."""
    room, target = name.split(".")[0], imported.split(".")[0]
    forbidden = {
        "engine": {"features", "models", "simulate", "stages", "pipeline", "cli"},
        "features": {"models", "simulate", "stages", "pipeline", "cli"},
        "models": {"features", "simulate", "stages", "pipeline", "cli"},
        "simulate": {"models", "stages", "pipeline", "cli"},
        "stages": {"pipeline", "cli"},
        "pipeline": {"cli"},
        "cli": set(),
    }
    if target in forbidden[room]:
        yield f"{name} imports {imported}: {room} may not know {target}"
    if room == "simulate" and (is_family(imported) or imported == "features"):
        yield f"{name} imports {imported}: simulate may not know the families"
    if (
        name in ("models.labels", "models.metrics")
        and target == "models"
        and imported not in ("models.labels", "models")
    ):
        yield f"{name} imports {imported}: labels and metrics are the ground floor of models"


def feature_breaches(name, imported):
    """The order inside features: channels, table, kernels, device, plumbing, families, package, its users."""
    if not (name.startswith("features") and imported.startswith("features")):
        return
    if is_family(name) and is_family(imported):
        yield f"{name} imports {imported}: families do not know each other"
    elif is_family(name) and imported.startswith("features._kernels"):
        yield f"{name} imports {imported}: a family asks its device for kernels"
    elif name.startswith("features._kernels") and not imported.startswith("features._kernels"):
        yield f"{name} imports {imported}: kernels know only kernels"
    elif floor(imported) > floor(name) and not (floor(name) == 3 and imported == "features"):
        yield f"{name} imports {imported}: upstairs"


def direction_breaches(trees):
    """Every import that goes the wrong way."""
    return [
        breach
        for name in trees
        for imported in sorted(ours(name, trees))
        for breach in (*room_breaches(name, imported), *feature_breaches(name, imported))
        if imported != name
    ]


def cycle(trees):
    """The modules of an import cycle, deferred imports included; empty if there is none."""
    graph = {name: {i for i in ours(name, trees) if i in trees and i != name} for name in trees}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1]
    return []


def heavy_at_start(trees, entry="cli"):
    """Heavy packages that importing `entry` pulls in, through the project's own modules and their packages."""
    waiting, seen, heavy = [entry], set(), set()
    while waiting:
        name = waiting.pop()
        if name in seen or name not in trees:
            continue
        seen.add(name)
        parts = name.split(".")
        waiting += [".".join(parts[:k]) for k in range(1, len(parts))]
        for i in imports_of(name, trees):
            if not i.deferred:
                waiting.append(i.name)
                heavy |= {f"{name} imports {i.name}"} if i.name.split(".")[0] in HEAVY else set()
    return sorted(heavy)


def code_from_files(trees):
    """Whatever could run code that comes with a file."""
    found = []
    for name, tree in trees.items():
        found += [f"{name} imports {i.name}" for i in imports_of(name, trees) if i.name.split(".")[0] in RUNS_CODE]
        for node in (n for n in ast.walk(tree) if isinstance(n, ast.Call)):
            called = ast.unparse(node.func)
            pickled = any(k.arg == "allow_pickle" and ast.unparse(k.value) != "False" for k in node.keywords)
            if (
                called in RUNS_CODE_CALLS
                or pickled
                or (called.endswith("jit.load") and (name, called) not in TORCHSCRIPT)
            ):
                found.append(f"{name} calls {called} (line {node.lineno})")
    return found


@pytest.fixture(scope="module")
def project():
    return read_project(ROOT)


def test_every_room_was_read(project):
    rooms = {path.parent.name for path in ROOT.glob("[a-z]*/__init__.py")} | {path.stem for path in ROOT.glob("*.py")}
    assert rooms - {"tests", "benchmarks"} <= set(ROOMS)
    assert {"cli", "engine.errors", "features._cells", "features._kernels_cpu.pixels", "models", "simulate"} <= set(
        project
    )


def test_imports_point_one_way(project):
    assert direction_breaches(project) == []


def test_no_cycle(project):
    assert cycle(project) == []


def test_help_imports_nothing_heavy(project):
    assert heavy_at_start(project) == []


def test_no_file_brings_code(project):
    assert code_from_files(project) == []


BREACHES = [
    (direction_breaches, "engine/run_folder.py", "import features._cells"),
    (direction_breaches, "features/_cells.py", "from models.labels import ORGANELLES"),
    (direction_breaches, "features/texture.py", "def measure():\n    from features import radial"),
    (direction_breaches, "features/texture.py", "from features._kernels_cpu import radial"),
    (direction_breaches, "features/_table.py", "from features._device import Device"),
    (direction_breaches, "features/_cells.py", "from features.radial import measure"),
    (direction_breaches, "features/_kernels_cpu/radial.py", "from features._cells import Cells"),
    (direction_breaches, "models/fit.py", "import pipeline"),
    (direction_breaches, "stages/fitting.py", "import pipeline"),
    (direction_breaches, "models/labels.py", "from models import fit"),
    (direction_breaches, "simulate/_cell.py", "from features import radial"),
    (cycle, "features/_cells.py", "def make():\n    import features"),
    (heavy_at_start, "engine/errors.py", "import numpy as np"),
    (heavy_at_start, "engine/__init__.py", "if True:\n    from scipy import ndimage"),
    (code_from_files, "models/fit.py", "import pickle"),
    (code_from_files, "models/fit.py", "import joblib\njoblib.load('x')"),
    (code_from_files, "models/fit.py", "import numpy as np\nnp.load('x', allow_pickle=True)"),
    (code_from_files, "simulate/_cell.py", "eval('1')"),
    (code_from_files, "models/fit.py", "import torch\ntorch.load('x')"),
    (code_from_files, "models/fit.py", "import torch\ntorch.jit.load('x')"),
    (code_from_files, "models/fit.py", "import subprocess\nsubprocess.run('x', shell=True)"),
    (code_from_files, "models/fit.py", "import os\nos.system('x')"),
    (code_from_files, "models/fit.py", "import yaml\nyaml.load('x')"),
    (code_from_files, "models/fit.py", "import shelve"),
]


@pytest.mark.parametrize(("rule", "path", "source"), BREACHES)
def test_each_rule_catches_its_breach(tmp_path, rule, path, source):
    """A small house in order, then with one wrong line."""
    good = {
        "cli.py": "from engine.errors import E\n\ndef main():\n    import pipeline",
        "pipeline.py": "import features._shards, models.fit",
        "engine/__init__.py": "",
        "engine/errors.py": "",
        "engine/run_folder.py": "from engine.errors import E",
        "features/__init__.py": "from features._cells import Cells",
        "features/_channels.py": "",
        "features/_table.py": "from features._channels import C",
        "features/_device.py": "def open_device():\n    from features import _kernels_cpu",
        "features/_cells.py": "from features._device import Device",
        "features/_shards.py": "from features import columns",
        "features/radial.py": "from features._cells import Cells",
        "features/texture.py": "from features._cells import Cells",
        "features/_kernels_cpu/__init__.py": "",
        "features/_kernels_cpu/radial.py": "import numpy",
        "stages/fitting.py": "import models.fit",
        "models/__init__.py": "",
        "models/labels.py": "",
        "models/fit.py": "from models.labels import L",
        "simulate/__init__.py": "",
        "simulate/_cell.py": "from features._channels import C",
    }
    for name, text in good.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert not rule(read_project(tmp_path))
    (tmp_path / path).write_text(source)
    assert rule(read_project(tmp_path))
