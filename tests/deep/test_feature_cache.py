"""Features on disk: computed once, found again by content, recomputed where the file is damaged."""

from __future__ import annotations

import dataclasses
import shutil
import sqlite3

import numpy as np
import pytest
import small_images
from small_images import folders, tiny

from transfermap.data.images.image_files import find_images
from transfermap.deep.pretrained import feature_cache as featurecache
from transfermap.deep.pretrained.feature_cache import DiskCache, cache_folder, features
from transfermap.deep.pretrained.provider import Backbone

torch = pytest.importorskip("torch")
tiny_backbone = small_images.tiny_backbone


class Counted:
    """A backbone that says how many items its net has seen."""

    def __init__(self, net: Backbone) -> None:
        self.items = 0
        self.net = net
        net.net.register_forward_pre_hook(self._count)

    def _count(self, _, x):
        self.items += len(x[0])


@pytest.fixture
def files(tmp_path, tiny_backbone):
    return find_images(folders(tmp_path, each=5)[0]).files


def plainly(net, files):
    """One image at a time, as the definition has it."""
    with torch.no_grad():
        return np.concatenate([net.net(net.read([f])).numpy() for f in files])


@pytest.mark.parametrize("batch", [1, 4, 64])
@pytest.mark.parametrize("workers", [1, 3])
def test_features_are_the_nets_in_the_order_of_the_items(files, batch, workers):
    net = tiny()
    found = features(net, files[::-1], batch=batch, workers=workers, device="cpu", cache=False)
    assert np.allclose(found.values, plainly(net, files[::-1]), atol=1e-5)
    assert found.values.dtype == np.float32 and not found.faults


def test_a_second_look_computes_nothing_and_gives_the_same_bits(files):
    net = Counted(tiny())
    ticks = []
    first = features(net.net, files, batch=4, tick=lambda done, of: ticks.append((done, of)))
    assert net.items == len(files) and ticks[0] == (0, 15) and ticks[-1] == (15, 15)
    again = features(net.net, files, tick=lambda done, of: ticks.append((done, of)))
    assert net.items == len(files) and ticks[-1] == (15, 15)
    assert np.array_equal(first.values, again.values) and first.digests == again.digests


def test_a_moved_image_is_known_and_a_changed_one_is_not(files, tmp_path):
    net = Counted(tiny())
    first = features(net.net, files)
    moved = tmp_path / "elsewhere.png"
    shutil.copy(files[3], moved)
    shutil.copy(files[9], files[0])
    found = features(net.net, [files[0], str(moved)])
    assert net.items == len(files)
    assert np.array_equal(found.values, first.values[[9, 3]])
    small_images.paint(tmp_path / "elsewhere.png", 2, np.random.default_rng(5))
    features(net.net, [str(moved)])
    assert net.items == len(files) + 1


def test_equal_items_are_computed_once(files):
    net = Counted(tiny())
    found = features(net.net, [files[0]] * 7 + [files[1]], cache=False)
    assert net.items == 2 and np.array_equal(found.values[0], found.values[6])


def test_other_weights_and_other_sizes_have_features_of_their_own(files):
    first = features(tiny(), files).values
    other = tiny(seed=1)
    assert not np.allclose(features(other, files).values, first)
    small = dataclasses.replace(tiny(), side=8, read=lambda paths: tiny().read(paths)[:, :, ::2, ::2])
    assert not np.allclose(features(small, files).values, first)
    assert np.array_equal(features(tiny(), files).values, first)


@pytest.mark.parametrize("spoil", ["no database", "a value", "short"])
def test_what_is_damaged_is_computed_again(files, spoil):
    net = Counted(tiny())
    first = features(net.net, files).values
    (path,) = cache_folder().glob("features-*.sqlite")
    if spoil == "no database":
        path.write_bytes(b"not a database at all" * 100)
        expected = 2 * len(files)
    else:
        with sqlite3.connect(path) as disk:
            key, value = disk.execute("SELECT key, value FROM cache LIMIT 1").fetchone()
            bad = value[:-4] if spoil == "short" else bytes([value[0] ^ 1]) + value[1:]
            disk.execute("UPDATE cache SET value = ? WHERE key = ?", (bad, key))
        disk.close()
        expected = len(files) + 1
    again = features(net.net, files).values
    assert net.items == expected and np.allclose(again, first, atol=1e-5)
    features(net.net, files)
    assert net.items == expected


def test_a_run_that_was_cut_off_goes_on_where_it_was(files):
    net = Counted(tiny())

    def stop(done, of):
        if done >= 8:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        features(net.net, files, batch=4, workers=1, tick=stop)
    before = net.items
    features(net.net, files, batch=4)
    assert net.items - before == len(files) - 8


def test_unreadable_items_are_named_and_spoil_no_other(files, tmp_path):
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"\x89PNG nothing")
    gone = str(tmp_path / "gone.png")
    found = features(tiny(), [files[0], str(bad), files[1], gone, str(bad)], batch=2)
    assert set(found.faults) == {1, 3, 4} and "bad.png" in found.faults[1] and "gone.png" in found.faults[3]
    assert np.isnan(found.values[[1, 3, 4]]).all()
    assert np.allclose(found.values[[0, 2]], plainly(tiny(), files[:2]), atol=1e-5)
    assert features(tiny(), []).values.shape == (0, 12)


def test_sentences_are_items_too(tmp_path, monkeypatch):
    monkeypatch.setenv("TRANSFERMAP_CACHE", str(tmp_path))
    widths = []

    def read(sentences):
        longest = max(map(len, sentences))
        widths.append(longest)
        return torch.tensor([[*map(ord, s), *[0] * (longest - len(s))] for s in sentences], dtype=torch.float32)

    class Sum(torch.nn.Module):
        def forward(self, x):
            return torch.stack([x.sum(1), (x > 0).sum(1).float()], 1)

    net = Backbone("letters", "text", torch.nn.Sequential(Sum()), 2, read, "0" * 64)
    words = ["一二三", "a", "a much longer sentence", "bb", "a"]
    found = features(net, words, batch=2).values
    assert np.array_equal(found, [[sum(map(ord, w)), len(w)] for w in words])
    assert sorted(widths) == widths  # those of like length went together


def test_without_a_place_to_write_features_are_computed_all_the_same(files, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way", encoding="utf8")
    monkeypatch.setenv("TRANSFERMAP_CACHE", str(tmp_path / "file" / "below"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert cache_folder() == tmp_path / "home" / ".cache" / "transfermap"
    monkeypatch.setattr(featurecache, "cache_folder", lambda: tmp_path / "nowhere")
    assert np.allclose(features(tiny(), files).values, plainly(tiny(), files), atol=1e-5)


def test_a_disk_cache_gives_back_what_was_put(tmp_path):
    disk = DiskCache(tmp_path / "x.sqlite")
    values = {i.to_bytes(2, "big"): bytes([i % 256]) * (i % 9) for i in range(1300)}
    disk.put(values)
    assert disk.get(values) == values
    disk.put({b"\0\1": b"new"})
    assert disk.get([b"\0\1", b"none"]) == {b"\0\1": b"new"}
