"""Plates as heat maps: wells at their place, means of their fields, formats, and what is left out."""

from dataclasses import replace

import numpy as np
import pytest
from example_reports import example_report
from matplotlib.backends.backend_agg import FigureCanvasAgg

from report.page import write_report
from report.plate_maps import MOST_PLATES, draw_plates, plate_maps
from report.report_data import Wells


def test_wells_stand_at_their_place_with_the_mean_of_their_fields():
    wells = Wells(("P1", "P1", "P1", "P2", "P2", ""), ("A01", "a1", "H12", "P24", "B02", ""))
    cells = np.array([10, 20, 7, 1, 2, 99.0])
    mistakes = np.array([0, np.nan, np.nan, 1, 0, 5.0])
    first, second = plate_maps(wells, cells, mistakes)
    assert (first.plate, first.cells.shape) == ("P1", (8, 12))
    assert (second.plate, second.cells.shape) == ("P2", (16, 24))
    assert (first.cells[0, 0], first.cells[7, 11]) == (15, 7)
    assert np.isfinite(first.cells).sum() == 2
    assert first.mistakes[0, 0] == 0
    assert np.isnan(first.mistakes[7, 11])
    assert (second.cells[15, 23], second.cells[1, 1]) == (1, 2)


@pytest.mark.parametrize(("well", "place"), [("AA01", (26, 0)), ("AF48", (31, 47))])
def test_rows_beyond_z(well, place):
    (only,) = plate_maps(Wells(("P", "P"), (well, "A01")), np.array([3.0, 4.0]), np.zeros(2))
    assert only.cells.shape == (32, 48)
    assert only.cells[place] == 3


@pytest.mark.parametrize("well", ["", "A00", "top left", "7"])
def test_what_is_no_well_is_left_out(well):
    assert plate_maps(Wells(("P", "P"), (well, "A01")), np.ones(2), np.zeros(2)) == []


def test_the_page_shows_plates_and_says_how_many_it_does_not(tmp_path):
    data = example_report(n=300)
    plate = tuple(f"Plate {k % (MOST_PLATES + 2):02}" for k in range(300))
    well = tuple(f"{'ABCDEFGH'[k % 8]}{k // 10 % 12 + 1:02}" for k in range(300))
    page = write_report(tmp_path / "a.html", replace(data, wells=Wells(plate, well))).read_text(encoding="utf-8")
    assert 'id="plates"' in page
    assert f"The first {MOST_PLATES} plates by name are drawn, 2 more are not." in page
    assert 'id="plates"' not in write_report(tmp_path / "b.html", data).read_text(encoding="utf-8")


def test_a_plate_without_a_scored_field_is_drawn():
    maps = plate_maps(Wells(("P", "P"), ("A01", "B01")), np.array([3.0, 4.0]), np.full(2, np.nan))
    assert len(draw_plates(maps).axes) == 4


@pytest.mark.parametrize("mistakes", [[2, 2, 2], [0, 0, 0], [4000.1, 4000.2, 4000.3]])
def test_nothing_stands_above_the_scales_of_colours_where_it_would_be_cut(mistakes):
    maps = plate_maps(Wells(("P",) * 3, ("A01", "B01", "C01")), np.array([30.0, 31, 32]), np.array(mistakes))
    figure = draw_plates(maps)
    FigureCanvasAgg(figure).draw()
    page = figure.bbox
    for axes in figure.axes:
        assert axes.yaxis.get_offset_text().get_text() == ""
        for label in axes.get_yticklabels():
            box = label.get_window_extent()
            assert not label.get_text() or (box.y1 <= page.y1 and box.x1 <= page.x1), label.get_text()
    assert all(axes.get_yticklabels() for axes in figure.axes), "every scale has a number"
