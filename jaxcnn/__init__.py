"""Correlation and pooling for JAX, built from one primitive: the sliding window."""

from jaxcnn._lazy import names_of_stub

__version__ = "0.1.0"

__all__, __getattr__, __dir__ = names_of_stub(__name__)
