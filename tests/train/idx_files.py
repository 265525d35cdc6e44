"""Small data sets as IDX files, sound and damaged."""

import gzip
import struct

import numpy as np

NAMES = [f"{split}-{kind}" for split in ("train", "t10k") for kind in ("images-idx3-ubyte", "labels-idx1-ubyte")]


def idx(array, magic=None):
    """An array as the bytes of an IDX file."""
    array = np.asarray(array, np.uint8)
    return (magic or bytes([0, 0, 8, array.ndim])) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def contents(counts=(6, 4), sides=(28, 28)):
    """The four files of a small data set, by name."""
    random = np.random.default_rng(0)
    images = [random.integers(256, size=(count, *sides), dtype=np.uint8) for count in counts]
    labels = [np.arange(count) % 10 for count in counts]
    return dict(zip(NAMES, map(idx, (images[0], labels[0], images[1], labels[1])), strict=True))


def write(folder, files):
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
SIX = np.zeros((6, 28, 28))
DAMAGE = {
    "empty": (IMAGES, b"", r"is no IDX file of images: it begins with nothing, not 00000803"),
    "wrong magic": (IMAGES, idx(SIX, b"\x89PNG"), r"begins with 89504e47, not 00000803"),
    "floats": (IMAGES, idx(SIX, bytes([0, 0, 0x0D, 3])), r"begins with 00000d03, not 00000803"),
    "labels for images": (IMAGES, idx(np.zeros(6)), r"begins with 00000801.*mixed up"),
    "images for labels": (LABELS, idx(SIX), r"no IDX file of labels: it begins with 00000803"),
    "cut inside the header": (IMAGES, idx(SIX)[:10], r"cut short inside its header"),
    "cut": (IMAGES, idx(SIX)[:-1], r"cut short: its header promises 4704 bytes, shape \(6, 28, 28\)"),
    "goes on": (IMAGES, idx(SIX) + b"\0", r"goes on after its last value.*4704 bytes"),
    "cut gzip": (IMAGES, gzip.compress(idx(SIX))[:-9], r"can't be read \(Compressed file ended"),
    "damaged gzip": (IMAGES, gzip.compress(idx(SIX))[:12] + b"\xff" * 40, r"can't be read"),
    "wrong checksum": (IMAGES, gzip.compress(idx(SIX))[:-8] + bytes(8), r"can't be read \(CRC check failed"),
    "fewer labels": (LABELS, idx(np.zeros(5)), r"holds 6 images, but .*labels-idx1-ubyte holds 5 labels"),
    "label 10": (LABELS, idx([0, 1, 10, 3, 4, 5]), r"label 2 is 10, but the 10 classes are 0 to 9"),
    "no images": (IMAGES, idx(np.zeros((0, 28, 28))), r"holds 0 images, but"),
    "other sides": (IMAGES, idx(np.zeros((6, 28, 30))), r"\(28, 30\) and the test images \(28, 28\)"),
}
