from jaxcnn import lenet
from jaxcnn._accelerate import accelerate
from jaxcnn._adaptive import adaptive_max_pool_with_indices, adaptive_pool
from jaxcnn._conv import conv, conv1d, conv2d, conv3d
from jaxcnn._conv_general_dilated import conv_general_dilated
from jaxcnn._conv_transpose import conv_transpose, conv_transpose1d, conv_transpose2d, conv_transpose3d
from jaxcnn._correlate import convolve, corr1d, corr2d, corr3d, correlate
from jaxcnn._explain import explain
from jaxcnn._geometry import output_size
from jaxcnn._pool import pool, pool1d, pool2d, pool3d
from jaxcnn._pool_indices import max_pool_with_indices, max_unpool
from jaxcnn._reduce_window import reduce_window
from jaxcnn._windows import fold, windows

__version__: str

__all__ = [
    "accelerate",
    "adaptive_max_pool_with_indices",
    "adaptive_pool",
    "conv",
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_general_dilated",
    "conv_transpose",
    "conv_transpose1d",
    "conv_transpose2d",
    "conv_transpose3d",
    "convolve",
    "corr1d",
    "corr2d",
    "corr3d",
    "correlate",
    "explain",
    "fold",
    "lenet",
    "max_pool_with_indices",
    "max_unpool",
    "output_size",
    "pool",
    "pool1d",
    "pool2d",
    "pool3d",
    "reduce_window",
    "windows",
]
