"""Texts and names use standard terms of the field and plain English.

Two lists of words are rejected. `PROSE` lists words that are vague or belong to a private dialect. They are
rejected in comments, docstrings, messages, help texts and documents, and as parts of declared names. `NAMES`
lists words that say nothing as the name of a variable, a parameter or a field.
"""

import ast
import io
import re
import tokenize
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("python", "rust", "web/src", "tests", "benches", "docs", "models", "demo", "release", "")
"""Checked with everything below them; the last one is the files at the top."""
SUFFIXES = frozenset({".py", ".pyi", ".rs", ".ts", ".svelte", ".md"})
EXCLUDED = frozenset({"static", "golden", "__pycache__"})

OBJECTS = (r"rooms?", r"houses?", r"shel(?:f|ves)", r"doors?")
"""Wrong for parts of a program. In data they are names of things that a picture shows."""
PROSE = (
    *OBJECTS,
    r"asked",
    r"told",
    r"tak(?:e|es|en|ing) up",
    r"let(?:s|ting)? go(?: of)?",
    r"giv(?:e|es|en|ing) back",
    r"anew",
    r"beside",
    r"so many",
    r"so and so much",
    r"of no kind",
    r"lea(?:ve|ves|ving) over",
    r"for who",
    r"the likes? of",
    r"the chosen",
    r"by chance",
    r"turned",
)
NAMES = frozenset(
    {"least", "most", "mine", "some", "few", "place", "places", "at", "rest", "off"}
    | {"room", "rooms", "shelf", "asked", "told", "anew", "beside", "chosen"}
)

DATA = ("tests/*", "benches/*", "models/*", "web/src/*.test.ts", "python/snapseek/models/queries/*")
"""In string literals of these files, words for objects are captions, labels and queries."""
ALLOWED = (
    ("*", r'"?red door"?', "the example of a caption filter"),
    ("python/snapseek/models/text/text_probe.py", r"beside a house", "a sample text: the probe embeds it"),
    ("*models/starter/NOTICE.md", r"is turned into", "shipped with the model, whose files have checksums"),
    ("models/starter/towers.py", r"NOTICE\.md beside this file", "text inside the shipped graphs"),
    ("tests/docs/test_prose.py", r".*", "this file lists the words"),
)
"""Where a word is right: the files, the text around it, and the reason."""

ALLOWED_NAMES = {("python/snapseek/models/hub/manifest.py", "place")}
"""Declared names that are keys of files on disk."""

_PROSE = re.compile(rf"\b(?:{'|'.join(PROSE)})\b", re.IGNORECASE)
_OBJECT = re.compile("|".join(OBJECTS), re.IGNORECASE)
_NAME_PART = re.compile(rf"(?:^|_)(?:{'|'.join(PROSE).replace(' ', '_')})(?=_|$)")
_RUST_NAME = re.compile(
    r"\b(?:let(?: mut)?|fn|const|static|struct|enum|mod)\s+([A-Za-z_]\w*)|\b([a-z_]\w*)\s*:\s*&?[A-Za-z(\[]"
)
_RUST_TEXT = re.compile(r"//[^\n]*|\"(?:[^\"\\\n]|\\.)*\"")
_SCRIPT_NAME = re.compile(r"\b(?:const|let|function|class)\s+([A-Za-z_]\w*)")
_SCRIPT_TEXT = re.compile(
    r"//[^\n]*|/\*.*?\*/|<!--.*?-->|'(?:[^'\\\n]|\\.)*'|\"(?:[^\"\\\n]|\\.)*\"|`(?:[^`\\]|\\.)*`|>[^<>{}]+<",
    re.DOTALL,
)
_CODE = re.compile(r"```.*?```|`[^`\n]*`", re.DOTALL)


@dataclass(frozen=True)
class Text:
    """A text of a file, or a name that it declares."""

    line: int
    text: str
    is_literal: bool = False


def python_texts_and_names(source: str) -> tuple[list[Text], list[Text]]:
    """Return the comments and string literals of a module, and the names that it declares."""
    texts, names, docstrings = [], [], set()
    for node in ast.walk(ast.parse(source)):  # an expression comes before the constant in it
        match node:
            case ast.Expr(value=ast.Constant(value=str())):
                docstrings.add(id(node.value))
            case ast.Constant(value=str()):
                texts.append(Text(node.lineno, node.value, is_literal=id(node) not in docstrings))
            case ast.Name(ctx=ast.Store()):
                names.append(Text(node.lineno, node.id))
            case ast.arg():
                names.append(Text(node.lineno, node.arg))
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                names.append(Text(node.lineno, node.name))
    if "#" in source:
        tokens = tokenize.generate_tokens(io.StringIO(source).readline)
        texts += [Text(token.start[0], token.string) for token in tokens if token.type == tokenize.COMMENT]
    return texts, names


def matches(pattern: re.Pattern[str], source: str) -> Iterator[Text]:
    """Yield each match, or its first group that matched."""
    for match in pattern.finditer(source):
        text = next((group for group in match.groups() if group), match.group())
        yield Text(source.count("\n", 0, match.start()) + 1, text, is_literal=text[0] in "\"'`")


def texts_and_names(path: Path) -> tuple[Iterable[Text], Iterable[Text]]:
    source = path.read_text("utf-8")
    match path.suffix:
        case ".py" | ".pyi":
            return python_texts_and_names(source)
        case ".rs":
            return matches(_RUST_TEXT, source), matches(_RUST_NAME, source)
        case ".ts" | ".svelte":
            return matches(_SCRIPT_TEXT, source), matches(_SCRIPT_NAME, source)
        case _:
            prose = _CODE.sub(lambda match: re.sub(r"[^\n]", " ", match.group()), source)
            return (Text(line, text) for line, text in enumerate(prose.splitlines(), 1)), ()


def faults(path: Path, root: Path = ROOT) -> list[str]:
    """Return every rejected word of a file, with its line and the text around it."""
    name = path.relative_to(root).as_posix()
    allowed = [re.compile(text, re.IGNORECASE) for files, text, _ in ALLOWED if fnmatch(name, files)]
    has_data = any(fnmatch(name, files) for files in DATA)
    texts, names = texts_and_names(path)
    found = []
    for text in texts:
        words = " ".join(text.text.split())
        for pattern in allowed:
            words = pattern.sub("…", words)
        for match in _PROSE.finditer(words):
            if not (has_data and text.is_literal and _OBJECT.fullmatch(match.group())):
                around = words[max(0, match.start() - 40) : match.end() + 40]
                found.append(f"{name}:{text.line}: {match.group()!r} in {around!r}")
    return found + [
        f"{name}:{declared.line}: the name {declared.text!r}"
        for declared in names
        if (declared.text.lstrip("_") in NAMES or _NAME_PART.search(declared.text))
        and (name, declared.text) not in ALLOWED_NAMES
    ]


def checked_files(folder: str) -> list[Path]:
    paths = (ROOT / folder).rglob("*") if folder else ROOT.glob("*")
    return sorted(
        path
        for path in paths
        if (path.suffix in SUFFIXES or path.name == "Makefile") and not EXCLUDED & set(path.parts)
    )


@pytest.mark.parametrize("folder", FOLDERS)
def test_texts_and_names_use_standard_terms(folder: str):
    files = checked_files(folder)
    assert files
    found = [fault for path in files for fault in faults(path)]
    assert not found, f"{len(found)} faults\n" + "\n".join(found)


@pytest.mark.parametrize(
    ("file", "source", "count"),
    [
        ("a.py", '"""Return what was asked."""\n', 1),
        ("a.py", 'raise ValueError(f"take up {1} more")\n', 1),
        ("a.py", "# made anew\nrest = 1\n", 2),
        ("a.py", "def test_what_was_told(place): ...\n", 2),
        ("a.py", "x.at(0, task=masked)\n", 0),
        ("a.py", 'caption = "a house and a red door"\n', 1),
        ("tests/a.py", 'caption = "a house and a red door"\n', 0),
        ("tests/a.py", '"""The house of the index."""\n', 1),
        ("a.rs", "/// The rooms\n/// of a house\nlet most = 1;\n", 3),
        ("a.ts", "const rest = 'let go'; // told\n", 3),
        ("a.md", "It is the like of it.\n\n`the like of`\n", 1),
    ],
)
def test_the_check_finds_words_and_names(tmp_path: Path, file: str, source: str, count: int):
    path = tmp_path / file
    path.parent.mkdir(exist_ok=True)
    path.write_text(source, "utf-8")
    assert len(faults(path, tmp_path)) == count, faults(path, tmp_path)


def test_every_exception_is_used():
    """An exception whose file or text is gone must go, too."""
    for files, text, _ in ALLOWED[:-1]:
        pattern = re.compile(text, re.IGNORECASE)
        paths = [path for folder in FOLDERS for path in checked_files(folder)]
        named = [path for path in paths if fnmatch(path.relative_to(ROOT).as_posix(), files)]
        assert any(pattern.search(path.read_text("utf-8")) for path in named), text
