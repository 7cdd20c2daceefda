"""A package index in a folder: wheels of nothing, made for a test, in any version."""

import base64
import hashlib
import zipfile
from collections.abc import Sequence
from pathlib import Path


class LocalIndex:
    """A simple index (PEP 503) of files, for pip's `--index-url`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.folder.mkdir()

    @property
    def url(self) -> str:
        return self.folder.as_uri()

    def add(
        self,
        name: str,
        version: str,
        requires: Sequence[str] = (),
        extras: dict[str, Sequence[str]] | None = None,
    ) -> str:
        """Offer a wheel; returns the line of a lock file that pins it."""
        page = self.folder / name
        page.mkdir(exist_ok=True)
        wheel = page / f"{name}-{version}-py3-none-any.whl"
        write_wheel(wheel, metadata(name, version, requires, extras or {}))
        (page / "index.html").write_text(
            "".join(f'<a href="{file.name}">{file.name}</a>\n' for file in page.glob("*.whl"))
        )
        digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
        return f"{name}=={version} --hash=sha256:{digest}\n"


def metadata(
    name: str, version: str, requires: Sequence[str], extras: dict[str, Sequence[str]]
) -> str:
    """The METADATA file of a distribution."""
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    lines += [f"Requires-Dist: {required}" for required in requires]
    for extra, names in extras.items():
        lines.append(f"Provides-Extra: {extra}")
        lines += [f"Requires-Dist: {required} ; extra == '{extra}'" for required in names]
    return "\n".join(lines) + "\n"


def write_wheel(path: Path, described: str) -> None:
    """A wheel that holds nothing but what describes it (PEP 427)."""
    name, version = path.name.split("-")[:2]
    info = f"{name}-{version}.dist-info"
    files = {
        f"{info}/METADATA": described,
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\n"
        "Root-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{file},{_digest(text)},{len(text)}\n" for file, text in files.items())
    with zipfile.ZipFile(path, "w") as wheel:
        for file, text in files.items():
            wheel.writestr(file, text)
        wheel.writestr(f"{info}/RECORD", f"{record}{info}/RECORD,,\n")


def _digest(text: str) -> str:
    raw = hashlib.sha256(text.encode()).digest()
    return "sha256=" + base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
