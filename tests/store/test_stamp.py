"""A result is made anew exactly when something that it depends on has changed: settings, data, or a source."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.extraction.pooling import pooling_code
from features.extraction.settings import ExtractSettings
from models.explanation.importance_file import importance_code
from models.first_level.training import member_code
from models.fit import fit_code
from simulate import simulate
from store import stamp as stamps
from store.stamp import code_of, sources_of, stamp, stamp_of, stamped

ROOMS = ("engine", "store", "features", "models", "simulate", "report", "commands")
NETWORK = "any network"

CODES = {
    "cells on a CPU": lambda: ExtractSettings(None, "cpu").code,
    "cells on a GPU": lambda: ExtractSettings(None, "cuda").code,
    "cells with a network": lambda: ExtractSettings(None, "cpu", NETWORK).code,
    "pooled matrix": pooling_code,
    "lightgbm": lambda: member_code("lightgbm"),
    "xgboost": lambda: member_code("xgboost"),
    "linear": lambda: member_code("linear"),
    "kernel": lambda: member_code("kernel"),
    "fit": fit_code,
    "importances": importance_code,
}
MEASURED = {"cells on a CPU", "cells on a GPU", "cells with a network"}
ON_A_CPU = {"cells on a CPU", "cells with a network"}
FIRST_LEVEL = {"lightgbm", "xgboost", "linear", "kernel"}

EDITS = {
    "features/texture.py": MEASURED,
    "features/core/cells.py": MEASURED,
    "features/segmentation/nuclei.py": MEASURED,
    "features/reading/tiff.py": MEASURED,
    "features/core/arithmetic.py": MEASURED,
    "features/extraction/tables.py": MEASURED,
    "store/shards.py": MEASURED,
    "features/kernels/cpu/texture.py": ON_A_CPU,
    "features/kernels/cpu/_jit.py": MEASURED,  # what is measured of whole fields is so on the host, always
    "features/kernels/gpu/texture.py": {"cells on a GPU"},
    "features/kernels/gpu/texture.cu": {"cells on a GPU"},
    "features/kernels/gpu/common.cuh": {"cells on a GPU"},
    "features/embedding/lite0.py": {"cells with a network"},
    "features/embedding/torch_maps.py": {"cells with a network"},
    "features/kernels/gpu/map_pooling.cu": {"cells on a GPU"},
    "features/extraction/pooling.py": {"pooled matrix"},
    "models/first_level/lightgbm.py": {"lightgbm", "importances"},
    "models/first_level/xgboost_file.py": {"xgboost", "importances"},
    "models/first_level/kernel.py": {"kernel", "importances"},
    "models/first_level/class_weights.py": {*FIRST_LEVEL, "fit", "importances"},
    "models/first_level/fold_model.py": {*FIRST_LEVEL, "fit", "importances"},
    "models/first_level/training.py": {*FIRST_LEVEL, "fit", "importances"},
    "models/row_sums.py": {*FIRST_LEVEL, "fit", "importances"},
    "models/second_level/calibration.py": {"fit", "importances"},
    "models/evaluation/leaderboard_rows.py": {"fit"},
    "models/explanation/fold_importance.py": {"importances"},
    "models/trust/conformal.py": set(),
    "report/cards.py": set(),
    "commands/fit.py": set(),
    "engine/running/progress.py": set(),
    "simulate/cell.py": set(),
}


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A copy of the sources that may be edited."""
    for room in ROOMS:
        shutil.copytree(stamps.ROOT / room, tmp_path / room, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(stamps, "ROOT", tmp_path)
    code_of.cache_clear()
    yield tmp_path
    code_of.cache_clear()


def codes():
    code_of.cache_clear()
    return {name: code() for name, code in CODES.items()}


@pytest.mark.parametrize("edited", EDITS)
def test_an_edit_makes_exactly_the_dependent_results_anew(checkout, edited):
    """A constant in Python or in CUDA: whatever depends on it is made anew, and nothing else."""
    before = codes()
    comment = "//" if edited.endswith((".cu", ".cuh")) else "#"
    with (checkout / edited).open("a") as file:
        file.write(f"\n{comment} A_CONSTANT = 2\n")
    after = codes()
    assert {name for name in CODES if before[name] != after[name]} == EDITS[edited]


def test_an_edit_of_a_bound_of_the_class_weights_is_seen(checkout):
    before = codes()
    path = checkout / "models/first_level/class_weights.py"
    text = path.read_text()
    assert "BOUND = 10.0" in text
    path.write_text(text.replace("BOUND = 10.0", "BOUND = 11.0"))
    assert all(codes()[name] != before[name] for name in FIRST_LEVEL)


MEASURING = """
import sys, json
from pathlib import Path
from features.reading.fields import find_fields
from features.extraction.settings import ExtractSettings
from features.extraction.measuring import measure_shard
from store.shards import plan_shards
source = find_fields(Path(sys.argv[1]))
settings = ExtractSettings(None, "cpu")
for shard in plan_shards("train", source.ids, source.fingerprint, settings, Path(sys.argv[2])):
    measure_shard(source, shard, settings)
print(json.dumps([m.__file__ for m in sys.modules.values() if getattr(m, "__file__", None)]))
"""


def test_every_module_that_measures_is_in_the_stamp(tmp_path):
    """What was loaded while a field was measured, against what following imports found."""
    simulate(tmp_path / "data", 1, 0, 128, 0, 1, lambda done, total: None)
    command = [sys.executable, "-c", MEASURING, tmp_path / "data" / "train", tmp_path / "features"]
    run = subprocess.run(command, capture_output=True, text=True, cwd=stamps.ROOT, check=True)
    loaded = {Path(file) for file in json.loads(run.stdout)}
    ours = {path for path in loaded if path.is_relative_to(stamps.ROOT) and ".venv" not in path.parts}
    ours = {path for path in ours if path.relative_to(stamps.ROOT).parts[0] != "engine"}
    known = set(sources_of("features.*", "features.extraction.measuring", "features.kernels.cpu.*"))
    assert stamps.ROOT / "features/kernels/cpu/texture.py" in ours
    finding = set(sources_of("features.reading.fields"))  # counts by the files that it finds, not by its sources
    assert {path for path in ours - known - finding if "embedding" not in path.parts} == set()


IMPORTS = """
import a
@a.decorated(lambda: a)
class C(a.Base):
    def f(self, x=[a for a in ()]):
        from b import c
        async def g():
            async with c: import d
if a: import e
elif c: import f
else: import g
for _ in (): import h
else: import i
while a: import j
try: import k
except ImportError: import l
else: import m
finally: import n
with a: import o
match a:
    case 1: import p
"""


def test_imports_are_found_in_every_kind_of_statement(tmp_path, monkeypatch):
    for name in "abdefghijklmnop":
        (tmp_path / f"{name}.py").touch()
    (tmp_path / "all.py").write_text(IMPORTS)
    monkeypatch.setattr(stamps, "ROOT", tmp_path)
    assert [path.stem for path in sources_of("all")] == ["a", "all", *"bdefghijklmnop"]


def test_settings_data_and_code_all_count():
    mark = stamp({"a": 1}, ["data"], "code")
    assert mark == stamp({"a": 1}, ["data"], "code")
    others = {stamp({"a": 2}, ["data"], "code"), stamp({"a": 1}, ["other"], "code"), stamp({"a": 1}, ["data"], "other")}
    assert len(others | {mark}) == 4


def test_files_carry_their_stamps(tmp_path):
    table, note = tmp_path / "table.parquet", tmp_path / "note.json"
    assert stamp_of(table) is None
    assert stamp_of(note) is None
    pq.write_table(stamped(pa.table({"a": [1]}), "mine"), table)
    note.write_text('{"stamp": "mine"}')
    assert stamp_of(table) == stamp_of(note) == "mine"
    pq.write_table(pa.table({"a": [1]}), table)
    note.write_text('{"stamp": 7}')
    assert stamp_of(table) is None
    assert stamp_of(note) is None
    table.write_bytes(b"PAR1")
    note.write_text("{")
    assert stamp_of(table) is None
    assert stamp_of(note) is None
