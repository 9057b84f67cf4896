"""A report whose every string is hostile: nothing of it becomes an element, an attribute that acts, or a script."""

import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser

import pandas as pd
import pytest
from example_reports import example_report
from hostile_runs import HOSTILE

from report.page import write_report
from report.report_data import Failure, ReportData
from store.schema import DUPLICATES, LABEL_ERRORS

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
QUIET = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")
_NUMBERS = {"probability", "usual", "doubt", "similar_with", "similar", "kind"}
_TEXTS = [name for name in LABEL_ERRORS if name not in _NUMBERS]


def hostile_report() -> ReportData:
    """Ids, run, groups, facts, failures, pairs, steps, splits, families, channels and features: all of it."""
    data = example_report(prefix=HOSTILE)
    board, columns, importance = (table.copy() for table in (data.leaderboard, data.columns, data.importance))
    others = board["kind"].isin(["step", "split"])
    board.loc[others, "name"] = HOSTILE + board.loc[others, "name"]
    for name in ("family", "feature"):
        columns[name] = columns[name].replace(["Texture", "Contrast"], HOSTILE)
    for name in ("parameters", "channels"):
        columns[name] = [tuple(HOSTILE if token == "ER" else token for token in tokens) for tokens in columns[name]]
    renamed = dict(zip(columns["name"], HOSTILE + columns["name"]))
    columns["name"] = columns["name"].map(renamed)
    importance["what"] = [renamed.get(what, what) for what in importance["what"]]
    blocks = importance["level"] == "block"
    return replace(
        data,
        facts={HOSTILE: HOSTILE},
        folds_kind=HOSTILE,
        leaderboard=board,
        columns=columns,
        importance=importance[~blocks],
        failures=(Failure(HOSTILE, HOSTILE, HOSTILE),),
        duplicates=pd.DataFrame([dict.fromkeys(DUPLICATES, HOSTILE) | {"bits": 1}]),
        label_errors=pd.concat([data.label_errors, data.label_errors.head(1).assign(**dict.fromkeys(_TEXTS, HOSTILE))]),
    )


class Elements(HTMLParser):
    """Elements and their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    return write_report(tmp_path_factory.mktemp("page") / "report.html", hostile_report())


def test_no_string_becomes_an_element_or_an_attribute_that_acts(page):
    text = page.read_text(encoding="utf-8")
    assert text.count("document.body.dataset.owned") > 100, "the hostile strings are on the page, as text"
    found = Elements(text).found
    assert sum(tag == "script" for tag, _ in found) == 1
    for tag, attributes in found:
        assert not [name for name in attributes if name.startswith("on")], tag
        assert (attributes.get("src") or "data:").startswith("data:"), tag
        assert (attributes.get("href") or "#").startswith(("#", "data:")), tag


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")
def test_a_browser_runs_none_of_it(page, tmp_path):
    command = [CHROMIUM, *QUIET, f"--user-data-dir={tmp_path}", "--virtual-time-budget=2000", "--dump-dom"]
    shown = subprocess.run([*command, page.as_uri()], capture_output=True, text=True, timeout=200, check=True).stdout
    assert 'data-owned="' not in shown
    assert "organelle" in shown
