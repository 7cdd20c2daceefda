"""The document of an HTML page, or its refusal, as the answer of the process that may die.

What is known of the paper comes as JSON (`html_question.HtmlQuestion`).
"""

import json
from typing import Any

from service.extraction.converters import HTML_CONVERTER, MAX_DOCUMENT_BYTES
from service.extraction.document import Reference
from service.extraction.html_document import document_from_html
from service.extraction.html_gate import PdfEvidence, Refusal


def judged(data: bytes, about: bytes) -> dict[str, Any]:
    """The head of the answer: converter, quality, and `content` as JSON text or `refused`."""
    asked = json.loads(about)
    made = document_from_html(
        data, arxiv_id=asked["arxiv_id"], version=asked["version"], pdf=_evidence(asked["pdf"])
    )
    head = {"state": "html", "converter": HTML_CONVERTER, "quality": dict(made.quality)}
    if isinstance(made, Refusal):
        return {**head, "refused": made.code}
    content = made.content()
    del content["quality"]
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    text = text.encode(errors="replace").decode()  # no halves of a character
    if len(json.dumps(text)) > MAX_DOCUMENT_BYTES:
        return {**head, "refused": "html_too_large"}
    return {**head, "content": text}


def _evidence(pdf: dict[str, Any] | None) -> PdfEvidence | None:
    if pdf is None:
        return None
    return PdfEvidence(
        pages=[(number, text) for number, text in pdf["pages"]],
        headings=pdf["headings"],
        references=[Reference(**one) for one in pdf["references"]],
    )
