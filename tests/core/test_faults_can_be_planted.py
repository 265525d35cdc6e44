"""Each fault of scripts/plant_faults.py still has its place in the code, and its test file is there."""

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_spec = importlib.util.spec_from_file_location("plant_faults", ROOT / "scripts" / "plant_faults.py")
plant_faults = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(plant_faults)


@pytest.mark.parametrize("fault", plant_faults.FAULTS, ids=lambda fault: fault.what)
def test_it_can_be_planted(fault):
    assert (ROOT / "jaxcnn" / fault.file).read_text().count(fault.old) == 1
    assert (ROOT / "tests" / f"{fault.law}.py").is_file()
