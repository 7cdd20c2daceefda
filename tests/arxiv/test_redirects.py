import pytest
from yarl import URL

from service.arxiv.redirects import next_hop
from service.domain.errors import RedirectRefused

ASKED = URL("http://export.arxiv.org/pdf/2401.00001v1.pdf")


@pytest.mark.parametrize("status", [301, 302, 307, 308])
@pytest.mark.parametrize(
    ("location", "target"),
    [
        ("/pdf/2401.00001v1", "http://export.arxiv.org/pdf/2401.00001v1"),
        ("2401.00001v1", "http://export.arxiv.org/pdf/2401.00001v1"),
        ("https://export.arxiv.org/x", "https://export.arxiv.org/x"),
        ("https://EXPORT.arxiv.org:443/x", "https://export.arxiv.org/x"),
        ("//export.arxiv.org/x", "http://export.arxiv.org/x"),
        ("http://export.arxiv.org:80/x", "http://export.arxiv.org/x"),
    ],
)
def test_redirects_within_the_host_are_followed(status, location, target):
    assert str(next_hop(ASKED, status, location)) == target


@pytest.mark.parametrize("status", [200, 206, 400, 404, 500])
def test_other_answers_are_no_redirects_whatever_they_carry(status):
    assert next_hop(ASKED, status, "http://127.0.0.1/") is None


@pytest.mark.parametrize(
    "location",
    [
        None,
        "",
        "http://127.0.0.1/",
        "http://localhost/",
        "//host/",
        "http://0x7f000001/",
        "http://[::ffff:127.0.0.1]/",
        "http://169.254.169.254/latest/meta-data/",
        "https://arxiv.org/pdf/2401.00001v1",
        "http://export.arxiv.org.evil.example/",
        "http://export.arxiv.org@127.0.0.1/",
        "http://user:pass@export.arxiv.org/",
        "http://export.arxiv.org:8080/",
        "https://export.arxiv.org:8443/",
        "http://[::1",
        "http://export.arxiv.org:99999/",
        "file:///etc/passwd",
        "ftp://export.arxiv.org/",
        "javascript:alert(1)",
    ],
)
def test_redirects_to_anywhere_else_are_refused(location):
    with pytest.raises(RedirectRefused):
        next_hop(ASKED, 302, location)


@pytest.mark.parametrize("status", [300, 303, 304, 305, 399])
def test_other_kinds_of_redirect_are_refused(status):
    with pytest.raises(RedirectRefused):
        next_hop(ASKED, status, "/x")


def test_https_is_never_given_up():
    with pytest.raises(RedirectRefused):
        next_hop(URL("https://export.arxiv.org/x"), 301, "http://export.arxiv.org/x")
