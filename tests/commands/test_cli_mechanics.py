"""The command line as a user meets it: help at once, exit codes, and errors of one sentence without a traceback."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from suggested import parsed

import cli

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = (
    "demo",
    "simulate",
    "extract",
    "fit",
    "importances",
    "predict",
    "submit",
    "report",
    "review",
    "export",
)


def run(*arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess:
    command = [sys.executable, str(ROOT / "cli.py"), *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=120)


def assert_sentence(ended: subprocess.CompletedProcess, code: int, *words: str):
    assert ended.returncode == code, ended.stderr
    assert "Traceback" not in ended.stderr
    said = ended.stderr.strip().splitlines()[-1]
    assert all(word in said for word in words), said


def test_help_names_every_command_and_two_examples():
    ended = run("--help")
    assert ended.returncode == 0
    assert all(command in ended.stdout for command in COMMANDS)
    assert ended.stdout.count("python cli.py") >= 2


@pytest.mark.parametrize("command", COMMANDS)
def test_command_help_shows_defaults(command):
    ended = run(command, "--help")
    assert ended.returncode == 0
    assert "[default:" in ended.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_command_help_opens_with_two_examples_that_can_be_typed(command):
    opening = typer.main.get_command(cli.app).commands[command].help.split("\n\n")[1:]
    examples = [line for line in opening if line.startswith("[bold]python cli.py")]
    assert len(examples) == 2 == len(opening[:2])
    assert opening[:2] == examples
    assert [parsed(example.removeprefix("[bold]").removesuffix("[/bold]"))[0] for example in examples] == [command] * 2


def test_help_imports_nothing_heavy():
    code = "import sys, cli; cli.main(['--help']); print(*sorted(sys.modules), file=sys.stderr)"
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    loaded = set(ended.stderr.split())
    assert "typer" in loaded
    heavy = {"numpy", "pandas", "torch", "cv2", "numba", "scipy", "sklearn", "pyarrow", "features", "models"}
    assert not loaded & heavy


def test_commands_that_draw_nothing_load_no_library_for_it():
    code = "import sys, pipeline; print(*sorted(sys.modules))"
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert "pandas" in ended.stdout.split()
    assert not set(ended.stdout.split()) & {"matplotlib", "jinja2", "torch", "xgboost", "lightgbm"}


@pytest.mark.parametrize("arguments", [["nonsense"], ["extract", "--nonsense"], ["fit", "--folds", "1"]])
def test_wrong_usage_ends_with_2(arguments):
    ended = run(*arguments)
    assert ended.returncode == 2
    assert "Traceback" not in ended.stderr


def test_unknown_device_ends_with_2(tmp_path):
    assert_sentence(run("extract", "--device", "tpu", "--run", str(tmp_path)), 2, "tpu", "cpu")


def test_errors_are_told_to_machines_too(tmp_path):
    ended = run("extract", "--data", str(tmp_path / "nowhere"), "--run", str(tmp_path / "run"), "--json")
    assert ended.returncode == 4
    told = json.loads(ended.stdout)
    assert told["exit_code"] == 4
    assert ended.stderr.strip().splitlines()[-1] == f"error: {told['error']}"
    ended = run("extract", "--nonsense", "--json")
    assert (ended.returncode, json.loads(ended.stdout)["exit_code"]) == (2, 2)
    assert run("extract", "--data", str(tmp_path / "nowhere"), "--run", str(tmp_path / "run")).stdout == ""
    assert run("extract", "--help", "--json").stdout.lstrip().startswith("Usage")


def test_missing_data_ends_with_4(tmp_path):
    ended = run("extract", "--data", str(tmp_path / "nowhere"), "--run", str(tmp_path / "run"))
    assert_sentence(ended, 4, "nowhere", "train.zip", "--data")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("command", ["fit", "importances", "submit", "report"])
def test_a_command_before_its_time_says_what_to_run_first(command, tmp_path):
    ended = run(command, "--run", str(tmp_path / "run"))
    assert_sentence(ended, 4, "python cli.py", f"--run {tmp_path / 'run'}")


@pytest.mark.parametrize("command", ["fit", "submit", "report"])
def test_what_to_run_first_names_data_and_run(command, tmp_path):
    ended = run(command, "--data", "my data", "--run", str(tmp_path))
    assert_sentence(ended, 4, f"--data 'my data' --run {tmp_path}")


def test_quiet_leaves_out_progress_and_the_next_command_alone(tmp_path):
    arguments = ["simulate", str(tmp_path), "--fields", "1", "--test-fields", "1", "--size", "96"]
    ended = run(*arguments, "--quiet")
    assert ended.stdout == f"1 training and 1 test field of 96 x 96 px in {tmp_path}\n"
    assert ended.stderr == ""
    assert f"Next: python cli.py extract --data {tmp_path}\n" in run(*arguments).stdout


def test_json_is_the_last_line_of_stdout(tmp_path):
    ended = run("simulate", str(tmp_path), "--fields", "2", "--test-fields", "1", "--size", "96", "--json", "--quiet")
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout.strip().splitlines()[-1])["fields"] == 2
