"""The picture and the table of docs/kill-matrix.md are what bench/picture.py makes of docs/kill-matrix.json."""

import json
import pathlib
import sys
import xml.etree.ElementTree

ROOT = pathlib.Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "bench"))

import picture  # noqa: E402
import tables  # noqa: E402

TEXT = (ROOT / "docs/kill-matrix.json").read_text()
DATA = json.loads(TEXT)
PAGE = (ROOT / "docs/kill-matrix.md").read_text()


def test_json_is_as_it_is_written():
    assert TEXT == picture.compact(DATA)


def test_picture_is_that_of_the_json():
    assert (ROOT / "docs/kill-matrix.svg").read_text() == picture.svg(DATA)


def test_table_is_that_of_the_json():
    assert PAGE == tables.replace(PAGE, "peers", picture.table(DATA))


def test_covey_has_every_cell_and_the_picture_shows_each():
    cells = picture.by_server(DATA)["covey"]
    assert sorted(cells) == sorted(picture.COLUMNS)
    drawn = xml.etree.ElementTree.fromstring(picture.svg(DATA)).iter("{http://www.w3.org/2000/svg}title")
    assert len(list(drawn)) == len(picture.by_server(DATA)) * len(picture.COLUMNS)


def test_a_page_without_a_place_is_refused():
    try:
        tables.replace("no marks here", "peers", "")
    except ValueError as error:
        assert "peers" in str(error)
    else:
        raise AssertionError("nothing was refused")
