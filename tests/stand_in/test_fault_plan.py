import pytest

from service.devtools.stand_in.faults import KINDS, BadFault, FaultPlan, RateFault, Step
from service.devtools.stand_in.log import Record


def test_a_rate_is_kept_over_many_requests():
    plan = FaultPlan([RateFault.read("rate=0.05,kind=503")], seed=1)

    hits = sum(plan.next(record(number)) is not None for number in range(1, 10_001))

    assert 400 < hits < 600


def record(number):
    return Record(
        serial=number,
        lane="api",
        number=number,
        method="GET",
        path="/api/query",
        peer="",
        user_agent="",
        open=1,
        connections=1,
        started=0.0,
        started_at="",
    )


def test_a_value_on_the_command_line_may_contain_commas():
    fault = RateFault.read("retry_after=Wed, 21 Oct 2026 07:28:00 GMT,kind=503")

    assert fault.step.retry_after == "Wed, 21 Oct 2026 07:28:00 GMT"
    assert fault.rate == 1


@pytest.mark.parametrize(
    "document",
    [
        {"kind": "nonsense"},
        {"kind": "503", "lane": "moon"},
        {"kind": "empty", "lane": "pdf"},
        {"kind": "redirect"},
        {"kind": "503", "number": 0},
        {"kind": "503", "times": "many"},
        {"kind": "stall", "seconds": -1},
        {"kind": "stall", "seconds": "nan"},
        {"kind": "body", "body_base64": "é"},
        {"kind": "body", "status": 99},
        {"kind": "503", "colour": "red"},
        {},
    ],
)
def test_a_fault_that_cannot_be_is_refused(document):
    with pytest.raises(BadFault):
        Step.read(document)


@pytest.mark.parametrize(
    "text", ["", "503", "kind=503,rate=2", "kind=503,rate=x", "rate=1", "kind=nan,rate=nan"]
)
def test_a_fault_that_cannot_be_read_is_refused(text):
    with pytest.raises(BadFault):
        RateFault.read(text)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_can_be_asked_for_by_rate(kind):
    location = ",location=/x" if kind == "redirect" else ""

    assert RateFault.read(f"rate=0.5,kind={kind}{location}").step.kind == kind
