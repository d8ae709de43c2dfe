"""Packages import only packages below them, and modules do not import each other in a circle."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import posestructs

ROOT = Path(posestructs.__file__).parent
# lowest first
ORDER = (
    'version',
    'compat',
    'utils',
    'structures',
    'layers',
    'codecs',
    'datasets',
    'evaluation',
    'models',
    'engine',
    'visualization',
    'apis',
    'deployment',
)
MODELS_ORDER = ('losses', 'discriminators', 'backbones', 'necks', 'heads', 'pose_estimators')


def module_name(path):
    parts = path.relative_to(ROOT.parent).with_suffix('').parts
    return '.'.join(parts[:-1] if parts[-1] == '__init__' else parts)


FILES = {module_name(path): path for path in sorted(ROOT.rglob('*.py'))}


def imports(path):
    """Modules of posestructs that a file imports anywhere, and the lines."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            inner = [f'{node.module}.{alias.name}' for alias in node.names]
            names = [name if name in FILES else node.module for name in inner]
        else:
            continue
        yield from ((name, node.lineno) for name in names if name in FILES)


def arrows_up(package, order):
    """Imports of a member of a package by a member below it in the order."""
    prefix = f'{package}.'
    found = []
    for module, path in FILES.items():
        if not module.startswith(prefix):
            continue
        member = module.removeprefix(prefix).partition('.')[0]
        for name, line in imports(path):
            other = name.removeprefix(prefix).partition('.')[0] if name.startswith(prefix) else None
            if {member, other} <= set(order) and order.index(other) > order.index(member):
                found.append(f'{path.relative_to(ROOT.parent)}:{line} imports {name}')
    return found


def test_no_package_imports_one_above_it():
    packages = {module.split('.')[1] for module in FILES if '.' in module}
    assert packages - {'__main__'} == set(ORDER)
    assert arrows_up('posestructs', ORDER) == []
    assert arrows_up('posestructs.models', MODELS_ORDER) == []


def test_no_modules_import_each_other():
    graph = {}
    for module, path in FILES.items():
        # a package's own __init__ gathers what it holds
        if path.name != '__init__.py':
            graph[module] = {name for name, _ in imports(path) if FILES[name].name != '__init__.py'}
    TopologicalSorter(graph).prepare()
