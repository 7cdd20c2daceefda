"""Tracing: one trace from POST to the last PDF, over two processes and the queue."""

import asyncio
import json
import os
import subprocess
import sys
from contextlib import asynccontextmanager
from time import time
from uuid import UUID

import aiohttp
import jwt
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.cli.conftest import free_port

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PAPERS = 3


class Collector:
    """What an OTLP receiver was sent."""

    def __init__(self):
        self.spans = []
        self.pids = set()

    async def take(self, request):
        message = ExportTraceServiceRequest.FromString(await request.read())
        for group in message.resource_spans:
            facts = {one.key: one.value for one in group.resource.attributes}
            assert facts["service.name"].string_value == "arxiv-ingestion"
            self.pids.add(facts["process.pid"].int_value)
            for scope in group.scope_spans:
                self.spans += scope.spans
        return web.Response(content_type="application/x-protobuf")

    def of(self, kind):
        return [one for one in self.spans if one.kind == kind]


@asynccontextmanager
async def collecting():
    collector = Collector()
    app = web.Application()
    app.router.add_post("/v1/traces", collector.take)
    async with TestServer(app) as server:
        yield collector, str(server.make_url("")).rstrip("/")


async def post(url, environment):
    """Submit a job as part of a trace, once the API answers; its id."""
    secret = environment["JWT_SECRET"]
    token = jwt.encode({"sub": "alice", "exp": int(time()) + 600}, secret)
    headers = {
        "Authorization": f"Bearer {token}",
        "traceparent": f"00-{TRACE}-{PARENT}-01",
    }
    body = {
        "search_query": {"category": "cs.AI", "max_results": 2},
        "max_papers": PAPERS,
        "batch_size": 2,
    }
    async with aiohttp.ClientSession(headers=headers) as session, asyncio.timeout(60):
        while True:
            try:
                async with session.post(f"{url}/api/v1/ingestion/arxiv", json=body) as response:
                    if response.status == 202:
                        return (await response.json())["job_id"]
            except aiohttp.ClientConnectionError:
                pass
            await asyncio.sleep(0.1)  # the process opens its port when it has started


def value(span, name):
    (found,) = [one.value for one in span.attributes if one.key == name]
    return found.string_value or found.int_value


@pytest.mark.slow
async def test_one_trace_leads_from_the_request_to_the_last_pdf(rig):
    port = free_port()
    async with collecting() as (collector, endpoint):
        variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "OTEL_BSP_SCHEDULE_DELAY": "200"}
        api = rig.process(
            "serve", "--no-worker", **variables, PORT=str(port), DRAIN_DELAY_SECONDS="0"
        )
        async with api as serving, rig.process("worker", **variables) as working:
            job_id = UUID(await post(f"http://127.0.0.1:{port}", rig.environment()))
            job = await rig.final(job_id)
            for process in (serving, working):
                process.terminate()
                await asyncio.wait_for(process.wait(), 30)

    assert job.papers_fetched == PAPERS
    ours = [one for one in collector.spans if one.trace_id.hex() == TRACE]
    by_id = {one.span_id.hex(): one for one in ours}
    (request,) = [one for one in ours if one.kind == Span.SPAN_KIND_SERVER]
    tasks = [one for one in ours if one.kind == Span.SPAN_KIND_CONSUMER]
    sent = [one for one in ours if one.kind == Span.SPAN_KIND_CLIENT]
    queries = [one for one in sent if "db.system.name" in {a.key for a in one.attributes}]
    asked = [one for one in sent if "url.full" in {a.key for a in one.attributes}]
    kinds = [value(one, "messaging.destination.name") for one in tasks]
    assert request.name == "POST /api/v1/ingestion/arxiv"
    assert request.parent_span_id.hex() == PARENT
    assert value(request, "http.response.status_code") == 202
    assert {one.parent_span_id.hex() for one in ours} - by_id.keys() == {PARENT}  # one tree
    assert kinds.count("harvest") == job.pages_fetched
    assert kinds.count("pdf") == PAPERS
    assert {value(one, "arxiv_ingestion.job_id") for one in tasks} == {str(job_id)}
    assert len({value(one, "url.full") for one in asked}) == job.pages_fetched + PAPERS
    assert {by_id[one.parent_span_id.hex()].kind for one in queries} == {
        Span.SPAN_KIND_SERVER,
        Span.SPAN_KIND_CONSUMER,
    }
    assert collector.pids == {serving.pid, working.pid}
    assert all(one.parent_span_id for one in collector.of(Span.SPAN_KIND_CLIENT))  # no polling
    log = (rig.folder / "worker.log").read_text().splitlines()
    told = [json.loads(line) for line in log if "page stored" in line]
    assert told
    assert {line["trace_id"] for line in told} == {TRACE}


def test_nothing_of_it_is_imported_where_no_endpoint_is_set():
    code = (
        "import sys, service.process.lifecycle, service.process.build_worker;"
        " sys.exit(any(name.startswith('opentelemetry') for name in sys.modules))"
    )

    done = subprocess.run([sys.executable, "-c", code], env=dict(os.environ), check=False)

    assert done.returncode == 0


def test_an_endpoint_without_the_extra_is_refused_by_name(tmp_path):
    code = (
        "import sys; sys.modules['opentelemetry'] = None;"
        " from service.process.trace_start import started_tracing;"
        " from service.config.settings import Settings;"
        " settings = Settings.from_environ({'OTEL_EXPORTER_OTLP_ENDPOINT': 'http://c:4318',"
        " 'JWT_SECRET': 's' * 40, 'DATABASE_URL': 'postgresql://h/d'});"
        " started_tracing(settings).__enter__()"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert "OTEL_EXPORTER_OTLP_ENDPOINT: needs the extra otel" in done.stderr
