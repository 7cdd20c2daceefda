"""The design that the service replaces: FastAPI, a response model, jobs in a dictionary.

Nothing is durable and a second process would know nothing of these jobs. Written as the
frameworks' own manuals do: a dependency decodes the token, a model makes the answer; uvicorn
with uvloop and httptools, and without an access log.

    python dictionary.py PORT FILE    FILE: a JSON array of status objects
"""

import json
import os
import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import jwt
import uvicorn
from fastapi import Depends, FastAPI, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel


class Progress(BaseModel):
    """How far a job is."""

    papers_fetched: int
    papers_created: int
    papers_updated: int
    pdfs_downloaded: int
    pdfs_processed: int
    errors: list[dict[str, Any]]


class JobStatus(BaseModel):
    """The status object."""

    job_id: str
    status: str
    progress: Progress
    created_at: datetime
    started_at: datetime | None
    completed_at: datetime | None
    errors: list[dict[str, Any]]
    stats: dict[str, Any]


app = FastAPI()
JOBS: dict[str, dict[str, Any]] = {}
SECRET = os.environ["JWT_SECRET"]


def caller(shown: Annotated[HTTPAuthorizationCredentials, Depends(HTTPBearer())]) -> str:
    """The subject of the token."""
    try:
        claims = jwt.decode(
            shown.credentials, SECRET, algorithms=["HS256"], options={"require": ["exp", "sub"]}
        )
    except jwt.PyJWTError as err:
        raise HTTPException(401, "Invalid token") from err
    return str(claims["sub"])


@app.get("/api/v1/ingestion/job/{job_id}")
async def get_job(job_id: str, _: Annotated[str, Depends(caller)]) -> JobStatus:
    """The status of a job."""
    if job_id not in JOBS:
        raise HTTPException(404, "Job not found")
    return JobStatus(**JOBS[job_id])


def main(port: int, documents: list[dict[str, Any]]) -> None:
    """Serve `documents` until told to stop."""
    for document in documents:
        moments = {
            name: document[name] and datetime.fromisoformat(document[name])
            for name in ("created_at", "started_at", "completed_at")
        }
        JOBS[document["job_id"]] = {**document, **moments}
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=port,
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_level="warning",
    )


if __name__ == "__main__":
    main(int(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text()))
