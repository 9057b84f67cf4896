"""The cases of benchmarks/bad_input.py: what is done, in an empty folder, and what should come of it."""

import contextlib
import io
import json
import random
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "helpers"))

import cv2
import hostile_images as images
import hostile_runs as runs
import hostile_tables as tables
import hostile_zips as zips
import numpy as np

import cli
from commands.submit import read_wanted
from engine.errors import HpaError
from features.reading.field_reading import read_field
from features.reading.fields import find_fields
from models.data.groups import read_groups
from models.data.labels import read_labels
from models.first_level.members import member

READ = "read"
"""What a case gives whose input was used; else it gives or raises its sentence."""

Case = tuple[str, Callable[[Path], str]]
"""A name, and what is done in a folder of its own."""


def expecting(words: str, act: Callable[[Path], str]) -> Callable[[Path], str]:
    """The same, BAD unless the sentence holds these words, or there is none and none was expected."""

    def checked(folder: Path) -> str:
        try:
            said = act(folder)
        except HpaError as error:
            said = str(error)
        if (said == READ) != (words == "") or words not in said:
            raise AssertionError(f"expected {words or READ!r}, found {said!r}")
        return said

    return checked


def image_cases() -> Iterator[Case]:
    """The corpus of images, zips and names, through the reader of fields."""

    def read(source: Path) -> str:
        found = find_fields(source)
        read_field(found, found.ids[0])
        return READ

    for case in images.FOLDERS:
        yield case.name, expecting(case.words, lambda f, c=case: (images.good_field(f), c.spoil(f), read(f))[-1])
    for case in zips.ZIPS:
        yield case.name, expecting(case.words, lambda f, c=case: (c.spoil(f / "t.zip"), read(f / "t.zip"))[-1])
    for name, words in images.NAMES:
        yield ascii(name), expecting(words, lambda f, n=name: (images.good_field(f, n), read(f))[-1])


def table_cases() -> Iterator[Case]:
    """The corpus of tables, through the readers of train.csv, groups.csv and sample_submission.csv."""
    readers: dict[str, Callable[[Path], object]] = {
        "Target": read_labels, "Group": lambda path: read_groups(path, ["f1"]),
        "Predicted": lambda path: read_wanted(path, []),
    }  # fmt: skip

    def read(folder: Path, content: bytes, column: str) -> str:
        (folder / "t.csv").write_bytes(content)
        readers[column](folder / "t.csv")
        return READ

    for column in readers:
        contents = [(name, tables.of_column(content, column), words) for name, content, words in tables.ANY]
        contents += [(f"Id: {name}", tables.of_id(cell, column), words) for name, cell, words in tables.IDS]
        for name, content, words in contents:
            yield f"{column}, {name}", expecting(words, lambda f, c=content, k=column: read(f, c, k))
    for name, target, words in tables.TARGETS:
        content = f"Id,Target\nf1,{target}\n".encode()
        yield f"Target: {name}", expecting(words, lambda f, c=content: read(f, c, "Target"))


def decoder_seeds() -> dict[str, bytes]:
    """A small good file for each way of decoding."""
    plane = images.plane()
    wide, colour = plane.astype(np.uint16) * 200, images.one_colour(plane)
    return {
        "PNG 8 bits": images.png(plane), "PNG 16 bits": images.png(wide), "PNG RGB": images.png(colour),
        "PNG palette": images.palette(), "JPEG grey": images.jpeg(plane), "JPEG RGB": images.jpeg(colour),
        "JPEG progressive": images.jpeg(colour, cv2.IMWRITE_JPEG_PROGRESSIVE, 1), "TIFF": images.tiff(plane),
        "BigTIFF": images.tiff(wide, bigtiff=True), "TIFF RGB": images.tiff(colour, photometric="rgb"),
        "TIFF deflated": images.tiff(wide, compression="zlib"),
        "TIFF tiles": images.tiff(plane, tile=(32, 32), compression="zlib"),
        "TIFF LZW 8 bits": images.packed_tiff(plane, 5), "TIFF LZW 16 bits": images.packed_tiff(wide, 5),
        "TIFF PackBits": images.packed_tiff(plane, 32773), "TIFF JPEG": images.packed_tiff(plane, 7),
    }  # fmt: skip


def mutated(seeds: dict[str, bytes], n: int, seed: int, act: Callable[[bytes], object], kind: str) -> Iterator[Case]:
    """n mutations, taken in turn from the seeds; half of the PNGs get checksums that fit again."""
    names = list(seeds)
    for k in range(n):
        name = names[k % len(names)]

        def one(folder: Path, name: str = name, k: int = k) -> str:
            chance = random.Random(f"{seed} {kind} {k}")
            content = runs.spoil_bytes(seeds[name], chance)
            act(images.with_checksums(content) if name.startswith("PNG") and chance.random() < 0.5 else content)
            return READ

        yield f"{name}, mutation {k}", one


def zip_and_table_seeds() -> dict[str, bytes]:
    """Files that are read by a path."""
    with tempfile.TemporaryDirectory() as folder:
        members = {f"f1_{colour}.png": images.png(images.plane()) for colour in images.COLOURS}
        packed = zips.zipped(Path(folder) / "t.zip", members)
    return {"zip": bytes(packed), "train.csv": b'Id,Target\n"f1",0 7\nf2,25\nf3,1\n'}


def from_path(content: bytes) -> None:
    """Read a mutated zip or table."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "t.zip"
        path.write_bytes(content)
        if b",Target" in content or b"PK" not in content:
            read_labels(path)
            return
        source = find_fields(path)
        for field_id in source.ids:
            with contextlib.suppress(HpaError):
                read_field(source, field_id)


def model_cases(run: Path, n: int, seed: int) -> Iterator[Case]:
    """Mutated models, past the hash in their notes: checked, read by their libraries, and used."""
    paths = [path for path in sorted(run.glob("models/*/*_fold?.*")) if path.suffix in (".txt", ".json")]
    n_columns = len(json.loads((run / "models/fit.json").read_text())["columns"])
    values = np.random.default_rng(0).normal(size=(20, n_columns)).astype(np.float32)
    for k in range(n):
        path = paths[k % len(paths)]

        def one(folder: Path, path: Path = path, k: int = k) -> str:
            spoilt = folder / path.name
            words = runs.spoil_words(path.read_text(), random.Random(f"{seed} model {k}"))
            spoilt.write_text(words, encoding="latin-1")
            name = path.name.partition("_")[0]
            kind, shared = member(name), path.parents[1] / "shared" / f"{path.stem}.npy"
            extra = (kind.load_shared(shared, n_columns),) if shared.is_file() else ()
            if not np.isfinite(kind.score(kind.load(spoilt, n_columns, *extra), values)).all():
                raise AssertionError("scores that are not finite")
            return READ

        yield f"{path.parent.name}/{path.name}, mutation {k}", one


def run_cases(data: Path, run: Path, n: int, seed: int) -> Iterator[Case]:
    """A run with one spoilt file, submitted, explained and reported."""
    every = sorted(p for p in run.rglob("*") if p.is_file() and p.suffix in (".json", ".csv", ".parquet", ".npy"))
    paths = [p for p in every if "_fold" not in p.name] + [p for p in every if "_fold" in p.name][:9]
    for k in range(n):

        def one(folder: Path, k: int = k) -> str:
            chance = random.Random(f"{seed} run {k}")
            spoilt = runs.copied(run, folder / "run")
            runs.spoil_file(spoilt / chance.choice(paths).relative_to(run), chance)
            runs.use(data, spoilt)
            return READ

        yield f"run, mutation {k}", one


def command_cases(data: Path, run: Path) -> Iterator[Case]:
    """The corpora through the command line: exit code 4 and one sentence for a table, 3 and failures.csv for images."""

    def told(arguments: list[str], code: int) -> str:
        with contextlib.redirect_stderr(io.StringIO()) as said, contextlib.redirect_stdout(io.StringIO()):
            found = cli.main(arguments)
        lines = said.getvalue().strip().splitlines()
        if found != code or "Traceback" in said.getvalue():
            raise AssertionError(f"exit code {found}, expected {code}: {lines[-1:]}")
        return lines[-1] if code == 4 else READ

    def table(folder: Path, name: str, content: bytes) -> str:
        spoilt = runs.copied(run, folder / "run")
        shutil.copytree(data, folder / "data")
        (folder / "data" / name).write_bytes(content)
        command = {"sample_submission.csv": "submit"}.get(name, "fit")
        return told([command, "--data", str(folder / "data"), "--run", str(spoilt), "--quiet"], 4)

    for name, column in (("train.csv", "Target"), ("groups.csv", "Group"), ("sample_submission.csv", "Predicted")):
        for case, content, words in tables.ANY:
            spoilt = tables.of_column(content, column)
            if words:
                yield f"{name}, {case}", lambda f, n=name, c=spoilt: table(f, n, c)

    def extract(folder: Path) -> str:
        expected = {}
        for k, case in enumerate((*images.FOLDERS, *images.NAMES)):
            named = case[0] if isinstance(case, tuple) else "f1"
            images.good_field(folder / "one", named)
            if not isinstance(case, tuple):
                case.spoil(folder / "one")
            for path in (folder / "one").iterdir():
                new = f"case{k:02}" if named == "f1" else named
                path.rename(images.folder_of(folder / "data" / "train") / path.name.replace(named, new, 1))
            words = case[1] if isinstance(case, tuple) else case.words
            expected |= {named if named != "f1" else f"case{k:02}": words} if words else {}
            shutil.rmtree(folder / "one")
        arguments = [
            "extract",
            "--data",
            str(folder / "data"),
            "--run",
            str(folder / "run"),
            "--workers",
            "1",
            "--quiet",
        ]
        told(arguments, 3)
        failures = (folder / "run/features/failures.csv").read_text(encoding="utf-8")
        missing = [words for words in expected.values() if words not in failures]
        if missing:
            raise AssertionError(f"failures.csv does not say {missing}")
        return READ

    yield f"extract, {len(images.FOLDERS) + len(images.NAMES)} fields in one folder", extract
