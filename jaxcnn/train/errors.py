"""Errors that the user can mend: one exception, printed as one line without a traceback."""

from collections.abc import Iterator
from contextlib import contextmanager

LONGEST = 600
"""At most this many characters of a message are shown."""


class InputError(ValueError):
    """Something that the user gave or has can't be used; the message says what to do about it.

    Printed, it is one line, whatever a damaged file puts into it.

    >>> str(InputError("label\\n7"))
    'label\\\\n7'
    """

    def __str__(self) -> str:
        text = printable(super().__str__())
        return text if len(text) <= LONGEST else f"{text[: LONGEST // 2]} ... {text[-LONGEST // 4 :]}"


def printable(text: str) -> str:
    """A text as one line, with what can't be printed escaped.

    >>> print(printable("a\\tb"))
    a\\tb
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text)


@contextmanager
def extra(name: str = "train") -> Iterator[None]:
    """Inside this block a package that isn't installed becomes an `InputError` that names the extra to install.

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
