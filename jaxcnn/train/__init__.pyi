from jaxcnn.train.config import Config, preset
from jaxcnn.train.data import Data, Split, load
from jaxcnn.train.errors import InputError
from jaxcnn.train.evaluate import Evaluation, make_evaluate
from jaxcnn.train.loop import fit
from jaxcnn.train.loss import cross_entropy, entropy
from jaxcnn.train.saved import Run, load_params, open_run
from jaxcnn.train.step import State, make_step, new_state
from jaxcnn.train.training import Outcome, run

__all__ = [
    "Config",
    "Data",
    "Evaluation",
    "InputError",
    "Outcome",
    "Run",
    "Split",
    "State",
    "cross_entropy",
    "entropy",
    "fit",
    "load",
    "load_params",
    "make_evaluate",
    "make_step",
    "new_state",
    "open_run",
    "preset",
    "run",
]
