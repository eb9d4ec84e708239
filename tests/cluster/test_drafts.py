"""Drafts that killed workers have left are removed, and nothing else."""

import pytest

from snapseek.cluster.drafts import remove_drafts

KEY = "0123456789abcdef"
DRAFTS = [
    f"pieces/p-000/img_emb/.img_emb_0007.npy.{KEY}.tmp",
    f"pieces/p-000/metadata/.metadata_0007.parquet.{KEY}.tmp",
    f".p-003.{KEY}.tmp/library.sqlite",
    f".p-003.{KEY}.old/library.sqlite",
    f".training.{KEY}.tmp.npy",
    f".training.{KEY}.tmp.snap",
    f".training.{KEY}.tmp.snap.71-Ab3.tmp",
    "training.snap.71-Ab3.tmp",
    f"..training.snap.json.{KEY}.tmp",
]
OTHERS = [
    "pieces/p-000/img_emb/img_emb_0007.npy",
    "pieces/p-000/img_emb/.img_emb_0007.npy.tmp",
    "pieces/p-000/metadata/metadata_0007.parquet",
    f"pieces/p-000/.notes.{KEY}.tmp",
    "p-003.snapseek/library.sqlite",
    f".notes.{KEY}.tmp",
    ".training.snap.json",
    "training.snap",
    "collection.json",
]


def test_drafts_are_removed_and_other_files_stay(tmp_path):
    for name in (*DRAFTS, *OTHERS):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    remove_drafts(tmp_path, [tmp_path / "pieces" / "p-000", tmp_path / "pieces" / "p-001"])
    assert [name for name in DRAFTS if (tmp_path / name).exists()] == []
    assert [name for name in OTHERS if not (tmp_path / name).exists()] == []


@pytest.mark.parametrize("name", [f".p-003.{KEY}.tmp", f".training.{KEY}.tmp.npy"])
def test_no_link_is_followed(name, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").write_text("kept")
    target = tmp_path / "target"
    target.mkdir()
    (target / name).symlink_to(outside)
    remove_drafts(target, [])
    assert (outside / "kept").read_text() == "kept"
