"""Run the tools from any folder: ``posestructs train CONFIG``, or ``python -m posestructs train CONFIG``.

They are the files in ``tools/`` and ``demo/`` of a checkout, with the same flags. Modules in the working directory can
be imported, so that a config may name a project's own.
"""

from __future__ import annotations

import ast
import os
import runpy
import sys
from pathlib import Path

from posestructs.utils.paths import config_root
from posestructs.utils.usage import UsageError, report_usage_errors
from posestructs.version import __version__

_COMPAT = 'compat'


def tools() -> dict[str, Path]:
    """Find the programs.

    Returns:
        dict[str, Path]: Files by name, in the order of their folders.
    """
    folders = (config_root().parent / name for name in ('tools', 'demo'))
    files = (path for folder in folders for path in sorted(folder.rglob('*.py'), key=_place))
    # other files beside them are parts of one
    return {path.stem: path for path in files if "if __name__ == '__main__':" in path.read_text()}


def usage() -> str:
    """Describe the command and each tool in a line.

    Returns:
        str: The text of ``--help``.
    """
    found = {name: _summary(path) for name, path in tools().items()}
    found[_COMPAT] = 'Report which packages were found, replaced by stand-ins, or are missing.'
    width = max(map(len, found))
    lines = [f'  {name:<{width}}  {summary}' for name, summary in found.items()]
    return '\n'.join(
        ['usage: posestructs TOOL [flags]', '', 'tools (posestructs TOOL --help lists the flags of one):', *lines, '']
        + ['options:', f'  {"--help":<{width}}  show this text', f'  {"--version":<{width}}  show the version']
    )


def _summary(path: Path) -> str:
    """First sentence of a tool's docstring, without the command that it quotes."""
    text = (ast.get_docstring(ast.parse(path.read_text())) or '').split('\n\n')[0].replace('\n', ' ')
    return text.split(': ``')[0].split('. ')[0].rstrip('.').replace('``', '') + '.'


def _place(path: Path) -> tuple[int, Path]:
    return len(path.parts), path


@report_usage_errors
def main() -> None:
    """Run the tool that the command line names."""
    words = sys.argv[1:]
    if not words or words[0] in ('-h', '--help'):
        print(usage())
        return
    if words[0] == '--version':
        print(f'posestructs {__version__}')
        return
    if words[0] == _COMPAT:
        from posestructs import compat

        sys.exit(compat.main())
    found = tools()
    if words[0] not in found:
        raise UsageError(f'no tool {words[0]}, allowed: {", ".join([*found, _COMPAT])}')
    if not {'', os.getcwd()} & set(sys.path):  # the installed command starts without the working directory
        sys.path.insert(0, os.getcwd())
    sys.argv = [str(found[words[0]]), *words[1:]]
    runpy.run_path(sys.argv[0], run_name='__main__')


if __name__ == '__main__':
    main()
