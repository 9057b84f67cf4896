"""The report in a browser: it loads without a complaint, its controls work, and hostile names do nothing."""

import re
import shutil
import subprocess

import pytest

from evidence import some_evidence
from models.report import write_report

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
QUIET = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
         "--disable-background-networking", "--disable-component-update", "--enable-logging=stderr")  # fmt: skip
HOSTILE = """"><script>document.body.dataset.owned = 1</script><img src=x onerror="document.body.dataset.owned = 2">"""
CLICKS = """<script>{
const first = () => document.querySelector("#leaderboard tbody tr th").dataset.value;
const button = (name) => [...document.querySelectorAll("#leaderboard th button")].find((b) => b.textContent === name);
const open = () => document.querySelectorAll("details[open]").length;
const out = {};
button("average precision").click(); out.best = first();
button("average precision").click(); out.worst = first();
button("organelle").click(); out.last = first();
document.querySelector("[data-open=yes]").click(); out.opened = open();
document.querySelector("[data-open=no]").click(); out.closed = open();
const find = document.getElementById("find");
find.value = "golgi"; find.dispatchEvent(new Event("input"));
out.found = [...document.querySelectorAll("details.card")].filter((c) => !c.hidden).map((c) => c.id).join();
document.body.dataset.clicked = JSON.stringify(out);
}</script></body>"""

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")


def opened(path, tmp_path, fragment="") -> tuple[str, str]:
    """The page as the browser has it after its scripts, and what the browser complained of."""
    command = [CHROMIUM, *QUIET, f"--user-data-dir={tmp_path / 'profile'}", "--virtual-time-budget=3000", "--dump-dom"]
    done = subprocess.run([*command, path.as_uri() + fragment], capture_output=True, text=True, timeout=200, check=True)
    return done.stdout, "\n".join(line for line in done.stderr.splitlines() if "CONSOLE" in line)


def test_it_loads_and_its_controls_work(tmp_path):
    path = write_report(tmp_path / "report.html", some_evidence(with_pictures=False))
    text = path.read_text()
    # The page forbids all scripts but its own, so the clicks come with the policy taken out.
    path.write_text(re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", text).replace("</body>", CLICKS))
    page, complaints = opened(path, tmp_path)
    assert complaints == ""
    clicked = re.search(r'data-clicked="([^"]*)"', page)[1].replace("&quot;", '"')
    scores = some_evidence().leaderboard.query("kind == 'organelle' and evaluable == 1").set_index("name")["ap"]
    assert f'"best":"{scores.idxmax()}"' in clicked
    assert f'"worst":"{scores.idxmin()}"' in clicked
    assert '"last":"Rods &amp; rings"' in clicked
    assert '"opened":27,"closed":0,"found":"golgi-apparatus"' in clicked


def test_under_its_own_policy_it_runs_and_hostile_names_do_not(tmp_path):
    path = write_report(tmp_path / "report.html", some_evidence(prefix=HOSTILE, with_pictures=False))
    page, complaints = opened(path, tmp_path, "#golgi-apparatus")
    assert complaints == ""
    assert "data-owned" not in page
    assert re.search(r'<details class="card" id="golgi-apparatus"[^>]* open', page)
