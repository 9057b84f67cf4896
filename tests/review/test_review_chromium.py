"""The page in a browser: labels by keyboard, undo, the lasso, a refit; a kill of the server loses nothing."""

import csv
import signal
import threading
import time

import pytest
from browser import CHROMIUM, browser
from review_run import fit_quickly, make_review, page_of, state_pixel_size

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")

CARDS = "document.querySelectorAll('.grid .card').length"
SAVED = "document.getElementById('saved').textContent"
LIT = """(() => {
  const c = document.querySelector('.stage canvas'), d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
  let n = 0;
  for (let i = 0; i < d.length; i += 4) n += d[i] > 60;
  return n;
})()"""
"""How many pixels of the open field's picture are red."""

CANVAS = "document.querySelector('.stage canvas')"
HOSTILE = '<img src=x onerror="document.body.dataset.owned=1"><script>document.body.dataset.owned=2</script>'


@pytest.fixture(scope="module")
def tab():
    with browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    made = make_review(tmp_path_factory.mktemp("fitted"))
    state_pixel_size(made.data / "train", "train-001", 0.325)
    fit_quickly(made)
    return made


@pytest.fixture(scope="module")
def page(fitted):
    """The address of one page for the tests that do not end it."""
    with page_of(fitted) as (address, _):
        yield address


def visit_fields(tab, address: str) -> None:
    """Wait for the gallery of 24 fields and for the focus, which keys need."""
    tab.visit(address + "#fields")
    tab.until(f"{CARDS} === 24")
    tab.until("document.activeElement.className.includes('card')")


def rows(made) -> list[dict[str, str]]:
    path = made.data / "corrections.csv"
    return list(csv.DictReader(path.open())) if path.is_file() else []


def on_disk(made, n: int) -> list[dict[str, str]]:
    ends = time.monotonic() + 20
    while len(rows(made)) < n and time.monotonic() < ends:
        time.sleep(0.05)
    assert len(rows(made)) == n
    return rows(made)


def test_ten_first_labels_by_keyboard_and_undo(tab, tmp_path):
    """Without any label or fit: arrows and class keys alone."""
    made = make_review(tmp_path, labelled=False)
    with page_of(made) as (address, _):
        visit_fields(tab, address)
        for k in range(10):
            tab.press("1" if k % 2 else "3")
            tab.press("ArrowRight")
        found = on_disk(made, 10)
        assert [row["Id"] for row in found] == [f"train-{k:03d}" for k in range(10)]
        assert [row["Value"] for row in found] == ["Nucleoli", "Nucleoplasm"] * 5
        assert {row["Action"] for row in found} == {"add"}
        tab.press("z", control=True)
        undone = on_disk(made, 11)[-1]
        assert (undone["Action"], undone["Id"], undone["Value"]) == ("undo", "train-009", found[-1]["Entry"])
        tab.until(f"{SAVED} === 'undone: add Nucleoplasm (train-009)'")
        tab.until("document.querySelectorAll('.grid .card')[9].textContent.includes('not labelled')")
        tab.press("Delete")
        assert on_disk(made, 12)[-1]["Action"] == "unusable"
        for written, place in (("&", "Digit2"), ("A", "KeyA")):  # Shift writes digits in France; Caps Lock is on
            tab.run(f"dispatchEvent(new KeyboardEvent('keydown', {{key: {written!r}, code: {place!r}}}))")
        assert [row["Value"] for row in on_disk(made, 14)[12:]] == ["Nuclear membrane", "Lysosomes"]
        assert [one for one in tab.complaints if "willReadFrequently" not in one] == []


def test_without_a_fit_no_field_is_labelled_as_called_and_without_a_label_none_is_fitted(tab, tmp_path):
    made = make_review(tmp_path, labelled=False, images=False)
    with page_of(made) as (address, _):
        tab.visit(address + "#fields")
        tab.until("document.activeElement.className.includes('card')")
        tab.press(".")
        tab.until(f"{SAVED} === 'nothing to change'")
        tab.press("1")
        assert [row["Action"] for row in on_disk(made, 1)] == ["add"]
        tab.until("document.getElementById('working').textContent.includes('Nothing was fitted yet')")
        tab.press("z", control=True)
        on_disk(made, 2)
        tab.visit(address + "#refit")
        tab.until("document.querySelector('#refit-start')?.disabled")
        tab.until("document.getElementById('working').textContent.includes('No field has a label yet')")


def test_several_fields_at_once_and_label_next_without_a_fit(tab, tmp_path):
    made = make_review(tmp_path, labelled=False, images=False)
    with page_of(made) as (address, _):
        tab.visit(address + "#next")
        tab.until(f"{CARDS} === 24")
        first = tab.run("document.querySelector('.grid .card').dataset.key")
        tab.until("document.activeElement.className.includes('card')")
        tab.press(" ")
        tab.press("ArrowRight")
        tab.press(" ")
        tab.press("2")
        found = on_disk(made, 2)
        assert found[0]["Id"] == first != found[1]["Id"]
        assert {row["Value"] for row in found} == {"Nuclear membrane"}
        tab.press("z", control=True)
        assert [row["Action"] for row in on_disk(made, 4)] == ["add", "add", "undo", "undo"]


def test_a_field_opens_with_its_channels_calls_reasons_and_history(tab, page):
    visit_fields(tab, page)
    tab.press("Enter")
    tab.until("location.hash === '#field=train-000'")
    tab.until("document.querySelectorAll('.channel').length === 4")
    tab.until("document.body.textContent.includes('96 × 96 px; the size of a pixel is not known')")
    assert tab.run("document.querySelector('.stage .scale').textContent").endswith(" px")
    tab.until("document.body.textContent.includes('Reasons for and against')", 40)
    tab.until("document.body.textContent.includes('Cells that look most like')", 40)
    tab.until("document.querySelectorAll('.similar .card').length > 0")
    tab.until(f"{LIT} > 1000")
    x, y, w, h = tab.run(f"(({{x, y, width, height}}) => [x, y, width, height])({CANVAS}.getBoundingClientRect())")
    place = (x + w / 2 + (28 - 48) / 96 * min(w, h), y + h / 2 + (30 - 48) / 96 * min(w, h))
    ends = time.monotonic() + 60  # until the cells are found
    while not tab.run("/Cell [12]$/.test(document.querySelector('.one .hint').textContent)"):
        assert time.monotonic() < ends
        tab.drag([place])
    with_red = tab.run(LIT)
    tab.run("dispatchEvent(new KeyboardEvent('keydown', {key: '!', code: 'Digit1', shiftKey: true}))")
    assert tab.run(LIT) < with_red
    tab.run(f"window.prompt = () => {HOSTILE!r}")
    tab.press(",")
    tab.until("[...document.querySelectorAll('td')].some((cell) => cell.textContent.startsWith('<img src=x'))")
    assert tab.run("document.body.dataset.owned") is None
    tab.press("Escape")
    tab.until(f"{CARDS} === 24")
    assert [one for one in tab.complaints if "willReadFrequently" not in one] == []


FOCUS = (
    "document.activeElement.dataset.class || document.activeElement.dataset.key || document.activeElement.textContent"
)


def test_the_focus_stays_where_it_was_after_a_change(tab, page):
    tab.visit(page + "#fields")
    tab.until("document.activeElement.className.includes('card')")
    tab.run("document.querySelector('[data-class=\"Nuclear bodies\"]').focus()")
    pressed = "document.activeElement.getAttribute('aria-pressed')"
    for expected in ("true", "false"):
        tab.press("Enter")
        tab.until(f"{SAVED} === 'saved' && {pressed} === '{expected}'")
        assert tab.run(FOCUS) == "Nuclear bodies"
    tab.run("document.querySelector('.bar input[type=checkbox]').focus()")
    tab.press(" ")
    assert tab.run("document.activeElement.checked")
    assert tab.run("document.querySelectorAll('.card[aria-selected=true]').length") == 0
    tab.press(" ")


def test_labelling_as_called_keeps_labels_of_classes_that_no_model_can_call(tab, page, fitted):
    tab.visit(page + "#fields")
    tab.until("document.activeElement.className.includes('card')")
    n = len(rows(fitted))
    tab.press("9")
    tab.press("1")
    tab.until("document.querySelector('.grid .card').textContent.includes('Peroxisomes')")
    tab.press(".")
    kept = on_disk(fitted, n + 3)[-1]
    assert kept["Action"] == "set" and "Peroxisomes" in kept["Value"].split("|")
    for _ in range(3):
        tab.press("z", control=True)
    on_disk(fitted, n + 6)


def test_several_fields_are_selected_and_one_is_opened_without_a_keyboard(tab, page):
    tab.visit(page + "#fields")
    tab.until(f"{CARDS} === 24")
    tap = "[...document.querySelectorAll('button')].find((one) => one.textContent.startsWith('{}')).click()"
    tab.run(tap.format("Select several"))
    for k in (1, 4, 6, 4):
        tab.run(f"document.querySelectorAll('.grid .card')[{k}].click()")
    assert tab.run("document.querySelector('aside.side h2').textContent") == "2 fields"
    tab.run(tap.format("Select several"))
    tab.run("document.querySelectorAll('.grid .card')[2].click()")
    tab.run(tap.format("Open"))
    tab.until("location.hash === '#field=train-002'")


def test_from_field_to_field_of_the_gallery_and_zoom_by_keyboard(tab, page):
    tab.visit(page + "#fields")
    tab.until("document.activeElement.className.includes('card')")
    tab.press("Enter")
    tab.until("location.hash === '#field=train-000' && document.querySelectorAll('.one .card').length")
    first, last = (f"[...document.querySelectorAll('.bar button')].at({k}).disabled" for k in (1, 2))
    assert tab.run(f"[{first}, {last}]") == [True, False]
    tab.press("ArrowLeft")
    tab.press("ArrowRight")
    tab.until("document.querySelector('canvas').ariaLabel.endsWith('train-001')")
    tab.until("document.querySelector('.stage .scale').textContent")
    bar = "(({style: s, textContent: t}) => s.width + t)(document.querySelector('.stage .scale'))"
    scale = tab.run(bar)
    tab.press("+")
    tab.until(f"{bar} !== '{scale}'")
    tab.press("-")
    tab.until(f"{bar} === '{scale}'")
    tab.press("Escape")
    tab.until("document.activeElement.dataset.key === 'train-001'")


def test_a_cell_opens_its_field_with_that_cell_marked_and_an_unknown_field_is_said_so(tab, page):
    tab.visit(page + "#cells")
    tab.until("document.activeElement.className.includes('card')", 60)
    tab.press("Enter")
    tab.until("location.hash === '#field=train-000&cell=1' && document.activeElement.id === 'view'")
    tab.until("document.querySelector('.one .hint').textContent.startsWith('Cell 1.')", 60)
    assert tab.run("document.querySelector('[aria-current=page]').textContent") == "Cells"
    tab.run("location.hash = 'field=nosuch'")
    tab.until("document.getElementById('trouble').textContent === \"This run has no field 'nosuch'.\"")
    tab.run("location.hash = 'map'")
    tab.until("document.getElementById('trouble').hidden && document.title === 'Map – review'")


def test_a_label_that_is_not_called_has_its_probability_and_reasons_beside_the_calls(tab, page):
    tab.visit(page + "#fields")
    tab.until(f"{CARDS} === 24")
    change_answers(
        tab,
        "api/field",
        """
        found.labels = ['Nucleoli'];
        found.calls = [];
        found.probabilities = [...'abcdef', 'Nucleoli'].map((name, k) => [name, 0.9 - k / 10]);
    """,
    )
    tab.run("location.hash = 'field=train-002'")
    tab.until("[...document.querySelectorAll('tr')].some((row) => row.textContent.includes('labelled, not called'))")
    rows = tab.run(
        "[...document.querySelectorAll('tr')].map((row) => row.textContent).filter((text) => text.includes('%'))"
    )
    assert len(rows) == 7 and rows[-1] == "Nucleolilabelled, not called30\u00a0%"


def test_the_scale_bar_of_an_open_field_is_in_micrometres_where_the_files_state_the_size_of_a_pixel(tab, page):
    tab.visit(page + "#field=train-001")
    tab.until("document.body.textContent.includes('96 × 96 px of 0.325 µm')")
    words, length = tab.run("(({textContent: t, clientWidth: w}) => [t, w])(document.querySelector('.stage .scale'))")
    across = tab.run(f"(({{width, height}}) => Math.min(width, height))({CANVAS}.getBoundingClientRect())")
    assert words.endswith(" µm") and length / across * 96 * 0.325 == pytest.approx(float(words.split()[0]), rel=0.05)


def test_a_lasso_on_the_map_selects_into_the_gallery(tab, page):
    for level, n in (("fields", 26), ("cells", None)):
        tab.visit(page + "#map")
        tab.until("!!document.querySelector('#plot')")
        tab.run(f"""(() => {{ const s = document.querySelector('.filters select'); s.value = '{level}';
            s.dispatchEvent(new Event('change')); }})()""")
        tab.until("document.body.textContent.includes('Draw a line around points')")
        tab.until(f"document.querySelector('.mapped').textContent.includes('{level}, placed')")
        box = tab.run("(({x, y, width, height}) => [x, y, width, height])(plot.getBoundingClientRect())")
        x, y, w, h = box
        around = [(x + 1, y + 1), (x + w - 1, y + 1), (x + w - 1, y + h - 1), (x + 1, y + h - 1), (x + 1, y + 2)]
        tab.drag(around)
        tab.until("/^[1-9].* selected/.test(document.querySelector('.actions p').textContent)")
        if n:
            assert tab.run("document.querySelector('.actions p').textContent") == f"{n} fields selected"
        tab.run("document.querySelector('button.main').click()")
        tab.until(f"location.hash === '#{level}' && {CARDS} > 0")


def choose(tab, label: str, value: str) -> None:
    """Choose a value in the list with a label."""
    tab.run(f"""(() => {{
        const s = [...document.querySelectorAll('label')].find((l) => l.textContent.startsWith('{label}')).control;
        s.value = '{value}'; s.dispatchEvent(new Event('change')); }})()""")


def test_other_colours_keep_what_the_lasso_selected_and_other_points_do_not(tab, page):
    tab.visit(page + "#map")
    tab.until("!!document.querySelector('#plot')")
    choose(tab, "points are", "fields")
    tab.until("document.querySelector('.mapped').textContent.includes('26 fields, placed')")
    x, y, w, h = tab.run("(({x, y, width, height}) => [x, y, width, height])(plot.getBoundingClientRect())")
    tab.drag([(x + 1, y + 1), (x + w / 2, y + 1), (x + w / 2, y + h - 1), (x + 1, y + h - 1), (x + 1, y + 2)])
    said = "document.querySelector('.actions p').textContent"
    selected = tab.until(f"/^[1-9].* selected/.test({said}) && {said}")
    assert selected != "26 fields selected"
    shown = "plot.getContext('2d').getImageData(0, 0, plot.width, plot.height).data.join()"
    for colour in ("split", "call", "label"):
        before = tab.run(shown)
        choose(tab, "coloured by", colour)
        tab.until("document.querySelector('.mapped').textContent.includes('26 fields, placed')")
        tab.until(f"{shown} !== {before!r}")
        assert tab.run(said) == selected
    choose(tab, "points are", "cells")
    tab.until("document.querySelector('.mapped').textContent.includes('cells, placed')")
    assert tab.run(said) == "Nothing selected."


def change_answers(tab, path: str, change: str) -> None:
    """Let the page see other answers: `change` is a script that changes `found` and may use `asked`, their number."""
    tab.run(f"""window.fetch = ((now) => async (address, ...rest) => {{
        const answer = await now(address, ...rest);
        if (!address.includes('{path}')) return answer;
        const asked = window.asked = (window.asked || 0) + 1, found = await answer.json();
        {change}
        return new Response(JSON.stringify(found));
    }})(window.fetch)""")


def test_the_probability_under_the_mouse_is_that_of_the_field(tab, page):
    tab.visit(page + "#map")
    tab.until("!!document.querySelector('#plot')")
    choose(tab, "points are", "fields")
    choose(tab, "coloured by", "probability")
    tab.until("document.querySelector('.mapped').textContent.includes('26 fields, placed')")
    asked = "api/map?level=fields&colour=probability&name=Nucleoplasm"
    x, y, p = tab.run(f"fetch('{asked}').then((a) => a.json()).then((m) => [m.x[5], m.y[5], m.value[5]])")
    left, top, w, h = tab.run("(({x, y, width, height}) => [x, y, width, height])(plot.getBoundingClientRect())")
    place = {"x": left + 14 + x / 10000 * (w - 28), "y": top + 14 + (1 - y / 10000) * (h - 28)}
    tab.ask("Input.dispatchMouseEvent", type="mouseMoved", **place)
    said = "document.querySelector('.hover').textContent"
    assert tab.until(f"!document.querySelector('.hover').hidden && {said}") == f"Nucleoplasm: {100 * p:.0f}\u00a0%"


@pytest.mark.parametrize("classes", ([0, 12, 24, 25], list(range(26))))
def test_classes_of_the_map_differ_in_colour_or_shape(tab, page, classes):
    """Twelve in colour, also those whose numbers are twelve apart."""
    tab.visit(page + "#map")
    tab.until("!!document.querySelector('#plot')")
    change_answers(tab, "api/map", f"found.category = found.row.map((_, k) => {classes}[k % {len(classes)}]);")
    choose(tab, "points are", "fields")
    tab.until(f"document.querySelectorAll('.legend i').length === {len(classes)}")
    looks = "[...document.querySelectorAll('.legend i')].map((dot) => `${dot.style.background} ${dot.className}`)"
    assert tab.run(f"new Set({looks}).size") == len(classes)
    colours = "[...document.querySelectorAll('.legend i')].map((dot) => dot.style.background)"
    assert tab.run(f"new Set({colours}).size") == min(len(classes), 12)
    assert "repeat" not in tab.run("document.querySelector('.mapped').textContent")


def test_a_map_that_waits_says_for_what_and_how_far_it_is(tab, page):
    tab.visit(page + "#fields")
    tab.until(f"{CARDS} === 24")
    waiting = "{waiting: true, what: 'reading where the cells lie', done: 1, steps: 4}"
    change_answers(tab, "api/map", f"if (asked < 3) return new Response(JSON.stringify({waiting}));")
    tab.run("location.hash = 'map'")
    tab.until("document.querySelector('.mapped')?.textContent.includes('Reading where the cells lie (25 %) …')")
    tab.until("document.querySelector('.mapped').textContent.includes(', placed')")
    assert tab.run("window.asked") == 3


def test_a_label_that_was_corrected_is_doubted_no_more(tab, page):
    tab.visit(page + "#cells")
    tab.until("!!document.querySelector('.grid')")
    doubts = "[['Nucleoplasm', false, 0.9, 2], ['Cytosol', true, 0.01, 1], ['Nucleoli', false, 0.8, 1]]"
    change_answers(tab, "api/fields", f"Object.assign(found.rows[0], {{labels: ['Nucleoplasm'], doubts: {doubts}}});")
    tab.run("location.hash = 'fields'")
    tab.until("document.querySelector('aside.side')?.textContent.includes('Perhaps')")
    said = "[...document.querySelectorAll('aside.side .warn')].map((one) => one.textContent)"
    assert tab.run(said) == ["Perhaps missing: Nucleoli (probability 80\u00a0%)"]


def test_cells_are_sorted_by_their_score_for_a_class(tab, page):
    tab.visit(page + "#cells")
    tab.until(f"{CARDS} > 0", 60)
    choose(tab, "called", "Nucleoplasm")
    choose(tab, "sorted by", "score")
    tab.until("document.body.textContent.includes('Only cells of fields called Nucleoplasm are scored (')")
    tab.until(f"{CARDS} > 0 && document.querySelectorAll('.card .words .n').length === {CARDS}")
    assert tab.run("document.querySelector('.card .words .n').textContent")[0] in "+−"
    choose(tab, "sorted by", "order")
    tab.until(f"{CARDS} > 0 && !document.querySelector('.card .words .n')")


def test_fields_are_filtered_by_probability(tab, page):
    tab.visit(page + "#fields")
    tab.until(f"{CARDS} === 24")
    for words, value, left in (("≥", "0.95", 0), ("≥", "0.05", 24), ("≤", "0.1", 0)):
        tab.run(f"""(() => {{ const i = [...document.querySelectorAll('.filters label')]
            .find((one) => one.textContent === 'probability {words}').querySelector('input');
            i.value = {value!r}; i.dispatchEvent(new Event('change')); }})()""")
        tab.until(f"{CARDS} === {left}")
    assert tab.run("document.getElementById('trouble').hidden")
    tab.run("[...document.querySelectorAll('.filters button')].find((b) => b.textContent === 'Clear filters').click()")
    tab.until(f"{CARDS} === 24")


def test_a_late_answer_of_the_map_replaces_no_later_choice(tab, page):
    tab.visit(page + "#fields")
    tab.until(f"{CARDS} === 24")
    tab.run("""window.fetch = ((now) => async (address, ...rest) => {
        if (address.includes('level=fields')) {
            await new Promise((done) => setTimeout(done, 1000));
            setTimeout(() => { window.answered = true; }, 300);
        }
        return now(address, ...rest);
    })(window.fetch)""")
    tab.run("location.hash = 'map'")
    tab.until("!!document.querySelector('#plot')")
    tab.run("""(() => { const s = document.querySelector('.filters select'); s.value = 'cells';
        s.dispatchEvent(new Event('change')); })()""")
    tab.until("document.querySelector('.mapped').textContent.includes('cells, placed')")
    said = tab.run("document.querySelector('.mapped').textContent")
    tab.until("window.answered")
    assert tab.run("document.querySelector('.mapped').textContent") == said


def test_a_refit_from_the_page_shows_scores_before_and_after(tab, tmp_path):
    made = make_review(tmp_path)
    fit_quickly(made)
    with page_of(made) as (address, _):
        visit_fields(tab, address)
        for _ in range(4):
            tab.press("1")
            tab.press("ArrowRight")
        on_disk(made, 4)
        first, other = tab.tab, tab.open_tab()
        tab.visit(address + "#refit")
        tab.turn_to(first)
        tab.run("location.hash = 'refit'")
        tab.until("!!document.querySelector('#refit-start')")
        tab.run("document.querySelector('#refit-start').click()")
        shown = "document.getElementById('view').textContent"
        said = tab.until(f"{shown}.includes('Before and after') && {shown}", 120)
        assert "on the 24 fields in both fits, all in the same fold" in said
        assert "macro average precision, before" in said and "the same labels and scores as before" in said
        assert "4 of them corrected" in said
        tab.turn_to(other)
        tab.until("document.body.textContent.includes('Before and after')")  # in a tab that did not ask for it, too
        tab.close_tab()
        tab.turn_to(first)
    config = (made.run / "config.json").read_text()
    assert '"n_folds": 3' in config and '"linear"' in config, "the settings of the first fit"


def test_a_server_killed_while_it_saves_loses_nothing(tab, tmp_path):
    """Changes that it had not confirmed are kept in the browser and sent to the next one at the same address."""
    made = make_review(tmp_path, images=False)
    with page_of(made) as (address, process):
        port = address.split(":")[2].split("/")[0]
        visit_fields(tab, address)
        killer = threading.Timer(0.25, process.send_signal, [signal.SIGKILL])
        killer.start()
        for _ in range(20):
            tab.press("4")
            tab.press("ArrowRight")
        process.wait(20)
        tab.until(f"{SAVED}.endsWith('not saved yet')")
        tab.until("!document.getElementById('trouble').hidden")
        before = {row["Entry"] for row in rows(made)}
    with page_of(made, "--port", port) as (address, _):
        tab.visit(address + "#fields")
        found = on_disk(made, 20)
        assert sorted(row["Id"] for row in found) == [f"train-{k:03d}" for k in range(20)]
        assert before <= {row["Entry"] for row in found}
        tab.until(f"{SAVED} === 'saved'")


def test_a_change_that_is_refused_takes_no_other_with_it_and_the_reason_stays(tab, tmp_path):
    made = make_review(tmp_path, images=False)
    with page_of(made) as (address, _):
        tab.visit(address + "#fields")
        tab.until(f"{CARDS} === 24")
        tab.run("""(() => {
            const place = `hpa-boost review ${document.getElementById('title').title.split('; data: ')[1]}\\n`;
            for (const [k, id] of ['train-000', 'no such field', 'train-001'].entries()) {
                const change = {entry: `e${k}`, made: k, id, action: 'add', value: 'Cytosol'};
                localStorage.setItem(place + change.entry, JSON.stringify(change));
            }
        })()""")
        tab.run("location.reload()")
        assert [row["Id"] for row in on_disk(made, 2)] == ["train-000", "train-001"]
        tab.until(f"{SAVED}.startsWith('Not saved: ') && {SAVED}.includes('no such field')")
        assert tab.run("localStorage.length") == 0


def test_a_key_pressed_twice_while_the_server_is_away_takes_the_label_back(tab, tmp_path):
    made = make_review(tmp_path, images=False)
    with page_of(made) as (address, process):
        visit_fields(tab, address)
        process.send_signal(signal.SIGKILL)
        process.wait(20)
        tab.press("4")
        tab.press("4")
        kept = tab.run("Object.values(localStorage).map((text) => JSON.parse(text)).sort((a, b) => a.made - b.made)")
        assert [one["action"] for one in kept] == ["add", "remove"]
        tab.run("localStorage.clear()")


def test_two_tabs_see_each_others_labels_and_lose_none(tmp_path):
    """Also those that neither could save before both were closed."""
    made = make_review(tmp_path, images=False)
    card = "document.querySelectorAll('.grid .card')[{}].textContent.includes('{}')"

    with browser() as tab:
        with page_of(made) as (address, process):
            port = address.split(":")[2].split("/")[0]
            visit_fields(tab, address)
            first, second = tab.tab, tab.open_tab()
            visit_fields(tab, address)
            tab.turn_to(first)
            tab.press("2")
            on_disk(made, 1)
            tab.turn_to(second)
            tab.press("ArrowRight")
            tab.press("4")
            on_disk(made, 2)
            tab.until(card.format(0, "Nuclear membrane"), 3)
            tab.turn_to(first)
            tab.until(card.format(1, "Nucleoli fibrillar center"))
            assert [(row["Id"], row["Value"]) for row in rows(made)] == [
                ("train-000", "Nuclear membrane"), ("train-001", "Nucleoli fibrillar center"),
            ]  # fmt: skip
            process.send_signal(signal.SIGKILL)
            process.wait(20)
            for name, keys in ((first, "56"), (second, "7")):
                tab.turn_to(name)
                for key in keys:
                    tab.press(key)
                tab.until(f"{SAVED} === '{len(keys)} not saved yet'")
        last = tab.open_tab()
        for name in (first, second):
            tab.turn_to(name)
            tab.close_tab()
        tab.turn_to(last)
        with page_of(made, "--port", port) as (address, _):
            visit_fields(tab, address)
            saved = sorted((row["Id"][-1], row["Value"]) for row in on_disk(made, 5)[2:])
            assert saved == [("0", "Nuclear bodies"), ("0", "Nuclear speckles"), ("1", "Endoplasmic reticulum")]
            tab.until(f"{SAVED} === 'saved'")
            assert tab.run("localStorage.length") == 0


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("view", ["fields", "next", "cells", "map", "refit"])
def test_every_view_has_names_for_its_controls_and_fits_a_tablet(tab, page, view, theme):
    tab.theme(theme)
    tab.visit(f"{page}#{view}", width=820)
    tab.until("document.getElementById('view').children.length > 0")
    tab.until("document.getElementById('view').textContent.length > 20")
    silent = """[...document.querySelectorAll('button, a, input, select, img, canvas')].filter((e) => !(
        e.textContent.trim() || e.ariaLabel || e.labels?.length || e.getAttribute('alt') !== null)).length"""
    assert tab.run(silent) == 0
    assert tab.run("document.documentElement.scrollWidth") <= 820
    assert [one for one in tab.complaints if "willReadFrequently" not in one] == []
