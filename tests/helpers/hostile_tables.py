"""csv tables that people have, or that somebody made to do harm, and words of the sentence that each should give."""

ACCEPTED = ""
BOM = b"\xef\xbb\xbf"

IDS = (
    ("formula =", '"=cmd|\'/C calc\'!A0"', "a spreadsheet runs as a formula"),
    ("formula +", "+1", "a spreadsheet runs"),
    ("formula -", "-1", "a spreadsheet runs"), ("formula @", "@SUM(1)", "a spreadsheet runs"),
    ("formula after spaces", "  =1", "a spreadsheet runs"), ("path ..", "../../etc/passwd", "reads like a path"),
    ("path, absolute", "/etc/passwd", "reads like a path"), ("path, backslash", "a\\b", "reads like a path"),
    ("line break", '"a\nb"', "not printed (U+000A)"), ("NUL", "a\0b", "not printed (U+0000)"),
    ("right-to-left mark", "a\u202egnp", "not printed (U+202E)"), ("300 characters", "x" * 300, "has 300 characters"),
    ("empty", "", "is empty"), ("script", "<script>alert(1)</script>", "reads like a path"),
    ("comma", '"a,b"', ACCEPTED),
    ("quote", '"a""b"', ACCEPTED), ("composed é", "é", ACCEPTED), ("decomposed é", "e\u0301", ACCEPTED),
    ("another case", "F1", ACCEPTED),
)  # fmt: skip
"""Name, the cell as it stands in the file, and what is said of it in any of the three tables."""

ANY = (
    ("empty file", b"", "it is empty"), ("a line break alone", b"\n", "it is empty"),
    ("byte-order mark", BOM + b"Id,{}\nf1,0\n", ACCEPTED), ("CRLF", b"Id,{}\r\nf1,0\r\n", ACCEPTED),
    ("old Mac line ends", b"Id,{}\rf1,0\r", ACCEPTED), ("quotes", b'"Id","{}"\n"f1","0"\n', ACCEPTED),
    ("empty lines", b"\nId,{}\n\nf1,0\n\n", ACCEPTED), ("further columns", b"Id,x,{}\nf1,y,0\n", ACCEPTED),
    ("UTF-16", "Id,{}\nf1,0\n".encode("utf-16"), "not UTF-8"), ("Latin-1", b"Id,{}\nf\xe9,0\n", "not UTF-8"),
    ("binary", bytes(range(256)), "not UTF-8"), ("quote left open", b'Id,{}\n"f1,0\n', "unexpected end of data"),
    ("text after a quote", b'Id,{}\n"f1"x,0\n', "expected after"),
    ("no Id", b"Ident,{}\nf1,0\n", "column Id is missing"),
    ("two Id columns", b"Id,Id,{}\nf1,f1,0\n", "column Id comes more than once"),
    ("a cell too many", b"Id,{}\nf1,0,1\n", "line 2: found 3 cells, expected 2"),
    ("a cell too few", b"Id,{}\nf1\n", "line 2: found 1 cell, expected 2"),
    ("an Id twice", b"Id,{}\nf1,0\nf2,0\nf1,0\n", "comes more than once (lines 2, 4)"),
    ("a cell of 200,000 characters", b"Id,{}\nf1," + b"0" * 200_000 + b"\n", "field larger than field limit"),
    ("separated by semicolons", b"Id;{}\nf1;0\n", "Separate the columns by commas"),
    ("separated by tabs", b"Id\t{}\nf1\t0\n", "Separate the columns by commas"),
)  # fmt: skip
"""Name, bytes with {} for the second column's name, and what is said of it in any of the three tables."""

TARGETS = (
    ("label 28", "28", "unknown label '28'"), ("label -1", "-1", "unknown label '-1'"), ("label 1.0", "1.0", "unknown"),
    ("5,000 digits", "9" * 5000, "unknown label '999"), ("superscript two", "²", "unknown label '²'"),
    ("Arabic one", "١", "unknown label"), ("NaN", "nan", "unknown label 'nan'"), ("empty", "", "Target is empty"),
    ("commas between", '"1,2"', "unknown label '1,2'"), ("formula", "=1", "which a spreadsheet runs as a formula"),
    ("two spaces", "0  1", ACCEPTED), ("the same twice", "1 1", ACCEPTED), ("leading zeros", "007", ACCEPTED),
)  # fmt: skip
"""Name, the Target of train.csv, and what is said of it."""


def of_id(cell: str, column: str) -> bytes:
    """A table in which one id is good and one is this."""
    return f"Id,{column}\nf1,0\n{cell},0\n".encode()


def of_column(table: bytes, column: str) -> bytes:
    """A table of `ANY` with its second column named."""
    marks = [("{}".encode(code), column.encode(code)) for code in ("utf-8", "utf-16-le")]
    for mark, name in marks:
        table = table.replace(mark, name)
    return table
