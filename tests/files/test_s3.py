"""What only S3 can do to us."""

import asyncio
import base64
import hashlib
import signal
import sys
import time
from contextlib import suppress
from functools import partial

import obstore
import pytest
from aiohttp import web

from service.domain.errors import StorageUnavailable
from service.files import s3
from service.files.paths import path_for
from service.files.s3 import S3Store, bucket_of

UPLOADER = """
import asyncio, sys
from pathlib import Path
from service.domain.identifiers import ArxivId
from service.files.s3 import S3Store, bucket_of

async def main(url, name, folder):
    store = S3Store(bucket_of(name, prefix="", endpoint=url), Path(folder), max_bytes=1 << 30)
    await store.prepare()
    arxiv_id = ArxivId.parse("2301.00001v3")
    async with store.partial(arxiv_id) as part:
        for _ in range(64):
            await part.write(bytes(1 << 20))
        print("uploading", flush=True)
        await store.commit(part, arxiv_id)
    print("done", flush=True)

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.fixture
def bucket_name(s3_server, aws) -> str:
    return s3_server.make_bucket()


@pytest.fixture
def bucket(s3_server, bucket_name):
    return bucket_of(bucket_name, prefix="", endpoint=s3_server.url)


@pytest.fixture
async def store(bucket, tmp_path) -> S3Store:
    store = S3Store(bucket, tmp_path / "downloads", max_bytes=1 << 30)
    await store.prepare()
    return store


async def test_the_text_is_read_from_what_was_uploaded_without_fetching_it(
    store, keep, arxiv_id, bucket
):
    stored = await keep(arxiv_id, b"%PDF-1.4 content")
    obstore.delete(bucket, stored.path)

    async with store.local_copy(stored) as path:
        assert path.read_bytes() == b"%PDF-1.4 content"


async def test_a_killed_upload_shows_no_part_of_the_file(
    s3_server, bucket, bucket_name, tmp_path, store, arxiv_id
):
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", UPLOADER, s3_server.url, bucket_name, str(tmp_path / "other")),
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"uploading\n"
        while not s3_server.uploads_under_way(bucket_name):  # each look is a request
            assert process.returncode is None
    finally:
        process.send_signal(signal.SIGKILL)
        await process.wait()

    path = path_for(arxiv_id, hashlib.sha256(bytes(64 << 20)).hexdigest())
    with pytest.raises(FileNotFoundError):
        obstore.head(bucket, path)
    assert not await store.verify(path, "0" * 64, 64 << 20)


async def test_what_a_cancelled_upload_still_reads_is_never_written_over(
    s3_server, bucket, bucket_name, store, arxiv_id
):
    """Its thread goes on: the next download of the version must not give it other bytes."""
    content = b"a" * (64 << 20)
    path = path_for(arxiv_id, hashlib.sha256(content).hexdigest())
    async with store.partial(arxiv_id) as part:
        await part.record_etag('"strong"')
        await part.write(content)
        upload = asyncio.create_task(store.commit(part, arxiv_id))
        await asyncio.to_thread(wait_for, partial(s3_server.uploads_under_way, bucket_name))
        s3_server.process.send_signal(signal.SIGSTOP)
        upload.cancel()
        await asyncio.wait([upload])

    try:
        async with store.partial(arxiv_id) as second:
            resumed = second.size
            await second.truncate()
            await second.write(b"b" * (64 << 20))
    finally:
        s3_server.process.send_signal(signal.SIGCONT)
    await asyncio.to_thread(wait_for, partial(content_of, bucket, path))

    assert upload.cancelled()
    assert resumed == 0
    assert content_of(bucket, path) == content


def wait_for(looks_right):
    """Look until it does; each look is a request."""
    deadline = time.monotonic() + 60
    while not looks_right():
        assert time.monotonic() < deadline


def content_of(bucket, path):
    """What lies under a key; None when nothing does."""
    with suppress(FileNotFoundError):
        return bytes(obstore.get(bucket, path).bytes())
    return None


async def test_a_bucket_that_is_gone_is_storage_away_and_no_missing_file(
    store, keep, arxiv_id, bucket, bucket_name, s3_server
):
    stored = await keep(arxiv_id, b"%PDF-1.4 content")
    async with store.local_copy(stored):
        pass
    for key in (stored.path, ".arxiv-pdf-store"):
        obstore.delete(bucket, key)
    s3_server.remove_bucket(bucket_name)

    with pytest.raises(StorageUnavailable, match="the bucket is missing"):
        await store.verify(stored.path, stored.sha256, stored.size_bytes)
    with pytest.raises(StorageUnavailable):
        async with store.local_copy(stored):
            pass
    with pytest.raises(StorageUnavailable):
        await keep(arxiv_id, b"%PDF-1.4 content")


async def test_a_server_that_hangs_makes_the_storage_not_writable_in_time(
    s3_server, store, monkeypatch
):
    monkeypatch.setattr(s3, "PROBE_EVERY", 0 * s3.PROBE_EVERY)
    s3_server.process.send_signal(signal.SIGSTOP)
    try:
        with pytest.raises(StorageUnavailable, match="S3 does not answer"):
            await store.check_writable()
    finally:
        s3_server.process.send_signal(signal.SIGCONT)

    await store.check_writable()


async def test_nobody_listening_is_storage_away_in_words_without_urls(tmp_path, aws, arxiv_id):
    nobody = bucket_of("bucket", prefix="", endpoint="http://127.0.0.1:9")
    store = S3Store(nobody, tmp_path / "downloads", max_bytes=1000)

    with pytest.raises(StorageUnavailable) as caught:
        await store.verify("2301/2301.00001v3.pdf", "0" * 64, 3)

    assert str(caught.value) == "The PDF storage cannot be used: S3 does not answer as it should"


async def test_an_upload_carries_its_checksum_for_the_server_to_compare(
    tmp_path, aws, arxiv_id, aiohttp_server
):
    seen = []

    async def take(request: web.Request) -> web.Response:
        content = await request.read()
        sent = request.headers.get("x-amz-checksum-sha256")
        seen.append((request.path, content, sent))
        return web.Response(headers={"ETag": '"1"'})

    app = web.Application()
    app.router.add_put("/{path:.*}", take)
    server = await aiohttp_server(app)
    bucket = bucket_of("bucket", prefix="pre", endpoint=str(server.make_url("")).rstrip("/"))
    store = S3Store(bucket, tmp_path / "downloads", max_bytes=1000)
    await store.prepare()

    async with store.partial(arxiv_id) as part:
        await part.write(b"%PDF")
        await store.commit(part, arxiv_id)

    digest = hashlib.sha256(b"%PDF")
    checksum = base64.b64encode(digest.digest()).decode()
    path = path_for(arxiv_id, digest.hexdigest())
    assert seen[-1] == (f"/bucket/pre/{path}", b"%PDF", checksum)
