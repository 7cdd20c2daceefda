"""The report: every measure over every sample, the cost, and whether the bars are kept."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.text_report import html
from tests.text_report.cost import MAX_RATIO, cost
from tests.text_report.measures import measures
from tests.text_report.samples import FOLDER, Sample, samples
from tests.text_report.structure import STRUCTURE_MEASURES


def main(arguments: Sequence[str]) -> int:
    """The exit code: 0 when every bar is kept, or there are no samples."""
    parser = argparse.ArgumentParser(prog="python -m tests.text_report", description=__doc__)
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where the sample PDFs are")
    parser.add_argument("--skip-cost", action="store_true", help="measure the text only")
    options = parser.parse_args(arguments)
    folder = options.folder
    paths = sorted(folder.glob("*.pdf")) if folder.is_dir() else []
    console = Console(width=140)
    if not paths:
        console.print(f"No sample PDFs in {folder.resolve()}: nothing was measured.")
        return 0
    papers = list(samples(folder))
    is_kept = _print_measures(console, papers)
    is_cheap = options.skip_cost or _print_cost(console, paths)
    is_good = _print_html(console, folder.parent)
    return 0 if is_cheap and is_kept and is_good else 1


def _print_measures(console: Console, papers: Sequence[Sample]) -> bool:
    table = Table(title=f"The text of {len(papers)} papers")
    for title in ("", "right", "of", "share", "bar", ""):
        table.add_column(title, justify="left" if not title else "right")
    is_kept = True
    for measure in (*measures(papers), *STRUCTURE_MEASURES):
        counts = [measure.count(paper) for paper in papers]
        share = measure.share(counts)
        holds = measure.holds(share)
        is_kept = is_kept and holds
        for paper, (right, of) in zip(papers, counts, strict=True):
            if of and not measure.holds(measure.share([(right, of)])):
                table.add_row(f"    {paper.name}", f"{right:.0f}", f"{of:.0f}", "", "", "")
        right, of = (sum(values) for values in zip(*counts, strict=True))
        shown = "-" if share is None else f"{share:.2f} {measure.unit}"
        bar = f"{'≤' if measure.is_ceiling else '≥'} {measure.bar:g} {measure.unit}"
        verdict = "kept" if holds else "MISSED"
        table.add_row(measure.name, f"{right:.0f}", f"{of:.0f}", shown, bar, verdict)
    console.print(table)
    return is_kept


def _print_html(console: Console, samples: Path) -> bool:
    """Documents made of HTML, and HTML against PDF; True where there are no pages."""
    if not (samples / "html").is_dir():
        return True
    found = html.rows(samples)
    table = Table(title="Documents made of HTML, and HTML against PDF")
    for title in ("", "where", "value", "bar", ""):
        table.add_column(title, justify="left" if title in ("", "where") else "right")
    for row in found:
        bar = f"{'≤' if row.is_upper_bound else '≥'} {row.bar:g}"
        verdict = "kept" if row.passes else "MISSED"
        table.add_row(row.what, row.where, f"{row.value:.4f}", bar, verdict)
    console.print(table)
    return all(row.passes for row in found)


def _print_cost(console: Console, paths: Sequence[Path]) -> bool:
    bare, ours, pages = cost(paths)
    ratio = ours / bare
    verdict = "kept" if ratio <= MAX_RATIO else "MISSED"
    console.print(
        f"{ours / pages:.2f} ms a page, PDFium alone {bare / pages:.2f} ms: "
        f"{ratio:.2f} times (≤ {MAX_RATIO:g}) {verdict}"
    )
    return ratio <= MAX_RATIO
