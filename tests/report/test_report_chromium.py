"""The report in a browser: it loads without a complaint, its controls work, hostile names do nothing, cards print."""

import re
import shutil
import subprocess

import pytest
from browser import CHROMIUM, browser
from example_reports import example_report

from report.page import write_report

HOSTILE = """"><script>document.body.dataset.owned=1</script><img/src=x/onerror="document.body.dataset.owned=2">"""
LONG = "long-name-without-a-space" * 8

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")


@pytest.fixture(scope="module")
def tab():
    with browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def data():
    return example_report(with_pictures=False)


@pytest.fixture(scope="module")
def report(data, tmp_path_factory):
    return write_report(tmp_path_factory.mktemp("report") / "report.html", data)


@pytest.fixture(scope="module")
def awkward(tmp_path_factory):
    return write_report(tmp_path_factory.mktemp("awkward") / "report.html", example_report(prefix=HOSTILE + LONG))


def click(tab, selector: str) -> None:
    tab.run(f"document.querySelector({selector!r}).click()")


def test_it_loads_without_a_complaint_and_asks_for_nothing(tab, report):
    tab.open(report)
    assert tab.complaints == []
    assert tab.run("performance.getEntriesByType('resource').filter((r) => !r.name.startsWith('data:')).length") == 0
    assert tab.run("document.querySelectorAll('details.card').length") == 27


def test_a_heading_sorts_and_sorts_back(tab, report, data):
    tab.open(report)
    board = data.leaderboard.query("kind == 'organelle' and trainable == 1").set_index("name")["ap"]
    first = "document.querySelector('#leaderboard tbody th').dataset.value"
    for expected, sort in ((board.idxmax(), "descending"), (board.idxmin(), "ascending")):
        click(tab, "#leaderboard th:nth-child(3) button")
        assert tab.run(first) == expected
        assert tab.run("document.querySelector('#leaderboard th:nth-child(3)').getAttribute('aria-sort')") == sort
    click(tab, "#leaderboard th button")
    assert tab.run(first) == max(board.index)


def test_cards_open_close_and_are_found(tab, report):
    tab.open(report)
    opened = "document.querySelectorAll('details[open]').length"
    click(tab, "[data-open=yes]")
    assert tab.run(opened) == 27
    click(tab, "[data-open=no]")
    assert tab.run(opened) == 0
    tab.run("find.value = 'Golgi'; find.dispatchEvent(new Event('input'))")
    shown = "[...document.querySelectorAll('details.card')].filter((c) => c.checkVisibility()).map((c) => c.id).join()"
    assert tab.run(shown) == "golgi-apparatus"
    assert tab.run("document.getElementById('found').textContent") == "1 of 27 shown"


def test_the_keyboard_alone_reaches_sorts_and_opens(tab, report):
    tab.open(report)
    tab.run("document.querySelector('#leaderboard th:nth-child(3) button').focus()")
    tab.press("Enter")
    assert tab.run("document.querySelector('#leaderboard th:nth-child(3)').getAttribute('aria-sort')") == "descending"
    tab.run("document.querySelector('[data-open=no]').focus()")
    tab.press("Tab")
    assert tab.run("document.activeElement.closest('details').id") == "nucleoplasm"
    tab.press("Enter")
    assert tab.run("document.getElementById('nucleoplasm').open")


def test_hostile_names_do_nothing_under_its_own_policy_and_a_link_opens_its_card(tab, awkward):
    tab.open(awkward, fragment="#golgi-apparatus")
    assert tab.complaints == []
    assert tab.run("document.body.dataset.owned") is None
    assert tab.run("document.getElementById('golgi-apparatus').open")


@pytest.mark.parametrize("width", [1440, 1024, 480])
def test_very_long_names_do_not_widen_the_page(tab, awkward, width):
    tab.open(awkward, width=width)
    click(tab, "[data-open=yes]")
    assert tab.run("document.documentElement.scrollWidth") <= width


def test_everything_a_reader_cannot_see_is_told(tab, report):
    tab.open(report)
    click(tab, "[data-open=yes]")
    silent = """[...document.querySelectorAll('img, [role=img]')].filter((e) => !(e.alt || e.ariaLabel)).length
        + [...document.querySelectorAll('button, a, input, th[scope=col]')].filter((e) =>
            !(e.textContent.trim() || e.labels?.length)).length"""
    assert tab.run(silent) == 0


def test_cards_print_open_on_few_pages_and_stay_closed_on_the_screen(tab, report, tmp_path):
    tab.open(report)
    assert 10 <= tab.print(tmp_path / "report.pdf") < 15, "cards without pictures, more than two a page"
    assert tab.run("document.querySelectorAll('details[open]').length") == 0


@pytest.mark.skipif(shutil.which("pdftotext") is None, reason="no pdftotext on this machine")
def test_every_card_is_printed_and_none_begins_at_the_foot_of_a_page(tab, report, tmp_path):
    tab.open(report)
    tab.print(tmp_path / "report.pdf")
    subprocess.run(["pdftotext", "-layout", tmp_path / "report.pdf", tmp_path / "report.txt"], check=True)
    printed = (tmp_path / "report.txt").read_text()
    assert printed.count("By compartment") == 27
    feet = [page.strip().splitlines()[-1] for page in printed.split("\f") if page.strip()]
    assert not [line for line in feet if re.search(r"AP .* F1 .* fields", line)]
