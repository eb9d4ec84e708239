"""Links, commands, targets and names in the documents exist and work."""

import re
import shlex
import tomllib
from pathlib import Path

import pytest

from snapseek.cli.main import make_parser, with_command
from snapseek.library import Library
from tests.conftest import write_pictures

ROOT = Path(__file__).parents[2]
DOCUMENTS = [
    ROOT / "README.md",
    *(ROOT / name for name in ("CHANGELOG.md", "CONTRIBUTING.md", "RELEASING.md", "CODE_OF_CONDUCT.md")),
    ROOT / "SECURITY.md",
    ROOT / "demo" / "README.md",
    *(ROOT / "docs").rglob("*.md"),
]
README = (ROOT / "README.md").read_text()
ARCHITECTURE = (ROOT / "docs" / "ARCHITECTURE.md").read_text()


def code_blocks(text, language):
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def commands(text, program):
    for block in code_blocks(text, "sh"):
        for line in block.splitlines():
            words = shlex.split(line, comments=True)
            if words and words[0] == program:
                yield words[1:]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_of_documents_resolve(document):
    for target in re.findall(r"\]\(([^)#]+)\)", document.read_text()):
        if "://" not in target:
            assert (document.parent / target).exists(), target


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_commands_of_documents_parse(document):
    for words in commands(document.read_text(), "snapseek"):
        words = with_command(words)
        assert make_parser().parse_args(words).command == words[0]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_tests_that_a_document_names_exist(document):
    for file, test in re.findall(r"`([a-z/]+/test_\w+\.py)::(\w+)`", document.read_text()):
        assert f"\ndef {test}(" in (ROOT / "tests" / file).read_text(), f"{file}::{test}"


def test_every_browser_test_is_in_the_table_of_the_page():
    named = set(re.findall(r"`([a-z/]+/test_\w+\.py)::(\w+)`", (ROOT / "docs" / "PAGE.md").read_text()))
    there = {
        (f"browser/{path.name}", test)
        for path in (ROOT / "tests" / "browser").glob("test_*.py")
        for test in re.findall(r"^def (test_\w+)\(", path.read_text(), re.MULTILINE)
    }
    assert named == there


def test_targets_of_make_exist():
    targets = re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    named = {words[0] for document in DOCUMENTS for words in commands(document.read_text(), "make")}
    named |= set(re.findall(r"`make ([a-z0-9-]+)`", "".join(path.read_text() for path in DOCUMENTS)))
    assert {"run", "test"} <= named <= set(targets)


def test_the_example_of_the_readme_runs(tmp_path, monkeypatch, tiny_model, capsys):
    monkeypatch.chdir(tmp_path)
    write_pictures(tmp_path / "holiday")
    (example,) = code_blocks(README, "python")
    assert "sunset over the sea" in example
    from snapseek import Encoder

    monkeypatch.setattr(Encoder, "load", lambda *_, load=Encoder.load, **__: load(tiny_model))
    exec(example.replace("sunset over the sea", "red"), {})
    first = capsys.readouterr().out.splitlines()[0]
    assert first.endswith("/holiday/red.jpg")
    assert len(Library.open("holiday.snapseek")) == 6


def section(title):
    """Return a section of the architecture page."""
    return re.split(r"^## ", ARCHITECTURE.split(f"\n## {title}\n")[1], maxsplit=1, flags=re.MULTILINE)[0]


def test_every_component_of_the_architecture_exists():
    components = re.findall(r"^\| `([^`]+)`", section("Components"), re.MULTILINE)
    assert len(components) > 10
    assert [path for path in components if not (ROOT / path).exists()] == []


def test_every_change_names_a_file_that_exists():
    files = re.findall(r"^\| [^|]+ \| `([^`]+)` \|$", section("Where to make a change"), re.MULTILINE)
    assert len(files) >= 30
    assert [path for path in files if not (ROOT / path).is_file()] == []


def test_modules_that_the_architecture_names_exist():
    modules = re.findall(r"`((?:\w+/)+\w+\.py)`", section("Components"))
    folders = (ROOT, ROOT / "python" / "snapseek", ROOT / "python" / "snapseek" / "library")
    assert len(modules) > 5
    assert [name for name in modules if not any((folder / name).exists() for folder in folders)] == []


def test_every_dependency_is_explained():
    text = section("Dependencies")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    crate = tomllib.loads((ROOT / "Cargo.toml").read_text())
    needed = [re.split("[>=<]", entry)[0] for entry in project["project"]["dependencies"]]
    for name in [*needed, *crate["dependencies"]]:
        assert re.search(rf"^\| [^|]*\b{name}\b[^|]*\|", text, re.MULTILINE), name


def test_documents_name_tests():
    assert len(re.findall(r"`[a-z/]+/test_\w+\.py::test_\w+`", "".join(map(Path.read_text, DOCUMENTS)))) > 10


def test_names_of_tests_have_at_most_80_characters():
    files = list((ROOT / "tests").rglob("test_*.py"))
    names = [name for path in files for name in re.findall(r"def (test_\w+)\(", path.read_text())]
    assert len(names) > 1000
    assert [name for name in names if len(name) > 80] == []
