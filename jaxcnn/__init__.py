"""Correlation and pooling for JAX, built from one primitive: the sliding window."""

from jaxcnn import lenet
from jaxcnn._conv import conv, conv1d, conv2d, conv3d
from jaxcnn._correlate import convolve, corr1d, corr2d, corr3d, correlate
from jaxcnn._geometry import output_size
from jaxcnn._pool import pool, pool1d, pool2d, pool3d
from jaxcnn._windows import fold, windows

__version__ = "0.1.0"

__all__ = [
    "conv",
    "conv1d",
    "conv2d",
    "conv3d",
    "convolve",
    "corr1d",
    "corr2d",
    "corr3d",
    "correlate",
    "fold",
    "lenet",
    "output_size",
    "pool",
    "pool1d",
    "pool2d",
    "pool3d",
    "windows",
]
