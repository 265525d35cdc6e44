"""The program `jaxcnn COMMAND ...`; it loads only the command that is called."""

import difflib
import importlib
from collections.abc import Iterator, Sequence

from jaxcnn import __version__
from jaxcnn.train.commands.arguments import started_as
from jaxcnn.train.commands.output import fail, guarded, say

COMMANDS = {
    "train": "train LeNet, and keep what came of it in a run directory",
    "evaluate": "accuracy, precision and recall over the whole test set",
    "predict": "what pictures show: the likeliest classes of each",
    "report": "one page that shows a run: curves, mistakes, filters, feature maps",
    "compare": "several runs in one table, as CSV, or on one page with their curves",
    "export": "the model as one StableHLO or ONNX file that runs without jaxcnn",
}


@guarded("nothing was done")
def main(arguments: Sequence[str]) -> int:
    """Run the command that the first argument names, on the others.

    Args:
      arguments: without the program's name; None is `sys.argv[1:]`.

    Returns:
      The command's exit code; 2 without a command or for an unknown one.

    >>> main(["--help"])
    usage: python -m jaxcnn COMMAND ...
    <BLANKLINE>
      train     train LeNet, and keep what came of it in a run directory
      evaluate  accuracy, precision and recall over the whole test set
      predict   what pictures show: the likeliest classes of each
      report    one page that shows a run: curves, mistakes, filters, feature maps
      compare   several runs in one table, as CSV, or on one page with their curves
      export    the model as one StableHLO or ONNX file that runs without jaxcnn
    <BLANKLINE>
    COMMAND --help says more; --version says which version this is.
    0
    """
    name, *rest = arguments or [""]
    if name in ("--help", "-h", "help"):
        say(*usage())
        return 0
    if name in ("--version", "-V"):
        say(f"jaxcnn {__version__}")
        return 0
    if name not in COMMANDS:
        return fail(_unknown(name))
    code: int = importlib.import_module(f"jaxcnn.train.commands.{name}").main(rest)
    return code


def usage() -> Iterator[str]:
    """The commands with a line each."""
    yield f"usage: {started_as()} COMMAND ..."
    yield ""
    yield from (f"  {name:<8}  {line}" for name, line in COMMANDS.items())
    yield ""
    yield "COMMAND --help says more; --version says which version this is."


def _unknown(name: str) -> str:
    near = difflib.get_close_matches(name, (*COMMANDS, "--help", "--version"), n=1)
    meant = f"did you mean {near[0]}?" if near else f"take one of {', '.join(COMMANDS)}"
    return f"there is no command {name}: {meant}" if name else f"give a command: {meant.removeprefix('take ')}"
