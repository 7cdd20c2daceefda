"""Thresholds of the load test: what is within them, and what each says that is not kept."""

import importlib.util
import sys
import types
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import MagicMock

import pytest

OPTIONS = SimpleNamespace(max_failures=0.01, p95_ms=500, submit_p95_ms=2000, min_requests=20)


@pytest.fixture
def broken(monkeypatch):
    """The judgement, without locust, which has an environment of its own (`make load`)."""
    locust = types.ModuleType("locust")
    locust.__dict__.update(
        FastHttpUser=object,
        between=lambda *_: None,
        events=MagicMock(),
        task=lambda _: lambda function: function,
    )
    monkeypatch.setitem(sys.modules, "locust", locust)
    path = Path(__file__).with_name("locustfile.py")
    spec = importlib.util.spec_from_file_location("locustfile", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.broken


def figures(*, requests=100, failed=0.0, **slow_ms):
    entries = {
        name: SimpleNamespace(
            name=name.replace("_", " "), get_response_time_percentile=lambda _, ms=ms: ms
        )
        for name, ms in slow_ms.items()
    }
    total = SimpleNamespace(num_requests=requests, fail_ratio=failed)
    return SimpleNamespace(total=total, entries=entries)


def test_figures_within_all_thresholds_are_good(broken):
    good = figures(status=500, submit=2000, wait_for_a_change=5000, stream_of_events=9000)

    assert list(broken(good, OPTIONS)) == []


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        (figures(failed=0.02), "2.00% of the requests failed"),
        (figures(requests=19), "19 requests, fewer than 20"),
        (figures(status=501), "status: 95 of 100 within 501 ms"),
        (figures(submit=2001), "submit: 95 of 100 within 2001 ms"),
    ],
)
def test_each_threshold_that_is_not_kept_is_told(broken, bad, told):
    (one,) = broken(bad, OPTIONS)

    assert one.startswith(told)
