from pathlib import Path

import pytest

from snapseek.sources import find_pictures, with_sidecars
from snapseek.sources.fields.sidecar_names import FolderSidecars, sidecars_of

LONG = "A_very_long_name_of_a_picture_that_nobody_cuts_by_hand_2019"


def names_for(picture, *files):
    folder = FolderSidecars(Path("/nowhere"), sorted([picture, *files]))
    return [file.name for file in folder.of(picture)]


@pytest.mark.parametrize(
    ("picture", "sidecar"),
    [
        ("IMG_3397.JPG", "IMG_3397.JPG.supplemental-metadata.json"),
        ("IMG-20230325-WA0122~2.jpg", "IMG-20230325-WA0122~2.jpg.supplemental-metadat.json"),
        ("IMG_0839(1).JPG", "IMG_0839.JPG(1).json"),
        ("2025-04-28(3516).jpg", "2025-04-28.jpg.supplemental-metadata(3516).json"),
        ("IMG_20120216_094016.jpg", "IMG_20120216_094016.jpg.suppl.json"),
        ("photo.jpg", "photo.jpg.supplement.json"),
        ("photo.jpg", "photo.jpg.s.json"),
        ("photo.jpg", "photo.jpg..json"),
        ("photo.jpg", "photo.json"),
        ("2013-12-23(1).jpg", "2013-12-23.supplemental-metadata(1).json"),
        ("IMG-20230325-WA0122~3-edited.jpg", "IMG-20230325-WA0122~3.jpg.supplemental-metadat.json"),
        ("IMG_20120216_094017-edited(1).jpg", "IMG_20120216_094017.jpg.supplemental-metadata(1).json"),
        ("IMG_20120216_094017(1)-edited.jpg", "IMG_20120216_094017.jpg(1).json"),
        ("Negative0-36-35(1)-editat.jpg", "Negative0-36-35(1).jpg.supplemental-metadata.json"),
        ("cat-bearbeitet.jpg", "cat.jpg.json"),
        ("cat-modifié.jpg", "cat.jpg.supplemental-meta.json"),
        ("cat-編集済み.jpg", "cat.jpg.supplemental-metadata.json"),
        ("cat-edited.jpg", "cat.HEIC.supplemental-metadata.json"),
        (
            "A_very_long_name_of_a_picture_2019(2).jpg",
            "A_very_long_name_of_a_picture_2019.jpg.supplem(2).json",
        ),
        (f"{LONG[:47]}.jpg", f"{LONG[:46]}.json"),
        (f"{LONG[:47]}(1).jpg", f"{LONG[:46]}(1).json"),
        (f"{LONG[:43]}.jpg", f"{LONG[:43]}.jp.json"),
        (f"{LONG[:45]}.jpg", f"{LONG[:45]}..json"),
        (f"{LONG[:43]}-edi.jpg", f"{LONG[:43]}.jp.json"),
        ("cat.jpg", "cat.jpg.XMP"),
        ("cat.jpg", "cat.Xmp"),
        ("CAT.JPG", "cat.xmp"),
        ("IMG_1.JPG", "IMG_1.jpg.xmp"),
        ("Cafe\u0301.jpg", "Caf\u00e9.jpg.xmp"),
        ("cat.jpg", "cat.TXT"),
        ("a.b.jpg", "a.b.txt"),
    ],
)
def test_names_that_programs_give(picture, sidecar):
    assert names_for(picture, sidecar) == [sidecar]


@pytest.mark.parametrize(
    ("picture", "other"),
    [
        ("IMG_0839.JPG", "IMG_0839.JPG(1).json"),
        ("IMG_0839(2).JPG", "IMG_0839.JPG(1).json"),
        ("IMG_0839(1).JPG", "IMG_0839.JPG.json"),
        ("cat.jpg", "cat2.jpg.json"),
        ("cat2.jpg", "cat.jpg.json"),
        ("cat-eating.jpg", "cat.jpg.json"),
        ("cat.jpg", "cat.png.json"),
        ("cat.jpg", "cat.html"),
        ("cat.jpg", ".xmp"),
        (f"{LONG[:40]}.jpg", f"{LONG[:30]}.json"),
    ],
)
def test_names_of_other_pictures(picture, other):
    assert names_for(picture, other) == []


def test_case_counts_where_two_pictures_differ_by_it():
    folder = FolderSidecars(Path("/nowhere"), ["A.jpg", "a.jpg", "a.txt"])
    assert [file.name for file in folder.of("a.jpg")] == ["a.txt"]
    assert folder.of("A.jpg") == ()


def test_a_text_is_first_then_json_then_xmp():
    files = ["cat.xmp", "cat.jpg.xmp", "cat.json", "cat.jpg.supplemental-metadata.json", "cat.txt"]
    assert names_for("cat.jpg", *files) == [
        "cat.txt",
        "cat.json",
        "cat.jpg.supplemental-metadata.json",
        "cat.xmp",
        "cat.jpg.xmp",
    ]


def test_pictures_of_a_folder_get_their_files(folder):
    (folder / "red.xmp").write_text("x")
    (folder / "deep" / "blue.webp.txt").write_text("blue")
    found = {p.within: p.sidecars for p in with_sidecars(find_pictures(folder))}
    assert [file.name for file in found["red.jpg"]] == ["red.xmp"]
    (blue,) = found["deep/blue.webp"]
    status = (folder / "deep" / "blue.webp.txt").stat()
    assert (blue.name, blue.size_bytes, blue.modified_ns) == ("blue.webp.txt", 4, status.st_mtime_ns)
    assert found["white.bmp"] == ()
    assert sidecars_of(folder / "red.jpg") == found["red.jpg"]


def test_a_folder_that_is_missing_has_none(tmp_path):
    assert sidecars_of(tmp_path / "missing" / "cat.jpg") == ()
