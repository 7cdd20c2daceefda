"""Cases 130, 131 and 133: behind a path prefix, an S3 that refuses checksums, compression."""

import gzip
import json

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient

from service.api.root_path import ROOT_PATH
from service.domain import zstd
from service.domain.errors import StorageUnavailable
from service.files.s3 import S3Store, bucket_of
from service.process.build_api import build_api
from tests.api.conftest import GOOD_BODY, JOB, PREFIX, RULES, OurServer, bearer, is_problem, token

ROOT = "/arx"


@pytest.fixture
async def behind(api_database, store):
    """An application that a proxy publishes below ROOT."""
    app = build_api(RULES, api_database, store, root_path=ROOT)
    client = TestClient(OurServer(app), headers=bearer(token(sub="alice")))
    await client.start_server()
    yield client
    await client.close()


@pytest.mark.parametrize("prefix", ["", ROOT])
async def test_case_130_what_leads_back_carries_the_prefix(behind, prefix):
    async with behind.post(f"{prefix}{PREFIX}/arxiv", json=GOOD_BODY) as answer:
        assert answer.status == 202
        location = answer.headers["Location"]
    async with behind.post(f"{prefix}{PREFIX}/arxiv", json=GOOD_BODY) as answer:
        assert answer.status == 202

    assert location.startswith(f"{ROOT}{PREFIX}/job/")
    async with behind.get(location) as answer:
        assert answer.status == 200
    async with behind.get(f"{prefix}{PREFIX}/jobs?limit=1") as answer:
        link = answer.headers["Link"]
    assert link.startswith(f"<{ROOT}{PREFIX}/jobs?")
    async with behind.get(link.partition(">")[0][1:]) as answer:
        assert len(await answer.json()) == 1


@pytest.mark.parametrize("prefix", ["", ROOT])
async def test_case_130_problems_and_descriptions_carry_it_too(behind, prefix):
    async with behind.get(f"{prefix}/nowhere") as answer:
        document = await answer.json(content_type=None)
        assert answer.status == 404
    async with behind.get(document["type"]) as page:
        assert page.status == 200
    async with behind.get(f"{prefix}/openapi.json") as answer:
        servers = (await answer.json())["servers"]
    async with behind.get(f"{prefix}/", allow_redirects=False) as answer:
        location = answer.headers["Location"]

    assert document["type"] == f"{ROOT}/problems/route_not_found"
    assert [server["url"] for server in servers] == [ROOT]
    assert location == f"{ROOT}/docs"


@pytest.mark.parametrize("page", ["docs", "ops"])
async def test_case_130_pages_name_their_files_relatively(behind, page):
    async with behind.get(f"{ROOT}/{page}") as answer:
        text = await answer.text()

    assert 'src="/' not in text
    assert 'href="/' not in text


@pytest.mark.parametrize("path", ["/arxiv", "/arxive", "/arx.", "/ar", "/ARX"])
async def test_case_130_only_the_whole_prefix_is_one(behind, path):
    async with behind.get(f"{path}/healthz") as answer:
        assert answer.status == 404


async def test_case_130_the_fast_path_knows_it(behind, sql):
    await sql(f"INSERT INTO jobs (id) VALUES ('{JOB}')")
    answers = []
    for prefix in ("", ROOT) * 2:
        async with behind.get(f"{prefix}{PREFIX}/job/{JOB}") as answer:
            answers.append((answer.status, await answer.read()))

    assert len(set(answers)) == 1
    assert answers[0][0] == 200
    assert behind.app[ROOT_PATH] == ROOT


@pytest.fixture
async def refusing_url(unused_tcp_port_factory):
    """An S3 that refuses the headers of checksums, as some gateways do."""
    kept: dict[str, bytes] = {}

    async def handle(request: web.Request) -> web.Response:
        if any(name.lower().startswith("x-amz-checksum") for name in request.headers):
            return web.Response(status=400, text="<Error><Code>InvalidRequest</Code></Error>")
        if request.method == "PUT":
            kept[request.path] = await request.read()
            return web.Response(headers={"ETag": '"x"'})
        if request.path not in kept:
            return web.Response(status=404, text="<Error><Code>NoSuchKey</Code></Error>")
        return web.Response(body=kept[request.path], headers={"ETag": '"x"'})

    app = web.Application()
    app.router.add_route("*", "/{any:.*}", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


@pytest.mark.parametrize("checksum", ["none", "sha256"])
async def test_case_131_an_s3_that_refuses_checksums(refusing_url, tmp_path, monkeypatch, checksum):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"):
        monkeypatch.setenv(name, "us-east-1")
    bucket = bucket_of("bucket", prefix="", endpoint=refusing_url, checksum=checksum)
    store = S3Store(bucket, tmp_path, max_bytes=1000)

    if checksum == "none":
        await store.prepare()
        await store.check_writable()
    else:
        with pytest.raises(StorageUnavailable):
            await store.prepare()


LARGE = "/api/v1/ingestion/jobs"


@pytest.fixture
async def many_jobs(sql):
    await sql("INSERT INTO jobs (id) SELECT gen_random_uuid() FROM generate_series(1, 20)")


@pytest.mark.parametrize(
    ("asked", "got"),
    [
        ("gzip", "gzip"),
        ("zstd", "zstd"),
        ("gzip, zstd", "zstd"),
        ("gzip, zstd;q=0.5", "gzip"),
        ("GZIP", "gzip"),
        ("*", None),
        ("gzip;q=0", None),
        ("br", None),
        ("gzip;q=x", None),
        ("", None),
    ],
)
async def test_case_133_answers_are_compressed_when_asked_for_by_name(api, many_jobs, asked, got):
    headers = {"Accept-Encoding": asked}
    async with api.get(LARGE, headers=headers, auto_decompress=False) as answer:
        body = await answer.read()
        encoding = answer.headers.get("Content-Encoding")
        vary = answer.headers["Vary"]

    unpacked = {"gzip": gzip.decompress, "zstd": zstd.decompress}.get(encoding or "", bytes)(body)
    assert encoding == got
    assert "Accept-Encoding" in vary
    assert len(json.loads(unpacked)) == 20


async def test_case_133_the_status_route_and_small_answers_are_not(api, sql):
    await sql(f"INSERT INTO jobs (id) VALUES ('{JOB}')")
    for path in (f"{PREFIX}/job/{JOB}", "/healthz"):
        async with api.get(path, headers={"Accept-Encoding": "gzip"}) as answer:
            assert "Content-Encoding" not in answer.headers


async def test_case_133_the_tag_of_compressed_content_is_weak_and_still_answers_304(api):
    headers = {"Accept-Encoding": "gzip"}
    async with api.get("/openapi.json", headers=headers) as answer:
        tag = answer.headers["ETag"]
        assert answer.headers["Content-Encoding"] == "gzip"
        assert len((await answer.json())["paths"]) > 10
    async with api.get("/openapi.json", headers={**headers, "If-None-Match": tag}) as again:
        assert again.status == 304

    assert tag.startswith('W/"')


async def test_case_133_exports_and_pages_are_compressed_as_they_are_sent(api):
    for path in ("/docs", "/ops/ops.js"):
        async with api.get(path, headers={"Accept-Encoding": "gzip"}) as answer:
            assert answer.headers["Content-Encoding"] == "gzip"
            assert await answer.text()


async def test_case_133_problems_of_any_size_are_readable(api):
    async with api.post(
        f"{PREFIX}/arxiv",
        json={f"field{number}": 1 for number in range(100)},
        headers={"Accept-Encoding": "gzip"},
    ) as answer:
        assert answer.status == 422
        assert is_problem(answer, await answer.json(content_type=None))
