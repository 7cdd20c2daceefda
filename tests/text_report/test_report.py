"""The report itself: it measures, and it fails when a bar is missed."""

from pathlib import Path

import pytest

from tests.extraction.made_pdf import lines, pdf
from tests.text_report import run
from tests.text_report.figures import Measure
from tests.text_report.measures import furniture, hyphens, words
from tests.text_report.samples import Sample


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    page = lines(b"The representation of words and their repre-", b"sentation in some lines here.")
    (tmp_path / "made.pdf").write_bytes(pdf(page))
    return tmp_path


def test_without_samples_nothing_is_measured_and_it_says_so(tmp_path, capsys):
    assert run.main(["--folder", str(tmp_path / "none")]) == 0
    assert "nothing was measured" in capsys.readouterr().out.replace("\n", " ")


def test_a_paper_that_is_read_well_keeps_the_bars(folder, capsys):
    assert run.main(["--folder", str(folder), "--skip-cost"]) == 0

    output = capsys.readouterr().out
    assert "hyphens right, attested elsewhere" in output
    assert "MISSED" not in output


def test_a_bar_that_is_missed_fails_the_report(folder, capsys, monkeypatch):
    bar = Measure("something", lambda sample: (1, 2), 99.0)
    monkeypatch.setattr(run, "measures", lambda papers: (bar,))

    assert run.main(["--folder", str(folder), "--skip-cost"]) == 1
    assert "MISSED" in capsys.readouterr().out


def test_a_cost_above_the_bar_fails_the_report(folder, capsys, monkeypatch):
    monkeypatch.setattr(run, "cost", lambda paths: (100.0, 200.0, 1))

    assert run.main(["--folder", str(folder)]) == 1
    assert "2.00 times" in capsys.readouterr().out


def test_measures_see_what_is_wrong_in_a_text(folder):
    sample = Sample(folder / "made.pdf")
    right = (hyphens(sample), words(sample), furniture(sample))
    sample.text = sample.text.replace("their representation", "their repre-sentation")
    sample.text = sample.text.replace("some ", "")

    assert right == ((1, 1), (words(sample)[1], words(sample)[1]), (0, 0))
    assert hyphens(sample) == (0, 1)
    assert words(sample)[0] == words(sample)[1] - 1
