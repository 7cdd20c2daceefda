from bisect import bisect_left, bisect_right
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.arxiv.search_windows import Window, WindowPlan, WindowTooFull, settled

NOW = datetime(2024, 3, 10, 12, tzinfo=UTC)
DAY = Window.of_days(date(2024, 3, 5), date(2024, 3, 5))


def at(hour, minute, second=0):
    return datetime(2024, 3, 5, hour, minute, second, tzinfo=UTC)


class Arxiv:
    """Papers by the second of their submission, searched as arXiv searches them."""

    def __init__(self, moments):
        self.papers = sorted((moment, number) for number, moment in enumerate(moments))
        self.asked = 0

    def results(self, window, *, newest_first):
        keys = [moment for moment, _ in self.papers]
        # from HH:MM:00 up to HH:MM:00, both included
        found = self.papers[bisect_left(keys, window.first) : bisect_right(keys, window.last)]
        return found[::-1] if newest_first else found

    async def count(self, window):
        self.asked += 1
        return len(self.results(window, newest_first=True))

    async def harvest(self, plan, limit):
        """Every paper that a harvest of `plan` stores, in its order, ids seen before dropped."""
        stored = []
        while True:
            plan = WindowPlan.load(plan.dump())  # as over a restart
            plan, total = await settled(plan, self.count, limit=limit)
            if plan.current is None:
                return stored
            assert plan.skip < total <= limit
            page = self.results(plan.current, newest_first=plan.newest_first)[plan.skip :]
            stored += [paper for paper in page if paper not in stored]
            plan = plan.read()


def test_days_are_whole_and_open_ends_far_away():
    assert DAY.term() == "submittedDate:[202403050000 TO 202403052359]"
    assert Window.of_days(None, date(2024, 1, 2)).term().startswith("submittedDate:[199101010000")
    assert Window.of_days(date(2024, 1, 2), None).term().endswith("TO 209912312359]")
    with pytest.raises(ValueError, match="the first day is after the last"):
        Window.of_days(date(2024, 1, 2), date(2024, 1, 1))


def test_halves_share_their_minute_down_to_one_minute():
    earlier, later = Window(at(0, 0), at(0, 5)).halves()

    assert (earlier, later) == (Window(at(0, 0), at(0, 2)), Window(at(0, 2), at(0, 5)))
    with pytest.raises(WindowTooFull, match="2024-03-05 10:07") as caught:
        Window(at(10, 7), at(10, 8)).halves()
    assert caught.value.code == "upstream_incomplete"


def test_a_window_without_an_end_ends_behind_now():
    plan = WindowPlan.whole(Window.of_days(date(2024, 1, 1), None), now=NOW)

    assert plan.current.last == datetime(2024, 3, 12, tzinfo=UTC)
    assert WindowPlan.whole(DAY, now=NOW).current == DAY


@pytest.mark.parametrize("document", [{}, {"pending": 1}, {"pending": [["x", "y"]], "skip": 0}])
def test_another_document_is_no_plan(document):
    with pytest.raises(ValueError, match="cannot be read"):
        WindowPlan.load(document)


async def test_a_search_that_fits_is_one_window():
    arxiv = Arxiv([at(1, 0), at(2, 0)])

    plan, total = await settled(WindowPlan.whole(DAY, now=NOW), arxiv.count, limit=2)

    assert (plan.current, total, arxiv.asked) == (DAY, 2, 1)


@pytest.mark.parametrize("newest_first", [True, False])
async def test_a_search_beyond_the_ceiling_brings_each_paper_once_in_order(newest_first):
    moments = [at(h, m, s) for h in range(0, 24, 3) for m in (0, 7, 30) for s in (0, 1, 59)]
    arxiv = Arxiv([*moments, *[at(12, 0, 0)] * 3])

    plan = WindowPlan.whole(DAY, now=NOW, newest_first=newest_first)
    stored = await arxiv.harvest(plan, limit=8)

    assert stored == (arxiv.papers[::-1] if newest_first else arxiv.papers)


async def test_a_minute_that_does_not_fit_is_an_error():
    arxiv = Arxiv([at(12, 30, second) for second in range(10)])

    with pytest.raises(WindowTooFull):
        await arxiv.harvest(WindowPlan.whole(DAY, now=NOW), limit=9)


async def test_the_second_of_an_edge_that_two_windows_share_is_read_once():
    middle = at(11, 59)  # where the day is cut
    arxiv = Arxiv([at(1, 0), middle, middle, at(13, 0)])
    assert DAY.halves()[0].last == middle

    stored = await arxiv.harvest(WindowPlan.whole(DAY, now=NOW), limit=3)

    assert stored == arxiv.papers[::-1]


SECONDS = st.lists(st.integers(0, 86_399 - 59), max_size=40) | st.lists(
    st.integers(0, 1438).map(lambda minute: minute * 60), max_size=40
)


@settings(deadline=None)
@given(SECONDS, st.integers(0, 45), st.booleans(), st.integers(3, 12))
async def test_any_search_from_any_start_brings_the_rest_once_in_order(
    seconds, start, newest_first, limit
):
    arxiv = Arxiv([at(0, 0) + timedelta(seconds=second) for second in seconds])
    expected = (arxiv.papers[::-1] if newest_first else arxiv.papers)[start:]

    plan = WindowPlan.whole(DAY, now=NOW, newest_first=newest_first, skip=start)
    try:
        stored = await arxiv.harvest(plan, limit=limit)
    except WindowTooFull:
        busiest = max(second // 60 for second in seconds)
        assert any(
            sum(minute * 60 <= second <= minute * 60 + 60 for second in seconds) > limit
            for minute in range(busiest + 1)
        )
        return

    assert stored == expected


async def test_windows_before_the_start_are_passed_over_and_not_cut():
    arxiv = Arxiv([at(0, 0) + timedelta(minutes=2 * minute) for minute in range(700)])
    plan = WindowPlan.whole(DAY, now=NOW, skip=690)

    stored = await arxiv.harvest(plan, limit=100)

    assert stored == arxiv.papers[::-1][690:]
    assert arxiv.asked < 25
