"""A file of the library imports from lower floors only, and importing the library loads no more than it needs."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import jaxcnn
import jaxcnn.train

ROOT = Path(jaxcnn.__file__).parent
FILES = sorted([*ROOT.rglob("*.py"), *ROOT.rglob("*.pyi")])  # a package's names stand in its stub

FLOORS = [
    {"jaxcnn._lazy", "jaxcnn._symbolic", "jaxcnn._types"},
    {"jaxcnn._errors"},
    {"jaxcnn._geometry", "jaxcnn._arrays"},
    {"jaxcnn._padding", "jaxcnn._primitives", "jaxcnn._reduce_xla", "jaxcnn._lax_arguments"},
    {"jaxcnn._remember", "jaxcnn._jaxprs"},
    {"jaxcnn._slices", "jaxcnn._layout", "jaxcnn._ranked", "jaxcnn._devices", "jaxcnn._adaptive_windows"}
    | {"jaxcnn._whole_axis"},
    {"jaxcnn._engine", "jaxcnn._engine.problem"},
    {"jaxcnn._engine.algorithms.algorithm", "jaxcnn._engine.algorithms.columns_last"},
    {"jaxcnn._engine.algorithms"},  # a file for each algorithm
    {"jaxcnn._engine.rewrites.rewrite"},
    {"jaxcnn._engine.rewrites", "jaxcnn._engine.rewrites.isolate"},  # a file for each rewrite
    {"jaxcnn._engine.rewrites.sample_blocks"},
    {"jaxcnn._engine.rewrites.strips"},
    {"jaxcnn._engine.platforms.rule"},
    {"jaxcnn._engine.platforms"},  # a file for each platform
    {"jaxcnn._engine.plan"},
    {"jaxcnn._engine.primitive", "jaxcnn._winner", "jaxcnn._windowed"},
    {"jaxcnn._reduce", "jaxcnn._windows"},
    {"jaxcnn._norm"},
    {"jaxcnn._pool_modes"},
    {"jaxcnn._correlate", "jaxcnn._conv", "jaxcnn._conv_transpose", "jaxcnn._conv_general_dilated"}
    | {"jaxcnn._pool", "jaxcnn._pool_indices", "jaxcnn._adaptive", "jaxcnn._reduce_window"},
    {"jaxcnn.lenet", "jaxcnn._explain"},
    {"jaxcnn._lax_equations"},
    {"jaxcnn._accelerate"},
    {"jaxcnn"},  # names only
    {"jaxcnn.train"},  # a program, which uses the public names as any other does
    {"jaxcnn.__main__"},  # its door
]


FLOOR = {name: number for number, names in enumerate(FLOORS) for name in names}


def module_of(path):
    return ".".join(path.relative_to(ROOT.parent).with_suffix("").parts).removesuffix(".__init__")


MODULES = {module_of(path): path for path in FILES}


def floor(module):
    """That of the module itself, else of the folder in which it stands."""
    stands = [name for name in FLOOR if name == module or (module.startswith(f"{name}.") and name != "jaxcnn")]
    assert stands, f"{module} stands on no floor; say in FLOORS on which"
    return FLOOR[max(stands, key=len)]


def imports(path):
    """The modules of the library that a file takes names from."""
    for node in ast.walk(ast.parse(path.read_text())):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import | ast.ImportFrom) else []
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import hides the floor that it goes to"
            names = [f"{node.module}.{name}" for name in names]
        for name in names:
            while name and name not in MODULES:
                name = name.rpartition(".")[0]
            if name:
                yield name


@pytest.mark.parametrize("module", MODULES)
def test_imports_go_down(module):
    for imported in imports(MODULES[module]):
        within_train = module.startswith("jaxcnn.train") and imported.startswith("jaxcnn.train")
        assert floor(imported) < floor(module) or within_train, f"{module} imports {imported}"


def loaded(code):
    """What is imported after some statements, in a process of its own."""
    command = [sys.executable, "-c", f"import sys; {code}; print(*sys.modules)"]
    return set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())


def test_import_loads_nothing_and_its_names_only_jax():
    """No package that `import jax` alone doesn't load, and no program."""
    names, jax = loaded("import jaxcnn; [getattr(jaxcnn, name) for name in jaxcnn.__all__]"), loaded("import jax")
    packages = {name.partition(".")[0] for name in names - jax} - sys.stdlib_module_names
    assert packages <= {"jaxcnn"} | {name.partition(".")[0] for name in jax}
    assert "jaxcnn.train" not in names
    assert not {"jax", "numpy", "jaxcnn._windows"} & loaded("import jaxcnn, jaxcnn.train")


@pytest.mark.parametrize("package", [jaxcnn, jaxcnn.train], ids=lambda package: package.__name__)
def test_a_package_lists_and_has_the_names_of_its_stub(package):
    stub = ast.parse(Path(f"{package.__file__}i").read_text())
    (said,) = (node.value for node in stub.body if isinstance(node, ast.Assign) and node.targets[0].id == "__all__")
    assert package.__all__ == ast.literal_eval(said)
    assert set(package.__all__) <= set(dir(package))
    assert all(getattr(package, name) is getattr(package, name) for name in package.__all__)
    with pytest.raises(AttributeError, match=f"module '{package.__name__}' has no attribute 'nothing'"):
        package.nothing  # noqa: B018


def names_taken(module):
    """Every name that a module imports or writes with a dot."""
    for node in ast.walk(ast.parse(MODULES[module].read_text())):
        if isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.Attribute):
            yield ast.unparse(node)


@pytest.mark.parametrize("module", [module for module in MODULES if module != "jaxcnn._primitives"])
def test_primitives_have_one_home(module):
    """What JAX may change, its interpreters and its extensions, is taken in one file."""
    assert not [name for name in names_taken(module) if re.match(r"jax\.(interpreters|extend|_src)\b", name)]


@pytest.mark.parametrize("module", sorted(MODULES.keys() - {"jaxcnn._engine.algorithms.xla", "jaxcnn._reduce_xla"}))
def test_lax_computes_no_window(module):
    """Correlation and pooling stand on our own windows; lax's are for tests and benchmarks."""
    of_lax = [name for name in names_taken(module) if re.search(r"\blax\.(conv(_\w+)?|reduce_window\w*)$", name)]
    assert all(name.endswith("_p") for name in of_lax)
