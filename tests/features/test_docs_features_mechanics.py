"""The page on features against the code: every family and feature, and no other; counts, places and parameters."""

import re
from collections import Counter
from pathlib import Path

import pytest

import features
from features.embedding.embedding import embedding_columns
from features.embedding.pretrained import pretrained_network
from features.extraction.field_level import field_columns, field_metadata
from features.extraction.settings import ExtractSettings
from report.phrases import FAMILIES
from store.channels import CHANNELS, COMPARTMENTS, IMAGE
from store.columns import columns_frame
from store.matrix import matrix_columns

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "features.md").read_text()
ROW = re.compile(r"^\| (`[^|]*`) \| (\d+) \|", re.MULTILINE)
SUMMARY = re.compile(
    r"^\| \[(\w+)\]\(#(\w+)\) \| `([\w/]+)` \| (\d+) \| (\d+) \| (\d+) \| ([\w, ]+) \| ([\w, ]+) \|$", re.MULTILINE
)


def network_columns():
    """The columns of the pretrained network."""
    return embedding_columns(ExtractSettings(None, "cpu", pretrained_network()))


def all_columns():
    """Every column by family."""
    found = {}
    for column in (*features.columns(all_columns=True), *field_columns(), *network_columns()):
        found.setdefault(column.family, []).append(column)
    return found


def section(page, family):
    """The text under a family's heading; empty if there is none."""
    found = re.search(rf"^## {family}\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL)
    return found[1] if found else ""


def quoted(text):
    """What stands in `backticks`."""
    return re.findall(r"`([^`\n]+)`", text)


def differences(page, columns):
    """Sentences on every name, count, place and parameter in which a page and the columns by family differ."""
    found = []
    summary = {
        name: (link, int(n), int(kept), int(c), places)
        for name, link, _, n, kept, c, places, _ in SUMMARY.findall(page)
    }
    by_default = {column.name for column in (*features.columns(), *field_columns(), *network_columns())}
    found += [f"{name} stands in the table of families but is none" for name in summary.keys() - columns.keys()]
    for family, mine in columns.items():
        places = [place for place in (*COMPARTMENTS, IMAGE) if place in {column.compartment for column in mine}]
        kept = sum(column.name in by_default for column in mine)
        expected = (family.lower(), len(mine), kept, sum(column.covariate for column in mine), ", ".join(places))
        if summary.get(family) != expected:
            found.append(f"{family}: the table says {summary.get(family)}, the code {expected}")
        text = section(page, family)
        told = Counter()
        text = text.partition("### ")[0]
        for names, count in ROW.findall(text):
            told.update(dict.fromkeys(quoted(names), int(count)))
        counts = Counter(column.feature for column in mine)
        found += [f"{family} {name}: the page says {told[name]} columns, the code {counts[name]}"
                  for name in sorted(told.keys() | counts.keys()) if told[name] != counts[name]]  # fmt: skip
        words = {token for column in mine for token in column.parameters if not token.isdecimal()}
        found += [f"{family}: parameter {word} is not on the page" for word in sorted(words - set(quoted(text)))]
    return found


def test_every_feature_and_no_other_stands_on_the_page():
    assert differences(PAGE, all_columns()) == []


def test_whole_names_and_modules_on_the_page_exist():
    cells = columns_frame([*features.columns(all_columns=True), *field_columns(), *network_columns()])
    known = set(cells["name"]) | set(matrix_columns(cells)["name"]) | set(field_metadata())
    named = re.findall(r"\b(?:Cells|Nuclei|Cytoplasm|Image|Metadata)_\w[\w.]*", PAGE)
    assert len(named) > 5
    assert [name for name in named if name not in known] == []
    modules = {family: module for family, _, module, *_ in SUMMARY.findall(PAGE)}
    by_module = {module.columns()[0].family: name for name, module in features.families().items()}
    assert modules.items() >= by_module.items()
    assert all((ROOT / "features" / f"{module}.py").is_file() for module in modules.values())


def test_the_page_names_families_in_the_words_of_the_report():
    assert {family: words for family, *_, words in SUMMARY.findall(PAGE)} == FAMILIES


def test_every_name_in_code_style_is_of_the_code():
    columns = [column for mine in all_columns().values() for column in mine]
    known = {token for column in columns for token in (column.compartment, column.family, column.feature)}
    known |= {token for column in columns for token in column.parameters} | {channel.name for channel in CHANNELS}
    known |= {"Pattern"}  # of a user's network of crops
    camel_case = [token for token in quoted(PAGE) if re.fullmatch(r"[A-Z][A-Za-z0-9]+", token)]
    assert [token for token in camel_case if token not in known] == []


def test_tests_and_pictures_that_the_page_names_exist():
    tests = set(re.findall(r"\btest_\w+\.py", PAGE))
    assert tests
    assert tests <= {path.name for path in (ROOT / "tests").rglob("*.py")}
    assert all((ROOT / "docs" / path).is_file() for path in re.findall(r"\]\(([\w/]+\.(?:png|md))", PAGE))


def test_totals_of_the_first_sentence():
    n_network, n_field = len(network_columns()), len(field_columns())
    said = f"{len(features.columns()):,} features from {len(features.families())} families, and {n_network} more"
    assert said in PAGE
    assert f"`extract --all-columns` measures {len(features.columns(all_columns=True)):,}" in PAGE
    assert f"every field {n_field} of its own" in PAGE


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("| `Contrast` | 42 |", "| `Kontrast` | 42 |"),
        ("| `Contrast` | 42 |", "| `Contrast` | 43 |"),
        ("`peak`", "peak"),
        ("| `spots` | 129 | 129 | 0 |", "| `spots` | 128 | 129 | 0 |"),
        ("| `texture` | 546 | 312 | 0 |", "| `texture` | 546 | 546 | 0 |"),
        ("| 115 | 115 | 0 | Cells, Cytoplasm |", "| 115 | 115 | 0 | Cells |"),
        ("## Granularity\n", "## Grains\n"),
        ("| `Shift` | 12 |", "| `Shift`, `Drift` | 12 |"),
    ],
)
def test_a_page_that_is_wrong_is_caught(old, new):
    assert old in PAGE
    assert differences(PAGE.replace(old, new), all_columns())


def test_a_renamed_feature_is_caught():
    columns = all_columns()
    columns["Spots"] = [c for c in columns["Spots"] if c.feature != "Regularity"]
    assert differences(PAGE, columns) == [
        "Spots: the table says ('spots', 129, 129, 0, 'Cells, Nuclei, Cytoplasm'), the code ('spots', 125, 125, 0, "
        "'Cells, Nuclei, Cytoplasm')",
        "Spots Regularity: the page says 4 columns, the code 0",
    ]
