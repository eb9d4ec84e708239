"""Which model a name means, and in which folder it lies."""

import contextlib
from pathlib import Path

from snapseek.errors import InputError, ModelError, StorageError, near_name
from snapseek.models.catalogue import CATALOGUE
from snapseek.models.hub.download import pull
from snapseek.models.hub.manifest import MANIFEST, Manifest
from snapseek.models.hub.model_files import ModelFiles
from snapseek.models.hub.probe_cache import cache_folder
from snapseek.models.hub.ref import ModelRef

STARTER = "starter"
_STARTER_FOLDER = Path(__file__).parents[1] / "starter"


def models_dir() -> Path:
    """Return the folder with a folder for each model that was fetched."""
    return cache_folder() / "models"


def resolve_model(model: str | Path, model_dir: str | Path | None = None) -> ModelFiles:
    """Return the files of a model: `starter`, an entry of the catalogue, a repository of the hub, or a folder.

    A model of the catalogue or the hub lies in a folder of `model_dir` (default: `models_dir()`); its text
    tower is fetched when it is not there. Raises ModelError when there is no such model, when it is damaged,
    or when it cannot be fetched.
    """
    if model == STARTER:
        return ModelFiles.in_folder(STARTER, _STARTER_FOLDER)
    if not str(model):
        raise InputError(expected="the name or the directory of a model", got="an empty text")
    wanted = None if isinstance(model, Path) else ModelRef.parse(model)
    path = Path(model).expanduser()
    if wanted is not None and ("/" not in wanted.name or not path.exists()):
        return _on_shelf(wanted, model_dir)
    if not path.exists():
        raise ModelError(
            expected=f"a model: '{STARTER}' or a directory with one, a name that `snapseek models` "
            f"lists, or owner/name of the hub",
            got=f"no directory {str(model)!r}{_near(str(model))}",
        )
    return ModelFiles.in_folder(str(path.resolve()), path)


def pull_model(model: str, model_dir: str | Path | None = None, *, text_only: bool = False) -> Path:
    """Fetch a model of the catalogue or the hub; the folder it lies in.

    Raises InputError for anything else, ModelError when it cannot be fetched, StorageError when the disk
    refuses.
    """
    if model == STARTER:
        raise InputError(f"{STARTER!r} comes with snapseek: there is nothing to fetch")
    wanted = ModelRef.parse(model)
    if wanted is None:
        raise InputError(
            expected="a name that `snapseek models` lists, or owner/name of the hub",
            got=f"{model!r}{_near(model)}",
        )
    folder = folder_of(wanted, model_dir)
    pull(wanted, folder, towers=("text",) if text_only else ("text", "image"))
    return ModelFiles.in_folder(model, folder).root


def folder_of(wanted: ModelRef, model_dir: str | Path | None) -> Path:
    """Return where a model that is asked for by name lies, or will lie."""
    return Path(model_dir or models_dir()).expanduser() / wanted.folder


def _near(name: str) -> str:
    return near_name(name, [STARTER, *(entry.name for entry in CATALOGUE)])


def _on_shelf(wanted: ModelRef, model_dir: str | Path | None) -> ModelFiles:
    folder = folder_of(wanted, model_dir)
    name = wanted.name if model_dir is None else str(folder.resolve())
    if found := _brought(wanted, name, folder):
        return found
    pull(wanted, folder, towers=("text",))
    return ModelFiles.in_folder(name, folder)


def _brought(wanted: ModelRef, name: str, folder: Path) -> ModelFiles | None:
    """Return the model as it lies there, fetched or brought by hand; None where something is missing."""
    if not folder.is_dir():
        return None
    if wanted.files and not (folder / MANIFEST).is_file() and (folder / wanted.files["text_graph"]).is_file():
        with contextlib.suppress(StorageError):
            Manifest(wanted.files).write(folder)
    with contextlib.suppress(ModelError):
        return ModelFiles.in_folder(name, folder)
    return None
