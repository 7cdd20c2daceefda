"""The history of a paper over HTTP."""

from aiohttp import web

from service.api.handlers.jobs import DATABASE, json_response
from service.api.handlers.papers import arxiv_id_of
from service.api.negotiation import JSON
from service.api.openapi.operation import NO_PAPER, PAPERS_TAG, Answer, Content, describe
from service.api.schemas.versions import VERSION_EXAMPLE, VersionSchema, version_document
from service.db.held_versions import VersionStore


@describe(
    name="listVersions",
    tag=PAPERS_TAG,
    summary="List the versions of a paper",
    description="Every version that is known, oldest first, with its licence.",
    answers={
        200: Answer(
            description="The versions.",
            content={JSON: Content(VersionSchema, [VERSION_EXAMPLE], many=True)},
        )
    },
    problems={404: NO_PAPER},
)
async def list_versions(request: web.Request) -> web.Response:
    """GET /papers/{arxiv_id}/versions → 200 with its history."""
    async with request.app[DATABASE].transaction() as conn:
        versions = await VersionStore(conn).history(arxiv_id_of(request))
    return json_response([version_document(one) for one in versions])
