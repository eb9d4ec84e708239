"""Resolve the name of a model to its files, and download missing ones."""

import contextlib
import os
from dataclasses import replace
from pathlib import Path

from snapseek.errors import InputError, ModelError, StorageError, similar_name
from snapseek.models.catalogue import RECOMMENDED, entry_name, model_names
from snapseek.models.hub.download import DownloadProgress, missing_bytes, pull
from snapseek.models.hub.manifest import MANIFEST, Manifest
from snapseek.models.hub.model_files import ModelFiles
from snapseek.models.hub.ref import ModelRef
from snapseek.user_dirs import cache_dir

STARTER = "starter"
_MAX_SHOWN = 200
_MIN_PART, _MAX_NEAR = 3, 3
STARTER_FOLDER = Path(__file__).parents[1] / "starter"


def models_dir() -> Path:
    """Return the folder of downloaded models, with one folder per model."""
    return cache_dir() / "models"


def default_model(model_dir: str | Path | None = None) -> str:
    """Return the name of the model for a new library.

    It is `SNAPSEEK_MODEL`, else the recommended model if it is downloaded, else the starter.
    """
    if named := os.environ.get("SNAPSEEK_MODEL"):
        return entry_name(named)
    ref = ModelRef.parse(RECOMMENDED)
    files = ref and _complete(ref, ref.name, folder_of(ref, model_dir))
    return RECOMMENDED if files and files.image_is_here else STARTER


def upgrade_model() -> str:
    """Return the name of the model that libraries are upgraded to: `SNAPSEEK_MODEL`, else the recommended."""
    return entry_name(os.environ.get("SNAPSEEK_MODEL") or RECOMMENDED)


def resolve_model(
    model: str | Path, model_dir: str | Path | None = None, *, download: bool = True
) -> ModelFiles:
    """Return the files of a model, and download its text tower if it is missing.

    Parameters
    ----------
    model
        `starter`, a name or tier of the catalogue, `owner/name` of the hub, or a folder.
    model_dir
        Folder of downloaded models, `models_dir()` by default.
    download
        Whether a missing model may be downloaded. With False, only a name of a model is accepted, no folder.

    Returns
    -------
    ModelFiles
        The files of the model.

    Raises
    ------
    ModelError
        If there is no such model, it is damaged, or it cannot be downloaded.
    InputError
        If `model` is empty.
    """
    if model == STARTER:
        return ModelFiles.in_folder(STARTER, STARTER_FOLDER)
    if not str(model):
        raise InputError(expected="the name or the directory of a model", got="an empty text")
    ref = None if isinstance(model, Path) else ModelRef.parse(model)
    path = Path(model).expanduser()
    if not download:
        return _downloaded_before(str(model), ref)
    if ref is not None and ("/" not in ref.name or not path.exists()):
        return _downloaded(ref, model_dir)
    if not path.exists():
        raise ModelError(
            expected=f"a model: '{STARTER}' or a directory with one, a name that `snapseek models` "
            "lists, or owner/name of the hub",
            got=f"no directory {str(model)!r}",
            hint=_similar(str(model)),
        )
    return ModelFiles.in_folder(str(path.resolve()), path)


def download_bytes(model: str | Path, model_dir: str | Path | None = None) -> int | None:
    """Return how many bytes of a model are not on this machine; None if that is not known.

    Sends no request. Raises as `resolve_model` does for a model that does not exist.
    """
    ref = None if isinstance(model, Path) or model == STARTER else ModelRef.parse(model)
    if ref is None or ("/" in ref.name and Path(model).expanduser().exists()):
        resolve_model(model, model_dir)
        return 0
    folder = folder_of(ref, model_dir)
    files = _complete(ref, ref.name, folder)
    return 0 if files is not None and files.image_is_here else missing_bytes(ref, folder)


def pull_model(
    model: str,
    model_dir: str | Path | None = None,
    *,
    text_only: bool = False,
    progress: DownloadProgress | None = None,
) -> Path:
    """Download a model of the catalogue or the hub, and return its folder.

    Parameters
    ----------
    model
        A name of the catalogue, or `owner/name` of the hub.
    model_dir
        Folder of downloaded models, `models_dir()` by default.
    text_only
        Whether to leave out the image tower.
    progress
        Called with the bytes of a tower that were received, and that it has.

    Raises
    ------
    InputError
        If `model` is not such a name.
    ModelError
        If it cannot be downloaded.
    StorageError
        If the disk is full or cannot be written.
    """
    if model == STARTER:
        raise InputError(f"{STARTER!r} comes with snapseek: there is nothing to download")
    ref = ModelRef.parse(model)
    if ref is None:
        raise InputError(
            expected="a name that `snapseek models` lists, or owner/name of the hub",
            got=repr(model),
            hint=_similar(model),
        )
    folder = folder_of(ref, model_dir)
    pull(ref, folder, towers=("text",) if text_only else ("text", "image"), progress=progress)
    return ModelFiles.in_folder(model, folder).root


def folder_of(ref: ModelRef, model_dir: str | Path | None) -> Path:
    """Return the folder of a model, which need not exist yet."""
    return Path(model_dir or models_dir()).expanduser() / ref.folder


def _similar(name: str) -> str | None:
    """Return a hint with the models whose names contain the text, else with the most similar one."""
    text, names = name.casefold(), [STARTER, *model_names()]
    near = [known for known in names if len(text) >= _MIN_PART and text in known]
    near.sort(key=lambda known: not known.startswith(text))
    if not near and (similar := similar_name(text, names)):
        near = [similar]
    if not near:
        return None
    *others, last = near[:_MAX_NEAR]
    return f"did you mean {', '.join(others)}{' or ' if others else ''}{last}?"


def _downloaded(ref: ModelRef, model_dir: str | Path | None) -> ModelFiles:
    folder = folder_of(ref, model_dir)
    name = ref.name if model_dir is None else str(folder.resolve())
    if found := _complete(ref, name, folder):
        return found
    pull(ref, folder, towers=("text",))
    return ModelFiles.in_folder(name, folder)


def _downloaded_before(model: str, ref: ModelRef | None) -> ModelFiles:
    """Return the files of a model that the user has downloaded. Raises ModelError if there are none."""
    found = None if ref is None else _complete(ref, ref.name, folder_of(ref, None))
    if found is None:
        is_name = ref is not None
        raise ModelError(
            expected=f"the model {model[:_MAX_SHOWN]!r}, which the library names, to be one that you have "
            + ("downloaded" if is_name else "named or loaded before"),
            got="no such model on this machine" if is_name else "a folder that you have not",
            hint=f"if you trust it, run: snapseek models pull {model}"
            if is_name
            else "if you trust it, name it with --allow-root DIR, or run: "
            "snapseek index FOLDER --library L --model DIR",
        )
    return replace(found, may_download=False)


def _complete(ref: ModelRef, name: str, folder: Path) -> ModelFiles | None:
    """Return the files of a folder, downloaded or copied by hand; None if a file is missing."""
    if not folder.is_dir():
        return None
    if ref.files and not (folder / MANIFEST).is_file() and (folder / ref.files["text_graph"]).is_file():
        with contextlib.suppress(StorageError):
            Manifest(dict(ref.files)).write(folder)
    with contextlib.suppress(ModelError):
        return ModelFiles.in_folder(name, folder)
    return None
