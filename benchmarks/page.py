"""Write generated parts of a Markdown page between two comments, so that the rest of the page is kept."""

from __future__ import annotations

import re
from pathlib import Path

from posestructs.utils.files import atomic_write
from posestructs.utils.usage import UsageError

TITLE = """# Benchmarks

Each figure below comes from a raw file under `benchmarks/results/`, written by the command beside it, unless stated
otherwise.
"""


def marks(name: str) -> tuple[str, str]:
    """The comments before and after a part."""
    return f'<!-- {name}: generated, do not edit -->', f'<!-- end of {name} -->'


def without_padding(text: str, width: int = 120) -> str:
    """Take the blanks out of tables that are wider than a screen; there they align nothing."""

    def narrow(table: re.Match) -> str:
        if max(map(len, table[0].splitlines())) <= width:
            return table[0]
        return re.sub(' {2,}', ' ', re.sub('-{3,}', '--', table[0]))

    return re.sub(r'(^\|.*\|$\n?)+', narrow, text, flags=re.MULTILINE)


def replace_section(page: str, name: str, text: str) -> str:
    """Replace a part of a page, or append it.

    Args:
        page: Text of the page.
        name: Name of the part.
        text: New content of the part.

    Returns:
        The new text of the page.

    Raises:
        UsageError: The page has one of the part's comments without the other.
    """
    begin, end = marks(name)
    section = f'{begin}\n\n{without_padding(text.strip())}\n\n{end}'
    if begin not in page and end not in page:
        return f'{page.rstrip()}\n\n{section}\n'
    before, found, rest = page.partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise UsageError(f'the page has only one of the comments "{begin}" and "{end}"')
    return before + section + after


def write_section(path: Path, name: str, text: str) -> None:
    """Replace a part in the file of a page, which is created if it does not exist."""
    page = path.read_text() if path.is_file() else TITLE
    atomic_write(path, replace_section(page, name, text).encode())
