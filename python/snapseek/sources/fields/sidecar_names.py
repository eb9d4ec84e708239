"""Which files of a folder are sidecars of a picture: `.txt`, `.json` and `.xmp`, by name.

For `cat.jpg` these are `cat.txt` or `cat.jpg.txt`, and so on; case and Unicode composition of a name do not
matter. Google Takeout has rules of its own for `.json`: a word that may be cut (`cat.jpg.supplemental-me`),
the number of a copy in either of two positions (`cat.jpg(1)` for `cat(1).jpg`), one file for a picture and
its edited version (`cat-edited.jpg`), and names cut to 46 characters.
"""

import os
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from snapseek.sources.picture import Picture, SidecarFile

SIDECAR_SUFFIXES = (".txt", ".json", ".xmp")
"""By precedence: what a text says overrides JSON, which overrides XMP."""

_TAKEOUT_WORD = "supplemental-metadata"
_TAKEOUT_LETTERS = range(43, 52)
"""Takeout cuts what is before ".json" to 46 characters, and names of pictures to 47 before the suffix."""

_EDITED = (
    "edited|edit|bearbeitet|modifié|modifie|edytowane|editado|editada|editat|modificato|modificata|bewerkt|"
    "redigeret|redigerad|redigert|muokattu|upraveno|upravené|szerkesztve|editată|urejeno|uredeno|изменено|"
    "отредактировано|редактирано|відредаговано|edytowany|επεξεργασία|düzenlendi|ערוך|تم-التعديل|編集済み|编辑|"
    "已编辑|已修改|編輯|已編輯|수정됨|diedit|đã-chỉnh-sửa|แก้ไข"
)
_EDITED_SUFFIX = re.compile(rf"(.+)-({_EDITED})(\(\d+\))?")
_NUMBERED = re.compile(r"(.+)\((\d+)\)")
_MAX_FOLDERS = 64

_Key = tuple[str, str | None]
"""The name of a picture without the number of its copy, and the number."""


def with_sidecars(pictures: Iterable[Picture]) -> Iterator[Picture]:
    """Yield the pictures with the sidecar files that they have now. Each folder is listed once.

    A picture that is no file, or that cannot be read, has none.
    """
    sidecars_in = lru_cache(_MAX_FOLDERS)(FolderSidecars.read)
    for picture in pictures:
        if picture.address is not None or picture.problem is not None:
            yield picture
            continue
        path = picture.path
        rows = picture.sidecars or ()
        yield replace(picture, sidecars=(*rows, *sidecars_in(path.parent).of(path.name)))


def sidecars_of(path: Path) -> tuple[SidecarFile, ...]:
    """Return the sidecar files of one picture, those that override first."""
    return FolderSidecars.read(path.parent).of(path.name)


@dataclass(frozen=True)
class _Names:
    """Names of sidecar files of one suffix, by the name of the picture that each is for."""

    exact: dict[str, str]
    folded: dict[str, str]
    takeout: defaultdict[_Key, list[str]]
    cut: defaultdict[_Key, list[str]]
    stems: defaultdict[_Key, list[str]]


class FolderSidecars:
    """The sidecar files of one folder, for each of its pictures."""

    def __init__(self, folder: Path, names: Iterable[str]) -> None:
        self._folder = folder
        by_suffix: dict[str, list[str]] = {suffix: [] for suffix in SIDECAR_SUFFIXES}
        names = list(names)
        if not any(name.lower().endswith(SIDECAR_SUFFIXES) for name in names):
            names = []
        owners = set()
        for name in names:
            stem, suffix = os.path.splitext(name)  # noqa: PTH122  # Path.suffix has other rules for "a..json"
            if suffix.lower() in by_suffix and stem:
                by_suffix[suffix.lower()].append(name)
            else:
                owners |= {name, stem}
        self._owners = owners
        self._names = [_names(found, suffix) for suffix, found in by_suffix.items() if found]

    @classmethod
    def read(cls, folder: Path) -> "FolderSidecars":
        """List a folder; one that cannot be read has no sidecar files."""
        try:
            return cls(folder, sorted(os.listdir(folder)))  # noqa: PTH208  # names are enough
        except (OSError, ValueError):
            return cls(folder, ())

    def of(self, picture: str) -> tuple[SidecarFile, ...]:
        """Return the sidecar files of a picture, those that override first."""
        if not self._names:
            return ()
        found: dict[str, None] = {}
        for names in self._names:
            found |= dict.fromkeys(self._matching(names, picture))
        return tuple(map(self._file, found))

    def _matching(self, names: _Names, picture: str) -> Iterator[str]:
        stem = os.path.splitext(picture)[0]  # noqa: PTH122
        for start in (stem, picture):
            if start in names.exact:
                yield names.exact[start]
            elif (other := names.folded.get(_folded(start))) is not None:
                owner = os.path.splitext(other)[0]  # noqa: PTH122
                if owner not in self._owners or _composed(owner) == _composed(start):
                    yield other
        if names.takeout:
            yield from next(_takeout_matches(names, picture), ())

    def _file(self, name: str) -> SidecarFile:
        try:
            status = (self._folder / name).stat()
        except OSError:  # the reader says what is wrong with it
            return SidecarFile(name, 0, 0)
        return SidecarFile(name, status.st_size, status.st_mtime_ns)


def _names(found: list[str], suffix: str) -> _Names:
    names = _Names({}, {}, defaultdict(list), defaultdict(list), defaultdict(list))
    for name in found:
        stem = name[: -len(suffix)]
        names.exact.setdefault(stem, name)
        names.folded.setdefault(_folded(stem), name)
        if suffix == ".json":
            _add_takeout(names, _folded(stem), name)
    return names


def _add_takeout(names: _Names, stem: str, name: str) -> None:
    base, number = _split_number(stem)
    first, dot, last = base.rpartition(".")
    plain = first if dot and _TAKEOUT_WORD.startswith(last) else base
    for key in dict.fromkeys([(plain, number), (stem, None), (base, number)]):
        names.takeout[key].append(name)
    names.stems[os.path.splitext(plain)[0], number].append(name)  # noqa: PTH122
    if len(base) in _TAKEOUT_LETTERS or len(base.encode("utf-8", "replace")) in _TAKEOUT_LETTERS:
        names.cut[base, number].append(name)


def _takeout_matches(names: _Names, picture: str) -> Iterator[list[str]]:
    """Yield the Takeout files of a picture, the most exact match first."""
    stem, suffix = os.path.splitext(_folded(picture))  # noqa: PTH122
    own, originals = _keys(stem), _original_keys(stem)
    for base, number in own + originals:
        for start in (f"{base}{suffix}", base):
            if (found := names.takeout.get((start, number))) is not None:
                yield found
    for base, number in own + originals:
        for length in reversed(_TAKEOUT_LETTERS):
            if (found := names.cut.get((f"{base}{suffix}"[:length], number))) is not None:
                yield found
    for key in originals:  # an edited HEIC is saved as JPEG
        if (found := names.stems.get(key)) is not None:
            yield found


def _keys(stem: str) -> list[_Key]:
    """Return a stem as it is, then with the number of a copy apart."""
    return list(dict.fromkeys([(stem, None), _split_number(stem)]))


def _original_keys(stem: str) -> list[_Key]:
    """Return the keys of the picture that an edited one was made from; none for other pictures."""
    match = _EDITED_SUFFIX.fullmatch(stem)
    if match is not None:
        original, number = match[1], match[3]
        return [(original, number[1:-1])] if number else _keys(original)
    original, dash, word = stem.rpartition("-")
    is_cut = (
        dash
        and word
        and len(stem) in _TAKEOUT_LETTERS
        and any(e.startswith(word) for e in _EDITED.split("|"))
    )
    return _keys(original) if is_cut else []


def _split_number(stem: str) -> _Key:
    match = _NUMBERED.fullmatch(stem)
    return (match[1], match[2]) if match else (stem, None)


def _composed(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _folded(name: str) -> str:
    return _composed(name).casefold()
