"""Who may import whom, read off the syntax trees: one way, no cycles, nothing heavy behind `--help`, no pickle."""

import ast
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("engine", "store", "features", "models", "simulate", "report", "review", "commands", "pipeline", "cli")
MAY_IMPORT = {
    "engine": set(),
    "store": {"engine"},
    "features": {"engine", "store"},
    "models": {"engine", "store"},
    "simulate": {"engine", "store"},
    "report": {"engine", "store", "features", "models"},
    "review": {"engine", "store", "features", "models", "report"},
    "commands": {"engine", "store", "features", "models", "simulate", "report", "review"},
    "pipeline": set(ROOMS) - {"pipeline", "cli"},
    "cli": set(ROOMS) - {"cli"},
}
"""The rooms below each; its own modules besides."""

FLOORS = {
    "features": (
        ("features.kernels",),
        ("features.core",),
        (),  # the families: every module of features/ itself
        ("features",),
        ("features.reading",),
        ("features.segmentation",),
        ("features.embedding", "features.extraction"),
    ),
    "models": (
        ("models.data", "models.row_sums"),
        ("models.folds", "models.evaluation.metrics"),
        ("models.first_level", "models.settings"),
        ("models.second_level",),
        ("models.evaluation",),
        ("models.fit", "models.fit_file", "models.fitted"),
        ("models.explanation",),
        ("models.trust",),
        ("models.estimator",),
    ),
}
"""Inside a room a module imports from its own floor and those before it."""

FAMILIES = 2
HEAVY = {"numpy", "pandas", "torch", "sklearn", "cv2", "numba", "scipy", "lightgbm", "xgboost", "matplotlib", "pyarrow"}
RUNS_CODE = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "shelve", "marshal", "jsonpickle", "subprocess"}
RUNS_CODE_CALLS = {"joblib.load", "joblib.dump", "yaml.load", "yaml.unsafe_load", "torch.load", "pandas.read_pickle",
                   "pd.read_pickle", "eval", "exec", "compile", "__import__", "os.system", "os.popen"}  # fmt: skip
TORCHSCRIPT = {("features.embedding.backbone", "torch.jit.load")}
"""The one place that runs code of a file: --backbone with a TorchScript file, which the user names and is warned of."""


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
    return room == "features" and bool(rest) and "." not in rest and not is_package(name)


def is_package(name):
    return any(name == one or name.startswith(f"{one}.") for floor in FLOORS["features"] for one in floor if "." in one)


def floor(name):
    """Height of a module in its room; None where the room has no floors."""
    if is_family(name):
        return FAMILIES
    floors = FLOORS.get(name.split(".")[0], ())
    fitting = [(len(one), k) for k, names in enumerate(floors) for one in names if (name + ".").startswith(one + ".")]
    return max(fitting)[1] if fitting else None


def room_breaches(name, imported):
    """Why a module may not import another, if so."""
    room, target = name.split(".")[0], imported.split(".")[0]
    if target != room and target not in MAY_IMPORT[room]:
        yield f"{name} imports {imported}: {room} may not know {target}"
    folder = imported.rpartition(".")[0]
    if imported.rpartition(".")[2].startswith("_") and folder not in (name, name.rpartition(".")[0]):
        yield f"{name} imports {imported}: private to its folder"
    if target == room and None not in (floor(name), floor(imported)) and floor(imported) > floor(name):
        yield f"{name} imports {imported}: upstairs"


def feature_breaches(name, imported):
    """Families know neither each other nor the kernels; kernels know only kernels, and how they are compiled."""
    if is_family(name) and is_family(imported):
        yield f"{name} imports {imported}: families do not know each other"
    if is_family(name) and imported.startswith("features.kernels"):
        yield f"{name} imports {imported}: a family asks its device for kernels"
    if name.startswith("features.kernels") and not imported.startswith(("features.kernels", "engine.running.compiled")):
        yield f"{name} imports {imported}: kernels know only kernels"


def direction_breaches(trees):
    """Every import that goes the wrong way."""
    return private_names(trees) + [
        breach
        for name in trees
        for imported in sorted(ours(name, trees))
        for breach in (*room_breaches(name, imported), *feature_breaches(name, imported))
        if imported != name
    ]


def private_names(trees):
    """Underscored names of one file that another imports or reaches for."""
    found = []
    for name, tree in trees.items():
        modules = {}
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module.split(".")[0] in ROOMS:
                for alias in node.names:
                    full = f"{node.module}.{alias.name}"
                    if full in trees:
                        modules[alias.asname or alias.name] = full
                    elif alias.name.startswith("_"):
                        found.append(f"{name} imports {full}: private to its file")
        found += [
            f"{name} reaches for {modules[node.value.id]}.{node.attr}: private to its file"
            for node in ast.walk(tree)
            if isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and node.value.id in modules
            and node.attr.startswith("_")
            and not node.attr.startswith("__")
        ]
    return found


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
    assert {"cli", "engine.errors", "features.core.cells", "features.kernels.cpu.pixels", "models", "simulate"} <= set(
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
    (direction_breaches, "engine/files.py", "import features.core.cells"),
    (direction_breaches, "engine/files.py", "import store.stamp"),
    (direction_breaches, "store/stamp.py", "from models.data.labels import ORGANELLES"),
    (direction_breaches, "features/core/cells.py", "from models.data.labels import ORGANELLES"),
    (direction_breaches, "features/texture.py", "def measure():\n    from features import radial"),
    (direction_breaches, "features/texture.py", "from features.kernels.cpu import radial"),
    (direction_breaches, "features/core/cells.py", "from features.radial import measure"),
    (direction_breaches, "features/core/cells.py", "from features.reading import fields"),
    (direction_breaches, "features/kernels/cpu/radial.py", "from features.core.cells import Cells"),
    (direction_breaches, "features/extraction/shards.py", "from features.kernels.cpu import _jit"),
    (direction_breaches, "models/fit.py", "import pipeline"),
    (direction_breaches, "models/fit.py", "from report import page"),
    (direction_breaches, "models/fit.py", "from features.core.cells import Cells"),
    (direction_breaches, "models/data/labels.py", "from models import fit"),
    (direction_breaches, "models/first_level/linear.py", "from models.second_level import stacking"),
    (direction_breaches, "models/fit.py", "from models.trust import conformal"),
    (direction_breaches, "models/fit.py", "from models.data.labels import _LABEL"),
    (direction_breaches, "models/fit.py", "from models.data import labels\nlabels._LABEL"),
    (direction_breaches, "report/page.py", "import commands.fit"),
    (direction_breaches, "commands/fit.py", "import pipeline"),
    (direction_breaches, "simulate/cell.py", "from features import radial"),
    (cycle, "features/core/cells.py", "def make():\n    import features"),
    (heavy_at_start, "engine/errors.py", "import numpy as np"),
    (heavy_at_start, "engine/__init__.py", "if True:\n    from scipy import ndimage"),
    (code_from_files, "models/fit.py", "import pickle"),
    (code_from_files, "models/fit.py", "import joblib\njoblib.load('x')"),
    (code_from_files, "models/fit.py", "import numpy as np\nnp.load('x', allow_pickle=True)"),
    (code_from_files, "simulate/cell.py", "eval('1')"),
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
        "pipeline.py": "import commands.fit, models.fit",
        "engine/__init__.py": "",
        "engine/errors.py": "",
        "engine/files.py": "from engine.errors import E",
        "store/__init__.py": "",
        "store/stamp.py": "from engine.files import whole",
        "features/__init__.py": "from features.core.cells import Cells",
        "features/core/__init__.py": "",
        "features/core/device.py": "def open_device():\n    from features.kernels import cpu",
        "features/core/cells.py": "from features.core.device import Device",
        "features/reading/__init__.py": "",
        "features/reading/fields.py": "",
        "features/extraction/__init__.py": "",
        "features/extraction/shards.py": "from features import columns",
        "features/radial.py": "from features.core.cells import Cells",
        "features/texture.py": "from features.core.cells import Cells",
        "features/kernels/__init__.py": "",
        "features/kernels/cpu/__init__.py": "",
        "features/kernels/cpu/_jit.py": "",
        "features/kernels/cpu/radial.py": "from features.kernels.cpu import _jit",
        "models/__init__.py": "",
        "models/data/__init__.py": "",
        "models/data/labels.py": "_LABEL = 1",
        "models/first_level/__init__.py": "",
        "models/first_level/linear.py": "",
        "models/second_level/__init__.py": "",
        "models/second_level/stacking.py": "",
        "models/trust/__init__.py": "",
        "models/trust/conformal.py": "from models import fit",
        "models/fit.py": "from models.data.labels import L",
        "report/__init__.py": "",
        "report/page.py": "import models.fit",
        "commands/__init__.py": "",
        "commands/fit.py": "import models.fit",
        "simulate/__init__.py": "",
        "simulate/cell.py": "from store.stamp import C",
    }
    for name, text in good.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert not rule(read_project(tmp_path))
    (tmp_path / path).write_text(source)
    assert rule(read_project(tmp_path))
