"""Modules of the operators' page: words of requests, and elements that are brought up to date."""

import pytest

from tests.web.fleet import search

pytestmark = pytest.mark.asyncio(loop_scope="module")

BULK = {"process_pdfs": False}
WORDS = {
    "cs.AI since 2024-01-01, 500 papers with PDFs": search(
        500, category="cs.AI", from_date="20240101"
    ),
    "Papers by Noether, E until 2024-12-31, 1 paper with PDFs": search(
        1, author="Noether, E", to_date="2024-12-31"
    ),
    "“agents” title “a survey”, 10 papers with PDFs and HTML": {
        **search(10, query="agents", title="a survey"),
        "process_html": True,
    },
    "3 papers by id, with PDFs": search(3, ids=["2401.00001", "2401.00002", "2401.00003"]),
    "paper 2401.00001, without PDFs": {**search(1, ids=["2401.00001"]), **BULK},
    "OAI-PMH all of arXiv, all papers without PDFs": {"source": "oai", "oai": {}, **BULK},
    "OAI-PMH cs since last success, all papers without PDFs": {
        "source": "oai",
        "oai": {"set": "cs", "from_date": "last_success"},
        **BULK,
    },
    "Snapshot arxiv.json.gz, 20,000 papers without PDFs": {
        "source": "snapshot",
        "snapshot": {"file": "arxiv.json.gz"},
        "max_papers": 20_000,
    },
    "Audit of cs 2024-01-01 to 2024-01-31 with healing": {
        "source": "audit",
        "audit": {"set": "cs", "from_date": "20240101", "to_date": "20240131", "heal": True},
    },
    "Documents of 2 papers": {"source": "documents", "documents": {"ids": ["1", "2"]}},
    "All outdated documents": {"source": "documents", "documents": {"ids": None}},
    "Job without a request": {},
}

MORPHED = """async ([url, before, after]) => {
  const { h, morph } = await import(url);
  const list = (keys) => h("ul", null, keys.map((key) => h("li", { "data-key": key }, key)));
  const live = list(before);
  document.body.append(live);
  const nodes = new Map([...live.children].map((node) => [node.dataset.key, node]));
  morph(live, list(after));
  const shown = [...live.children].map((node) => node.textContent);
  const kept = [...live.children].filter((node) => nodes.get(node.dataset.key) === node);
  live.remove();
  return [shown, kept.map((node) => node.dataset.key)];
}"""


async def test_requests_are_said_in_words(tab):
    await tab.open("")
    found = await tab.page.evaluate(
        "async ([url, requests]) => requests.map((await import(url)).describe)",
        [f"{tab.url}/format.js", list(WORDS.values())],
    )

    assert found == list(WORDS)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("abc", "abc"),
        ("abc", "xabc"),
        ("abc", "bc"),
        ("abc", "cba"),
        ("abcd", "dxa"),
        ("", "ab"),
        ("ab", ""),
        ("abcdef", "fbxdae"),
    ],
)
async def test_elements_that_stay_are_the_same_and_in_order(tab, before, after):
    await tab.open("")
    shown, kept = await tab.page.evaluate(MORPHED, [f"{tab.url}/dom.js", list(before), list(after)])

    assert shown == list(after)
    assert kept == [key for key in after if key in before]
