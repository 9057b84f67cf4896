"""Importances are measured once for a fit, and again as soon as the fit or the way of measuring is another."""

import os
from types import SimpleNamespace

import pandas as pd
import pytest

from commands import importances as explaining
from models.explanation import importance_file
from models.explanation.importance import ImportanceSettings
from store.classes import KAGGLE
from store.run_folder import RunFolder

SETTINGS = ImportanceSettings()


@pytest.fixture
def ask(tmp_path, monkeypatch):
    """Ask for the importances of a run; says whether they were measured for it."""
    asked = []

    def fields():
        asked.append("fields")
        return "matrix"

    def measure(fitted, matrix, settings, bar):
        assert matrix == "matrix"
        return pd.DataFrame({"organelle": ["Golgi apparatus"], "gain_mean": [float(len(asked))]})

    monkeypatch.setattr(explaining, "measure_importance", measure)
    monkeypatch.setattr(explaining, "read_columns", lambda folder: None)
    monkeypatch.setattr(explaining, "matrix_columns", lambda columns: None)
    monkeypatch.setattr(explaining, "read_importance", lambda path, columns, classes: pd.read_parquet(path))

    def asking(key, settings=SETTINGS):
        folder, before = RunFolder(tmp_path), len(asked)
        fitted = SimpleNamespace(settings=SimpleNamespace(seed=0, n_folds=3), stamp=key, classes=KAGGLE)
        table = explaining.importance_of(folder, fitted, fields, settings, quiet=True)
        assert table["gain_mean"].tolist() == [len(asked)]
        return len(asked) > before

    return asking


def test_the_same_fit_is_not_measured_again_though_its_file_is_newer(ask, tmp_path):
    assert ask("first")
    os.utime(tmp_path / "importance.parquet", (0, 0))
    assert not ask("first")
    assert not ask("first", ImportanceSettings(workers=7))


def test_another_fit_is_measured_though_its_file_is_older(ask, tmp_path):
    assert ask("first")
    os.utime(tmp_path / "importance.parquet", (4e9, 4e9))
    assert ask("second")
    assert ask("first")


def test_other_settings_or_code_are_measured_anew(ask, monkeypatch):
    assert ask("first")
    assert ask("first", ImportanceSettings(repeats=5))
    monkeypatch.setattr(importance_file, "importance_code", lambda: "changed")
    assert ask("first", ImportanceSettings(repeats=5))
