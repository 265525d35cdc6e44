"""Checkpoints: the whole state of a run after some of its steps, to resume from."""

import errno
import hashlib
import math
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxcnn.train.config import LENGTH, Config, learning
from jaxcnn.train.errors import InputError, extra
from jaxcnn.train.step import State

FOLDER = "checkpoints"
DISK_FACTOR = 3
"""Orbax writes at most this many times the size of a state."""

DAMAGE = (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError)
"""What orbax raises if its files are damaged."""


def import_orbax() -> tuple[Any, Any]:
    """Orbax, and its policies of which checkpoints to keep.

    Raises:
      InputError: orbax-checkpoint isn't installed.
    """
    with extra():
        import orbax.checkpoint as ocp
        from orbax.checkpoint import checkpoint_managers
    return ocp, checkpoint_managers


class Checkpoint(NamedTuple):
    """A saved state."""

    state: State
    steps: int
    seconds: float
    """How long the run had taken."""


class Checkpoints:
    """The best state of a run, the last, and the one before. Each is complete or absent; a thread writes them."""

    def __init__(self, run_dir: Path, config: Config, *, reads: bool = False) -> None:
        """Open the folder, and make it if need be.

        Args:
          run_dir: of the run.
          config: saved with each state, and compared when it is read.
          reads: only read; another process may be writing.

        Raises:
          InputError: orbax-checkpoint isn't installed; no permission, no room.
        """
        ocp, policies = import_orbax()
        self._ocp, self._learning = ocp, learning(config)
        self.path = run_dir / FOLDER
        me = jax.process_index()
        # Of several processes each reads and writes without waiting for the others.
        facts = {"primary_host": me, "active_processes": {me}, "barrier_sync_key_prefix": f"process_{me}"}
        by_itself = ocp.options.MultiprocessingOptions(**facts if jax.process_count() > 1 else {})
        keep = [
            policies.LatestN(2),
            policies.BestN(get_metric_fn=lambda metrics: metrics["loss"], reverse=True, n=1,
                           keep_checkpoints_without_metrics=False),
        ]  # fmt: skip
        try:
            if not reads:
                self.path.mkdir(exist_ok=True)
            self._manager = ocp.CheckpointManager(
                self.path.absolute(),
                options=ocp.CheckpointManagerOptions(
                    create=False,
                    cleanup_tmp_directories=me == 0 and not reads,
                    preservation_policy=policies.AnyPreservationPolicy(keep),
                    multiprocessing_options=by_itself,
                ),
            )
        except OSError as error:
            raise self._unwritable(error) from error

    def save(self, state: State, seconds: float, loss: float | None) -> None:
        """Begin to write a state, once the one before is written.

        Args:
          state: after some step.
          seconds: how long the run has taken.
          loss: by which the best state is chosen; None if it was not measured.

        Raises:
          InputError: no permission, no room.
        """
        arrays = _arrays(state)
        steps = int(arrays["step"])
        facts = {"steps": steps, "seconds": seconds, "loss": loss, "digest": _digest(arrays), "config": self._learning}
        args = self._ocp.args
        try:
            self._refuse_full(arrays)
            self._manager.wait_until_finished()
            self._manager.save(
                steps,
                args=args.Composite(state=args.StandardSave(arrays), facts=args.JsonSave(facts)),
                metrics=None if loss is None else {"loss": loss},
            )
        except (OSError, ValueError) as error:
            raise self._unwritable(error) from error

    def restore(self, like: State, *, steps: int | None = None) -> Checkpoint | None:
        """Read a state, and check it by its digest.

        Args:
          like: a state of the same structure.
          steps: of which checkpoint; None is the last. Later ones are removed.

        Returns:
          The state, or None if none was saved yet.

        Raises:
          InputError: a damaged state, one of another config, or no checkpoint of that step; it names the last good one.
        """
        there = sorted(self._manager.all_steps(), reverse=True)
        if steps is not None and steps not in there:
            saved = ", ".join(map(str, reversed(there))) or "none"
            raise InputError(f"{self.path} has no checkpoint of step {steps}, only of {saved}")
        if not there:
            return None
        wanted = there[0] if steps is None else steps
        try:
            found = self._read(wanted, like)
        except InputError as error:
            raise InputError(f"{error}; {self._last_good(wanted, there, like)}") from error
        for later in there:
            if later > wanted and jax.process_index() == 0:
                self._manager.delete(later)
        return found

    def best(self, like: State) -> Checkpoint | None:
        """The state with the least loss, or None if no loss was measured."""
        self._manager.wait_until_finished()
        losses = {steps: self._facts(steps)["loss"] for steps in self._manager.all_steps()}
        measured = {steps: loss for steps, loss in losses.items() if loss is not None}
        return self._read(min(measured, key=lambda steps: (measured[steps], steps)), like) if measured else None

    def close(self) -> None:
        """Wait until everything is written.

        Raises:
          InputError: no permission, no room.
        """
        try:
            self._manager.wait_until_finished()
            self._manager.close()
        except (OSError, ValueError) as error:
            raise self._unwritable(error) from error

    def _facts(self, steps: int) -> dict[str, Any]:
        args = self._ocp.args
        try:
            facts: dict[str, Any] = self._manager.restore(steps, args=args.Composite(facts=args.JsonRestore())).facts
            if not _are_facts(facts, steps):
                raise ValueError("its facts changed")
        except DAMAGE as error:
            raise self._damaged(steps, error) from error
        return facts

    def _read(self, steps: int, like: State) -> Checkpoint:
        arrays, args, facts = _arrays(like), self._ocp.args, self._facts(steps)
        if differing := _differing(facts["config"], self._learning):
            raise InputError(f"{self.path / str(steps)} is of another config ({differing})")
        try:
            restore = args.Composite(state=args.StandardRestore(arrays))
            arrays = jax.tree.map(np.asarray, self._manager.restore(steps, args=restore).state)
            if _digest(arrays) != facts["digest"]:
                raise ValueError("its numbers changed")
        except DAMAGE as error:
            raise self._damaged(steps, error) from error
        return Checkpoint(_state(arrays, like), steps, facts["seconds"])

    def _damaged(self, steps: int, error: Exception) -> InputError:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        return InputError(f"{self.path / str(steps)} is damaged ({reason[:80]})")

    def _last_good(self, wanted: int, there: list[int], like: State) -> str:
        """Which checkpoint to take where the wanted one is damaged, for the message."""
        for steps in there:
            if steps != wanted:
                try:
                    self._read(steps, like)
                except InputError:
                    continue
                return f"the last good one is that of step {steps}: take it with --from-step {steps}"
        return "there is no other: start a new run"

    def _refuse_full(self, arrays: Any) -> None:
        """Refuse a full disk here: orbax's threads would each print a traceback."""
        needed = DISK_FACTOR * sum(array.nbytes for array in jax.tree.leaves(arrays)) + 2**20
        if shutil.disk_usage(self.path).free < needed:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _unwritable(self, error: Exception) -> InputError:
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
        return InputError(f"{self.path} can't be written ({reason}): make room for it, or choose another --run-dir")


def _are_facts(found: Any, steps: int) -> bool:
    """Whether these are facts that `save` wrote with the state of this step."""
    match found:
        case {"steps": int(saved), "seconds": float(seconds), "loss": loss, "digest": str(), "config": dict()}:
            measured = loss is None or (type(loss) is float and math.isfinite(loss))
            return saved == steps and math.isfinite(seconds) and seconds >= 0 and measured
    return False


def _differing(there: Mapping[str, Any], here: Mapping[str, Any]) -> str:
    names = [name for name in here if name not in LENGTH and there.get(name) != here[name]]
    return ", ".join(f"{name} is {there.get(name)} there and {here[name]} here" for name in names)


def _arrays(state: State) -> dict[str, Any]:
    """The arrays of a state on the host; the random key as its raw numbers."""
    arrays = {**vars(state), "key": jax.random.key_data(state.key)}
    return jax.tree.map(np.asarray, arrays)  # type: ignore[no-any-return]


def _state(arrays: dict[str, Any], like: State) -> State:
    key = jax.random.wrap_key_data(arrays["key"], impl=jax.random.key_impl(like.key))
    return State(**{**arrays, "key": key})


def _digest(arrays: Any) -> str:
    digest = hashlib.sha256()
    for array in jax.tree.leaves(arrays):
        digest.update(f"{array.dtype}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
