"""Settings of a fit in a file: what is printed can be read again, and what cannot be is named."""

import pytest

from engine.errors import InputError
from models.settings import FitSettings
from models.settings_file import read_settings_file, settings_text


@pytest.mark.parametrize("sets", [("protein", "landmarks"), ("protein", "landmarks", "embedding")])
@pytest.mark.parametrize(("rows", "columns"), [(300, 15), (300, 3613), (31072, 3613)])
def test_the_printed_settings_read_as_the_same_settings(rows, columns, sets, tmp_path):
    whole = FitSettings(seed=4).for_table(rows, columns, sets)
    (tmp_path / "fit.toml").write_text(settings_text(whole, rows, columns))
    again = FitSettings(**read_settings_file(tmp_path / "fit.toml"), seed=4)
    assert again.for_table(rows, columns, sets) == whole


def test_what_a_file_does_not_name_keeps_its_default(tmp_path):
    (tmp_path / "fit.toml").write_text('members = ["lightgbm", "linear"]\n[lightgbm]\nnum_leaves = 7\n')
    settings = FitSettings(**read_settings_file(tmp_path / "fit.toml")).for_table(300, 15, ())
    default = FitSettings().for_table(300, 15, ())
    assert settings.members == ("lightgbm", "linear")
    assert settings.parameters["lightgbm"] == default.parameters["lightgbm"] | {"num_leaves": 7}
    assert settings.n_folds == default.n_folds


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("folds = 3 4", "is no TOML file"),
        ("fold = 3", "no setting 'fold'"),
        ("folds = 2", "folds is 2; expected a number from 3 to 20"),
        ("folds = 3.5", "folds is 3.5"),
        ("held_out = true", "held_out is True"),
        ("calls_per_field = 1", 'calls_per_field is 1; expected one of "any", "at least one"'),
        ('members = "lightgbm"', "members is 'lightgbm'; expected a list"),
        ("lightgbm = 3", "lightgbm should be a table"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(text, sentence, tmp_path):
    (tmp_path / "fit.toml").write_text(text)
    with pytest.raises(InputError, match=sentence) as caught:
        read_settings_file(tmp_path / "fit.toml")
    assert str(tmp_path / "fit.toml") in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        read_settings_file(tmp_path / "none.toml")
