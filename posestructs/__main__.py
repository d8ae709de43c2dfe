"""Run a command from any folder: ``posestructs train CONFIG``, or ``python -m posestructs train CONFIG``.

The commands are the files in ``tools/`` and ``demo/`` of a checkout, with the same flags. Modules in the working
directory can be imported, so that a config may name a project's own.
"""

from __future__ import annotations

import ast
import importlib.util
import os
import sys
from difflib import get_close_matches
from pathlib import Path

import posestructs
from posestructs.utils.paths import config_root
from posestructs.utils.usage import UsageError, report_usage_errors
from posestructs.version import __version__

COMMANDS = {
    'train': 'tools/train.py',
    'test': 'tools/test.py',
    'predict': 'demo/inference.py',
    'web': 'demo/web.py',
    'demo': 'tools/misc/demo.py',
    'browse-dataset': 'tools/misc/browse_dataset.py',
    'show-messages': 'tools/analysis/show_messages.py',
    'show-heatmaps': 'tools/analysis/show_heatmaps.py',
    'plot-balance': 'tools/analysis/plot_balance.py',
    'diagnose-discriminators': 'tools/analysis/diagnose_discriminators.py',
    'error-anatomy': 'tools/analysis/error_anatomy.py',
    'find-suspect-labels': 'tools/analysis/find_suspect_labels.py',
    'fit-calibration': 'tools/analysis/fit_calibration.py',
    'fit-deformation': 'tools/analysis/fit_deformation.py',
    'chow-liu': 'tools/analysis/chow_liu.py',
    'mpii-occlusion': 'tools/dataset_converters/mpii_occlusion.py',
    'lspet-mini': 'tools/dataset_converters/lspet_mini.py',
    'export': 'tools/deployment/export_onnx.py',
    'predict-onnx': 'tools/deployment/predict_onnx.py',
    'latency': 'tools/deployment/latency.py',
    'strip-discriminators': 'tools/misc/strip_discriminators.py',
}
"""Files of the commands that ``--help`` lists; other tools are for maintainers, and run by the names of their files."""
_COMPAT = 'compat'
_LIGHT = ('predict-onnx', 'predict_onnx')
"""Commands that import neither torch nor mmpose."""


def commands() -> dict[str, Path]:
    """Find the commands that are listed.

    Returns:
        Files by name, in the order of ``COMMANDS``.
    """
    root = config_root().parent
    return {name: root / file for name, file in COMMANDS.items()}


def tools() -> dict[str, Path]:
    """Find all commands.

    Returns:
        Files by name: those of :func:`commands`, then every tool by the name of its file.
    """
    folders = (config_root().parent / name for name in ('tools', 'demo'))
    files = (path for folder in folders for path in sorted(folder.rglob('*.py')))
    # other files beside them are parts of one
    return commands() | {path.stem: path for path in files if "if __name__ == '__main__':" in path.read_text()}


def usage() -> str:
    """Describe the program and each command in a line.

    Returns:
        The text of ``--help``.
    """
    found = {name: _summary(path) for name, path in commands().items()}
    found[_COMPAT] = 'Report which packages were found, replaced by stand-ins, or are missing.'
    width = max(map(len, found))
    lines = [f'  {name:<{width}}  {summary}' for name, summary in found.items()]
    return '\n'.join(
        ['usage: posestructs COMMAND [flags]', '', 'Structured pose estimation for mmpose.', '']
        + ['commands (posestructs COMMAND --help lists the flags of one):', *lines, '']
        + ['options:', f'  {"--help":<{width}}  show this text', f'  {"--version":<{width}}  show the version']
    )


def _summary(path: Path) -> str:
    """First sentence of a tool's docstring, without the command that it quotes."""
    text = (ast.get_docstring(ast.parse(path.read_text())) or '').split('\n\n')[0].replace('\n', ' ')
    return text.split(': ``')[0].split('. ')[0].rstrip('.').replace('``', '') + '.'


def _unknown(name: str) -> str:
    near = get_close_matches(name, [*COMMANDS, _COMPAT], 1)
    hint = f' (did you mean {near[0]}?)' if near else ''
    return f'no command {name}{hint}, allowed: {", ".join([*COMMANDS, _COMPAT])}'


def run(name: str, file: Path, words: list[str]) -> None:
    """Run a command; its usage and its errors begin with ``posestructs NAME``.

    Args:
        name: Name of the command.
        file: Its file, which has a function ``main``.
        words: Its arguments.
    """
    sys.argv = [f'posestructs {name}', *words]
    spec = importlib.util.spec_from_file_location(f'posestructs_command_{file.stem}', file)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # classes of a module that is not listed cannot be pickled
    spec.loader.exec_module(module)
    sys.exit(module.main())


@report_usage_errors
def main() -> None:
    """Run the command that the command line names."""
    words = sys.argv[1:]
    if not words or words[0] in ('-h', '--help'):
        print(usage())
        return
    if words[0] == '--version':
        print(f'posestructs {__version__}')
        return
    if words[0] == _COMPAT:
        from posestructs import compat

        sys.argv = [f'posestructs {_COMPAT}', *words[1:]]
        sys.exit(compat.main())
    sys.argv[0] = 'posestructs'  # python -m has the path of this file here
    found = tools().get(words[0])
    if found is None:
        raise UsageError(_unknown(words[0]))
    if not {'', os.getcwd()} & set(sys.path):  # the installed command starts without the working directory
        sys.path.insert(0, os.getcwd())
    if words[0] not in _LIGHT:
        posestructs.register()
    run(words[0], found, words[1:])


if __name__ == '__main__':
    main()
