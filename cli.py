"""The command line: arguments -> pipeline -> exit code. Imports nothing heavy, so that --help answers at once."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from engine.command_line import DATA, RUN
from engine.errors import HpaError
from engine.interrupt import INTERRUPTED, SENTENCE, end, heed_signals, was_interrupted
from engine.machine import refusal

MISUSE, SOME_FAILED, UNUSABLE = 2, 3, 4
MISUSED = "The command, an option or a value does not exist. See --help."

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="""Which organelles does the protein sit in? Per-cell features and boosting for the Human Protein Atlas.

    [bold]Try it without any data:[/bold]    python cli.py demo

    [bold]The Kaggle way:[/bold]             python cli.py extract --data data && python cli.py fit
    """,
)

Data = Annotated[Path, typer.Option("--data", help="Folder with train.csv, train/ or train.zip, test/ or test.zip.")]
Run = Annotated[Path, typer.Option("--run", help="Folder for all results.")]
Device = Annotated[str, typer.Option("--device", help="auto, cpu or cuda[:N].")]
Workers = Annotated[int, typer.Option("--workers", min=0, help="Processes; 0 means all cores.", show_default=True)]
Scheduler = Annotated[
    str | None,
    typer.Option(
        help="Run on the Dask cluster of this scheduler, e.g. tcp://host:8786 (docs/scale.md).", show_default="none"
    ),
]
Seed = Annotated[int, typer.Option("--seed", min=0, help="The same seed gives the same bytes.")]
Quiet = Annotated[
    bool, typer.Option("--quiet", help="Show no progress and no next command; results and failures are told.")
]
Json = Annotated[
    bool, typer.Option("--json", help="End with one machine-readable line on stdout, also after an error.")
]
NoER = Annotated[bool, typer.Option("--no-er", help="The fields have no ER; its features are NaN.")]
Masks = Annotated[
    Path | None, typer.Option(help="Folder with <Id>_cells and <Id>_nuclei label images to use instead of ours.")
]
Groups = Annotated[
    Path | None,
    typer.Option(help="csv with Id,Group: fields of a group share a fold, never told apart. Default: DATA/groups.csv."),
]
PriorShift = Literal["none", "em", "match"]
Level = Literal["cells", "fields"]
Split = Literal["train", "test", "both"]


def command(*examples: str) -> Callable[[Callable], Callable]:
    """Add a command whose help opens with what it does and examples; the rest of its docstring follows."""

    def added(function: Callable) -> Callable:
        what, *more = (" ".join(paragraph.split()) for paragraph in function.__doc__.split("\n\n"))
        shown = [f"[bold]{example}[/bold]" for example in examples]
        return app.command(help="\n\n".join([what, *shown, *more]))(function)

    return added


@command("python cli.py demo", "python cli.py demo --folder small --fields 100")
def demo(
    folder: Annotated[Path, typer.Option("--folder", help="Where the simulated data and the run go.")] = Path("demo"),
    fields: Annotated[int, typer.Option(min=20, help="Simulated training fields.")] = 400,
    test_fields: Annotated[int, typer.Option(min=1, help="Simulated test fields.")] = 40,
    device: Device = "auto",
    workers: Workers = 0,
    seed: Seed = 0,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Simulate a small data set, extract, fit, report and submit in one go, without a download."""
    import pipeline

    outcome = pipeline.demo(
        folder, fields=fields, test_fields=test_fields, device=device, workers=workers, seed=seed, quiet=quiet
    )
    _tell(outcome, quiet, as_json)


@command("python cli.py simulate data", "python cli.py simulate data --fields 100 --size 256")
def simulate(
    data: Annotated[Path, typer.Argument(help="Folder to write.")],
    fields: Annotated[int, typer.Option(min=1, help="Training fields.")] = 500,
    test_fields: Annotated[int, typer.Option(min=0, help="Test fields.")] = 50,
    size: Annotated[int, typer.Option(min=64, help="Width and height in px.")] = 512,
    workers: Workers = 0,
    seed: Seed = 0,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Write HPA-like fields in Kaggle's layout, with antibody groups and cell lines beside."""
    import pipeline

    outcome = pipeline.simulate(
        data, fields=fields, test_fields=test_fields, size=size, workers=workers, seed=seed, quiet=quiet
    )
    _tell(outcome, quiet, as_json)


@command("python cli.py extract", "python cli.py extract --data my_data --run runs/mine --no-er")
def extract(
    data: Data = DATA,
    run: Run = RUN,
    no_er: NoER = False,
    masks: Masks = None,
    embedding: Annotated[
        Path | None, typer.Option(help="Network that embed wrote: its vector of each cell becomes features.")
    ] = None,
    backbone: Annotated[
        Path | None,
        typer.Option(
            help="The same with a network of your own: ONNX (.onnx; on a GPU only with onnxruntime-gpu) or TorchScript "
            "(.pt). TorchScript can run any code: open only files you trust. ONNX cannot."
        ),
    ] = None,
    backbone_channels: Annotated[
        str, typer.Option(help="What it takes, in order: red microtubules, green protein, blue nucleus, yellow ER.")
    ] = "red,green,blue,yellow",
    backbone_size: Annotated[int, typer.Option(min=8, max=1024, help="Width and height it takes, px.")] = 224,
    backbone_mean: Annotated[
        str, typer.Option(help="It is given (x - mean) / sd, x from 0 to 1; one number, or one a channel.")
    ] = "0",
    backbone_sd: Annotated[str, typer.Option(help="As --backbone-mean.")] = "1",
    device: Device = "auto",
    workers: Workers = 0,
    scheduler: Scheduler = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Measure every cell of every field, train and test; goes on where an earlier run stopped."""
    import pipeline

    network = pipeline.choose_network(
        embedding, backbone, channels=backbone_channels, side=backbone_size, mean=backbone_mean, sd=backbone_sd
    )
    outcome = pipeline.extract(
        data, run, no_er=no_er, masks=masks, device=device, workers=workers, quiet=quiet, network=network,
        scheduler=scheduler,
    )  # fmt: skip
    _tell(outcome, quiet, as_json)


@command("python cli.py embed", "python cli.py embed --steps 1000 --minutes 30")
def embed(
    data: Data = DATA,
    run: Run = RUN,
    groups: Groups = None,
    no_er: NoER = False,
    masks: Masks = None,
    steps: Annotated[int, typer.Option(min=1, help="Steps to train for; more later go on from there.")] = 200,
    minutes: Annotated[
        float | None,
        typer.Option(min=0.01, help="Stop training after so long, if that is sooner.", show_default="none"),
    ] = None,
    device: Device = "auto",
    workers: Workers = 0,
    scheduler: Scheduler = None,
    seed: Seed = 0,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Train a small network on these cells, without labels; extract --embedding then adds its view of each cell."""
    import pipeline

    outcome = pipeline.embed(
        data, run, groups=groups, no_er=no_er, masks=masks, device=device, steps=steps, minutes=minutes,
        workers=workers, seed=seed, quiet=quiet, scheduler=scheduler,
    )  # fmt: skip
    _tell(outcome, quiet, as_json)


@command("python cli.py fit", "python cli.py fit --data my_data --run runs/mine --groups antibodies.csv")
def fit(
    data: Data = DATA,
    run: Run = RUN,
    groups: Groups = None,
    folds: Annotated[int, typer.Option(min=3, max=20, help="Folds.")] = 5,
    rounds: Annotated[int, typer.Option(min=1, help="Boosting rounds, shared by all organelles.")] = 300,
    no_covariates: Annotated[
        bool, typer.Option("--no-covariates", help="Leave out what depends on how a field was acquired.")
    ] = False,
    device: Device = "auto",
    workers: Workers = 0,
    scheduler: Scheduler = None,
    seed: Seed = 0,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Folds, 28 one-vs-rest boosters in two libraries, stack, calibration, thresholds, leaderboard."""
    import pipeline

    outcome = pipeline.fit(
        data, run, groups=groups, n_folds=folds, rounds=rounds, covariates=not no_covariates,
        device=device, workers=workers, seed=seed, quiet=quiet, scheduler=scheduler,
    )  # fmt: skip
    _tell(outcome, quiet, as_json)


@command("python cli.py importances", 'python cli.py importances "Golgi apparatus" --plot golgi.png')
def importances(
    organelle: Annotated[str | None, typer.Argument(help='One organelle, e.g. "Golgi apparatus"; default all.')] = None,
    run: Run = RUN,
    plot: Annotated[Path | None, typer.Option(help="Draw a picture to this file.")] = None,
    top: Annotated[int, typer.Option(min=1, help="Rows to show.")] = 15,
    workers: Workers = 0,
    scheduler: Scheduler = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """What drives each organelle: by family, channel, compartment and single feature."""
    import pipeline

    outcome = pipeline.importances(
        run, organelle, plot=plot, top=top, workers=workers, quiet=quiet, scheduler=scheduler
    )
    _tell(outcome, quiet, as_json)


@command(
    "python cli.py predict my_fields --run runs/default",
    "python cli.py predict my_fields.zip --overlays overlays --label-images masks",
)
def predict(
    images: Annotated[Path, typer.Argument(help="Folder or zip of <Id>_{red,green,blue,yellow} images.")],
    run: Run = RUN,
    out: Annotated[Path | None, typer.Option(help="Folder for the tables.", show_default="RUN/predicted")] = None,
    overlays: Annotated[Path | None, typer.Option(help="Folder for a PNG of each field, cells outlined.")] = None,
    label_images: Annotated[Path | None, typer.Option(help="Folder for OME-TIFF label images.")] = None,
    coverage: Annotated[
        float, typer.Option(min=0.01, max=0.999, help="Share of true organelles that a set should hold.")
    ] = 0.9,
    neighbours: Annotated[int, typer.Option(min=0, help="Training fields to name for each field.")] = 5,
    masks: Masks = None,
    no_er: NoER = False,
    embedding: Annotated[
        Path | None, typer.Option(help="The run's network, where it is not RUN/embedding.safetensors.")
    ] = None,
    backbone: Annotated[Path | None, typer.Option(help="The same, where it was a network of your own.")] = None,
    device: Device = "auto",
    workers: Workers = 0,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Calls, sets and reasons for new fields with a fitted run: what, on which cells, how sure, why, like what.

    Fields are measured with the settings the run was extracted with. predictions.csv has calls, sets,
    probabilities, and Unlike where a field is like no training field; cells.csv the cells that speak for a call (an
    order within a field, not calibrated); why.csv the features that speak for and against it; neighbours.csv the most
    similar training fields.

    The set holds the calls and what else a field could be. Over fields of new antibodies that are drawn like the
    training ones, the expected share of true organelles that it misses is at most 1 - coverage (conformal risk control
    over groups). That is not promised for each single organelle, nor for other microscopes, stains or cell lines, and
    it is approximate, as the models that predict are not quite those that it was measured with.
    """
    import pipeline

    outcome = pipeline.predict(
        images, run, out=out, pictures=overlays, label_images=label_images, coverage=coverage, neighbours=neighbours,
        masks=masks, no_er=no_er, network=pipeline.choose_file(embedding, backbone), device=device, workers=workers,
        quiet=quiet,
    )  # fmt: skip
    _tell(outcome, quiet, as_json)


@command("python cli.py submit", "python cli.py submit --prior-shift em")
def submit(
    data: Data = DATA,
    run: Run = RUN,
    prior_shift: Annotated[
        PriorShift,
        typer.Option(
            help="What to assume of the organelles' shares in the test fields; never part of a reported score. "
            "em: they differ from training and are estimated; match: call as large a share of fields as in training."
        ),
    ] = "none",
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Write submission.csv in the order of sample_submission.csv."""
    import pipeline

    _tell(pipeline.submit(data, run, prior_shift=prior_shift), quiet, as_json)


@command("python cli.py report", "python cli.py report --data my_data --run runs/mine --masks masks")
def report(
    data: Data = DATA,
    run: Run = RUN,
    masks: Masks = None,
    workers: Workers = 0,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Write report.html, one self-contained file."""
    import pipeline

    _tell(pipeline.report(data, run, masks=masks, workers=workers, quiet=quiet), quiet, as_json)


@command("python cli.py export cells.h5ad", "python cli.py export fields.csv --level fields --split train")
def export(
    file: Annotated[Path, typer.Argument(help="File to write; .h5ad (AnnData), .csv, .csv.gz or .parquet tells how.")],
    level: Annotated[Level, typer.Option(help="One row a cell, or one row a field: its cells pooled.")] = "cells",
    split: Annotated[Split, typer.Option(help="Which fields; both means those that are there.")] = "both",
    run: Run = RUN,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Write the cells or fields of a run into one file that other tools read."""
    import pipeline

    _tell(pipeline.export(run, file, level=level, split=split, quiet=quiet), quiet, as_json)


def _tell(outcome: Any, quiet: bool, as_json: bool) -> None:
    """Say where the result is and what to type next; end with the exit code for fields that failed."""
    for line in outcome.lines:
        print(line)
    if outcome.next_command and not quiet:
        print(f"Next: {outcome.next_command}")
    if as_json:
        print(json.dumps(outcome.facts))
    if outcome.n_failed:
        print(outcome.failure, file=sys.stderr)
        raise typer.Exit(SOME_FAILED)


def main(arguments: list[str] | None = None) -> int:
    """Run a command; exit code 0 done, 1 a bug, 2 usage, 3 some fields failed, 4 input unusable, 130 interrupted."""
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        code, sentence = _run(arguments)
    except BaseException:  # what an interruption breaks on its way is no bug
        if not was_interrupted():
            raise
        code, sentence = INTERRUPTED, ""
    if code == INTERRUPTED:
        print(SENTENCE, file=sys.stderr)
        sentence = SENTENCE
    if sentence and "--json" in arguments:
        print(json.dumps({"error": sentence, "exit_code": code}))
    return code


def _run(arguments: list[str]) -> tuple[int, str]:
    """The exit code, and what was wrong in a sentence."""
    try:
        app(arguments)
    except HpaError as error:
        return error.exit_code, _error(str(error))
    except (OSError, MemoryError) as error:
        if was_interrupted():
            raise
        return UNUSABLE, _error(refusal(error))
    except SystemExit as ended:
        code = int(ended.code or 0)
        return code, MISUSED if code == MISUSE else ""
    return 0, ""


def _error(sentence: str) -> str:
    print(f"error: {sentence}", file=sys.stderr)
    return sentence


if __name__ == "__main__":
    heed_signals()
    end(main())
