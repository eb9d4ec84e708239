"""snapseek.library.storage.confirmations."""

import os
import stat
from pathlib import Path

import pytest

from snapseek.library import Library
from snapseek.library.storage.confirmations import (
    NOTHING,
    Confirmed,
    confirm,
    confirmed_path,
    load_confirmed,
)
from snapseek.library.storage.database import Database


@pytest.fixture
def library(tmp_path, folder, encoder, monkeypatch) -> Path:
    monkeypatch.setenv("SNAPSEEK_CONFIG", str(tmp_path / "config"))
    Library.build(folder, tmp_path / "library", encoder=encoder)
    return tmp_path / "library"


def id_of(library: Path) -> str:
    with Database.open(library) as database:
        return database.settings.all()["id"]


def add(library: Path, more: Confirmed) -> Confirmed:
    with Database.open_for_writing(library) as database:
        confirm(database, library, more)
    return load_confirmed(library, id_of(library))


def test_an_index_confirms_its_folder_and_its_model(library, folder, encoder):
    assert load_confirmed(library, id_of(library)) == Confirmed((folder,), False, (encoder.name,))


def test_confirmations_add_up(library, folder, tmp_path):
    before = load_confirmed(library, id_of(library))
    found = add(library, Confirmed((tmp_path / "a", tmp_path / "a" / "b", folder / "deep"), urls=True))
    assert found == Confirmed((folder, tmp_path / "a"), True, before.models)
    assert add(library, Confirmed((tmp_path / "c",))).urls


def test_names_that_are_not_unicode_come_back(library, tmp_path):
    odd = tmp_path / os.fsdecode(b"\xff\n")
    assert odd in add(library, Confirmed((odd,))).roots


def test_nothing_is_confirmed_without_an_id_or_a_file(library):
    assert load_confirmed(library, None) == NOTHING
    assert load_confirmed(library, "0" * 32) == NOTHING


def test_a_relative_root_is_ignored(library):
    path = confirmed_path(id_of(library))
    path.write_text(f'{{"library": "{library}", "roots": [".", "a"], "urls": false, "models": []}}')
    assert load_confirmed(library, id_of(library)) == NOTHING


def test_a_foreign_file_is_not_replaced(library, tmp_path):
    path = confirmed_path(id_of(library))
    path.write_text("mine")
    assert add(library, Confirmed((tmp_path / "a",))) == NOTHING
    assert path.read_text() == "mine"


@pytest.mark.skipif(os.name == "nt", reason="Windows has other permissions")
def test_other_users_cannot_list_them(library):
    mode = confirmed_path(id_of(library)).parent.stat().st_mode
    assert stat.S_IMODE(mode) & 0o077 == 0
