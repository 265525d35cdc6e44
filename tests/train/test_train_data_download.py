"""A data set is downloaded once, checked and kept; a download that fails leaves nothing behind."""

import gzip
import hashlib
import http.server
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from idx_files import contents, write

from jaxcnn.train import Config, InputError, load
from jaxcnn.train.data import idx, mnist

pytest.importorskip("pooch")
ROOT = Path(__file__).parents[2]
FILES = {f"{name}.gz": gzip.compress(content, mtime=0) for name, content in contents().items()}
IMAGES = "train-images-idx3-ubyte.gz"


class Mirror(http.server.ThreadingHTTPServer):
    """Serves `files` on loopback, and remembers what it was asked for."""

    def __init__(self, files):
        super().__init__(("127.0.0.1", 0), Answer)
        self.files, self.asked, self.cut = dict(files), [], False
        self.url = f"http://127.0.0.1:{self.server_port}/some/folder"


class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        folder, _, name = self.path.rpartition("/")
        self.server.asked.append(name)
        content = self.server.files.get(name) if folder == "/some/folder" else None
        if content is None:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if self.server.cut else content)

    def log_message(self, *_):
        pass


@pytest.fixture
def mirror():
    with Mirror(FILES) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """A cache folder of its own, the checksums of these small files, and no proxy."""
    checksums = {name: hashlib.md5(content).hexdigest() for name, content in FILES.items()}
    for name, source in mnist.SOURCES.items():
        monkeypatch.setitem(mnist.SOURCES, name, source._replace(checksums=checksums))
    monkeypatch.setenv("JAXCNN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return tmp_path / "cache"


def kept(cache):
    """Every file under the cache."""
    return sorted(path.name for path in cache.rglob("*") if path.is_file())


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("name", ["mnist", "fashion-mnist"])
def test_four_files_are_fetched_once_and_kept(mirror, cache, tmp_path, name, slash):
    config = Config(data=name, data_url=mirror.url + slash)
    data = load(config)
    assert sorted(mirror.asked) == sorted(FILES)
    assert sorted(os.listdir(cache / name)) == sorted(FILES)
    folder = tmp_path / "given"
    folder.mkdir()
    given = load(Config(data=name, data_dir=write(folder, FILES)))
    np.testing.assert_array_equal(data.train.images, given.train.images)
    np.testing.assert_array_equal(data.test.targets, given.test.targets)
    assert data.classes == given.classes == (mnist.CLOTHES if name == "fashion-mnist" else tuple("0123456789"))

    mirror.asked.clear()
    np.testing.assert_array_equal(load(config).train.images, data.train.images)
    assert mirror.asked == []


def test_the_mirror_of_the_table_is_asked_when_no_url_is_given(mirror, monkeypatch):
    monkeypatch.setitem(mnist.SOURCES, "mnist", mnist.SOURCES["mnist"]._replace(url=mirror.url))
    assert len(load(Config(data="mnist")).train.images) == 6
    assert sorted(mirror.asked) == sorted(FILES)


def test_debian_s_folder_precedes_a_download_unless_a_url_is_given(mirror, tmp_path, monkeypatch):
    folder = tmp_path / "debian"
    folder.mkdir()
    monkeypatch.setattr(mnist, "DEBIAN", write(folder, contents(counts=(7, 3))))
    assert len(load(Config(data="fashion-mnist")).train.images) == 7
    assert mirror.asked == []
    assert len(load(Config(data="fashion-mnist", data_url=mirror.url)).train.images) == 6


def test_a_kept_file_that_was_damaged_is_fetched_again(mirror, cache):
    config = Config(data="mnist", data_url=mirror.url)
    whole = load(config)
    (cache / "mnist" / IMAGES).write_bytes(b"damaged")
    mirror.asked.clear()
    np.testing.assert_array_equal(load(config).train.images, whole.train.images)
    assert mirror.asked == [IMAGES]


def test_a_wrong_checksum_is_refused_and_not_kept(mirror, cache):
    mirror.files[IMAGES] = gzip.compress(b"another file")
    with pytest.raises(InputError, match=rf"{IMAGES} is damaged, or another file: its checksum isn't .*--data-dir"):
        load(Config(data="mnist", data_url=mirror.url))
    assert IMAGES not in kept(cache)
    assert set(kept(cache)) <= set(FILES)


def test_a_file_that_is_not_there(mirror, cache):
    del mirror.files[IMAGES]
    with pytest.raises(InputError, match=rf"{IMAGES} can't be downloaded \(404 .*\): try again later.*--data-dir"):
        load(Config(data="mnist", data_url=mirror.url))
    assert set(kept(cache)) <= set(FILES) - {IMAGES}


def test_a_connection_that_breaks_off_leaves_no_half_file(mirror, cache):
    mirror.cut = True
    with pytest.raises(InputError, match=r"can't be downloaded \(the connection broke off\).*--data-dir"):
        load(Config(data="mnist", data_url=mirror.url))
    assert kept(cache) == []


def closed_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def test_the_program_without_network_says_what_it_tried_and_the_way_out(tmp_path):
    url = f"http://127.0.0.1:{closed_port()}"
    command = [sys.executable, ROOT / "scripts" / "train_lenet.py", "--data", "mnist", "--data-url", url]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (2, "training LeNet on mnist for 10 epochs\n")
    tried, error = done.stderr.splitlines()
    assert tried == f"downloading {url}/{IMAGES}"
    assert error.startswith(f"error: {url}/{IMAGES} can't be downloaded (no connection): ")
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("url", ["nonsense", "ftp://127.0.0.1/x", "http://"])
def test_a_malformed_url(url):
    with pytest.raises(InputError, match=r"can't be downloaded \(.*\): try again"):
        load(Config(data="mnist", data_url=url))


def test_a_cache_that_can_t_be_made(mirror, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("JAXCNN_CACHE", str(tmp_path / "file"))
    with pytest.raises(InputError, match=r"can't be kept there \(.*\): name another folder by \$JAXCNN_CACHE"):
        load(Config(data="mnist", data_url=mirror.url))


def test_the_user_s_cache_is_the_default(mirror, tmp_path, monkeypatch):
    monkeypatch.delenv("JAXCNN_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "own"))
    monkeypatch.setattr("pooch.os_cache", lambda project: Path(os.environ["XDG_CACHE_HOME"]) / project)
    load(Config(data="mnist", data_url=mirror.url))
    assert sorted(os.listdir(tmp_path / "own" / "jaxcnn" / "mnist")) == sorted(FILES)


@pytest.mark.skipif(not mnist.DEBIAN.is_dir(), reason="needs Debian's package dataset-fashion-mnist")
def test_debian_s_fashion_mnist_is_whole():
    """Debian compresses its files again, so that only the contents can be checked."""
    labels = idx.read(idx.find(mnist.DEBIAN, "t10k-labels-idx1-ubyte"), rank=1)
    assert np.bincount(labels).tolist() == [1000] * 10
