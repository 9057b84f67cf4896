"""What can be wrong with what the user gave us, each with its exit code.

HpaError
├── UsageError   2  the command line asks for something that does not exist
├── InputError   4  a file or folder is missing or unusable
│   └── FieldError  one field cannot be used: recorded in failures.csv, the run goes on
└── MachineError 4  the machine does not give what the command needs, e.g. memory
"""


class HpaError(Exception):
    """A mistake in what we were given. The message says what, where, found, expected, and the remedy."""

    exit_code = 1


class UsageError(HpaError):
    """The command asks for something that does not exist or does not fit together."""

    exit_code = 2


class InputError(HpaError):
    """A file or folder is missing or cannot be used."""

    exit_code = 4


class MachineError(HpaError):
    """The machine does not give what the command needs; what was finished is kept."""

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
