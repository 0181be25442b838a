"""Hostile files: what is no table, or no good one, in every format that is read."""

from __future__ import annotations

import gzip
import io
import pickle
import struct
import zipfile
import zlib
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import scipy.io
import scipy.sparse
from hostile import CHECK, Write, add, case, sound, source, target


class Bomb:
    """Opening it as a pickle leaves a file called ``exploded``."""

    def __reduce__(self) -> tuple[object, tuple[str, ...]]:
        return Path.touch, (Path("exploded"),)  # type: ignore[return-value]


def png() -> bytes:
    """A sound image of one pixel."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"\0\0")) + chunk(b"IEND", b"")


def text(n: int = 70, **changes: str) -> str:
    """The sound source as CSV text."""
    return source(n).assign(**changes).to_csv(index=False)


def npz(**arrays: object) -> bytes:
    """Arrays as the content of a .npz file."""
    file = io.BytesIO()
    np.savez(file, **arrays)  # type: ignore[arg-type]
    return file.getvalue()


def parquet(frame: pd.DataFrame) -> bytes:
    """A frame as the content of a Parquet file."""
    file = io.BytesIO()
    frame.to_parquet(file, index=False)
    return file.getvalue()


def twice_named() -> bytes:
    """A Parquet file with two columns of one name."""
    import pyarrow as pa
    from pyarrow import parquet as pq

    file = io.BytesIO()
    pq.write_table(pa.table([[1.0, 2.0], [3.0, 4.0], ["a", "b"]], names=["x", "x", "churned"]), file)
    return file.getvalue()


X = source()[["age", "income"]].to_numpy()
Y = source()["churned"].to_numpy(dtype=str)
GOOD = parquet(source())
ROWS = text().splitlines()
# name of the case: name of the file that is the source, its content, what the sentence must say
BYTES: dict[str, tuple[str, bytes, tuple[str, ...]]] = {
    "empty file": ("x.csv", b"", ("x.csv", "0 bytes")),
    "blank lines only": ("x.csv", b"\n \n\n", ("x.csv", "no rows")),
    "header only": ("x.csv", b"age,income,city,churned\n", ("x.csv", "no rows")),
    "header twice the same": ("x.csv", b"age,age,churned\n1,2,yes\n3,4,no\n", ("x.csv", "same name", "age")),
    "latin-1 bytes": ("x.csv", text(city="Zürich").encode("latin-1"), ("x.csv", "UTF-8")),
    "utf-16 without mark": ("x.csv", text().encode("utf-16-le"), ("x.csv", "UTF-16")),
    "binary junk": ("x.csv", bytes(range(256)) * 9, ("x.csv", "text")),
    "image as csv": ("x.csv", png(), ("x.csv", "text")),
    "parquet as csv": ("x.csv", GOOD, ("x.csv", "text")),
    "zip as csv": ("x.csv", npz(X=X), ("x.csv", "text")),
    "NUL bytes": ("x.csv", text().replace("Rome", "Ro\0me").encode(), ("x.csv", "text")),
    "rows too long": ("x.csv", "\n".join([*ROWS, "1,2,Rome,yes,9"]).encode(), ("x.csv", "unequal length")),
    "rows too short": ("x.csv", "\n".join([*ROWS, "1,2"]).encode(), ("x.csv", "unequal length")),
    "unterminated quote": (
        "x.csv",
        "\n".join([*ROWS[:9], '1,2,"Rome,yes', *ROWS[9:]]).encode(),
        ("x.csv", "unequal length", "Row #10"),
    ),
    "unterminated quote at the end": ("x.csv", (text() + '1,2,"Rome,yes\n3,4\n').encode(), ("x.csv",)),
    "csv as gzip": ("x.csv.gz", text().encode(), ("x.csv.gz", "cannot be read")),
    "gzip cut off": ("x.csv.gz", gzip.compress(text().encode())[:-20], ("x.csv.gz", "cannot be read")),
    "csv as parquet": ("x.parquet", text().encode(), ("x.parquet", "cannot be read")),
    "parquet cut off": ("x.parquet", GOOD[:-30], ("x.parquet", "cannot be read")),
    "parquet damaged": ("x.parquet", GOOD[:8] + bytes(60) + GOOD[68:], ("x.parquet", "cannot be read")),
    "parquet with lists": ("x.parquet", parquet(source().assign(n=[[1]] * 70)), ("x.parquet", "lists or records", "n")),
    "parquet with records": ("x.parquet", parquet(source().assign(n=[{"a": 1}] * 70)), ("x.parquet", "records", "n")),
    "parquet names twice": ("x.parquet", twice_named(), ("x.parquet", "same name", "x")),
    "parquet no rows": ("x.parquet", parquet(source()[:0]), ("x.parquet", "no rows")),
    "parquet no columns": ("x.parquet", parquet(pd.DataFrame(index=range(5))), ("x.parquet",)),
    "noise as npz": ("x.npz", b"PK\3\4 nothing of the kind", ("x.npz", "cannot be read")),
    "npz cut off": ("x.npz", npz(X=X, churned=Y)[:-40], ("x.npz", "cannot be read")),
    "npz with pickled objects": ("x.npz", npz(X=X, o=np.array([Bomb()], dtype=object)), ("x.npz", "pickled")),
    "pickle as npz": ("x.npz", pickle.dumps(Bomb()), ("x.npz", "npz")),
    "npz with two matrices": ("x.npz", npz(one=X, two=X, churned=Y), ("x.npz", "one", "two")),
    "npz with nothing": ("x.npz", npz(), ("x.npz", "nothing")),
    "npz of five axes": ("x.npz", npz(X=np.zeros((3, 4, 5, 1, 1)), churned=Y), ("x.npz", "3x4x5x1x1")),
    "npz of complex numbers": ("x.npz", npz(X=X * 1j, churned=Y), ("x.npz", "complex")),
    "noise as mat": ("x.mat", b"MATLAB 5.0 MAT-file, but nothing of the kind" * 9, ("x.mat", "cannot be read")),
    "hdf5 cut off": ("x.mat", b"\x89HDF\r\n\x1a\n" + bytes(40), ("x.mat", "cannot be read")),
    "excel file": ("x.xlsx", b"PK\3\4", (".xlsx", "expected one of")),
    "no suffix": ("table", text().encode(), ("table", "suffix", "expected one of")),
}


def in_place_of(table: str, name: str, content: bytes) -> Write:
    """Write the sound tables, and a file that takes the place of one of them."""

    def write(folder: Path) -> list[str]:
        sound(folder)
        (folder / name).write_bytes(content)
        return [name if word == table else word for word in CHECK]

    return write


for _case, (_name, _content, _words) in BYTES.items():
    add(_case, in_place_of("a.csv", _name, _content), *_words)
for _case in ("empty file", "image as csv", "parquet cut off", "npz with pickled objects"):
    _name, _content, _words = BYTES[_case]
    add(f"{_case} as target", in_place_of("b.csv", _name, _content), *_words)


def like(name: str, *arrays: str) -> list[str]:
    """The check of two array files."""
    return ["check", f"a{name}", f"b{name}", "--label", "churned"]


@case(note="task.classification")
def utf16_with_mark(folder: Path) -> list[str]:
    (folder / "a.csv").write_text(text(), encoding="utf-16")
    target().to_csv(folder / "b.csv", index=False, encoding="utf-8-sig")
    return CHECK


@case(note="task.classification")
def GBK(folder: Path) -> list[str]:
    for name, table in (("a.csv", source()), ("b.csv", target())):
        table = table.rename(columns={"city": "城市"}).replace({"Rome": "上海", "Oslo": "北京"})
        table.to_csv(folder / name, index=False, encoding="gbk")
    return CHECK


@case(note="task.classification")
def enormous_cell(folder: Path) -> list[str]:
    sound(folder)
    (folder / "a.csv").write_text(text() + f"30.5,1.5,{'x' * 5_000_000},yes\n", encoding="utf8")
    return CHECK


@case(note="task.classification")
def gzipped_tabs(folder: Path) -> list[str]:
    source().to_csv(folder / "a.tsv.gz", index=False, sep="\t")
    target().to_csv(folder / "b.tsv.gz", index=False, sep="\t")
    return like(".tsv.gz")


@case(note="task.classification")
def mat_version_5(folder: Path) -> list[str]:
    scipy.io.savemat(folder / "a.mat", {"fts": X, "churned": Y})
    scipy.io.savemat(folder / "b.mat", {"fts": X[:40] + 1})
    return like(".mat")


@case(note="task.classification")
def mat_version_73(folder: Path) -> list[str]:
    for name, arrays in (
        ("a", {"fts": X.T, "churned": (Y == "yes")[None].astype(float)}),
        ("b", {"fts": X[:40].T + 1}),
    ):
        with h5py.File(folder / f"{name}.mat", "w", userblock_size=512) as file:
            for key, array in arrays.items():
                file[key] = array
    return like(".mat")


@case(note="table.infinite")
def npz_with_nan_and_infinity(folder: Path) -> list[str]:
    bad = X.copy()
    bad[3] = np.nan
    bad[5, 0], bad[6, 1] = np.inf, -np.inf
    np.savez(folder / "a.npz", X=bad, churned=Y)
    np.savez(folder / "b.npz", X=X[:40] + 1)
    return like(".npz")


@case(note="task.classification")
def sparse_npz(folder: Path) -> list[str]:
    table = np.column_stack([X, Y == "yes"])
    scipy.sparse.save_npz(folder / "a.npz", scipy.sparse.csr_matrix(table))
    scipy.sparse.save_npz(folder / "b.npz", scipy.sparse.csr_matrix(X[:40] + 1))
    return ["check", "a.npz", "b.npz", "--label", "-1"]


@case("b.npz", "500 MB")
def sparse_npz_too_large(folder: Path) -> list[str]:
    sound(folder)
    scipy.sparse.save_npz(folder / "b.npz", scipy.sparse.csr_matrix((100_000, 100_000)))
    return ["check", "a.csv", "b.npz", "--label", "churned"]


@case("a.csv.zip", "suffix")
def zipped_csv(folder: Path) -> list[str]:
    sound(folder)
    with zipfile.ZipFile(folder / "a.csv.zip", "w") as archive:
        archive.write(folder / "a.csv")
    return ["check", "a.csv.zip", "b.csv", "--label", "churned"]


@case("tables", "folder")
def folder_as_table(folder: Path) -> list[str]:
    sound(folder)
    (folder / "tables").mkdir()
    return ["check", "tables", "b.csv", "--label", "churned"]


@case("nowhere.csv", "no file")
def file_that_is_not_there(folder: Path) -> list[str]:
    sound(folder)
    return ["check", "a.csv", "nowhere.csv", "--label", "churned"]


@case("a.csv", "same source file", "twice")
def source_twice(folder: Path) -> list[str]:
    sound(folder)
    return [*CHECK, "--source", "a.csv"]
