import asyncio
import os
import signal
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import psutil
import pytest

from service.domain.errors import BadPdf, StorageUnavailable
from service.extraction.pool import ChildDied, ExtractLimits, Extractor, ExtractorUnavailable

LIMITS = ExtractLimits(memory_bytes=512 << 20, cpu=timedelta(seconds=5), wall=timedelta(seconds=15))
SHORT_WALL = replace(LIMITS, wall=timedelta(milliseconds=300))


@pytest.fixture
def stopped(make_extractor):
    """An extractor whose only child does not answer, because it is stopped."""

    async def make(limits: ExtractLimits = LIMITS) -> tuple[Extractor, int]:
        extractor = await make_extractor(limits)
        (pid,) = extractor.pids
        os.kill(pid, signal.SIGSTOP)
        return extractor, pid

    return make


async def begun(extractor: Extractor, path: Path) -> asyncio.Task:
    """A task that has sent its question to a child and waits for the answer."""
    task = asyncio.create_task(extractor.text_of(path))
    await asyncio.sleep(0)  # one turn: with an idle child, nothing before the answer waits
    return task


async def test_pages_come_in_order_with_a_form_feed_between(make_extractor, make_pdf):
    extractor = await make_extractor()

    extracted = await extractor.text_of(make_pdf("first page", "", "third\npage"))

    assert extracted.text == "first page\f\fthird\npage"
    assert extracted.page_count == 3
    assert not extracted.truncated


async def test_a_word_broken_by_a_hyphen_is_whole_again(make_extractor, make_pdf):
    extractor = await make_extractor()

    extracted = await extractor.text_of(make_pdf("a hyphen-\nation of words"))

    assert "hyphenation" in extracted.text


async def test_more_pages_than_the_limit_are_left_out_and_flagged(make_extractor, make_pdf):
    extractor = await make_extractor(replace(LIMITS, max_pages=2))

    extracted = await extractor.text_of(make_pdf("one", "two", "three"))

    assert (extracted.text, extracted.page_count) == ("one\ftwo", 3)
    assert extracted.truncated


async def test_exactly_the_limit_is_not_truncated(make_extractor, make_pdf):
    extractor = await make_extractor(replace(LIMITS, max_pages=2, max_characters=7))

    extracted = await extractor.text_of(make_pdf("one", "two"))

    assert extracted.text == "one\ftwo"
    assert not extracted.truncated


async def test_more_characters_than_the_limit_are_cut_and_flagged(make_extractor, make_pdf):
    extractor = await make_extractor(replace(LIMITS, max_characters=5))

    extracted = await extractor.text_of(make_pdf("one", "two", "three"))

    assert extracted.text == "one\ft"
    assert extracted.truncated


async def test_when_the_time_to_read_is_over_the_text_so_far_is_the_result(
    make_extractor, make_pdf
):
    extractor = await make_extractor(replace(LIMITS, reading=timedelta(0)))

    extracted = await extractor.text_of(make_pdf("one", "two"))

    assert (extracted.text, extracted.page_count) == ("", 2)
    assert extracted.truncated


async def test_a_text_over_many_slices_arrives_whole(make_extractor, make_pdf):
    words = [f"word{number}é" for number in range(20_000)]
    pages = (" ".join(words[at : at + 400]) for at in range(0, len(words), 400))
    extractor = await make_extractor()

    extracted = await extractor.text_of(make_pdf(*pages))

    assert extracted.text.split() == words


async def test_a_pdf_that_burns_the_processor_ends_at_its_limit(
    make_extractor, make_pdf, make_raw_pdf
):
    limits = replace(LIMITS, memory_bytes=8 << 30, cpu=timedelta(seconds=1))
    extractor = await make_extractor(limits)
    slow = make_raw_pdf(b"BT /F1 9 Tf " + b"1 0 0 1 0 0 Tm (abcdefgh) Tj " * 2_000_000 + b"ET")

    with pytest.raises(BadPdf) as caught:
        await extractor.text_of(slow)

    assert caught.value.code == "resource_limit"
    assert (await extractor.text_of(make_pdf("next"))).text == "next"


async def test_a_child_that_never_answers_is_gone_after_the_deadline(stopped, make_pdf, ended):
    extractor, pid = await stopped(SHORT_WALL)
    pidfd = os.pidfd_open(pid)

    with pytest.raises(BadPdf) as caught:
        async with asyncio.timeout(60):
            await extractor.text_of(make_pdf("page"))

    assert caught.value.code == "resource_limit"
    assert ended(pidfd, 0)
    assert not psutil.pid_exists(pid)
    assert extractor.pids == frozenset()


async def test_a_child_that_crashes_takes_only_its_own_pdf_with_it(stopped, make_pdf):
    extractor, pid = await stopped()
    task = await begun(extractor, make_pdf("page"))
    os.kill(pid, signal.SIGSEGV)
    os.kill(pid, signal.SIGCONT)

    with pytest.raises(ChildDied) as caught:
        await task

    assert caught.value.code == "crashed"
    assert not psutil.pid_exists(pid)
    assert (await extractor.text_of(make_pdf("next"))).text == "next"


async def test_a_child_that_dies_idle_is_replaced_unnoticed(make_extractor, make_pdf):
    extractor = await make_extractor()
    (pid,) = extractor.pids
    pidfd, died = os.pidfd_open(pid), asyncio.Event()
    asyncio.get_running_loop().add_reader(pidfd, died.set)
    os.kill(pid, signal.SIGKILL)
    await asyncio.wait_for(died.wait(), 10)
    asyncio.get_running_loop().remove_reader(pidfd)
    os.close(pidfd)
    await asyncio.sleep(0)  # the turn in which its pipe is seen to end

    extracted = await extractor.text_of(make_pdf("page"))

    assert extracted.text == "page"
    assert pid not in extractor.pids


async def test_cancelling_kills_the_child_at_work_and_frees_its_place(stopped, make_pdf):
    extractor, pid = await stopped()
    task = await begun(extractor, make_pdf("page"))

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert not psutil.pid_exists(pid)
    async with asyncio.timeout(60):
        assert (await extractor.text_of(make_pdf("next"))).text == "next"


async def test_cancelling_a_waiting_caller_leaves_the_child_alone(stopped, make_pdf):
    extractor, pid = await stopped()
    working = await begun(extractor, make_pdf("page"))
    waiting = await begun(extractor, make_pdf("page"))

    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    os.kill(pid, signal.SIGCONT)

    assert (await working).text == "page"
    assert extractor.pids == {pid}


async def test_no_more_children_than_asked_for(make_extractor, make_pdf):
    extractor = await make_extractor(processes=2)
    before = extractor.pids
    path = make_pdf("page")

    texts = await asyncio.gather(*(extractor.text_of(path) for _ in range(12)))

    assert {extracted.text for extracted in texts} == {"page"}
    assert len(before) == 2
    assert extractor.pids == before


async def test_a_child_is_replaced_after_its_share_of_pdfs(make_extractor, make_pdf):
    extractor = await make_extractor(pdfs_per_child=2)
    path, pids = make_pdf("page"), set(extractor.pids)

    for _ in range(4):
        await extractor.text_of(path)
        pids |= extractor.pids

    assert len(pids) == 2
    assert extractor.pids == frozenset()


async def test_without_start_children_come_when_needed(make_pdf):
    extractor = Extractor(1, LIMITS)
    try:
        extracted = await extractor.text_of(make_pdf("page"))
    finally:
        await extractor.close()

    assert extracted.text == "page"


async def test_closing_stops_work_without_blaming_the_pdf(stopped, make_pdf):
    extractor, pid = await stopped()
    path = make_pdf("page")
    working, waiting = await begun(extractor, path), await begun(extractor, path)

    async with asyncio.timeout(10):
        await extractor.close()
    outcomes = await asyncio.gather(working, waiting, return_exceptions=True)

    assert [type(outcome) for outcome in outcomes] == [ExtractorUnavailable, ExtractorUnavailable]
    assert not psutil.pid_exists(pid)
    with pytest.raises(ExtractorUnavailable):
        await extractor.text_of(path)


async def test_closing_leaves_no_process_and_no_descriptor(make_pdf):
    before = psutil.Process().num_fds()
    extractor = Extractor(2, LIMITS)
    await extractor.start()
    await extractor.text_of(make_pdf("page"))
    pids = extractor.pids

    await extractor.close()

    assert not any(psutil.pid_exists(pid) for pid in pids)
    for _ in range(3):  # the turns in which the loop closes the pipes
        await asyncio.sleep(0)
    assert psutil.Process().num_fds() == before


async def test_a_file_that_is_not_there_is_no_fault_of_the_pdf(make_extractor, tmp_path):
    extractor = await make_extractor()

    with pytest.raises(StorageUnavailable):
        await extractor.text_of(tmp_path / "missing.pdf")


async def test_checking_passes_a_file_that_opens_and_has_pages(make_extractor, make_pdf):
    extractor = await make_extractor(replace(LIMITS, reading=timedelta(0)))

    await extractor.check(make_pdf("page"))


@pytest.mark.parametrize("content", [b"%PDF-1.7\n", b"<html>", b"%PDF-1.7 cut off %%EOF", b""])
async def test_checking_refuses_a_file_that_does_not_open(make_extractor, tmp_path, content):
    extractor = await make_extractor()
    (tmp_path / "bad.pdf").write_bytes(content)

    with pytest.raises(BadPdf) as caught:
        await extractor.check(tmp_path / "bad.pdf")

    assert caught.value.code == "corrupt"


async def test_a_relative_path_is_a_mistake_of_ours(make_extractor):
    extractor = await make_extractor()

    with pytest.raises(ValueError, match="absolute"):
        await extractor.text_of(Path("made.pdf"))
