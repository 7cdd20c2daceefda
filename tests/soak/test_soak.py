"""The soak, short: a minute of kills and faults, and every job as if there had been none."""

import pytest

from tests.soak.__main__ import lines
from tests.soak.plan import Plan, seconds_range
from tests.soak.run import soak
from tests.soak.schedule import Event, schedule

SHORT = Plan(
    seed=11,
    minutes=0.4,
    jobs=10,
    papers=6,
    page_size=3,
    bombs=1,
    kill_every=(2.0, 4.0),
    stop_every=(8.0, 14.0),
    restart_every=(8.0, 14.0),
    terminate_every=(7.0, 14.0),
)


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_a_minute_of_kills_and_faults_changes_nothing(tmp_path):
    report = await soak(SHORT, tmp_path)

    assert report.wrong == [], "\n".join(lines(report))
    assert report.done["kill"] >= 4
    assert report.figures["takeovers"] > 0
    assert report.figures["jobs acknowledged"] == SHORT.jobs


def first_minute(plan: Plan) -> list[Event]:
    return [event for event, _ in zip(schedule(plan), range(60), strict=False)]


def test_a_seed_gives_the_same_disturbances_again():
    assert first_minute(Plan(seed=5)) == first_minute(Plan(seed=5))
    assert first_minute(Plan(seed=5)) != first_minute(Plan(seed=6))


def test_another_rate_of_kills_leaves_the_other_disturbances_as_they_were():
    few, many = (
        [event for event in first_minute(plan) if event.kind == "pdf fault"]
        for plan in (Plan(seed=5), Plan(seed=5, kill_every=(1.0, 2.0)))
    )

    assert few[:5] == many[:5]


@pytest.mark.parametrize("text", ["", "0", "3-1", "1-2-3", "x"])
def test_a_range_without_sense_is_refused(text):
    with pytest.raises(ValueError):  # noqa: PT011 - float's own message will do
        seconds_range(text)
