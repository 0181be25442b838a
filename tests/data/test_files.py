"""Tables come out of files as they are, and what is no table is refused in one sentence that names the file."""

from __future__ import annotations

import gzip
import hashlib
import os
import pickle
import sys

import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.io
import scipy.sparse

from transfermap.data.tables import arrays
from transfermap.data.tables.delimited import layout_of
from transfermap.data.tables.files import digest, read_chunks, read_table


def written(folder, name, content, encoding="utf8"):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
    return path


def cells(frame):
    return frame.astype(object).where(frame.notna(), None).to_numpy().tolist()


def test_cells_of_text_tables_are_strings_and_tokens_are_missing(tmp_path):
    frame = read_table(written(tmp_path, "t.csv", ' a , b\n1,01\nNA,"x"\n?,-\nnull,"None"\n,NaN\n'))
    assert list(frame.columns) == ["a", "b"]
    assert cells(frame) == [["1", "01"], [None, "x"], [None, None], [None, None], [None, None]]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiters_quotes_and_line_breaks_in_cells(tmp_path, delimiter):
    rows = ["name", "note"], ["a", '"x, y; z\t|"'], ["b", '"two\nlines ""q"""']
    path = written(tmp_path, "t.csv", "\n".join(delimiter.join(row) for row in rows) + "\n")
    assert cells(read_table(path)) == [["a", "x, y; z\t|"], ["b", 'two\nlines "q"']]


def test_decimal_commas_do_not_pass_for_delimiters(tmp_path):
    frame = read_table(written(tmp_path, "t.csv", "a;b\n1,5;2,5\n3,5;4,5\n"))
    assert cells(frame) == [["1,5", "2,5"], ["3,5", "4,5"]]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16", "utf-16-le-bom"])
def test_encodings(tmp_path, encoding):
    text = "城市,值\n北京,1\n上海,2\n"
    data = b"\xff\xfe" + text.encode("utf-16-le") if encoding == "utf-16-le-bom" else text.encode(encoding)
    frame = read_table(written(tmp_path, "t.csv", data))
    assert list(frame.columns) == ["城市", "值"]
    assert cells(frame) == [["北京", "1"], ["上海", "2"]]


@pytest.mark.parametrize("break_", ["\n", "\r\n", "\r"])
def test_line_ends_and_leading_blank_lines(tmp_path, break_):
    path = written(tmp_path, "t.csv", break_.join(["", "", "a,b", "1,2", "3,4", ""]))
    assert cells(read_table(path)) == [["1", "2"], ["3", "4"]]


def test_matrix_without_header_is_numbered(tmp_path):
    frame = read_table(written(tmp_path, "t.txt", "1.5 2 -3e2\n4 5 6\n"))
    assert list(frame.columns) == ["x0", "x1", "x2"]
    assert cells(frame) == [["1.5", "2", "-3e2"], ["4", "5", "6"]]


def test_header_that_counts_is_a_header(tmp_path):
    path = tmp_path / "t.csv"
    matrix = np.arange(12.0).reshape(3, 4) + 0.5
    pd.DataFrame(matrix).to_csv(path, index=False)
    np.testing.assert_array_equal(read_table(path).astype(float), matrix)


@pytest.mark.parametrize("start", [0, 1])
def test_nameless_index_is_dropped_in_every_chunk(tmp_path, start):
    path = tmp_path / "t.csv"
    pd.DataFrame({"a": list("pqrst")}, index=range(start, start + 5)).to_csv(path)
    assert list(read_table(path).columns) == ["a"]
    assert [list(chunk.columns) for chunk in read_chunks(path, rows=2)] == [["a"]] * 3


def test_nameless_column_that_counts_nothing_stays(tmp_path):
    frame = read_table(written(tmp_path, "t.csv", ",a\n5,1\n9,2\n"))
    assert list(frame.columns) == ["Unnamed: 0", "a"]


def test_wide_header_and_long_cells(tmp_path):
    names = [f"gene_{i:08d}" for i in range(11_000)]
    frame = read_table(written(tmp_path, "t.csv", ",".join(names) + "\n" + ",".join("1" * 11_000) + "\n"))
    assert frame.shape == (1, 11_000)
    long = "word " * 50_000
    assert read_table(written(tmp_path, "l.csv", f'a,b\n"{long}",2\n')).iloc[0, 0] == long.strip() + " "


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".csv.gz", ".parquet", ".npz"])
def test_chunks_together_are_the_table(tmp_path, suffix):
    path = tmp_path / f"t{suffix}"
    table = pd.DataFrame({f"x{i}": np.arange(25) * 1.5 + i for i in range(3)})
    if suffix == ".parquet":
        table.to_parquet(path)
    elif suffix == ".npz":
        np.savez(path, X=table.to_numpy())
    else:
        table.to_csv(path, index=False, sep="\t" if "tsv" in suffix else ",")
    chunks = list(read_chunks(path, rows=7))
    assert [len(chunk) for chunk in chunks] == [7, 7, 7, 4]
    whole = read_table(path)
    pd.testing.assert_frame_equal(pd.concat(chunks), whole)
    np.testing.assert_array_equal(whole.astype(float).to_numpy(), table.to_numpy())


def test_large_text_is_streamed_in_blocks(tmp_path, monkeypatch):
    monkeypatch.setattr("transfermap.data.tables.delimited._BLOCK", 2_000)
    path = written(tmp_path, "t.csv", "a,b\n" + "".join(f'{i},"line\n{i}"\n' for i in range(2_000)))
    sizes = [len(chunk) for chunk in read_chunks(path, rows=1_000)]
    assert max(sizes) < 200
    assert read_table(path)["a"].tolist() == [str(i) for i in range(2_000)]


def test_chunk_size_must_be_positive(tmp_path):
    with pytest.raises(ValueError, match="at least 1"):
        next(read_chunks(written(tmp_path, "t.csv", "a\n1\n"), rows=0))


def test_parquet_keeps_types_and_forgets_the_index(tmp_path):
    path = tmp_path / "t.parquet"
    table = pd.DataFrame(
        {"n": [1, 2], "s": ["a", None], "d": pd.to_datetime(["2024-01-01", "2024-01-02"])}, index=[5, 9]
    )
    table.to_parquet(path)
    frame = read_table(path)
    assert list(frame.columns) == ["n", "s", "d"]
    assert [dtype.kind for dtype in frame.dtypes][::2] == ["i", "M"]
    assert frame.index.tolist() == [0, 1]


def test_npz_with_labels_and_named_or_only_matrix(tmp_path):
    X, y = np.arange(12.0).reshape(4, 3), np.array(list("abab"))
    np.savez(tmp_path / "named.npz", fts=X, other=X.T @ X, y=y, classes=np.array(["a", "b"]))
    np.savez(tmp_path / "only.npz", matrix=X.astype(np.float16), labels=y[:, None])
    named, only = read_table(tmp_path / "named.npz"), read_table(tmp_path / "only.npz")
    assert list(named.columns) == ["x0", "x1", "x2", "y"]
    assert list(only.columns) == ["x0", "x1", "x2", "labels"]
    np.testing.assert_array_equal(only.iloc[:, :3].to_numpy(), X)
    assert named["y"].tolist() == only["labels"].tolist() == list("abab")


def test_matlab_version_5_turns_the_matrix_to_its_labels(tmp_path):
    X = np.arange(12.0).reshape(4, 3)
    names = np.array(["p", "q", "r", "s"], dtype=object)[:, None]
    scipy.io.savemat(tmp_path / "t.mat", {"data": X.T, "labels": np.array([[1.0, 2, 1, 2]]), "names": names})
    frame = read_table(tmp_path / "t.mat")
    np.testing.assert_array_equal(frame[["x0", "x1", "x2"]].to_numpy(), X)
    assert frame["labels"].tolist() == [1, 2, 1, 2]
    assert frame["names"].tolist() == list("pqrs")


@pytest.mark.parametrize("labelled", [True, False])
def test_matlab_version_73_is_stored_transposed(tmp_path, labelled):
    X = np.arange(12.0).reshape(4, 3)
    with h5py.File(tmp_path / "t.mat", "w", userblock_size=512) as file:
        file["X"] = X.T
        if labelled:
            file["Y"] = np.array([[1.0, 2, 1, 2]])
    frame = read_table(tmp_path / "t.mat")
    np.testing.assert_array_equal(frame[["x0", "x1", "x2"]].to_numpy(), X)
    assert ("Y" in frame) == labelled


def test_sparse_files_are_densified_up_to_a_limit(tmp_path, monkeypatch):
    matrix = scipy.sparse.random(6, 4, density=0.5, random_state=0, format="csr")
    scipy.sparse.save_npz(tmp_path / "t.npz", matrix)
    np.testing.assert_array_equal(read_table(tmp_path / "t.npz").to_numpy(), matrix.toarray())
    monkeypatch.setattr(arrays, "_DENSE_LIMIT", 100)
    with pytest.raises(ValueError, match="sparse matrix"):
        read_table(tmp_path / "t.npz")


def test_several_matrices_are_listed(tmp_path):
    np.savez(tmp_path / "t.npz", Xs=np.ones((3, 2)), Xt=np.ones((4, 2)))
    with pytest.raises(ValueError, match=r"found Xs 3x2 float64, Xt 4x2 float64"):
        read_table(tmp_path / "t.npz")


def test_digest_is_sha256(tmp_path):
    content = os.urandom(3_000_000)
    assert digest(written(tmp_path, "t.bin", content)) == hashlib.sha256(content).hexdigest()


HOSTILE = {
    "empty.csv": (b"", "0 bytes"),
    "header.csv": (b"a,b\n", "no rows"),
    "header2.csv": (b"a,b", "no rows"),
    "blank.csv": (b"\n\n\n", "no rows"),
    "twice.csv": (b"a,b, a\n1,2,3\n", "same name: a"),
    "long.csv": (b"a,b\n1,2\n1,2,3\n", "unequal length"),
    "short.csv": (b"a,b,c\n1,2,3\n1,2\n", "unequal length"),
    "quote.csv": (b'a,b\n1,"2\n3,4\n5,6\n', "never closed"),
    "binary.csv": (bytes(range(256)) * 4, "no text"),
    "latin.csv": ("naïve,é\n1,2\n".encode("latin-1"), "no text"),
    "noise.csv.gz": (b"no gzip at all", "cannot be read"),
    "cut.csv.gz": (gzip.compress(b"a,b\n" + os.urandom(5000).hex().encode())[:2000], "cannot be read"),
    "noise.parquet": (b"PAR1 nothing", "cannot be read"),
    "noise.npz": (b"PK nothing", "cannot be read"),
    "noise.mat": (b"MATLAB 5.0 nothing of the kind" * 10, "cannot be read"),
    "short.mat": (b"\x01", "cannot be read"),
    "pickle.npz": (pickle.dumps([1, 2]), "cannot be read|pickled"),
    "table.xlsx": (b"PK", "unknown suffix '.xlsx'"),
    "nosuffix": (b"a,b\n1,2\n", "unknown suffix"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_no_table_is_refused(tmp_path, name):
    content, reason = HOSTILE[name]
    path = written(tmp_path, name, content)
    with pytest.raises(ValueError, match=reason) as caught:
        read_table(path)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)
    with pytest.raises(ValueError, match=reason):
        list(read_chunks(path))


def test_pickled_arrays_are_never_loaded(tmp_path):
    np.savez(tmp_path / "t.npz", X=np.ones((2, 2)), y=np.array([{"a": 1}, None], dtype=object))
    with pytest.raises(ValueError, match="pickled objects, which are never loaded"):
        read_table(tmp_path / "t.npz")


def test_parquet_without_rows_or_with_lists(tmp_path):
    pd.DataFrame({"a": pd.Series([], dtype=float)}).to_parquet(tmp_path / "none.parquet")
    pd.DataFrame({"a": [[1], [2]]}).to_parquet(tmp_path / "lists.parquet")
    with pytest.raises(ValueError, match="no rows"):
        read_table(tmp_path / "none.parquet")
    with pytest.raises(ValueError, match="lists or records: a"):
        read_table(tmp_path / "lists.parquet")


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(ValueError, match="there is no file"):
        read_table(tmp_path / "nothing.csv")
    with pytest.raises(ValueError, match="is a folder"):
        read_table(tmp_path)
    with pytest.raises(ValueError, match="there is no file"):
        digest(tmp_path / "nothing.csv")


@pytest.mark.skipif(sys.platform == "win32", reason="permissions are kept elsewhere on Windows")
def test_file_that_may_not_be_read(tmp_path, monkeypatch):
    path = written(tmp_path, "t.csv", "a\n1\n")
    path.chmod(0)
    if os.access(path, os.R_OK):  # the superuser may read everything

        def refuse(*_, **__):
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr("pathlib.Path.open", refuse)
    with pytest.raises(ValueError, match=r"t\.csv cannot be opened: Permission denied"):
        read_table(path)


def test_layout_of_a_single_column_of_sentences(tmp_path):
    path = written(tmp_path, "t.csv", "text\nhello, world\nno comma\nso, it, goes\n")
    assert layout_of(path).names == ("text",)
    assert cells(read_table(path)) == [["hello, world"], ["no comma"], ["so, it, goes"]]
