import json

import pytest

from snapseek.errors import ModelError
from snapseek.models.hub.model_files import Teacher


def test_a_teacher_is_named(tmp_path):
    path = tmp_path / "student.json"
    path.write_text(json.dumps({"teacher": {"name": "starter", "fingerprint": "ab"}, "kind": "static"}))
    assert Teacher.read(path) == Teacher("starter", "ab")


@pytest.mark.parametrize(
    "content",
    [{}, {"teacher": "starter"}, {"teacher": {"name": "", "fingerprint": "a"}}, {"teacher": {"name": "a"}}],
)
def test_a_student_without_a_teacher_is_refused(tmp_path, content):
    path = tmp_path / "student.json"
    path.write_text(json.dumps(content))
    with pytest.raises(ModelError, match=r"expected .*teacher"):
        Teacher.read(path)
