"""A small finished run, and the ways in which somebody may have spoilt one of its files."""

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

import pipeline
from commands import data_quality as cleaning
from commands import fit as fitting
from engine.files import write_csv
from models.fit import fit
from models.settings import FitSettings
from store.channels import ER, NUCLEUS, PROTEIN
from store.columns import Column, columns_frame, write_column_table
from store.matrix import matrix_columns, write_matrix
from store.run_folder import RunFolder

HOSTILE = """"><script>document.body.dataset.owned = 1</script><img src=x onerror="document.body.dataset.owned = 2">"""


def small_run(root: Path, n: int = 90) -> tuple[Path, Path]:
    """A data folder without images and a run of three organelles, fitted, explained, reported and submitted."""
    data, folder = root / "data", RunFolder(root / "run")
    rng = np.random.default_rng(1)
    shown = [0, 7, 25]
    labels = rng.random((n, 28)) < 0.4
    labels[:, [j for j in range(28) if j not in shown]] = False
    labels[~labels.any(1), 25] = True
    columns = columns_frame(
        [Column("Cells", "Texture", "Contrast", (PROTEIN,), ("3",)), Column("Nuclei", "Intensity", "Mean", (NUCLEUS,)),
         Column("Cells", "Correlation", "Overlap", (PROTEIN, ER)), Column("Image", "Count", "Cells")]
    )  # fmt: skip
    wide = matrix_columns(columns)
    values = rng.normal(size=(n + 6, len(wide))).astype(np.float32)
    values[:n, : len(shown)] += 2 * labels[:, shown]
    values[::9, 1] = np.nan
    ids = [f"f{i:03}" for i in range(n + 6)]
    hashes = {f"Metadata_Hash{k}": rng.integers(0, 2**63, n + 6).astype(np.uint64) for k in range(4)}
    about = pd.DataFrame({"Metadata_Id": ids, "Metadata_Split": "train"} | hashes)
    write_matrix(folder.matrix("train"), [(about[:n], values[:n])], columns, "x")
    write_matrix(folder.matrix("test"), [(about[n:], values[n:])], columns, "x")
    write_column_table(folder.columns, columns)
    targets = [(i, " ".join(map(str, np.flatnonzero(row)))) for i, row in zip(ids, labels)]
    write_csv(data / "train.csv", ("Id", "Target"), targets)
    write_csv(data / "sample_submission.csv", ("Id", "Predicted"), [(i, "0") for i in ids[n:]])
    write_csv(folder.failures, ("Id", "path", "stage", "error"), [("f999", "x", "read", "field f999: it is missing.")])
    _fit(data, folder)
    use(data, folder.root)
    return data, folder.root


def _fit(data: Path, folder: RunFolder) -> None:
    training = fitting.read_training_set(data, folder, None, True)
    settings = FitSettings(n_folds=3, rounds=4, held_out=0, random_folds=0, n_resamples=5)
    matrix = training.matrix
    fitted = fit(
        matrix.ids, matrix.values, matrix.columns, training.labels, training.groups, settings, folder.root, quiet=True,
        simulated=True,
    )  # fmt: skip
    cleaning.write_duplicates(folder, training)
    cleaning.write_label_errors(folder, fitted)
    folder.note("fit", settings.of_result() | {"data": str(data), "groups": training.groups_from})


def use(data: Path, run: Path) -> None:
    """What people do with a run: submit, look at what drives an organelle, write the report."""
    job = pipeline.Job(run, data, workers=1, quiet=True)
    pipeline.submit(job)
    pipeline.importances(job, "Golgi apparatus", top=3)
    pipeline.report(job)


def spoil_bytes(content: bytes, chance: random.Random) -> bytes:
    """Flip, cut, overwrite, remove or insert."""
    if not content:
        return b"x"
    spoilt = bytearray(content)
    at = chance.randrange(len(spoilt)) if chance.random() < 0.5 else chance.randrange(min(len(spoilt), 200))
    way = chance.randrange(6)
    if way <= 1:
        for _ in range(chance.choice((1, 1, 2, 8))):
            spoilt[chance.randrange(len(spoilt))] ^= 1 << chance.randrange(8)
    elif way == 2:
        del spoilt[at:]
    elif way == 3:
        n = chance.choice((1, 2, 4, 8))
        spoilt[at : at + n] = chance.choice((bytes(n), b"\xff" * n, b"\xff" * (n - 1) + b"\x7f", chance.randbytes(n)))
    elif way == 4:
        del spoilt[at : at + chance.randrange(1, 50)]
    else:
        spoilt[at:at] = chance.randbytes(chance.randrange(1, 50))
    return bytes(spoilt)


_VALUES = (None, -1, 0, 1, 2**31, 2**70, 1e308, float("nan"), float("inf"), "", HOSTILE, "../../etc/passwd", [], {},
           True, [[]], "x" * 5000, 0.5)  # fmt: skip


def spoil_json(content: Any, chance: random.Random) -> Any:
    """Another value, or none, somewhere in the tree; a number in a list becomes an impossible one."""
    if not isinstance(content, dict | list) or not content or chance.random() < 0.15:
        return chance.choice(_VALUES)
    key = chance.choice(list(content) if isinstance(content, dict) else range(len(content)))
    if chance.random() < 0.1:
        del content[key]
    elif chance.random() < 0.1 and isinstance(content, dict):
        content[chance.choice(("x", HOSTILE, "workers"))] = content.pop(key)
    else:
        content[key] = spoil_json(content[key], chance)
    return content


def spoil_table(table: pd.DataFrame, chance: random.Random) -> pd.DataFrame:
    """Another value, kind, name or number of rows."""
    name = chance.choice(list(table.columns))
    way = chance.randrange(7)
    if way == 0:
        return table.drop(columns=name)
    if way == 1:
        return table.head(chance.choice((0, 1, len(table) - 1)))
    if way == 2:
        return pd.concat([table, table])
    if way == 3:
        return table.rename(columns={name: chance.choice((HOSTILE, "x", "=1"))})
    if way == 4:
        return table.assign(**{name: chance.choice((HOSTILE, 1, 1.5, None, True, "=1", float("inf"), -5))})
    values = list(table[name])
    if values:
        values[chance.randrange(len(values))] = chance.choice(
            (None, values[0]) if way == 5 else (np.inf, -1, 2**40, 1e30)
        )
    try:
        return table.assign(**{name: pd.Series(values, dtype=table[name].dtype)})
    except (TypeError, ValueError, OverflowError):
        return table.assign(**{name: [str(value) for value in values]})


def spoil_file(path: Path, chance: random.Random) -> None:
    """Spoil a file after its kind, or its bytes whatever they are."""
    structured = chance.random() < 0.65
    if structured and path.suffix == ".json":
        path.write_text(json.dumps(spoil_json(json.loads(path.read_text()), chance)), encoding="utf-8")
    elif structured and path.suffix == ".csv":
        spoil_table(pd.read_csv(path), chance).to_csv(path, index=False)
    elif structured and path.suffix == ".parquet":
        stored = pq.read_table(path)
        try:
            spoilt = pa.Table.from_pandas(spoil_table(stored.to_pandas(), chance), preserve_index=False)
        except (pa.ArrowException, OverflowError, TypeError):
            return
        kept = {key: value for key, value in (stored.schema.metadata or {}).items() if key != b"pandas"}
        pq.write_table(spoilt.replace_schema_metadata(kept), path)
    elif structured and path.suffix == ".npy":
        array = np.load(path)
        changes: tuple[Callable[[], np.ndarray], ...] = (
            lambda: array[:-1], lambda: array.astype(np.float64), lambda: np.full_like(array, 99),
            lambda: array[..., None], lambda: np.full(array.shape, np.nan, np.float32).astype(array.dtype),
        )  # fmt: skip
        with np.errstate(all="ignore"):
            np.save(path, chance.choice(changes)())
    else:
        path.write_bytes(spoil_bytes(path.read_bytes(), chance))


def spoil_words(text: str, chance: random.Random) -> str:
    """A model's text with another number, word or line: most of it is still of the right form."""
    way = chance.randrange(5)
    if way == 0:
        return spoil_bytes(text.encode(), chance).decode("latin-1")
    if way == 1:
        lines = text.split("\n")
        i, j = chance.randrange(len(lines)), chance.randrange(len(lines))
        lines[i] = lines[j]
        return "\n".join(lines)
    starts = [k for k in range(1, len(text)) if text[k].isdigit() and not (text[k - 1].isalnum() or text[k - 1] == ".")]
    start = chance.choice(starts)
    end = start
    while end < len(text) and (text[end].isalnum() or text[end] == "."):
        end += 1
    number = chance.choice(("0", "1", "2", "7", "99999", "-5", "2147483647", "4294967296", "1e400", "nan", "inf", ""))
    return text[:start] + number + text[end:]


def copied(run: Path, to: Path) -> Path:
    """A copy of a run, to be spoilt."""
    return Path(shutil.copytree(run, to))
