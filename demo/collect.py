"""Collects the demo pictures again from the Debian packages they came from.

    python demo/collect.py [--work-dir DIR] [--only animals/cat-face]

Two tables say everything: SOURCES.csv where a picture comes from, CREDITS.csv what it is, whose it is,
under which licence, and in which of the two folders it belongs. README.md tells how they were chosen.
"""

import argparse
import csv
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from debian import PackageFetcher
from photograph import demo_jpeg
from qt_resource import QtResource

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent
WHEEL_DEMO = "python/snapseek/demo/"


class Source(NamedTuple):
    """Where one picture comes from; `member` is a path, or `archive.rcc!path` inside an archive."""

    picture: str
    package: str
    suite: str
    member: str


def main() -> None:
    """Writes every picture of the tables, then the credits of those in the wheel."""
    arguments = parse_arguments()
    credits = read_table(HERE / "CREDITS.csv")
    files = {name_in_folder(row["file"]): REPOSITORY / row["file"] for row in credits}
    fetcher = PackageFetcher(arguments.work_dir)
    for source in read_sources(arguments.only):
        write_picture(files[source.picture], read_member(fetcher, source))
    write_wheel_credits(credits)
    print(f"{len(files)} pictures are in the tables; the wheel's credits are written.")


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="Collect the demo pictures from Debian packages.")
    parser.add_argument("--work-dir", type=Path, default=Path("/tmp/snapseek-demo"))
    parser.add_argument("--only", help="one picture, for example animals/cat-face")
    return parser.parse_args()


def read_table(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file with a header."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def read_sources(only: str | None) -> Iterator[Source]:
    """The rows of SOURCES.csv, all or the one whose picture is `only`."""
    for row in read_table(HERE / "SOURCES.csv"):
        if only is None or row["picture"] == f"{only}.jpg":
            yield Source(**row)


def name_in_folder(file: str) -> str:
    """`category/name.jpg` of a path in the repository."""
    return file.partition("/pictures/")[2]


def read_member(fetcher: PackageFetcher, source: Source) -> bytes:
    """The bytes of one picture as its package has them."""
    outer, _, inner = source.member.partition("!")
    content = (fetcher.unpack(source.package, source.suite) / outer).read_bytes()
    return QtResource(content).read(inner) if inner else content


def write_picture(path: Path, source: bytes) -> None:
    """Writes the demo's version of a picture."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(demo_jpeg(source))


def write_wheel_credits(credits: list[dict[str, str]]) -> None:
    """Writes the credits of the pictures in the wheel; their paths are relative to that file."""
    with (REPOSITORY / WHEEL_DEMO / "CREDITS.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(credits[0]), lineterminator="\n")
        writer.writeheader()
        for row in credits:
            if row["file"].startswith(WHEEL_DEMO):
                writer.writerow(row | {"file": row["file"].removeprefix(WHEEL_DEMO)})


if __name__ == "__main__":
    main()
