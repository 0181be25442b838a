"""Images on disk: every kind of file and folder that people have."""

from __future__ import annotations

import os
import threading

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from transfermap.data.images.image_files import (
    MOST_POINTS,
    any_images,
    find_images,
    holds_images,
    read_image,
    thumbnail,
)
from transfermap.messages import catalogue

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def halves(size=(40, 40), left=RED, right=BLUE):
    """Left half of one colour, right half of another."""
    image = Image.new("RGB", size, right)
    image.paste(left, (0, 0, size[0] // 2, size[1]))
    return image


def seen(path, side=8):
    """The colours at the middle of the left, the right, the top and the bottom edge."""
    x = read_image(path, side).astype(int)
    assert x.shape == (side, side, 3)
    return {"left": x[side // 2, 0], "right": x[side // 2, -1], "top": x[0, side // 2], "bottom": x[-1, side // 2]}


def near(found, colour, by=12):
    return np.abs(found - np.array(colour)).max() <= by


def test_plain_images_come_as_they_are(tmp_path):
    halves().save(tmp_path / "a.png")
    found = seen(tmp_path / "a.png")
    assert near(found["left"], RED) and near(found["right"], BLUE)


def test_the_middle_square_is_taken(tmp_path):
    wide = Image.new("RGB", (90, 30), GREEN)
    wide.paste(RED, (30, 0, 60, 30))
    wide.save(tmp_path / "wide.png")
    # the outermost points are interpolated with what lies beside them
    assert (read_image(tmp_path / "wide.png", 30)[:, 2:-2] == RED).all()


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tiff", ".webp"])
def test_exif_turns_images_upright(tmp_path, suffix):
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held on its side: what is left in the file is the top
    halves().save(tmp_path / f"turned{suffix}", exif=exif, quality=100)
    found = seen(tmp_path / f"turned{suffix}")
    assert near(found["top"], RED, 60) and near(found["bottom"], BLUE, 60)


def test_grey_palette_and_cmyk(tmp_path):
    halves().convert("L").save(tmp_path / "grey.png")
    halves().convert("1").save(tmp_path / "bits.png")
    halves().convert("P").save(tmp_path / "palette.png")
    halves().convert("CMYK").save(tmp_path / "print.jpg", quality=100)
    grey = seen(tmp_path / "grey.png")
    assert near(grey["left"], (76, 76, 76)) and near(grey["right"], (29, 29, 29))
    assert set(np.unique(read_image(tmp_path / "bits.png", 40))) <= {0, 255}
    for name in ("palette.png", "print.jpg"):
        found = seen(tmp_path / name)
        assert near(found["left"], RED, 40) and near(found["right"], BLUE, 40)


def test_sixteen_bits_and_fractions_become_bytes(tmp_path):
    ramp = np.tile(np.linspace(0, 65535, 64), (64, 1))
    Image.fromarray(ramp.astype(np.uint16)).save(tmp_path / "deep.png")
    Image.fromarray((ramp / 65535).astype(np.float32)).save(tmp_path / "fraction.tif")
    Image.fromarray(ramp.astype(np.int32)).save(tmp_path / "wide.tif")
    expected = ramp / 257
    for name in ("deep.png", "fraction.tif", "wide.tif"):
        found = read_image(tmp_path / name, 64).astype(float)
        assert np.abs(found - expected[..., None]).max() <= 1, name


def test_what_is_transparent_is_white(tmp_path):
    clear = halves().convert("RGBA")
    clear.paste((0, 0, 0, 0), (20, 0, 40, 40))
    clear.save(tmp_path / "alpha.png")
    clear.convert("LA").save(tmp_path / "grey_alpha.png")
    indexed = halves().convert("P", palette=Image.Palette.ADAPTIVE, colors=2)
    indexed.info["transparency"] = indexed.getpixel((39, 5))
    indexed.save(tmp_path / "hole.png", transparency=indexed.getpixel((39, 5)))
    for name in ("alpha.png", "grey_alpha.png", "hole.png"):
        assert near(seen(tmp_path / name)["right"], WHITE), name
    assert near(seen(tmp_path / "alpha.png")["left"], RED)
    assert near(seen(tmp_path / "hole.png")["left"], RED, 20)


def test_the_first_frame_of_an_animation(tmp_path):
    frames = [Image.new("RGB", (20, 20), colour) for colour in (RED, GREEN, BLUE)]
    frames[0].save(tmp_path / "moving.gif", save_all=True, append_images=frames[1:], duration=50)
    assert near(read_image(tmp_path / "moving.gif", 4), RED)


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_a_image_of_a_hundred_million_points_is_read(tmp_path, suffix):
    halves((10_000, 10_000)).convert("L" if suffix == ".png" else "RGB").save(tmp_path / f"huge{suffix}")
    found = seen(tmp_path / f"huge{suffix}")
    left, right = (RED, BLUE) if suffix == ".jpg" else ((76,) * 3, (29,) * 3)
    assert near(found["left"], left) and near(found["right"], right)


def test_a_larger_one_is_refused_before_it_is_decoded_and_pillows_bound_stays(tmp_path):
    # the header alone says so
    Image.new("1", (20_000, 20_000)).save(tmp_path / "vast.png")
    before = Image.MAX_IMAGE_PIXELS
    with pytest.raises(ValueError, match=f"400,000,000 points, more than {MOST_POINTS:,}"):
        read_image(tmp_path / "vast.png", 8)
    assert before == Image.MAX_IMAGE_PIXELS


def test_reading_in_threads_gives_the_same(tmp_path):
    for i in range(12):
        halves((40 + i, 50)).save(tmp_path / f"{i}.png")
    alone = [read_image(tmp_path / f"{i}.png", 16) for i in range(12)]
    found: list = [None] * 12
    bound = Image.MAX_IMAGE_PIXELS

    def read(i):
        found[i] = read_image(tmp_path / f"{i}.png", 16)

    threads = [threading.Thread(target=read, args=(i,)) for i in range(12)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert all(np.array_equal(a, b) for a, b in zip(alone, found, strict=True))
    assert bound == Image.MAX_IMAGE_PIXELS


def test_damaged_images_are_refused_in_one_sentence(tmp_path):
    halves((400, 400)).save(tmp_path / "whole.jpg")
    data = (tmp_path / "whole.jpg").read_bytes()
    (tmp_path / "cut.jpg").write_bytes(data[: len(data) // 3])
    (tmp_path / "noise.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(200)))
    (tmp_path / "text.jpg").write_text("not an image", encoding="utf8")
    (tmp_path / "empty.gif").write_bytes(b"")
    for name in ("cut.jpg", "noise.png", "text.jpg", "empty.gif", "absent.png"):
        with pytest.raises(ValueError, match=f"{name} cannot be read as an image: .+"):
            read_image(tmp_path / name, 8)


def test_thumbnails_are_whole_small_and_jpeg(tmp_path):
    halves((300, 100)).save(tmp_path / "wide.png")
    data = thumbnail(tmp_path / "wide.png", 60)
    (tmp_path / "thumb.jpg").write_bytes(data)
    with Image.open(tmp_path / "thumb.jpg") as small:
        assert small.format == "JPEG" and small.size == (60, 20)


def test_sub_folders_are_classes_and_names_may_be_in_any_script(tmp_path):
    for name in ("猫/一.png", "猫/二.JPG", "狗/三.png", "狗/深/四.png", ".hidden/x.png", "猫/.x.png", "__MACOSX/y.png"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        halves().save(path)
    (tmp_path / "readme.txt").write_text("words", encoding="utf8")
    (tmp_path / "狗" / "notes.md").write_text("words", encoding="utf8")
    (tmp_path / "空").mkdir()
    found = find_images(tmp_path, "动物")
    assert found.table["动物"].tolist() == ["狗", "狗", "猫", "猫"]
    assert [os.path.relpath(f, tmp_path) for f in found.files] == [
        "狗/三.png",
        "狗/深/四.png",
        "猫/一.png",
        "猫/二.JPG",
    ]
    notes = {note.code: note for note in found.notes}
    assert notes["images.empty_class"].values["classes"] == ["空"]
    assert notes["images.others"].values["files"] == ["readme.txt", "狗/notes.md"]
    assert "空" in notes["images.empty_class"].say() and "readme.txt" in notes["images.others"].say("zh")


def test_flat_folders_have_no_classes_and_loose_images_none_either(tmp_path):
    for name in ("flat/a.png", "flat/b.png", "mixed/loose.png", "mixed/cat/c.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        halves().save(tmp_path / name)
    flat, mixed = find_images(tmp_path / "flat"), find_images(tmp_path / "mixed")
    assert list(flat.table) == ["file"] and len(flat.files) == 2
    assert mixed.table["class"].tolist() == ["cat", ""]
    (tmp_path / "none").mkdir()
    with pytest.raises(ValueError, match="holds no images"):
        find_images(tmp_path / "none")


def test_links_are_followed_once(tmp_path):
    (tmp_path / "store").mkdir()
    halves().save(tmp_path / "store" / "a.png")
    (tmp_path / "data" / "cat").mkdir(parents=True)
    os.symlink(tmp_path / "store" / "a.png", tmp_path / "data" / "cat" / "link.png")
    os.symlink(tmp_path / "data", tmp_path / "data" / "cat" / "round")  # a circle
    os.symlink(tmp_path / "store", tmp_path / "data" / "dog")
    found = find_images(tmp_path / "data")
    assert found.table["class"].tolist().count("dog") == 1
    assert read_image(found.files[0], 4).shape == (4, 4, 3)
    assert [os.path.relpath(f, tmp_path / "data") for f in found.files] == ["cat/link.png", "dog/a.png"]


def test_a_table_names_images_by_paths(tmp_path):
    (tmp_path / "img").mkdir()
    for i in range(3):
        halves().save(tmp_path / "img" / f"{i}.png")
    rows = {"id": [7, 8, 9], "image": ["img/0.png", str(tmp_path / "img" / "1.png"), "img/2.png"], "kind": list("aab")}
    pd.DataFrame(rows).to_csv(tmp_path / "list.csv", index=False)
    found = find_images(tmp_path / "list.csv")
    assert found.table["kind"].tolist() == ["a", "a", "b"] and "image" not in found.table
    assert all(os.path.isfile(f) for f in found.files)
    assert holds_images(tmp_path / "list.csv") and holds_images(tmp_path / "img")
    pd.DataFrame({"image": ["gone.png", "away.png"], "y": [0, 1]}).to_csv(tmp_path / "gone.csv", index=False)
    pd.DataFrame({"a": [1, 2], "y": [0, 1]}).to_csv(tmp_path / "plain.csv", index=False)
    assert not holds_images(tmp_path / "gone.csv") and not holds_images(tmp_path / "plain.csv")
    assert not any_images([tmp_path / "plain.csv", tmp_path / "absent.csv"])
    with pytest.raises(ValueError, match="expected images on both sides"):
        any_images([tmp_path / "img", tmp_path / "plain.csv"])
    with pytest.raises(ValueError, match="no file or folder .*absent"):
        any_images([tmp_path / "img", tmp_path / "absent"])
    with pytest.raises(ValueError, match="no column of paths"):
        find_images(tmp_path / "plain.csv")


def test_a_table_must_name_a_image_in_every_row(tmp_path):
    halves().save(tmp_path / "a.png")
    pd.DataFrame({"image": ["a.png", None], "y": [0, 1]}).to_csv(tmp_path / "holes.csv", index=False)
    with pytest.raises(ValueError, match="1 rows of .* name no image in the column 'image'"):
        find_images(tmp_path / "holes.csv")
    pd.DataFrame({"image": ["a.png"], "file": ["x"]}).to_csv(tmp_path / "two.csv", index=False)
    with pytest.raises(ValueError, match="beside 'image'"):
        find_images(tmp_path / "two.csv")


def test_the_sentences_are_there():
    assert {"images.unreadable", "images.backbone", "images.backbone_first"} <= set(catalogue("zh"))
