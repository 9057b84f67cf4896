"""The local web server: every address of the page, behind `review.security.Gate`."""

import csv
import io
import logging
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from flask import Blueprint, Flask, Response, abort, jsonify, request, send_from_directory
from waitress.server import create_server
from werkzeug.exceptions import HTTPException

from engine.errors import FieldError, HpaError, InputError
from engine.ids import inert, shown
from review import answers, map_points
from review.cell_pages import cells_page
from review.pictures import LARGEST, THUMBNAIL, VIEWS
from review.refit import Refitted
from review.security import HEADERS, LOOPBACK, Gate
from review.state import Review
from store.channels import CHANNELS
from store.corrections import UnusableJournalError

PORT = 8517
"""Used unless another is named; if it is taken, any free one."""

THREADS = 6
_PAGE = Path(__file__).parent / "page"
_FILES = tuple(path.name for path in _PAGE.iterdir() if path.suffix in (".js", ".css", ".html", ".svg"))
_LARGEST_REQUEST = 2**22  # bytes
_MOST_ENTRIES = 5000  # changes at once


def make_app(review: Review, gate: Gate) -> Flask:
    """The web application.

    Parameters
    ----------
    review : Review
    gate : Gate
        Whose requests are answered.
    """
    app = Flask(__name__, static_folder=None, template_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = _LARGEST_REQUEST
    app.json.sort_keys = False  # pyright: ignore[reportAttributeAccessIssue]  # of Flask's own provider

    @app.before_request
    def guard() -> Response | None:
        refused = gate.refusal(request.method, request.path, dict(request.headers))
        return None if refused is None else Response(refused[1], refused[0], content_type="text/plain; charset=utf-8")

    @app.after_request
    def add_headers(response: Response) -> Response:
        response.headers.update(HEADERS)
        return response

    @app.errorhandler(HpaError)
    def explain(error: HpaError) -> tuple[Response, int]:
        later = 503 if isinstance(error, UnusableJournalError) else 400  # the page keeps what it could not save
        return jsonify(error=str(error)), 404 if isinstance(error, FieldError) else later

    @app.errorhandler(OSError)
    def explain_disk(error: OSError) -> tuple[Response, int]:
        from engine.machine import refusal

        return jsonify(error=refusal(error)), 500

    @app.errorhandler(Exception)
    def explain_bug(error: Exception) -> tuple[Response, int] | HTTPException:
        if isinstance(error, HTTPException):
            return error
        logging.getLogger(__name__).exception("the page asked for %s", request.path)
        return jsonify(error=f"{type(error).__name__}: {error}. This is a bug in hpa-boost."), 500

    app.register_blueprint(_page_files(), url_prefix=f"/{gate.token}")
    app.register_blueprint(_tables(review), url_prefix=f"/{gate.token}/api")
    app.register_blueprint(_changes(review), url_prefix=f"/{gate.token}/api")
    app.register_blueprint(_images(review), url_prefix=f"/{gate.token}/picture")
    return app


def _page_files() -> Blueprint:
    page = Blueprint("page", __name__)

    @page.get("/")
    def index() -> Response:
        return send_from_directory(_PAGE, "page.html")

    @page.get("/<name>")
    def file(name: str) -> Response:
        if name not in _FILES:
            abort(404)
        return send_from_directory(_PAGE, name)

    return page


def _tables(review: Review) -> Blueprint:
    tables = Blueprint("tables", __name__)

    def answered(name: str, answer: Callable[[], Any], method: str = "GET") -> None:
        tables.add_url_rule(f"/{name}", name, lambda: jsonify(answer()), methods=[method])

    answered("run", lambda: answers.run_facts(review))
    answered("status", lambda: answers.status(review, request.args.get("since", 0, int)))
    answered("features", lambda: answers.features(review))
    answered("fields", lambda: answers.fields_page(review, _query()), "POST")
    answered("cells", lambda: cells_page(review, _query()), "POST")
    answered("field", lambda: answers.one_field(review, _row(review)))
    answered("scale", lambda: answers.scale(review, _id(review)))
    answered("why", lambda: answers.why(review, _row(review), request.args.get("class", "")))
    answered("refit", lambda: _refit_state(review))
    answered(
        "map",
        lambda: map_points.points(review, *(request.args.get(name, "") for name in ("level", "colour", "name"))),
    )

    @tables.get("/labels.csv")
    def labels() -> Response:
        text = _labels_csv(review)
        return Response(text, content_type="text/csv; charset=utf-8",
                        headers={"Content-Disposition": "attachment; filename=labels.csv"})  # fmt: skip

    return tables


def _changes(review: Review) -> Blueprint:
    changes = Blueprint("changes", __name__)

    @changes.post("/corrections")
    def correct() -> Response:
        entries = _query().get("entries")
        if not isinstance(entries, list) or len(entries) > _MOST_ENTRIES:
            raise InputError(f"expected a list of at most {_MOST_ENTRIES:,} changes. Nothing was saved.")
        since = _query().get("since")
        saved = review.labels.save(entries, review.by)
        return jsonify(saved=saved, **answers.changed_since(review, since if isinstance(since, int) else 0))

    @changes.post("/class")
    def add_class() -> Response:
        review.add_class(" ".join(str(_query().get("name", "")).split()))
        return jsonify(classes=review.catalogue.classes)

    @changes.post("/refit")
    def refit() -> Response:
        return jsonify(review.refit())

    return changes


def _images(review: Review) -> Blueprint:
    images = Blueprint("images", __name__)

    @images.get("/field")
    def field() -> Response:
        view, outlined = _view()
        side = min(max(request.args.get("side", THUMBNAIL, int), 16), LARGEST)
        return Response(review.pictures.field(_id(review), view, outlined, side), content_type="image/jpeg")

    @images.get("/cell")
    def cell() -> Response:
        (view, outlined), index = _view(), review.cells()
        k = request.args.get("index", -1, int)
        if index is None or not 0 <= k < len(index.field) or index.field[k] < 0:
            abort(404)
        jpeg = review.pictures.cell(
            review.catalogue.ids[index.field[k]], int(index.number[k]), float(index.x[k]), float(index.y[k]),
            int(index.width[k]), view, outlined,
        )  # fmt: skip
        return Response(jpeg, content_type="image/jpeg")

    @images.get("/plane")
    def plane() -> Response:
        channel = request.args.get("channel", -1, int)
        if not 0 <= channel < len(CHANNELS):
            abort(404)
        return Response(review.pictures.plane(_id(review), channel), content_type="image/png")

    @images.get("/numbers")
    def numbers() -> Response:
        return Response(review.pictures.numbers(_id(review)), content_type="image/png")

    return images


def _query() -> dict[str, Any]:
    content = request.get_json(silent=True)
    if not isinstance(content, dict):
        raise InputError("expected a JSON object.")
    return content


def _id(review: Review) -> str:
    return review.catalogue.ids[_row(review)]


def _row(review: Review) -> int:
    row, field = request.args.get("row", -1, int), request.args.get("id", "")
    found = row if 0 <= row < len(review.catalogue.ids) else review.catalogue.row.get(field)
    if found is None:
        raise FieldError(f"this run has no field {shown(field)!r}.", field)
    return found


def _view() -> tuple[str, bool]:
    view = request.args.get("view", VIEWS[0])
    if view not in VIEWS:
        abort(404)
    return view, request.args.get("outlines") == "1"


def _refit_state(review: Review) -> dict[str, Any]:
    state, row = review.tasks.state("refit"), review.catalogue.row
    if not isinstance(state.result, Refitted):
        return state.shown() | {"result": None}
    rows = list(dict.fromkeys(row[one["id"]] for one in state.result.calls if one["id"] in row))
    return state.shown() | {"result": state.result.shown() | {"rows": rows}}


def _labels_csv(review: Review) -> str:
    """All labels as they stand: Id, Target (names with | between), Labelled, Unusable, Corrected, Note."""
    text, labels, known = io.StringIO(), review.labels.table(), review.catalogue
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("Id", "Target", "Labelled", "Unusable", "Corrected", "Note"))
    for i in np.flatnonzero(labels.labelled | labels.unusable):
        names = "|".join(known.classes[j] for j in np.flatnonzero(labels.matrix[i]))
        states = ("yes" if state[i] else "no" for state in (labels.labelled, labels.unusable, labels.corrected))
        writer.writerow([inert(cell) for cell in (known.ids[i], names, *states, labels.notes.get(int(i), ""))])
    return text.getvalue()


def open_port(port: int | None) -> socket.socket:
    """A listening socket on the loopback address; without a number on `PORT`, or if that is taken on any free port.

    Raises
    ------
    InputError
        If the named port is taken.
    """
    for wanted in (PORT, 0) if port is None else (port,):
        listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        if os.name == "posix":  # the same port again at once after a restart; elsewhere it would mean sharing it
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((LOOPBACK, wanted))
            listening.listen(64)
        except OSError as error:
            listening.close()
            reason = error.strerror
            continue
        return listening
    raise InputError(f"port {port} cannot be used ({reason}). Name another with --port, or leave it out.")


def serve(review: Review, listening: socket.socket, gate: Gate) -> NoReturn:
    """Answer requests until the process is interrupted; raises KeyboardInterrupt then."""
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # a page of thumbnails waits; that is no problem
    server = create_server(
        make_app(review, gate), sockets=[listening], threads=THREADS, ident=None, clear_untrusted_proxy_headers=True
    )
    try:
        server.run()  # returns at Ctrl-C
    finally:
        server.close()
    raise KeyboardInterrupt
