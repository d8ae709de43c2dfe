"""Generated parts of a Markdown page: written between two comments, so that what stands around them is kept."""

from __future__ import annotations

from pathlib import Path

from posestructs.utils.files import atomic_write
from posestructs.utils.usage import UsageError

TITLE = """# Benchmarks

Each figure below comes from a raw file under `benchmarks/results/`, made by the command beside it, where nothing else
is said.
"""


def marks(name: str) -> tuple[str, str]:
    """The comments around a part.

    Args:
        name: Of the part.

    Returns:
        tuple[str, str]: Before and after it.
    """
    return f'<!-- {name}: generated, do not edit -->', f'<!-- end of {name} -->'


def replace_section(page: str, name: str, text: str) -> str:
    """Put a part into a page, in place of the older one or at its end.

    Args:
        page: Markdown.
        name: Of the part.
        text: Its new content.

    Returns:
        str: The page.

    Raises:
        UsageError: The page has one of the part's comments without the other.
    """
    begin, end = marks(name)
    section = f'{begin}\n\n{text.strip()}\n\n{end}'
    if begin not in page and end not in page:
        return f'{page.rstrip()}\n\n{section}\n'
    before, found, rest = page.partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise UsageError(f'the page has only one of the comments "{begin}" and "{end}"')
    return before + section + after


def write_section(path: Path, name: str, text: str) -> None:
    """Put a part into a page's file, which is made where it is absent.

    Args:
        path: The file.
        name: Of the part.
        text: Its new content.
    """
    page = path.read_text() if path.is_file() else TITLE
    atomic_write(path, replace_section(page, name, text).encode())
