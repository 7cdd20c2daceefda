"""Papers as BibTeX, CSV and Parquet: whole, escaped, in pieces, and with an honest end."""

import csv
import io
import random
from datetime import UTC, datetime

import aiohttp
import pyarrow.parquet
import pytest

from service.api.exports import bibtex, formats, parquet
from service.api.handlers.papers import EXPORT_CHUNK
from tests.api.conftest import is_problem
from tests.api.test_export import NDJSON, URL, hold, reading_nothing
from tests.api.test_papers import hold as hold_papers
from tests.conftest import make_paper

__all__ = ["hold", "hold_papers"]
TYPES = {"bibtex": formats.BIBTEX, "csv": formats.CSV, "parquet": formats.PARQUET}


def accept(form):
    return {"Accept": TYPES[form]}


async def test_bibtex_has_an_entry_for_each_paper(api, hold):
    await hold(EXPORT_CHUNK + 1)

    response = await api.get(URL, headers=accept("bibtex"))
    body = await response.text()

    assert response.headers["Content-Type"] == "application/x-bibtex; charset=utf-8"
    assert response.headers["Content-Disposition"] == 'attachment; filename="papers.bib"'
    assert body.count("@misc{arxiv:2301.") == EXPORT_CHUNK + 1
    assert body.count("{") == body.count("}")


async def test_an_entry_says_who_wrote_what_and_where_it_is(api, hold_papers):
    await hold_papers(
        make_paper(
            "hep-th/9901001v2",
            title="On $x_1$ & 50% of Erdős",
            authors=("Paul Erdős", "The ATLAS Collaboration", "Rosa and Ada", "Doe, Jr."),
            doi="10.1/a_b{c}",
            journal_ref="Phys. Rev. D 76",
        )
    )

    response = await api.get(f"{URL}/hep-th/9901001", headers=accept("bibtex"))

    assert response.headers["Content-Disposition"].endswith('"hep-th_9901001.bib"')
    assert await response.text() == (
        "@misc{arxiv:hep-th/9901001,\n"
        "  title = {On $x_1$ \\& 50\\% of Erdős},\n"
        "  author = {Paul Erdős and {The ATLAS Collaboration} and {Rosa and Ada} and {Doe, Jr.}},\n"
        "  year = {2023},\n"
        "  month = jan,\n"
        "  eprint = {hep-th/9901001},\n"
        "  archivePrefix = {arXiv},\n"
        "  primaryClass = {cs.AI},\n"
        "  doi = {10.1/a_b%7Bc%7D},\n"
        "  note = {Phys. Rev. D 76},\n"
        "  url = {https://arxiv.org/abs/hep-th/9901001},\n"
        "}\n\n"
    )


@pytest.mark.parametrize(
    ("typed", "written"),
    [
        ("plain\n  words", "plain words"),
        ("R&D #1 a_b 5%", r"R\&D \#1 a\_b 5\%"),
        (r"R\&D \'e \alpha", r"R\&D \'e \alpha"),
        ("a $b_{c}^2$ d_e", r"a $b_{c}^2$ d\_e"),
        ("$5 only", r"\$5 only"),
        (r"\$5 and \$6", r"\$5 and \$6"),
        ("10^3 ~ 9", r"10\textasciicircum{}3 \textasciitilde{} 9"),
        ("open { only", r"open \textbraceleft{} only"),
        ("close } {x}", r"close \textbraceright{} {x}"),
        (r"set \{ only", r"set \textbraceleft{} only"),
        (r"set \{x\}", r"set \{x\}"),
        ("ends with \\", r"ends with \textbackslash{}"),
        (r"\^o and \~n", r"\^o and \~n"),
        ("$5% & 6$", r"$5\% \& 6$"),
    ],
)
def test_what_would_break_an_entry_is_escaped_and_the_rest_stays(typed, written):
    assert bibtex.text(typed) == written


async def test_csv_has_a_line_for_each_paper_under_a_header(api, hold):
    await hold(EXPORT_CHUNK + 1)

    response = await api.get(URL, headers=accept("csv"))
    rows = list(csv.DictReader(io.StringIO(await response.text(), newline="")))

    assert response.headers["Content-Type"] == "text/csv; charset=utf-8; header=present"
    assert len(rows) == EXPORT_CHUNK + 1
    assert list(rows[0]) == list(await (await api.get(f"{URL}/2301.00000")).json())
    assert rows[0]["authors"] == "Ada Lovelace; Alan Turing"
    assert (rows[0]["withdrawn"], rows[0]["doi"], rows[0]["version"]) == ("false", "", "1")


@pytest.mark.parametrize("mark", ["=", "+", "-", "@", "\t", "\r"])
async def test_no_cell_is_a_formula(api, hold_papers, sql, mark):
    await hold_papers(make_paper(authors=(f'{mark}HYPERLINK("x")', 'He said "a, b"')))
    await sql("UPDATE papers SET title = :title", title=f"{mark}1+1")

    body = await (await api.get(f"{URL}/2301.00001", headers=accept("csv"))).text()
    (row,) = csv.DictReader(io.StringIO(body, newline=""))

    assert row["title"] == f"'{mark}1+1"
    assert row["authors"] == f"""'{mark}HYPERLINK("x"); He said "a, b\""""


@pytest.mark.parametrize("form", ["bibtex", "csv"])
async def test_an_export_of_nothing_is_empty_but_for_a_header(api, form):
    body = await (await api.get(URL, headers=accept(form))).text()

    assert body == {"bibtex": "", "csv": body.splitlines()[0] + "\r\n" if body else "x"}[form]


async def test_parquet_has_typed_columns_in_groups_of_rows(api, hold, monkeypatch):
    monkeypatch.setattr(parquet, "GROUP_ROWS", EXPORT_CHUNK)
    await hold(EXPORT_CHUNK + 1)

    response = await api.get(URL, headers=accept("parquet"))
    file = pyarrow.parquet.ParquetFile(io.BytesIO(await response.read()))
    rows = file.read().to_pylist()

    assert response.headers["Content-Disposition"] == 'attachment; filename="papers.parquet"'
    assert file.num_row_groups == 2
    assert len(rows) == EXPORT_CHUNK + 1
    assert rows[-1]["arxiv_id"] == "2301.00000"
    assert rows[-1]["published_at"] == datetime(2023, 1, 1, tzinfo=UTC)
    assert rows[-1]["authors"] == ["Ada Lovelace", "Alan Turing"]
    one = await (await api.get(f"{URL}/2301.00000")).json()
    assert set(one) <= set(rows[0])


async def test_parquet_of_nothing_is_a_file(api):
    response = await api.get(URL, headers=accept("parquet"))

    assert pyarrow.parquet.read_table(io.BytesIO(await response.read())).num_rows == 0


async def test_without_the_extra_parquet_is_not_to_be_had_and_the_rest_is(api, monkeypatch):
    monkeypatch.setattr(formats, "find_spec", lambda _: None)

    refused = await api.get(URL, headers=accept("parquet"))
    other = await api.get(URL, headers={"Accept": f"{formats.PARQUET}, text/csv;q=0.5"})

    problem = await refused.json(content_type=None)
    assert refused.status == 406
    assert is_problem(refused, problem)
    assert problem["code"] == "extra_missing"
    assert problem["detail"] == "The extra parquet is not installed"
    assert (other.status, other.content_type) == (200, "text/csv")


@pytest.mark.parametrize("form", TYPES)
async def test_no_form_has_pages(api, form):
    response = await api.get(f"{URL}?limit=5", headers=accept(form))

    assert response.status == 422
    assert list((await response.json(content_type=None))["errors"]) == ["limit"]


@pytest.mark.parametrize("form", ["csv", "parquet"])
async def test_an_export_that_breaks_off_does_not_end_well(
    api, hold_papers, sql, form, monkeypatch
):
    monkeypatch.setattr(parquet, "GROUP_ROWS", EXPORT_CHUNK)
    await hold_papers(
        *(
            make_paper(f"2301.{n:05}v1", abstract=random.Random(n).randbytes(100_000).hex())
            for n in range(EXPORT_CHUNK + 1)
        )
    )
    monkeypatch.setitem(NDJSON, "Accept", TYPES[form])

    async with reading_nothing(api) as response:
        await response.content.readany()
        await sql("ALTER TABLE papers RENAME TO hidden")
        try:
            with pytest.raises(aiohttp.ClientPayloadError):
                await response.read()
        finally:
            await sql("ALTER TABLE hidden RENAME TO papers")


async def test_a_search_has_rank_and_snippet_in_every_form_of_a_table(api, hold):
    await hold(1)

    body = await (await api.get(f"{URL}?q=abstract", headers=accept("csv"))).text()
    file = await (await api.get(f"{URL}?q=abstract", headers=accept("parquet"))).read()

    (row,) = csv.DictReader(io.StringIO(body, newline=""))
    (same,) = pyarrow.parquet.read_table(io.BytesIO(file)).to_pylist()
    assert float(row["rank"]) == same["rank"] > 0
    assert row["snippet"] == same["snippet"] != ""


async def test_one_paper_comes_as_a_line_of_json_too(api, hold):
    await hold(1)

    response = await api.get(f"{URL}/2301.00000", headers=NDJSON)

    assert response.content_type == "application/x-ndjson"
    assert response.headers["Vary"] == "Accept, Accept-Encoding"
    assert (await response.text()).endswith("}\n")
