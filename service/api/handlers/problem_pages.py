"""GET /problems/{code}: the page that a problem's `type` leads to."""

from html import escape

from aiohttp import web

from service.api.openapi.operation import DESCRIPTION_TAG, describe, file_answer
from service.api.problem_types import PROBLEM_TYPES
from service.api.response_headers import PAGE_HEADERS
from service.domain.errors import NotFound

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{code}</title>
</head>
<body>
<main>
<h1>{code}</h1>
<p>HTTP status {status}</p>
<p>{summary}</p>
<p>{advice}</p>
</main>
</body>
</html>
"""


@describe(
    name="showProblem",
    tag=DESCRIPTION_TAG,
    summary="Explain a problem code",
    description="The page that the `type` of a problem leads to.",
    is_public=True,
    answers={200: file_answer("text/html", description="The page.", example="<!doctype html>…")},
    problems={404: "Route not found"},
)
async def show_problem(request: web.Request) -> web.Response:
    """GET /problems/{code} → 200, HTML."""
    code = request.match_info["code"]
    if code not in PROBLEM_TYPES:
        raise NotFound("Route not found", code="route_not_found")
    kind = PROBLEM_TYPES[code]
    page = _PAGE.format(
        code=code, status=kind.status, summary=escape(kind.summary), advice=escape(kind.advice)
    )
    headers = {**PAGE_HEADERS, "Content-Type": "text/html; charset=utf-8"}
    return web.Response(text=page, headers=headers)
