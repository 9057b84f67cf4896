"""Who may talk to the page, and what it can reach: the token, Host and Origin, links, paths, hostile text, files."""

import json
import re
import signal
import time
import urllib.error
import urllib.request
from dataclasses import replace
from pathlib import Path

import pytest
from filelock import FileLock
from review_run import Made, fit_quickly, make_review, opened, page_of, write_images

from engine.errors import InputError
from review.security import Gate
from review.server import make_app, open_port
from review.state import Review
from store.run_folder import open_run

GATE = Gate(8517, "secret")
OWN = {"Host": "127.0.0.1:8517", "Origin": "http://127.0.0.1:8517"}
HOSTILE = "<img src=x onerror=alert(1)>\"'</script><script>alert(2)</script>"


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Made:
    return make_review(tmp_path_factory.mktemp("review"), n=6)


@pytest.fixture
def review(made):
    return Review(open_run(made.run), made.data, None, lambda: None)


@pytest.fixture
def client(review):
    return make_app(review, GATE).test_client()


def note(text: str, entry: str = "e1", field: str = "train-000", action: str = "note") -> dict:
    return {"entries": [{"entry": entry, "id": field, "action": action, "value": text}]}


def test_its_own_page_is_answered(client):
    assert client.get("/secret/", headers=OWN).status_code == 200
    assert client.get("/secret/api/run", headers={"Host": "localhost:8517"}).json["by"]


@pytest.mark.parametrize("path", ["/", "/secre/", "/Secret/", "/secret2/", "/api/run", "//secret/x/../../api/run"])
def test_without_the_token_nothing_is_answered(client, path):
    assert client.get(path, headers=OWN).status_code == 403


@pytest.mark.parametrize("host", ["evil.example:8517", "127.0.0.1", "127.0.0.1:80", "localhost.evil.example:8517", ""])
def test_another_name_for_this_machine_is_refused(client, host):
    assert client.get("/secret/api/run", headers={"Host": host}).status_code == 421


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "https://127.0.0.1:8517"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_a_request_that_another_site_caused_is_refused(client, headers):
    assert client.get("/secret/api/run", headers=OWN | headers).status_code == 403
    assert client.post("/secret/api/corrections", json=note("x"), headers=OWN | headers).status_code == 403


def test_a_change_without_an_origin_is_refused(client, made):
    answer = client.post("/secret/api/corrections", json=note("x"), headers={"Host": OWN["Host"]})
    assert answer.status_code == 403
    assert not (made.data / "corrections.csv").exists()


def test_every_answer_forbids_foreign_scripts_and_frames(client):
    for path in ("/secret/", "/secret/api/run", "/secret/main.js", "/nothing", "/secret/picture/field?id=train-000"):
        headers = client.get(path, headers=OWN).headers
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "Access-Control-Allow-Origin" not in headers


def test_the_page_names_no_other_server():
    files = [path for path in (Path(__file__).parents[2] / "review/page").iterdir() if path.suffix != ".svg"]
    assert len(files) > 5
    text = "\n".join(path.read_text() for path in files)
    assert re.findall(r"https?://", text) == []
    assert "innerHTML" not in text
    assert "eval(" not in text


@pytest.mark.parametrize(
    "name",
    [
        "../server.py",
        "..%2fserver.py",
        "%2e%2e/state.py",
        "/etc/passwd",
        "page.html/../../server.py",
        "server.py",
        "..",
    ],
)
def test_no_file_beside_the_pages_own_is_served(client, name):
    assert client.get(f"/secret/{name}", headers=OWN).status_code in (308, 403, 404)


@pytest.mark.parametrize(
    "field", ["../../etc/passwd", "/etc/passwd", "train-000_green.png", "", "nothing", "train-000\0"]
)
def test_only_the_runs_own_fields_have_pictures(client, field):
    for kind in ("field", "plane", "numbers"):
        answer = client.get(f"/secret/picture/{kind}", query_string={"id": field, "channel": 1}, headers=OWN)
        assert answer.status_code == 404


def test_a_link_out_of_the_data_folder_is_not_opened(tmp_path, rng):
    made = make_review(tmp_path, n=2)
    (tmp_path / "outside").mkdir()
    write_images(tmp_path / "outside", "private", rng)
    image = made.data / "train/train-000_green.png"
    image.unlink()
    image.symlink_to(tmp_path / "outside/private_green.png")
    client = make_app(Review(open_run(made.run), made.data, None, lambda: None), GATE).test_client()
    answer = client.get("/secret/picture/field?id=train-000", headers=OWN)
    assert answer.status_code == 404
    assert "is a link out of" in answer.json["error"]
    assert client.get("/secret/picture/field?id=train-001", headers=OWN).status_code == 200


def test_corrections_are_not_written_through_a_link(tmp_path):
    made = make_review(tmp_path, n=2, images=False)
    (tmp_path / "mine.txt").write_text("mine")
    review = Review(open_run(made.run), made.data, None, lambda: None)
    (made.data / "corrections.csv").symlink_to(tmp_path / "mine.txt")
    answer = make_app(review, GATE).test_client().post("/secret/api/corrections", json=note("x"), headers=OWN)
    assert answer.status_code == 400
    assert (tmp_path / "mine.txt").read_text() == "mine"


def test_a_change_that_can_be_saved_later_is_not_refused(tmp_path, monkeypatch):
    """So that the page keeps it: another program holds the file, or a line of it is damaged."""
    made = make_review(tmp_path, n=2, images=False)
    client = make_app(Review(open_run(made.run), made.data, None, lambda: None), GATE).test_client()
    monkeypatch.setattr("store.corrections.PATIENCE", 0.01)
    with FileLock(made.data / ".corrections.csv.lock"):
        assert client.post("/secret/api/corrections", json=note("x"), headers=OWN).status_code == 503
    (made.data / "corrections.csv").write_text("Time,By,Entry,Id,Action,Value\na line of a person\n")
    answer = client.post("/secret/api/corrections", json=note("x"), headers=OWN)
    assert answer.status_code == 503 and "corrections.csv, line 2: has 1 cells" in answer.json["error"]


@pytest.mark.parametrize("query", [
    {"low": "abc"}, {"start": "x"}, {"size": [1]}, {"start": float("inf")}, {"rows": 5}, {"sort": ["a"]},
    {"label": ["x"]}, {"low": "nan"}, {"split": ["a", "b"]}, {"group": [[1]]}, {"plate": {"a": 1}},
])  # fmt: skip
def test_a_query_that_makes_no_sense_is_refused(client, query):
    assert client.post("/secret/api/fields", json=query, headers=OWN).status_code == 400


def test_a_query_for_cells_that_makes_no_sense_is_refused(tmp_path):
    made = make_review(tmp_path, images=False)
    fit_quickly(made)
    client, scored = make_app(opened(made), GATE).test_client(), {"sort": "score", "score": "Cytosol"}
    for cells in ("x", 5, ["a"], [True], [10**30], [-1]):
        answer = client.post("/secret/api/cells", json={"cells": cells}, headers=OWN)
        assert answer.status_code == 400, answer.json
    ends = time.monotonic() + 20
    while client.post("/secret/api/cells", json=scored, headers=OWN).json["waiting"]:
        assert time.monotonic() < ends
        time.sleep(0.02)
    assert client.post("/secret/api/cells", json=scored | {"least": "x"}, headers=OWN).status_code == 400
    assert client.post("/secret/api/cells", json=scored | {"least": "-9"}, headers=OWN).json["total"] > 0


def test_a_run_folder_with_a_link_is_refused(tmp_path):
    made = make_review(tmp_path, n=2, images=False)
    (made.run / "features/extra.parquet").symlink_to("/etc/passwd")
    with pytest.raises(InputError, match="is a link"):
        open_run(made.run)


def test_hostile_text_comes_back_as_text_and_never_as_html(client, made):
    answer = client.post("/secret/api/corrections", json=note(HOSTILE), headers=OWN)
    assert answer.status_code == 200
    told = client.get("/secret/api/field?id=train-000", headers=OWN)
    assert told.content_type == "application/json"
    assert told.json["note"] == HOSTILE
    table = client.get("/secret/api/labels.csv", headers=OWN)
    assert "attachment" in table.headers["Content-Disposition"]
    (made.data / "corrections.csv").unlink()


@pytest.mark.parametrize(
    "bad",
    [
        {},
        {"entries": "x"},
        {"entries": [1]},
        {"entries": [{"entry": "e", "id": "train-000", "action": "add"}]},
        note("x", action="shout"),
        note("Flagellum", action="add"),
        note("Nucleoli|Flagellum", action="set"),
        note("x", field="../train"),
        note("x" * 2000),
        note("no such entry", action="undo"),
    ],
)
def test_a_change_that_makes_no_sense_is_refused_whole(client, made, bad):
    good = note("fine", "other")["entries"]
    content = bad if not isinstance(bad.get("entries"), list) else {"entries": good + bad["entries"]}
    assert client.post("/secret/api/corrections", json=content, headers=OWN).status_code == 400
    assert not (made.data / "corrections.csv").exists()


def test_a_huge_request_is_refused(client):
    answer = client.post("/secret/api/fields", data=b"x" * 2**23, content_type="application/json", headers=OWN)
    assert answer.status_code in (400, 413)


def test_it_listens_on_the_loopback_address_alone():
    with open_port(None) as listening:
        assert listening.getsockname()[0] == "127.0.0.1"
        with pytest.raises(InputError, match="cannot be used"):
            open_port(listening.getsockname()[1])
        with open_port(None) as other:
            assert other.getsockname()[1] != listening.getsockname()[1]


def test_tokens_differ_and_are_long():
    tokens = {Gate(1).token for _ in range(50)}
    assert len(tokens) == 50
    assert min(map(len, tokens)) >= 32


def test_ctrl_c_ends_it_soon_with_130_and_leaves_whole_files(made):
    with page_of(made) as (address, process):
        request = urllib.request.Request(
            f"{address}api/corrections", json.dumps(note("kept")).encode(),
            {"Content-Type": "application/json", "Origin": "/".join(address.split("/")[:3])},
        )  # fmt: skip
        with urllib.request.urlopen(request) as answer:
            assert json.load(answer)["saved"] == ["e1"]
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(address.replace(address.split("/")[3], "guess"))
        begun = time.monotonic()
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130
        assert time.monotonic() - begun < 8
    lines = (made.data / "corrections.csv").read_text().splitlines()
    assert len(lines) == 2
    assert lines[1].endswith("train-000,note,kept")
    assert not list(made.data.glob("*.part"))
    with open_port(int(address.split(":")[2].split("/")[0])):
        pass
    (made.data / "corrections.csv").unlink()


def test_the_gate_itself():
    assert GATE.refusal("GET", "/secret/x", OWN) is None
    assert replace(GATE, token="other").refusal("GET", "/secret/x", OWN)[0] == 403
    assert GATE.refusal("POST", "/secret/x", {"Host": "127.0.0.1:8517"})[0] == 403
