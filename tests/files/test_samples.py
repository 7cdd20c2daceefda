"""Every hostile or broken PDF ends in a state, and the next PDF is read as if nothing was."""

from pathlib import Path

import pytest

from service.domain.errors import BadPdf

SAMPLES = Path(__file__).parents[2] / ".." / "shared" / "arxiv-samples" / "badpdf"
PROC = Path("/proc")
pytestmark = [
    pytest.mark.samples,
    pytest.mark.skipif(not SAMPLES.is_dir(), reason="the samples are not beside the checkout"),
]

REFUSED = {
    "bomb_ws_2G_x2.pdf": "resource_limit",
    "q_stack.pdf": "resource_limit",
    "enc_user.pdf": "encrypted",
    "pdfminersix__aes-256-r6.pdf": "encrypted",
    "pypdf__r2-user-password.pdf": "encrypted",
    "qpdf__enc-R3_V2_U-view_O-master.pdf": "encrypted",
    "header_only.pdf": "corrupt",
    "html.pdf": "corrupt",
    "pdfjs__bug1020226.pdf": "corrupt",
    "pdfjs__bug1606566.pdf": "corrupt",
    "pdfjs__issue9105_other.pdf": "corrupt",
    "pdfjs__poppler-937-0-fuzzed.pdf": "corrupt",
    "qpdf__bad1.pdf": "corrupt",
    "qpdf__issue-141a.pdf": "corrupt",
    "qpdf__issue-335b.pdf": "corrupt",
    "truncated.pdf": "corrupt",
}

BEGINNINGS = {
    "count_lie.pdf": "Hello world (ok)",
    "enc_owner_only.pdf": "Hello world (ok)",
    "image_only.pdf": "",
    "js_openaction.pdf": "js",
    "nul_text.pdf": "abc",
    "pages_200k.pdf": "x\fx\fx",
    "pdfjs__90ms_rksj_h_sample.pdf": "Hello ASCII\n日本語テスト",
    "pdfjs__GHOSTSCRIPT-698804-1-fuzzed.pdf": "",
    "pdfjs__Pages-tree-refs.pdf": "Testcase: ’Pages loop’",
    "pdfjs__SimFang-variant.pdf": "全 世 界",
    "pdfjs__empty.pdf": "",
    "pdfjs__helloworld-bad.pdf": "Hello, world!",
    "pdfjs__noembed-sjis.pdf": "あいうえお",
    "pdfjs__poppler-67295-0.pdf": "TestString123",
    "pdfjs__poppler-85140-0.pdf": "",
    "pdfjs__vertical.pdf": "日本語\nあいうえお",
    "pdfminersix__encrypted_doc_no_id.pdf": "",
    "pdfminersix__issue-449-vertical.pdf": "Test\nVertical\nLayout",
    "pdfminersix__jo.pdf": "みんなのおのおの",
    "pdfminersix__zen_of_python_corrupted.pdf": "Beautiful is better than ugly.\nExplicit",
    "pypdf__bytes.pdf": "This is a test for a PDF with bytes title",
    "pypdf__r6-empty-password.pdf": "pdf encryption test\npassword:",
    "qpdf__append-xref-loop.pdf": "Potato 0",
    "qpdf__bad2.pdf": "Potato",
    "qpdf__bad36.pdf": "Potato",
    "qpdf__big-ostream.pdf": "Potato",
    "qpdf__xref-range.pdf": "Potato",
}
TRUNCATED = {"pages_200k.pdf", "pdfjs__Pages-tree-refs.pdf"}


def test_every_sample_has_an_expectation():
    assert {path.name for path in SAMPLES.glob("*.pdf")} == {*REFUSED, *BEGINNINGS}


@pytest.mark.parametrize(("name", "code"), REFUSED.items())
async def test_a_bad_file_ends_with_its_code_and_the_next_is_fine(
    make_extractor, make_pdf, name, code
):
    extractor = await make_extractor()

    with pytest.raises(BadPdf) as caught:
        await extractor.text_of(SAMPLES.resolve() / name)

    assert caught.value.code == code
    assert (await extractor.text_of(make_pdf("next"))).text == "next"


@pytest.mark.parametrize(("name", "beginning"), BEGINNINGS.items())
async def test_an_odd_file_gives_its_text_and_the_next_is_fine(
    make_extractor, make_pdf, name, beginning
):
    extractor = await make_extractor()
    pids = extractor.pids

    extracted = await extractor.text_of(SAMPLES.resolve() / name)

    assert extracted.text.startswith(beginning)
    assert bool(extracted.text) == bool(beginning)
    assert extracted.truncated == (name in TRUNCATED)
    assert not set(extracted.text) & {"\0", "\r", "\ufffe", "\x01"}
    assert (await extractor.text_of(make_pdf("next"))).text == "next"
    assert extractor.pids == pids


async def test_an_active_document_opens_no_socket_and_starts_no_program(make_extractor):
    extractor = await make_extractor()
    (pid,) = extractor.pids

    await extractor.text_of(SAMPLES.resolve() / "js_openaction.pdf")

    proc = PROC / str(pid)
    descriptors = list((proc / "fd").iterdir())
    children = (proc / "task" / str(pid) / "children").read_text()
    assert len(descriptors) <= 4  # both pipes, /dev/null, the copy of the answers' pipe
    assert children == ""
