"""What a user can mend, and how it is said: one exception, one or two lines, no traceback."""

from collections.abc import Iterator
from contextlib import contextmanager


class InputError(ValueError):
    """Something that the user gave or has can't be used; the message says what to do about it."""


@contextmanager
def extra(name: str = "train") -> Iterator[None]:
    """Import packages of an extra inside this block; an absent one becomes an `InputError`.

    Args:
      name: of the extra.

    Raises:
      InputError: a package isn't installed.

    >>> with extra():
    ...     import a_package_that_nobody_has
    Traceback (most recent call last):
    jaxcnn.train.errors.InputError: a_package_that_nobody_has isn't installed: pip install 'jaxcnn[train]' brings it
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise InputError(f"{error.name} isn't installed: pip install 'jaxcnn[{name}]' brings it") from error
