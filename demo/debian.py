"""Debian packages, fetched and unpacked without being installed.

Some of the pictures were dropped from newer releases, so packages are taken from the release that
the table names. The mirror is the one this machine already uses; apt's own files stay as they are.
"""

import subprocess
from collections.abc import Iterable
from pathlib import Path

RELEASES = ("bullseye", "bookworm", "trixie")


class PackageFetcher:
    """Fetches packages of several Debian releases into `work_dir`."""

    def __init__(self, work_dir: Path) -> None:
        self._unpacked = work_dir / "unpacked"
        self._downloads = work_dir / "downloads"
        self._apt_dir = work_dir / "apt"
        for folder in (self._unpacked, self._downloads, self._apt_dir / "lists" / "partial"):
            folder.mkdir(parents=True, exist_ok=True)

    def unpack(self, package: str, release: str) -> Path:
        """The folder with the files of `package` as it was in `release`; fetched once."""
        target = self._unpacked / f"{package}@{release}"
        if not target.exists():
            target.mkdir()
            subprocess.run(["dpkg-deb", "-x", self._download(package, release), target], check=True)
        return target

    def _download(self, package: str, release: str) -> Path:
        folder = self._downloads / release
        folder.mkdir(exist_ok=True)
        if not (found := sorted(folder.glob(f"{package}_*.deb"))):
            self._update_lists()
            self._apt("download", f"{package}/{release}", folder=folder)
            found = sorted(folder.glob(f"{package}_*.deb"))
        return found[-1]

    def _update_lists(self) -> None:
        sources = self._apt_dir / "sources.list"
        if sources.exists():
            return
        sources.write_text("".join(f"deb {mirror_uri()} {release} main\n" for release in RELEASES))
        self._apt("update", folder=self._apt_dir)

    def _apt(self, *words: str, folder: Path) -> None:
        options = {
            "Dir::Etc::SourceList": self._apt_dir / "sources.list",
            "Dir::Etc::SourceParts": "/dev/null",
            "Dir::State::Lists": self._apt_dir / "lists",
            "Dir::Cache": self._apt_dir,
            "APT::Sandbox::User": "root",
        }
        flags = [part for name, value in options.items() for part in ("-o", f"{name}={value}")]
        subprocess.run(["apt-get", "--quiet", *flags, *words], cwd=folder, check=True)


def mirror_uri() -> str:
    """The address of the Debian mirror that this machine's apt is set up with."""
    command = ["apt-get", "indextargets", "--format", "$(REPO_URI) $(ORIGIN) $(LABEL)"]
    listing = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return first_debian_uri(listing.splitlines())


def first_debian_uri(lines: Iterable[str]) -> str:
    """The first address in `address origin label` lines whose origin and label are Debian."""
    for line in lines:
        uri, _, archive = line.partition(" ")
        if archive == "Debian Debian":
            return uri
    raise SystemExit("apt on this machine knows no Debian mirror: run `apt-get update` on a Debian system")
