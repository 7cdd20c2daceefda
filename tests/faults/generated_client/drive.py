"""Calls every operation of a generated client, once, against a running service.

Run by the environment that generated it: `drive.py FOLDER URL TOKEN JOB_ID ARXIV_ID`. Prints
one JSON object: operation → status and the type of what was parsed. GET is called of whatever
there is; what changes something has a line in `main`, in an order that works.
"""

import importlib
import inspect
import json
import pkgutil
import sys
from pathlib import Path
from typing import get_args
from uuid import UUID, uuid4

CALLBACK = "https://example.org/hook"


class Driver:
    """The client, and what its operations answered."""

    def __init__(self, url, token):
        client = importlib.import_module("generated.client")
        self.client = client.AuthenticatedClient(
            base_url=url, token=token, raise_on_unexpected_status=True
        )
        self.operations = dict(_operations())
        self.answers = {}
        self.known = {}

    def call(self, name, body=None, **parameters):
        """What the answer was parsed into."""
        function = self.operations[name].sync_detailed
        needed = inspect.signature(function).parameters
        required = [one.name for one in needed.values() if one.default is one.empty]
        given = {one: self.known[one] for one in required if one in self.known} | parameters
        if body is not None:
            kinds = get_args(needed["body"].annotation) or [needed["body"].annotation]
            kind = next(one for one in kinds if body.keys() <= _fields(one))
            given["body"] = kind.from_dict(body)
        response = function(client=self.client, **given)
        self.answers[name] = [int(response.status_code), type(response.parsed).__name__]
        return response.parsed

    def read_everything(self):
        """All that is asked for by GET or HEAD, and was not before."""
        for name, module in self.operations.items():
            if name not in self.answers and 'method": "get"' in inspect.getsource(module):
                self.call(name)
            if name not in self.answers and 'method": "head"' in inspect.getsource(module):
                self.call(name)


def _examples(folder):
    """A value for each parameter of a path, as the description shows it."""
    document = json.loads((Path(folder) / "openapi.json").read_text())
    operations = (one for item in document["paths"].values() for one in item.values())
    told = (one for operation in operations for one in operation["parameters"])
    return {one["name"]: one["example"] for one in told if one["in"] == "path"}


def _fields(kind):
    """The keys of a model; of anything else none."""
    return {one.name for one in getattr(kind, "__attrs_attrs__", ())}


def _operations():
    api = importlib.import_module("generated.api")
    for tag in pkgutil.iter_modules(api.__path__):
        package = importlib.import_module(f"generated.api.{tag.name}")
        for found in pkgutil.iter_modules(package.__path__):
            yield found.name, importlib.import_module(f"generated.api.{tag.name}.{found.name}")


def main(folder, url, token, job_id, arxiv_id):
    sys.path.insert(0, folder)
    driver = Driver(url, token)
    driver.known = _examples(folder) | {"job_id": UUID(job_id), "arxiv_id": arxiv_id}
    request = {"search_query": {"category": "cs.AI"}, "max_papers": 1, "process_pdfs": False}

    driver.call("pause_arxiv")
    waiting = driver.call("create_job", request)
    driver.call("cancel_job", job_id=waiting.job_id)
    driver.call("retry_job", job_id=waiting.job_id)
    wanted = {"name": str(uuid4()), "cron": "0 3 * * *", "request": request}
    schedule = driver.call("add_schedule", wanted)
    driver.known["schedule_id"] = schedule.schedule_id
    driver.call("run_schedule")
    driver.call("change_schedule", {"paused": True})
    webhook = driver.call("add_webhook", {"url": CALLBACK, "events": ["job.cancelled"]})
    driver.known["webhook_id"] = webhook.webhook_id
    driver.call("change_webhook", {"labels": {}})
    driver.call("cancel_job", job_id=driver.call("create_job", request).job_id)
    delivery = driver.call("list_deliveries")[0]
    driver.known["delivery_id"] = delivery.delivery_id
    driver.call("resend_delivery")
    driver.call("resume_arxiv")
    for stream in ("stream_jobs", "stream_fleet"):  # which would go on for ever
        driver.call(stream, prefer="wait=0")
    driver.read_everything()
    driver.call("remove_webhook")
    driver.call("remove_schedule")

    uncalled = sorted(driver.operations.keys() - driver.answers.keys())
    pdf = driver.operations["get_pdf"].sync(arxiv_id, client=driver.client)
    print(
        json.dumps(
            {
                "answers": driver.answers,
                "uncalled": uncalled,
                "pdf": repr(pdf.payload.read(5)) if hasattr(pdf, "payload") else str(pdf),
            }
        )
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
