"""`jaxcnn train|evaluate|predict|report|compare|export ...`, and `python -m jaxcnn ...`; `--help` says what they do."""

import os
import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """The program as a user meets it: what isn't installed is one line, and Ctrl-C is no traceback.

    Args:
      arguments: without the program's name; None is `sys.argv[1:]`.

    Returns:
      The exit code.
    """
    try:
        from jaxcnn.train.commands.door import main as door

        return door(arguments)
    except ModuleNotFoundError as error:
        sys.stderr.write(f"error: {error.name} isn't installed: pip install 'jaxcnn[train]' brings it\n")
        return 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # whoever read the output has gone, as in `jaxcnn --help | head -1`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


if __name__ == "__main__":
    sys.exit(main())
