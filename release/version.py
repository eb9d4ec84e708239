"""The version in every file that has it, and the form of CHANGELOG.md: `python -m release.version [TAG]`.

With a tag such as `v0.1.0`, the changelog must have a dated section of that version. Needs only Python.
"""

import datetime
import json
import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
CATEGORIES = ("Added", "Changed", "Deprecated", "Removed", "Fixed", "Security")
_RELEASE = re.compile(r"\[(\d+\.\d+\.\d+)\] - (\d{4}-\d{2}-\d{2})")
_NEXT = re.compile(r"\bThe (?:first|next) release, (\d+\.\d+\.\d+), will\b")
_MAX_LINE = 120


def versions(root: Path = ROOT) -> dict[str, str]:
    """Return the version in each file: the crate, its lock, the page, its lock, and the changelog."""
    crate = tomllib.loads((root / "Cargo.toml").read_text("utf-8"))["package"]
    lock = tomllib.loads((root / "Cargo.lock").read_text("utf-8"))["package"]
    page = json.loads((root / "web/package.json").read_text("utf-8"))
    page_lock = json.loads((root / "web/package-lock.json").read_text("utf-8"))
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    if "version" in project or "version" not in project["dynamic"]:
        raise ValueError("pyproject.toml takes the version from Cargo.toml")
    return {
        "Cargo.toml": crate["version"],
        "Cargo.lock": next(entry["version"] for entry in lock if entry["name"] == crate["name"]),
        "web/package.json": page["version"],
        "web/package-lock.json": page_lock["version"],
        "web/package-lock.json, packages": page_lock["packages"][""]["version"],
        "CHANGELOG.md": changelog_version((root / "CHANGELOG.md").read_text("utf-8")),
    }


def sections(changelog: str) -> list[tuple[str, str]]:
    """Return the heading and the text of each version, in order."""
    parts = re.split(r"^## (.+)\n", changelog, flags=re.MULTILINE)
    return list(zip(parts[1::2], parts[2::2], strict=True))


def changelog_version(changelog: str) -> str:
    """Return the version that the first section is of, or will be."""
    heading, text = sections(changelog)[0]
    match = (
        _NEXT.search(text.partition("\n### ")[0])
        if heading == "[Unreleased]"
        else _RELEASE.fullmatch(heading)
    )
    if match is None:
        raise ValueError(f"no version in the section {heading} of CHANGELOG.md")
    return match[1]


def changelog_problems(changelog: str) -> list[str]:
    """Return what differs from the form of Keep a Changelog 1.1."""
    found, released = [], []
    for number, (heading, text) in enumerate(sections(changelog)):
        match = _RELEASE.fullmatch(heading)
        if match:
            datetime.date.fromisoformat(match[2])
            released.append((tuple(map(int, match[1].split("."))), match[2]))
        elif heading != "[Unreleased]" or number:
            found.append(f"the heading {heading!r} is not [Unreleased] at the top, or [1.2.3] - 2020-12-31")
        found += [f"{heading}: {problem}" for problem in _category_problems(text)]
    if released != sorted(released, reverse=True) or len(set(released)) < len(released):
        found.append("the versions are not in descending order")
    found += [
        f"the line is too long: {line[:40]}…" for line in changelog.splitlines() if len(line) > _MAX_LINE
    ]
    return found


def _category_problems(text: str) -> list[str]:
    parts = re.split(r"^### (.+)\n", text, flags=re.MULTILINE)
    names, found = parts[1::2], []
    if unknown := [name for name in names if name not in CATEGORIES]:
        return [f"{unknown[0]!r} is none of {', '.join(CATEGORIES)}"]
    if names != sorted(set(names), key=CATEGORIES.index):
        found.append("the categories are not in order, or one is there twice")
    for name, entries in zip(names, parts[2::2], strict=True):
        if not re.search(r"^- ", entries, re.MULTILINE):
            found.append(f"{name} has no entry")
        found += [
            f"{name}: {line[:40]!r} is no entry of a list"
            for line in entries.splitlines()
            if line and not re.match(r"- \S|  \S|#### \S", line)
        ]
    return found


def main() -> None:
    """Print the versions; exit with 1 if they differ, or if they are not those of the tag."""
    found = versions()
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    problems = changelog_problems(changelog)
    if len(set(found.values())) > 1:
        problems.append("the versions differ")
    if len(sys.argv) > 1:
        version = found["Cargo.toml"]
        if sys.argv[1] != f"v{version}":
            problems.append(f"the tag {sys.argv[1]} is not v{version}")
        if sections(changelog)[0][0].partition(" - ")[0] != f"[{version}]":
            problems.append(f"the first section of CHANGELOG.md is not [{version}] with a date")
    print(*(f"{file}: {version}" for file, version in found.items()), *problems, sep="\n")
    raise SystemExit(bool(problems))


if __name__ == "__main__":
    main()
