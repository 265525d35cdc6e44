"""What a user can mend, and how it is said: one exception, one line, no traceback."""

from collections.abc import Iterator
from contextlib import contextmanager

LONGEST = 600
"""Characters of a message."""


class InputError(ValueError):
    """Something that the user gave or has can't be used; the message says what to do about it.

    It is one line, whatever a damaged file puts into it.

    >>> str(InputError("label\\n7"))
    'label\\\\n7'
    """

    def __str__(self) -> str:
        text = printable(super().__str__())
        return text if len(text) <= LONGEST else f"{text[: LONGEST // 2]} ... {text[-LONGEST // 4 :]}"


def printable(text: str) -> str:
    """A text that is one line, whatever is in it.

    >>> print(printable("a\\tb"))
    a\\tb
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text)


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
