"""The catalogue of models to download, with pinned files and revisions: `catalogue.json`, next to this file.

Accuracy is that of the published weights, as the authors or OpenCLIP report it: zero-shot ImageNet top-1 and
COCO text-to-image recall at 1, both in percent. An int8 export is slightly below its model.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_PATH = Path(__file__).with_name("catalogue.json")


@dataclass(frozen=True)
class Pin:
    """One file that a model needs.

    Attributes
    ----------
    path
        The place of the file in the model's folder.
    size_bytes, sha256
        Size and checksum, if they are pinned.
    about_bytes
        The approximate size of a file whose size is not pinned.
    repo, revision
        The repository of a file that is not in the model's own one.
    source
        The path in the repository, if it is another than `path`.
    """

    path: str
    size_bytes: int | None = None
    sha256: str | None = None
    about_bytes: int | None = None
    repo: str | None = None
    revision: str | None = None
    source: str | None = None

    @property
    def known_bytes(self) -> int:
        """The exact or approximate size; 0 for a small file whose size is not pinned."""
        return self.size_bytes or self.about_bytes or 0


@dataclass(frozen=True)
class Entry:
    """One model.

    Attributes
    ----------
    name, purpose
        The name that people type, and what the model is good for.
    licence, restrictions
        The licence of the weights, and what else its publisher says about their use.
    languages
        ISO 639 codes of the languages that it knows; None for some fifty or more.
    imagenet, coco
        Accuracy in percent, None if it is not published.
    dim
        Number of dimensions of a vector.
    image_gmacs
        Billions of multiplications that the image tower needs for one picture.
    repo, revision
        The repository and its commit.
    text, image
        The files of the towers. Small ones are with `text`, as is a graph with both towers.
    layout
        Files with other names than the layout's, by the fields of `Layout`.
    reference
        The entry with the same weights in full precision.
    needs_check
        Whether it must be compared with `reference` on this machine before it is used.
    """

    name: str
    purpose: str
    licence: str
    languages: tuple[str, ...] | None
    repo: str
    revision: str
    text: tuple[Pin, ...]
    image: tuple[Pin, ...]
    restrictions: str | None = None
    imagenet: float | None = None
    coco: float | None = None
    dim: int = 512
    image_gmacs: float = 4.4
    layout: Mapping[str, str] = field(default_factory=dict)
    reference: str | None = None
    needs_check: bool = False

    @property
    def pins(self) -> tuple[Pin, ...]:
        """The files of both towers."""
        return self.text + self.image

    @property
    def text_bytes(self) -> int:
        """The size of the text tower with its tokenizer, or of both towers in one file."""
        return sum(pin.known_bytes for pin in self.text)

    @property
    def image_bytes(self) -> int:
        """The size of the image tower; 0 if both towers are in one file."""
        return sum(pin.known_bytes for pin in self.image)

    @property
    def size_bytes(self) -> int:
        """The size of the download."""
        return self.text_bytes + self.image_bytes

    @property
    def is_size_exact(self) -> bool:
        """Whether the size of each large file is pinned."""
        return not any(pin.about_bytes for pin in self.pins)


def _entry(fields: dict[str, Any]) -> Entry:
    languages = fields["languages"]
    parsed = {
        "languages": None if languages is None else tuple(languages),
        "text": tuple(Pin(**file) for file in fields["text"]),
        "image": tuple(Pin(**file) for file in fields["image"]),
    }
    return Entry(**(fields | parsed))


_CONTENT: dict[str, Any] = json.loads(_PATH.read_bytes())

CATALOGUE = tuple(map(_entry, _CONTENT["entries"]))
"""The models, in the order in which they are listed."""

TIERS: Mapping[str, str] = _CONTENT["tiers"]
"""The entry of each tier, `small`, `recommended` and `best`, which is accepted wherever a model is named."""

RECOMMENDED = TIERS["recommended"]
"""The entry that most people should use. docs/decisions/models.md has the reason."""

MULTILINGUAL = next(
    entry.name
    for entry in sorted(CATALOGUE, key=lambda entry: entry.name != RECOMMENDED)
    if not entry.languages
)
"""The entry for queries in other languages than English: the recommended one, if it knows many."""


def model_names() -> list[str]:
    """Return the names of the tiers and of the entries."""
    return [*TIERS, *(entry.name for entry in CATALOGUE)]


def names_of_width(dim: int) -> list[str]:
    """Return the names of the models with vectors of that many dimensions, in the order of the catalogue."""
    return [entry.name for entry in CATALOGUE if entry.dim == dim]


def entry_name(model: str) -> str:
    """Return the name of the entry for a tier, any other text as it is."""
    return TIERS.get(model, model)


def find_entry(name: str) -> Entry | None:
    """Return the entry of that name or tier, or None."""
    name = entry_name(name)
    return next((entry for entry in CATALOGUE if entry.name == name), None)
