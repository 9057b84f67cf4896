"""The command line: arguments -> pipeline -> exit code. Imports nothing heavy, so that --help answers at once."""

import json
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from commands.options import (
    CameraOffset,
    Data,
    Device,
    Groups,
    ImagesCsv,
    Json,
    Layout,
    Masks,
    MaxLevel,
    NoER,
    Pattern,
    PixelSize,
    Quiet,
    Run,
    Scheduler,
    Seed,
    StainsOf,
    TimePoint,
    Workers,
    ZPlane,
)
from engine.command_line import DATA, RUN, program
from engine.errors import HpaError
from engine.machine import refusal
from engine.running.interrupt import INTERRUPTED, SENTENCE, end, heed_signals, was_interrupted
from engine.terminal import fitted, messages_on_stderr

if TYPE_CHECKING:
    from engine.outcome import Outcome

ROOMS = ("engine", "store", "features", "models", "simulate", "report", "review", "commands", "pipeline")
"""Packages whose log messages are shown."""

MISUSE, SOME_FAILED, UNUSABLE = 2, 3, 4
MISUSED = "Unknown command or option, or a wrong value. See --help."


def typed(example: str) -> str:
    """An example for --help, starting with the command that started this program."""
    return f"{shlex.join(program())} {example}".replace("[", r"\[")


app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help=f"""Which organelles is the protein in? Per-cell features and boosting for the Human Protein Atlas.

    [bold]Try it without any data:[/bold]    {typed("demo")}

    [bold]The Kaggle way:[/bold]             {typed("extract --data data")} && {typed("fit")}
    """,
)


def _reading(
    layout: str | None, pattern: str | None, images: Path | None, stains: str | None, z: str | None, t: str | None,
    no_er: bool, pixel_size: float | None, max_level: int | None, camera_offset: str | None,
) -> Any:  # fmt: skip
    """The options of how images are read, as the pipeline takes them."""
    import pipeline

    offset = int(camera_offset) if camera_offset and camera_offset.isdigit() else camera_offset
    return pipeline.ReadingOptions(
        layout or "", pattern or "", images, stains or "", z or "", t or "", no_er, pixel_size, max_level, offset
    )


PriorShift = Literal["none", "em", "match"]
Level = Literal["cells", "fields"]
Split = Literal["train", "test", "both"]


def command(*examples: str) -> Callable[[Callable], Callable]:
    """Add a command; its help is the first paragraph of its docstring, then examples, then the rest."""

    def added(function: Callable) -> Callable:
        what, *more = (" ".join(paragraph.split()) for paragraph in (function.__doc__ or "").split("\n\n"))
        shown = [f"[bold]{typed(example)}[/bold]" for example in examples]
        return app.command(help="\n\n".join([what, *shown, *more]))(function)

    return added


@command("demo", "demo --folder small --fields 100")
def demo(
    folder: Annotated[Path, typer.Option("--folder", help="Folder for the simulated data and the run.")] = Path("demo"),
    fields: Annotated[int, typer.Option(min=20, help="Simulated training fields.")] = 400,
    test_fields: Annotated[int, typer.Option(min=1, help="Simulated test fields.")] = 40,
    device: Device = "auto",
    workers: Workers = 0,
    seed: Seed = 0,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Simulate a small data set, extract, fit, explain, report, predict and submit in one go, without a download."""
    import pipeline

    job = pipeline.Job(folder / "run", folder / "data", device, workers, seed=seed, quiet=quiet)
    outcome = pipeline.demo(job, fields=fields, test_fields=test_fields)
    _print_outcome(outcome, quiet, as_json)


@command("simulate data", "simulate data --fields 100 --size 256")
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
    """Write simulated HPA-like fields in Kaggle's layout, with antibody groups and cell lines."""
    import pipeline

    job = pipeline.Job(data=data, workers=workers, seed=seed, quiet=quiet)
    outcome = pipeline.simulate(job, fields=fields, test_fields=test_fields, size=size)
    _print_outcome(outcome, quiet, as_json)


@command("inspect my_images", "inspect my_images --thumbnails sheet.png")
def inspect(
    images: Annotated[Path, typer.Argument(help="Folder or zip of images.")],
    thumbnails: Annotated[
        Path | None, typer.Option(help="Also write a PNG with small pictures of the first fields.", show_default="none")
    ] = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Say what a folder of images holds: formats, layout, channels, pixel size, bits; and the command that reads it."""
    import pipeline

    _print_outcome(pipeline.inspect(pipeline.Job(quiet=quiet), images, thumbnails=thumbnails), quiet, as_json)


@command("extract", "extract --data my_data --run runs/mine --no-er")
def extract(
    data: Data = DATA,
    run: Run = RUN,
    layout: Layout = None,
    pattern: Pattern = None,
    images_csv: ImagesCsv = None,
    stains: StainsOf = None,
    z: ZPlane = None,
    t: TimePoint = None,
    no_er: NoER = False,
    pixel_size: PixelSize = None,
    max_level: MaxLevel = None,
    camera_offset: CameraOffset = None,
    masks: Masks = None,
    all_columns: Annotated[
        bool,
        typer.Option(
            "--all-columns",
            metavar="",
            help="Also measure texture, gradients, binary patterns, granularity and Zernike moments of the other "
            "stains than the protein.",
        ),
    ] = False,
    no_embedding: Annotated[
        bool,
        typer.Option("--no-embedding", metavar="", help="Leave out the pretrained network's embedding of each cell."),
    ] = False,
    backbone: Annotated[
        Path | None,
        typer.Option(
            help="Your own network instead of the pretrained one: ONNX (.onnx; on a GPU needs onnxruntime-gpu) or "
            "TorchScript (.pt). A TorchScript file can run any code: open only files you trust. ONNX cannot.",
            show_default="none",
        ),
    ] = None,
    backbone_channels: Annotated[
        str, typer.Option(help="Its input channels in order: red microtubules, green protein, blue nucleus, yellow ER.")
    ] = "red,green,blue,yellow",
    backbone_size: Annotated[
        int, typer.Option(min=8, max=1024, help="Width and height of its input, px, if it takes crops of single cells.")
    ] = 224,
    backbone_mean: Annotated[
        str, typer.Option(help="Its input is (x - mean) / sd, x from 0 to 1; one number, or one per channel.")
    ] = "0",
    backbone_sd: Annotated[str, typer.Option(help="As --backbone-mean.")] = "1",
    device: Device = "auto",
    workers: Workers = 0,
    scheduler: Scheduler = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Measure every cell of every field, train and test; continues where an earlier run stopped.

    Says how long all fields will take, as soon as each worker has measured some.
    """
    from commands.job import Job

    job = Job(run, data, device, workers, scheduler, quiet=quiet)
    job.start_measuring()
    import pipeline  # takes a second, in which the workers start

    network = pipeline.choose_network(
        backbone, embedding=not no_embedding, channels=backbone_channels, side=backbone_size, mean=backbone_mean,
        sd=backbone_sd,
    )  # fmt: skip
    reading = _reading(layout, pattern, images_csv, stains, z, t, no_er, pixel_size, max_level, camera_offset)
    outcome = pipeline.extract(job, reading=reading, masks=masks, network=network, all_columns=all_columns)
    _print_outcome(outcome, quiet, as_json)


@command("fit", "fit --data my_data --run runs/mine --groups antibodies.csv")
def fit(
    data: Data = DATA,
    run: Run = RUN,
    groups: Groups = None,
    folds: Annotated[int | None, typer.Option(min=3, max=20, help="Number of folds.", show_default="5")] = None,
    members: Annotated[
        str | None,
        typer.Option(
            help="First-level models, with commas between: lightgbm, xgboost, linear, kernel; each alone or on sets of "
            "columns, e.g. linear-protein or lightgbm-protein+landmarks.",
            show_default="by the table's shape",
        ),
    ] = None,
    rounds: Annotated[
        int | None,
        typer.Option(min=1, help="Trees of each booster.", show_default="by the table's shape"),
    ] = None,
    settings: Annotated[
        Path | None, typer.Option(help="A TOML file with settings; see --show-settings.", show_default="none")
    ] = None,
    show_settings: Annotated[
        bool, typer.Option("--show-settings", metavar="", help="Print all settings for this run, and do not fit.")
    ] = False,
    own_classes: Annotated[
        bool,
        typer.Option(
            "--own-classes",
            metavar="",
            help="Take every label in train.csv as the name of your own class, even numbers.",
        ),
    ] = False,
    normalise_by: Annotated[
        str | None,
        typer.Option(
            help="Give each plate, line or value of COLUMN its own centre and scale of features, learnt from its "
            "fields without labels.",
            metavar="plate|line|COLUMN",
            show_default="none",
        ),
    ] = None,
    controls: Annotated[
        str | None,
        typer.Option(help="Learn them from these wells alone, e.g. A01,B01.", show_default="all fields"),
    ] = None,
    leave_out: Annotated[
        str | None,
        typer.Option(
            help="Also score with whole plates, lines or values of COLUMN left out.",
            metavar="plate|line|COLUMN",
            show_default="plate, where known",
        ),
    ] = None,
    fields: Annotated[
        Path | None,
        typer.Option(help="csv with Id, Plate, Well, Line ... Default: DATA/fields.csv, DATA/groups.csv, image names."),
    ] = None,
    no_covariates: Annotated[
        bool,
        typer.Option("--no-covariates", metavar="", help="Leave out features that depend on how a field was acquired."),
    ] = False,
    like_before: Annotated[
        bool,
        typer.Option(
            "--like-before",
            metavar="",
            help="Keep settings, groups and folds of the earlier fit, so that scores before and after a change of "
            "labels can be compared. Only classes with changed labels are trained again, if the fields are the same.",
        ),
    ] = False,
    device: Device = "auto",
    workers: Workers = 0,
    scheduler: Scheduler = None,
    seed: Seed = 0,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Train and evaluate: folds, one-vs-rest boosters of two libraries, stack, calibration, thresholds, leaderboard."""
    import pipeline

    job = pipeline.Job(run, data, device, workers, scheduler, seed, quiet)
    chosen = tuple(name.strip() for name in members.split(",")) if members else ()
    outcome = pipeline.fit(
        job, groups=groups, n_folds=folds, rounds=rounds, covariates=not no_covariates, members=chosen,
        settings_file=settings, show=show_settings, like_before=like_before, own_classes=own_classes,
        plates=pipeline.PlateOptions(
            normalise_by or "", tuple(well.strip() for well in controls.split(",")) if controls else (),
            leave_out or "", fields,
        ),
    )  # fmt: skip
    _print_outcome(outcome, quiet, as_json)


@command("importances", 'importances "Golgi apparatus" --plot golgi.png')
def importances(
    organelle: Annotated[
        str | None, typer.Argument(help='One organelle, e.g. "Golgi apparatus"; default: all.')
    ] = None,
    run: Run = RUN,
    plot: Annotated[Path | None, typer.Option(help="Also draw a plot into this file (.png, .svg or .pdf).")] = None,
    top: Annotated[int, typer.Option(min=1, help="Rows to show.")] = 15,
    workers: Workers = 0,
    scheduler: Scheduler = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Show what drives each organelle, by family, channel, compartment and single feature."""
    import pipeline

    job = pipeline.Job(run, workers=workers, scheduler=scheduler, quiet=quiet)
    outcome = pipeline.importances(job, organelle, plot=plot, top=top)
    _print_outcome(outcome, quiet, as_json)


@command(
    "predict my_fields --run runs/default",
    "predict my_fields.zip --overlays overlays --label-images masks",
)
def predict(
    images: Annotated[Path, typer.Argument(help="Folder or zip of <Id>_{red,green,blue,yellow} images.")],
    run: Run = RUN,
    out: Annotated[Path | None, typer.Option(help="Folder for the tables.", show_default="RUN/predicted")] = None,
    overlays: Annotated[
        Path | None, typer.Option(help="Folder for a PNG of each field with its cells outlined.")
    ] = None,
    label_images: Annotated[Path | None, typer.Option(help="Folder for OME-TIFF label images.")] = None,
    coverage: Annotated[
        float, typer.Option(min=0.01, max=0.999, help="Share of the true organelles that prediction sets should hold.")
    ] = 0.9,
    fields: Annotated[
        Path | None,
        typer.Option(help="csv with Id, Plate, Well, Site (or what fit --normalise-by named) of the new fields."),
    ] = None,
    neighbours: Annotated[
        int, typer.Option(min=0, help="Number of similar training fields to list for each field.")
    ] = 5,
    masks: Masks = None,
    layout: Layout = None,
    pattern: Pattern = None,
    images_csv: ImagesCsv = None,
    stains: StainsOf = None,
    z: ZPlane = None,
    t: TimePoint = None,
    no_er: NoER = False,
    pixel_size: PixelSize = None,
    max_level: MaxLevel = None,
    camera_offset: CameraOffset = None,
    backbone: Annotated[
        Path | None, typer.Option(help="The run's network, if it was your own.", show_default="none")
    ] = None,
    device: Device = "auto",
    workers: Workers = 0,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Predict new fields with a fitted run: calls, prediction sets, the cells and features behind them, similar fields.

    Fields are measured with the settings of the run. predictions.csv has calls, prediction sets, probabilities, and
    OutOfDistribution for fields unlike the training fields; cells.csv scores each cell for the calls (an order within a
    field, not calibrated); why.csv lists the features for and against each call; neighbours.csv lists the most similar
    training fields.

    A prediction set holds the calls and the other organelles that a field could show. With coverage 0.9, sets contain
    on average at least about 90 % of the true organelles of fields of a new antibody, well or other group (approximate;
    not for each single organelle, nor for other microscopes).
    """
    from commands.job import Job

    job = Job(run, device=device, workers=workers, quiet=quiet)
    job.start_measuring(out or job.folder.predicted)
    import pipeline  # takes a second, in which the workers start

    reading = _reading(layout, pattern, images_csv, stains, z, t, no_er, pixel_size, max_level, camera_offset)
    outcome = pipeline.predict(
        job, images, out=out, pictures=overlays, label_images=label_images, coverage=coverage, neighbours=neighbours,
        masks=masks, reading=reading, network=backbone, fields=fields,
    )  # fmt: skip
    _print_outcome(outcome, quiet, as_json)


@command("submit", "submit --prior-shift em")
def submit(
    data: Data = DATA,
    run: Run = RUN,
    prior_shift: Annotated[
        PriorShift,
        typer.Option(
            help="What to assume about the class shares in the test fields; never part of a reported score. "
            "em: estimate them from the test fields; match: call the same share of fields as in training."
        ),
    ] = "none",
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Write submission.csv in the order of sample_submission.csv."""
    import pipeline

    _print_outcome(pipeline.submit(pipeline.Job(run, data, quiet=quiet), prior_shift=prior_shift), quiet, as_json)


@command("report", "report --data my_data --run runs/mine --masks masks")
def report(
    data: Data = DATA,
    run: Run = RUN,
    masks: Masks = None,
    images_csv: ImagesCsv = None,
    workers: Workers = 0,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Write report.html, a self-contained page with scores, importances and labels to check."""
    import pipeline

    job = pipeline.Job(run, data, workers=workers, quiet=quiet)
    _print_outcome(pipeline.report(job, masks=masks, images=images_csv), quiet, as_json)


@command("review", "review --data demo/data --run demo/run")
def review(
    data: Data = DATA,
    run: Run = RUN,
    port: Annotated[
        int | None,
        typer.Option(min=1, max=65535, help="Port of the local page.", show_default="8517, or else a free one"),
    ] = None,
    no_browser: Annotated[
        bool, typer.Option("--no-browser", metavar="", help="Print the address; open no browser.")
    ] = False,
    masks: Masks = None,
    images_csv: ImagesCsv = None,
    workers: Workers = 0,
    quiet: Quiet = False,
) -> None:
    """Look at fields and cells, correct labels and refit, on a local page in the browser.

    Works after extract, also without a fit and without any label. Corrected labels are saved at once in
    DATA/corrections.csv; train.csv is never changed. Only this machine can open the page. Ctrl-C ends it.
    """
    import pipeline

    job = pipeline.Job(run, data, workers=workers, quiet=quiet)
    pipeline.review(job, port=port, browser=not no_browser, masks=masks, images=images_csv)


@command("export cells.h5ad", "export fields.csv --level fields --split train")
def export(
    file: Annotated[Path, typer.Argument(help="File to write, ending in .h5ad (AnnData), .csv, .csv.gz or .parquet.")],
    level: Annotated[Level, typer.Option(help="A row per cell, or a row per field with its cells pooled.")] = "cells",
    split: Annotated[Split, typer.Option(help="Which fields; both means all that were extracted.")] = "both",
    run: Run = RUN,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Write the cells or fields of a run into one file that other tools read."""
    import pipeline

    _print_outcome(pipeline.export(pipeline.Job(run, quiet=quiet), file, level=level, split=split), quiet, as_json)


def _print_outcome(outcome: "Outcome", quiet: bool, as_json: bool) -> None:
    """Print the results and the next command; exit with SOME_FAILED if fields failed, with UNUSABLE if all did."""
    for line in outcome.lines:
        print(fitted(line))
    if outcome.next_command and not quiet:
        print(f"Next: {outcome.next_command}")
    if as_json:
        print(json.dumps(outcome.facts))
    if outcome.n_failed:
        print(outcome.failure, file=sys.stderr)
        raise typer.Exit(UNUSABLE if outcome.none_usable else SOME_FAILED)


def main(arguments: list[str] | None = None) -> int:
    """Run a command; exit code 0 done, 1 a bug, 2 usage, 3 some fields failed, 4 input unusable, 130 interrupted."""
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        with messages_on_stderr(ROOMS):
            code, sentence = _run(arguments)
    except BaseException:  # errors caused by an interruption are no bugs
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
    """The exit code, and the error message or ""."""
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


def run_program() -> None:
    """The entry point of `hpa-boost` and `python cli.py`: handles Ctrl-C, and ends the process."""
    heed_signals()
    end(main())


if __name__ == "__main__":
    run_program()
