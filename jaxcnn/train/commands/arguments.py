"""Parse the arguments of a command into a dataclass: its fields are the options, the text below each is its help."""

import argparse
import ast
import difflib
import inspect
import re
import sys
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, fields
from itertools import pairwise
from pathlib import Path
from typing import Any, NoReturn, TypeVar, get_origin, get_type_hints

from jaxcnn.train.commands.output import say
from jaxcnn.train.config import leaves_of, option
from jaxcnn.train.errors import InputError

Options = TypeVar("Options")

METAVARS = {int: "NUMBER", float: "NUMBER", Path: "PATH", str: "TEXT"}
KINDS = {int: "a whole number", float: "a number", Path: "a path", str: "a text"}
NO_BREAK = "\N{NO-BREAK SPACE}"


def started_as() -> str:
    """How the program was started: by its console script, or as a module."""
    return "jaxcnn" if Path(sys.argv[0]).stem == "jaxcnn" else "python -m jaxcnn"


def parse_arguments(
    options: type[Options],
    command: str,
    arguments: Sequence[str],
    *,
    default: Options | None = None,
    groups: Mapping[str, Sequence[str]] | None = None,
    examples: Sequence[str] = (),
) -> Options:
    """Parse the arguments of a command.

    Args:
      options: a dataclass; a field without a default is a positional argument.
      command: its name.
      arguments: without the names of program and command.
      default: holds the values of options that aren't given.
      groups: the options by headings, the commonest first; the others come last.
      examples: lines that --help shows.

    Raises:
      InputError: an option that there isn't, or a value that isn't of its kind.
      SystemExit: after --help.
    """
    parser = _Parser(
        prog=f"{started_as()} {command}",
        description=inspect.cleandoc(options.__doc__ or ""),
        epilog=_examples(command, examples),
        formatter_class=_Formatter,
        allow_abbrev=False,
        add_help=False,
    )
    helps, hints = _helps(options), get_type_hints(options)
    required = [field.name for field in fields(options) if field.default is MISSING]  # type: ignore[arg-type]
    parser._negative_number_matcher = re.compile(r"-\.?\d")  # -1e-3 is a number too, and no option begins so
    parser.usage = f"{parser.prog} [OPTIONS]" + "".join(f" {_shown(name, hints[name])}" for name in required)
    for name in required:
        many = get_origin(hints[name]) is tuple
        how: dict[str, Any] = {"nargs": "*" if many else None, "type": Path, "metavar": name.upper()}
        parser.add_argument(name, help=helps[name], **how)
    optional = [field.name for field in fields(options) if field.name not in required]  # type: ignore[arg-type]
    named = [name for names in (groups or {}).values() for name in names]
    headed = {**(groups or {}), "others" if named else "options": [n for n in optional if n not in named]}
    for heading, names in headed.items():
        if names or heading == "options":
            group = parser.add_argument_group(heading)
            for name in names:
                standard = getattr(default, name) if default is not None else getattr(options, name)
                _add(group, name, hints[name], helps[name], standard)
    group.add_argument("-h", "--help", action="help", help="Show this and leave.")
    said, unknown = parser.parse_known_intermixed_args([_dashed(argument) for argument in arguments])
    if unknown:
        parser.refuse_unknown(unknown)
    values = vars(said)
    return options(**{name: tuple(value) if isinstance(value, list) else value for name, value in values.items()})


def _shown(name: str, hint: Any) -> str:
    return f"[{name.upper()} ...]" if get_origin(hint) is tuple else name.upper()


def _dashed(argument: str) -> str:
    """An option with dashes instead of underscores, and its value unchanged."""
    name, equals, value = argument.partition("=")
    return name.replace("_", "-") + equals + value if re.fullmatch(r"--[A-Za-z][\w-]*", name) else argument


def _add(group: Any, name: str, hint: Any, text: str, default: Any) -> None:
    if hint is bool:
        shown = "" if default is False else f" (default:{NO_BREAK}yes)"
        group.add_argument(option(name), action=_Flag, default=default, help=text + shown)
        return
    leaves = leaves_of(hint)
    choices = [leaf for leaf in leaves if isinstance(leaf, str)]
    kind = str if choices else next(leaf for leaf in leaves if leaf is not type(None))
    metavar = f"{{{','.join(choices)}}}" if choices else METAVARS[kind]
    shown = "" if default is None else f" (default:{NO_BREAK}{default})"
    group.add_argument(
        option(name), type=_reader(kind, type(None) in leaves), default=default, metavar=metavar, help=text + shown
    )


def _reader(kind: type, may_be_none: bool) -> Callable[[str], Any]:
    def read(text: str) -> Any:
        if may_be_none and text in ("None", "none"):
            return None
        try:
            return kind(text)
        except (ValueError, OverflowError) as error:
            raise argparse.ArgumentTypeError(f"{text!r} is not {KINDS[kind]}") from error

    return read


class _Flag(argparse.BooleanOptionalAction):
    """--name and --no-name; --help shows the one that changes the default."""

    def format_usage(self) -> str:
        return self.option_strings[0]


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """Two columns; a line never breaks inside a default."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=26)

    def _format_action_invocation(self, action: argparse.Action) -> str:
        if isinstance(action, _Flag):
            return action.option_strings[1 if action.default is True else 0]
        if action.option_strings and action.metavar:
            return f"{action.option_strings[0]} {action.metavar}"
        return super()._format_action_invocation(action)

    def _split_lines(self, text: str, width: int) -> list[str]:
        return [line.replace(NO_BREAK, " ") for line in super()._split_lines(text, width)]


class _Parser(argparse.ArgumentParser):
    """Raises our own errors."""

    def error(self, message: str) -> NoReturn:
        found = re.match(r"argument (\S+): (.*)", message)
        if found is None:
            missing = message.rpartition(": ")[2].split(", ")[0]
            raise InputError(f"give {missing.upper().replace('-', '_')}: see {self.prog} --help")
        name, what = found[1].split("/")[0], found[2]
        if "expected" in what:
            what = "a value must follow it"
        raise InputError(f"{name}: {what}")

    def refuse_unknown(self, unknown: Sequence[str]) -> NoReturn:
        """Refuse an unknown option, and suggest similar ones."""
        first = next((each for each in unknown if each.startswith("-") and each != "--"), None)
        if first is None:
            raise InputError(f"{unknown[0]} is one argument too many: see {self.prog} --help")
        name = first.partition("=")[0]
        known = [each for action in self._actions for each in action.option_strings if each.startswith("--")]
        near = difflib.get_close_matches(name, known, n=3, cutoff=0.6)
        near += [each for each in known if name.strip("-") and name.strip("-") in each and each not in near]
        meant = f"did you mean {' or '.join(near[:3])}?" if near else f"see {self.prog} --help"
        raise InputError(f"there is no option {name}: {meant}")

    def print_help(self, file: Any = None) -> None:
        say(*self.format_help().rstrip().splitlines())


def _examples(command: str, examples: Sequence[str]) -> str | None:
    lines = [f"  {started_as()} {command} {example}" for example in examples]
    return "\n".join(["examples:", *lines]) if lines else None


def _helps(options: type) -> dict[str, str]:
    """The text below each field of a dataclass, which Python itself doesn't keep."""
    found: dict[str, str] = {}
    for base in reversed(options.__mro__[:-1]):
        body = ast.parse(textwrap.dedent(inspect.getsource(base))).body[0].body  # type: ignore[attr-defined]
        for field, text in pairwise(body):
            match field, text:
                case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(words))):
                    found[name] = " ".join(words.split()).replace("%", "%%")
    return found
