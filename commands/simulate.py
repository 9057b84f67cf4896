"""`simulate`: HPA-like fields with known labels, in Kaggle's layout."""

from commands.job import Job
from engine.command_line import command_line
from engine.counted import counted
from engine.outcome import Outcome
from engine.running.progress import progress
from simulate import simulate as simulate_fields


def write_fields(job: Job, fields: int, test_fields: int, size: int) -> Outcome:
    """Write the fields, train.csv, sample_submission.csv and groups.csv into the data folder."""
    with progress("simulate", fields + test_fields, "fields", job.quiet) as bar:
        simulate_fields(
            job.data, fields, test_fields, size, job.seed, job.n_workers, lambda done, total: bar.advance()
        )  # fmt: skip
    lines = (f"{fields} training and {counted(test_fields, 'test field')} of {size} x {size} px in {job.data}",)
    facts = {"data": str(job.data), "fields": fields, "test_fields": test_fields}
    return Outcome(lines, command_line("extract", data=job.data), facts)
