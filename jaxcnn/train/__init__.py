"""Training LeNet: config, data, step, loop, and the record of a run."""

from jaxcnn._lazy import names_of_stub

__all__, __getattr__, __dir__ = names_of_stub(__name__)
