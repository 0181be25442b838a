"""Image files as a Dataset: each row its image, a file decoded once, memory bounded, nothing on disk."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import small_images
from small_images import folders, tiny

from transfermap.data.images.image_files import find_images

torch = pytest.importorskip("torch")
from torch.utils.data import StackDataset  # noqa: E402

from transfermap.deep.pretrained.image_dataset import ImageDataset  # noqa: E402
from transfermap.deep.training.batches import Stream  # noqa: E402

CPU = torch.device("cpu")


class Counted:
    """A reader that counts how often each file is decoded."""

    def __init__(self):
        self.read, self.times = tiny().read, Counter()

    def __call__(self, paths):
        self.times.update(paths)
        return self.read(paths)


@pytest.fixture
def files(tmp_path):
    return find_images(folders(tmp_path, each=5)[0]).files


def test_each_row_gives_its_image_in_any_order_and_as_often_as_wanted(files):
    data, whole = ImageDataset(files, tiny().read), tiny().read(files)
    assert len(data) == 15 and data[3].shape == (3, small_images.SIDE, small_images.SIDE)
    assert data[3].dtype == torch.uint8
    rows = [*np.random.default_rng(0).permutation(15).tolist(), 4, 4, 0]
    assert torch.equal(torch.stack(data.__getitems__(rows)), whole[rows])
    assert torch.equal(torch.cat(list(data.blocks(4))), whole)
    assert [len(block) for block in data.blocks(4)] == [4, 4, 4, 3]


def test_a_file_is_decoded_once_however_many_rows_and_batches_it_is_in(files):
    reader = Counted()
    data = ImageDataset([*files, *files[:6]], reader)
    for _ in range(3):
        data.__getitems__(list(range(21)))
        assert data[2].equal(data[17])
    assert set(reader.times) == set(files) and set(reader.times.values()) == {1}


def test_decoded_images_take_no_more_memory_than_is_given(files):
    reader, one = Counted(), 3 * small_images.SIDE**2
    data = ImageDataset(files, reader, most_bytes=4 * one + 5)
    for start in (0, 5, 10, 0):
        rows = list(range(start, start + 5))
        assert torch.equal(torch.stack(data.__getitems__(rows)), tiny().read(files[start : start + 5]))
        assert len(data._kept) == 4
    assert data[4] is not None and reader.times[files[4]] == 2  # still there from the second time
    unkept = ImageDataset(files, reader, most_bytes=0)
    assert list(map(len, unkept.blocks(8))) == [8, 7] and not unkept._kept


def test_two_nets_read_the_same_files_at_their_own_sizes(files):
    from functools import partial

    from transfermap.deep.pretrained.image_nets import read_images

    small, large = (ImageDataset(files, partial(read_images, side=side)) for side in (8, 24))
    for _ in range(2):
        assert small[1].shape == (3, 8, 8) and large[1].shape == (3, 24, 24)


def test_absent_files_are_named_at_once_and_damaged_ones_when_they_are_wanted(files, tmp_path):
    with pytest.raises(ValueError, match=r"2 of 17 images are not there; the first: .*gone\.png"):
        ImageDataset([*files, str(tmp_path / "gone.png"), str(tmp_path / "gone too.png")], tiny().read)
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"\x89PNG")
    data = ImageDataset([files[0], str(bad)], tiny().read)
    assert data[0].any()
    with pytest.raises(ValueError, match=r"bad\.png cannot be read as an image"):
        data[1]


def test_batches_are_those_of_the_same_images_as_tensors(files):
    y = torch.arange(15)
    images = ImageDataset(files, tiny().read)
    streams = (
        Stream(StackDataset(images, y), 4, 7, CPU, labelled=True),
        Stream((tiny().read(files), y), 4, 7, CPU, labelled=True),
    )
    for _ in range(9):
        a, b = (stream.next() for stream in streams)
        assert torch.equal(a.x, b.x) and torch.equal(a.y, b.y) and torch.equal(a.rows, b.rows)
        assert a.x.dtype == torch.uint8
