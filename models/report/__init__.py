"""report.html: one file that says what the data were, how good the calls are, and what they rest on. No network."""

from models.report.evidence import PICTURE_SIDE, Evidence, Failure, Picture
from models.report.page import write_report

__all__ = ["PICTURE_SIDE", "Evidence", "Failure", "Picture", "write_report"]
