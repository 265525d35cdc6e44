"""Each fault of scripts/plant_faults.py still has its place in the code, and its test file is there."""

from pathlib import Path

import pytest
from checks import module_at

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("fault", module_at(ROOT / "scripts" / "plant_faults.py").FAULTS, ids=lambda fault: fault.what)
def test_it_can_be_planted(fault):
    assert (ROOT / "jaxcnn" / fault.file).read_text().count(fault.old) == 1
    assert (ROOT / "tests" / f"{fault.law}.py").is_file()
