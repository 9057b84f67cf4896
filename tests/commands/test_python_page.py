"""docs/python.md, run from top to bottom as it stands, in a folder with a run."""

import re
from pathlib import Path

import numpy as np
import pytest
from random_run import add_fit, make_run

import features
import pipeline

PAGE = Path(__file__).resolve().parents[2] / "docs" / "python.md"


@pytest.mark.filterwarnings("ignore:The 'mode.*option is deprecated:DeprecationWarning")
def test_every_example_runs(tmp_path, monkeypatch, capsys):
    rng = np.random.default_rng(1)
    run = make_run(tmp_path / "runs" / "default", rng, {"train": 8, "test": 4})
    add_fit(run, rng)
    pipeline.export(pipeline.Job(run.root, quiet=True), tmp_path / "fields.h5ad", level="fields", split="both")
    monkeypatch.chdir(tmp_path)
    examples = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert len(examples) == 5
    names: dict[str, object] = {}
    for example in examples:
        exec(compile(example, PAGE.name, "exec"), names)
    shown = capsys.readouterr().out
    assert "Texture" in shown
    assert names["table"].shape == (4, len(features.columns(["texture", "radial"])))
    assert np.isfinite(names["table"].to_numpy()).all()
    model, again, X = names["model"], names["again"], names["X_test"]
    assert ((model.predict(X) == names["Y_test"]).mean() > 0.8).all()
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))
