"""Errors that are the fault of the input or the machine, each with its exit code.

HpaError
├── UsageError   2  a command or option does not exist or does not fit the others
├── InputError   4  a file or folder is missing or unusable
│   └── FieldError  one field cannot be used: recorded in failures.csv, the run goes on
└── MachineError 4  the machine lacks what the command needs, e.g. memory
"""


class HpaError(Exception):
    """An error that the user can resolve. The message says what is wrong, where, what was expected, and what helps."""

    exit_code = 1


class UsageError(HpaError):
    """A command, option or value does not exist, or does not fit the others."""

    exit_code = 2


class InputError(HpaError):
    """A file or folder is missing or cannot be used."""

    exit_code = 4


class MachineError(HpaError):
    """The machine lacks what the command needs, e.g. memory; finished results are kept."""

    exit_code = 4


class FieldError(InputError):
    """One field cannot be used; `stage` says where it failed (read, segment, measure)."""

    def __init__(self, message: str, field: str, path: str = "", stage: str = "read") -> None:
        super().__init__(message)
        self.field = field
        self.path = path
        self.stage = stage

    def __reduce__(self):
        return FieldError, (str(self), self.field, self.path, self.stage)
