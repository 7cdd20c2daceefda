"""What the fleet is asked to ingest: jobs over slices of the stand-in's corpus.

No two jobs share a paper: what a job counts as created would else depend on
which of them was first. Some papers have a hostile PDF.
"""

import base64
import random
from pathlib import Path
from typing import Any

from service.devtools.stand_in.corpus import Corpus
from tests.hostile import nested_states
from tests.soak.plan import Plan

CORPUS_SEED = 7
SAMPLES = Path(__file__).parents[3] / "shared" / "arxiv-samples" / "badpdf"
BOMBS = ("bomb_ws_2G_x2.pdf", "q_stack.pdf")
HOSTILE = {"resource_limit", "quarantined"}  # what may become of a PDF that harms its reader


def requests(plan: Plan) -> list[dict[str, Any]]:
    """The body of each job's POST, in order; every fifth job is urgent, every fifth is not."""
    corpus = Corpus(plan.total_papers, CORPUS_SEED)
    priorities = ("normal", "high", "normal", "low", "normal")
    return [
        {
            "search_query": {
                "ids": [
                    str(corpus.id_of(number))
                    for number in range(job * plan.papers, (job + 1) * plan.papers)
                ],
                "max_results": plan.page_size,
            },
            "batch_size": max(2, plan.page_size // 2),
            "priority": priorities[job % len(priorities)],
        }
        for job in range(plan.jobs)
    ]


def hostile_ids(plan: Plan) -> list[str]:
    """The papers whose PDF is a bomb; the same for each run of this size."""
    corpus = Corpus(plan.total_papers, CORPUS_SEED)
    numbers = list(range(plan.total_papers))
    random.Random(CORPUS_SEED).shuffle(numbers)
    with_pdf = (n for n in numbers if not corpus.is_withdrawn(n))
    return [str(corpus.id_of(next(with_pdf))) for _ in range(plan.bombs)]


def hostile_steps(plan: Plan) -> list[dict[str, Any]]:
    """Steps for the stand-in's script that put the bombs in place, for the whole run."""
    bombs = [_bomb(name) for name in BOMBS]
    return [
        {
            "kind": "body",
            "lane": "pdf",
            "match": f"/pdf/{arxiv_id}v",
            "times": 1_000_000,
            "content_type": "application/pdf",
            "body_base64": base64.b64encode(bombs[number % len(bombs)]).decode(),
        }
        for number, arxiv_id in enumerate(hostile_ids(plan))
    ]


def _bomb(name: str) -> bytes:
    """A hostile PDF out of the samples, or one made here where there are none."""
    path = SAMPLES / name
    return path.read_bytes() if path.exists() else nested_states()
