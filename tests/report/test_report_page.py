"""The report as a file: whole, self-contained, safe to open, and it says what it must."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from example_reports import LARGE_JPEG, RARE, example_report

from report.page import write_report
from report.report_data import Picture
from store.classes import ORGANELLES

HOSTILE = """"><script>alert(1)</script><img src=x onerror='alert(2)'>{{ 7 * 7 }}&amp;"""


class Page(HTMLParser):
    """Elements, attributes and text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data):
        self.text += data


def written(tmp_path, data):
    return write_report(tmp_path / "report.html", data).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def text(tmp_path_factory) -> str:
    return written(tmp_path_factory.mktemp("report"), example_report())


def test_hostile_names_stay_text(tmp_path):
    text = written(tmp_path, example_report(prefix=HOSTILE))
    page = Page(text)
    assert page.tags.count("script") == 1
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    assert not [value for name, value in page.attributes if name == "src" and not value.startswith("data:")]
    assert f"{HOSTILE}-9999" in page.text
    assert "49" not in re.findall(r"\{\{ 7 \* 7 \}\}|49&amp;", text)


def test_only_the_pages_own_script_may_run(text):
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)[1]
    assert "default-src 'none'" in policy
    assert re.search(r"script-src 'sha256-[A-Za-z0-9+/=]{44}'$", policy)
    assert "unsafe-eval" not in policy


def test_nothing_is_loaded_from_a_network(text):
    wanted = [value for name, value in Page(text).attributes if name in ("src", "href", "xlink:href", "action", "data")]
    assert len(wanted) > 30
    assert not [value for value in wanted if not value.startswith(("#", "data:"))]
    assert "@import" not in text
    assert "url(" not in re.sub(r"url\(#[^)]*\)", "", text)


def test_every_trainable_organelle_has_a_card_and_the_others_their_reason(text):
    assert text.count('<details class="card"') == 27
    row = re.search(r'<p class="absent">.*?</p>', text)
    assert row
    assert "on no field" in row[0]
    assert ORGANELLES[RARE].replace("&", "&amp;") in row[0]
    page = Page(text).text
    for name in ORGANELLES:
        assert name in page


def test_the_kind_of_folds_and_simulation_are_loud(tmp_path, text):
    assert 'class="banner"' not in text
    loud = Page(written(tmp_path, example_report(simulated=True))).text
    assert "Simulated fields." in loud
    assert "Random folds:" in loud


def test_what_it_says(text):
    page = Page(text).text
    for said in (
        "texture of the protein in the nucleus",
        "medium-sized contrast of",
        "Perhaps missing",
        "Perhaps wrong",
        "channel ER is missing",
        "Near-identical fields",
        "held out",
        "member lightgbm",
    ):
        assert said in page, said
    assert "nan" not in page.lower().replace("nanometre", "")
    assert "None" not in page.replace("None found", "").replace("None.", "")


def test_same_data_same_bytes(tmp_path, text):
    assert written(tmp_path, example_report()) == text


def test_a_run_that_learnt_nothing_still_has_a_page(tmp_path):
    data = example_report(n=40, with_pictures=False)
    board = data.leaderboard
    scores = ["ap", "f1", "brier", "log_loss", "ece", "threshold", "ap_low", "ap_high", "f1_low", "f1_high"]
    board.loc[board["kind"] == "organelle", scores] = np.nan
    board.loc[board["kind"] == "organelle", "trainable"] = 0.0
    empty = replace(
        data, trainable=np.zeros(28, bool), importance=data.importance.head(0), failures=(),
        label_errors=data.label_errors.head(0), duplicates=data.duplicates.head(0),
    )  # fmt: skip
    page = Page(written(tmp_path, empty)).text
    assert "No organelle could be learnt" in page
    assert "None found by the perceptual hashes" in page


def test_with_28_organelles_and_500_fields_it_weighs_under_15_mb(tmp_path):
    """Nine pictures an organelle, each as large as pictures get."""
    data = example_report(500, all_learnt=True, with_pictures=False)
    pictures = {j: tuple(Picture(9 * j + k, "hit", bytes(LARGE_JPEG)) for k in range(9)) for j in range(28)}
    path = write_report(tmp_path / "report.html", replace(data, pictures=pictures))
    assert path.read_text().count("<figure") == 28 * 9
    assert path.stat().st_size < 15_000_000
