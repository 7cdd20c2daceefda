"""A whole ingestion with its PDFs on S3, and a worker killed in the middle of it."""

import hashlib

import obstore
import pytest

from service.domain.jobs import JobStatus
from service.files.s3 import bucket_of
from tests.files.s3_fixtures import CREDENTIALS, aws, s3_server
from tests.jobs.conftest import TAKES_OVER, kill

__all__ = ["aws", "s3_server"]


@pytest.fixture
def place(s3_server, aws):
    """A new bucket: the variables of a service that uses it, and a look into it."""
    name = s3_server.make_bucket()
    variables = {
        "STORAGE_URL": f"s3://{name}/arxiv/pdfs",
        "S3_ENDPOINT_URL": s3_server.url,
        **CREDENTIALS,
    }
    return variables, bucket_of(name, prefix="arxiv/pdfs", endpoint=s3_server.url)


async def test_the_rows_are_right_about_the_objects_after_a_crash(rig, place):
    variables, bucket = place
    rig.replica.script([{"kind": "hold", "lane": "pdf", "number": 4, "seconds": 60}])
    job_id = await rig.submit()

    async with rig.process(**variables) as process:
        await rig.replica.wait_until_held(timeout=90)
        await kill(process)
    rig.replica.release()
    async with rig.worker(**variables, **TAKES_OVER):
        job = await rig.final(job_id)

    assert (job.status, job.pdfs_processed, job.errors_total) == (JobStatus.COMPLETED, 10, 0)
    held = await rig.rows("SELECT pdf_path, pdf_sha256, pdf_bytes FROM papers")
    for row in held:
        content = bytes(obstore.get(bucket, row.pdf_path).bytes())
        assert (hashlib.sha256(content).hexdigest(), len(content)) == (
            row.pdf_sha256,
            row.pdf_bytes,
        )
    found = {entry["path"] for batch in obstore.list(bucket) for entry in batch}
    assert {path for path in found if path.endswith(".pdf")} == {row.pdf_path for row in held}
