"""The tools from any folder: ``python -m posestructs train CONFIG``, ``python -m posestructs inference PICTURE``.

The same files as in ``tools/`` and ``demo/`` of a checkout, with the same flags; an installation has no other way to
them that is easily typed. Modules in the working directory can be imported, so that a config may name a project's own.
"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

from posestructs.utils.paths import config_root
from posestructs.utils.usage import UsageError, report_usage_errors


def tools() -> dict[str, Path]:
    """What can be run.

    Returns:
        dict[str, Path]: Files of the tools by name, in the order of their folders.
    """
    folders = (config_root().parent / name for name in ('tools', 'demo'))
    files = (path for folder in folders for path in sorted(folder.rglob('*.py'), key=_place))
    # what lies beside them and is no program is a part of one
    return {path.stem: path for path in files if "if __name__ == '__main__':" in path.read_text()}


def _place(path: Path) -> tuple[int, Path]:
    return len(path.parts), path


@report_usage_errors
def main() -> None:
    """Run the tool that the command line names."""
    found, words = tools(), sys.argv[1:]
    usage = f'usage: python -m posestructs TOOL [flags]\ntools: {", ".join(found)}'
    if not words or words[0] in ('-h', '--help'):
        print(usage)
        return
    if words[0] not in found:
        raise UsageError(f'no tool {words[0]}\n{usage}')
    sys.argv = [str(found[words[0]]), *words[1:]]
    runpy.run_path(sys.argv[0], run_name='__main__')


if __name__ == '__main__':
    main()
