"""A library, an encoder and results can be sent to worker processes: by path, not by content."""

import copy
import multiprocessing
import pickle
import shutil

import pytest

from snapseek import Encoder, Library
from snapseek.errors import LibraryNotFoundError, ModelError


def ids(library):
    return [hit.id for hit in library.search("red", 3)]


def test_a_library_is_pickled_as_its_path(library, monkeypatch, tmp_path):
    data = pickle.dumps(library)
    assert len(data) < 5000
    monkeypatch.chdir(tmp_path)
    found = pickle.loads(data)
    assert isinstance(found, Library)
    assert ids(found) == ids(library)
    assert ids(copy.deepcopy(library)) == ids(library)


def test_a_library_is_sent_to_a_spawned_process(library):
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(ids, (library,)) == ids(library)


def test_a_library_whose_model_was_not_passed_loads_it_again(library):
    found = pickle.loads(pickle.dumps(Library.open(library.info().path)))
    assert found.encoders.provider == "not loaded"
    assert ids(found) == ids(library)


def test_a_fast_model_that_was_set_is_kept(library, tiny_model):
    other = Library.open(library.info().path)
    other.set_fast_encoder(tiny_model)
    assert pickle.loads(pickle.dumps(other)).fast_encoder.name == str(tiny_model)


def test_an_encoder_is_pickled_as_its_files(tiny_model, tmp_path):
    shutil.copytree(tiny_model, tmp_path / "m")
    encoder = Encoder.load(tmp_path / "m", threads=2, text_threads=1)
    data = pickle.dumps(encoder)
    assert len(data) < 5000
    found = pickle.loads(data)
    assert (found.name, found.fingerprint) == (encoder.name, encoder.fingerprint)
    assert (found.embed_texts(["red"]) == encoder.embed_texts(["red"])).all()
    shutil.rmtree(tmp_path / "m")
    with pytest.raises(ModelError):
        pickle.loads(data)


def test_a_library_that_is_gone_is_not_unpickled(folder, tmp_path, encoder):
    data = pickle.dumps(Library.build(folder, tmp_path / "l", encoder=encoder))
    shutil.rmtree(tmp_path / "l")
    with pytest.raises(LibraryNotFoundError):
        pickle.loads(data)


def test_results_are_pickled(library):
    hits = library.search("red", 2)
    assert [hit.id for hit in pickle.loads(pickle.dumps(hits))] == [hit.id for hit in hits]


def test_a_library_says_what_it_holds(library):
    assert repr(library).endswith(f"colors.snapseek': 6 pictures, model {library.encoder.name}>")
