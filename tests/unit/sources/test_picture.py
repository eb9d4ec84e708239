import hashlib

from snapseek.sources.picture import content_hash


def test_the_hash_is_of_the_content_alone(tmp_path):
    for name, data in {"a": b"one", "b": b"one", "c": b"two"}.items():
        (tmp_path / name).write_bytes(data)
    a, b, c = (content_hash(tmp_path / name) for name in "abc")
    assert a == b != c
    assert a == hashlib.blake2b(b"one", digest_size=16).digest()


def test_a_file_that_cannot_be_read_has_none(tmp_path):
    assert content_hash(tmp_path / "nothing") is None
    assert content_hash(tmp_path) is None
