"""Check links, paths and commands in the Markdown files, without a network.

- Links and images lead to files that are there, anchors to headings that are there.
- Paths of the project in code exist; ``{a,b}`` and ``*`` in them find something.
- Commands in code run tools, modules and make targets that are there, with arguments that these take.

Sphinx looks at the rest of the pages. The recipes are written for a folder of the reader's own, and a test follows
them to the letter: of these only the links are looked at.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import io
import re
import runpy
import shlex
import string
import sys
from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

from markdown_it import MarkdownIt
from markdown_it.token import Token
from mdit_py_plugins.anchors import anchors_plugin

from posestructs.__main__ import tools

DOCUMENTS = ('*.md', 'configs/*/README.md', 'docs/*.md', 'docs/*/*.md')
# what commands make
MADE = ('docs/_build', 'demo/checkpoints/stick-figure.pth')
SHELLS = ('bash', 'console', 'sh', 'shell')
_ROOMS = 'benchmarks|configs|demo|docs|posestructs|requirements|tests|tools'
_PATH = re.compile(rf'(?<![\w./{{}}$-])(?:{_ROOMS})/[\w./*{{}},+-]*\w}}?')
_ADDRESS = re.compile(r'[a-z][a-z0-9+.-]*:', re.IGNORECASE)
_ASSIGNMENT = re.compile(r'([A-Za-z_]\w*)=(.*)', re.DOTALL)
# a shell script: what it runs, and how many words before that one's own arguments it takes for itself
_LAUNCHERS = {
    'tools/dist_train.sh': ('tools/train.py', lambda words: [words[0], *words[2:]]),
    'tools/dist_test.sh': ('tools/test.py', lambda words: [*words[:2], *words[3:]]),
    'tools/slurm_train.sh': ('tools/train.py', lambda words: [words[2], '--work-dir', words[3], *words[4:]]),
    'tools/slurm_test.sh': ('tools/test.py', lambda words: words[2:]),
}


class Problem(NamedTuple):
    """Something that leads nowhere."""

    document: str
    line: int
    what: str


class Code(NamedTuple):
    """Code in a document: ``kind`` is that of a fenced block, or 'inline'."""

    line: int
    kind: str
    text: str


class Found(Exception):
    """A tool's parser, on its way out of the tool."""


# ------------------------------------------------------------------------------------------------ reading documents


def documents(root: Path) -> list[Path]:
    """Markdown files that persons read.

    Args:
        root: Root of the checkout.

    Returns:
        list[Path]: Files.
    """
    found = {path for pattern in DOCUMENTS for path in root.glob(pattern)}
    return sorted(path for path in found if not str(path.relative_to(root)).startswith(MADE))


def tokens(path: Path) -> tuple[Token, ...]:
    """Parse a document; its headings get the ids that GitHub and MyST give them."""
    return _parse(path.read_text())


@functools.cache
def _parse(text: str) -> tuple[Token, ...]:
    return tuple(MarkdownIt('commonmark').enable('table').use(anchors_plugin, max_level=6).parse(text))


def anchors(path: Path) -> set[str]:
    """Ids that a link into a document may name."""
    return {token.attrs['id'] for token in tokens(path) if token.type == 'heading_open'}


def links(path: Path) -> Iterator[tuple[int, str]]:
    """Lines and targets of links and images."""
    for line, token in _inline(path):
        if target := token.attrs.get('href') or token.attrs.get('src'):
            yield line, target


def code(path: Path) -> Iterator[Code]:
    """Fenced blocks and code in lines."""
    for token in tokens(path):
        if token.type == 'fence':
            yield Code(token.map[0] + 1, token.info.strip(), token.content)
    for line, token in _inline(path):
        if token.type == 'code_inline':
            yield Code(line, 'inline', token.content)


def _inline(path: Path) -> Iterator[tuple[int, Token]]:
    line = 1
    for token in tokens(path):
        # cells of a table have no line of their own
        line = token.map[0] + 1 if token.map else line
        breaks = 0
        for child in token.children or ():
            breaks += child.type in ('softbreak', 'hardbreak')
            yield line + breaks, child


# ------------------------------------------------------------------------------------------------ links and paths


def check_links(path: Path, root: Path) -> Iterator[tuple[int, str]]:
    """Find links to files or headings that are not there.

    Args:
        path: A document.
        root: What a link must not leave.

    Yields:
        tuple[int, str]: Line, and what is wrong.
    """
    for line, target in links(path):
        if _ADDRESS.match(target):
            continue
        name, _, anchor = unquote(target).partition('#')
        file = (path.parent / name).resolve() if name else path
        if not file.is_relative_to(root):
            yield line, f'link {target} leaves the project'
        elif not file.exists():
            yield line, f'link {target}: no such file'
        elif anchor and (file.suffix != '.md' or anchor not in anchors(file)):
            yield line, f'link {target}: no such heading'


def check_paths(path: Path, root: Path) -> Iterator[tuple[int, str]]:
    """Find paths of the project, in code, that are not there; yields as :func:`check_links`."""
    for line, kind, text in code(path):
        # 'text' is the layout of data sets; in a shell, where there are variables, words are looked at
        if kind != 'text' and kind not in SHELLS:
            yield from ((line, problem) for problem in path_problems(_PATH.findall(text), root))
    for line, words in commands(path):
        inputs = [word for before, word in zip(['', *words], words, strict=False) if before != '--out']
        yield from ((line, problem) for problem in path_problems(filter(_PATH.fullmatch, inputs), root))


def path_problems(names: Iterable[str], root: Path) -> Iterator[str]:
    """Find paths that are neither the project's nor, of metainfo, mmpose's.

    Args:
        names: Paths from the root, possibly with ``{a,b}`` and ``*``.
        root: Root of the checkout.

    Yields:
        str: What is wrong.
    """
    roots = (root, Path(find_spec('mmpose').origin).parent / '.mim')
    for name in names:
        if name.startswith(MADE) or '...' in name:
            continue
        for part in expand_braces(name):
            if not any(any(place.glob(part)) for place in roots):
                yield f'path {part}: no such file'


def expand_braces(text: str) -> list[str]:
    """Expand ``a{b,c}`` as a shell does.

    Args:
        text: A word.

    Returns:
        list[str]: Words without braces.
    """
    found = re.search(r'\{([^{}]*)\}', text)
    if not found:
        return [text]
    before, after = text[: found.start()], text[found.end() :]
    return [word for choice in found[1].split(',') for word in expand_braces(before + choice + after)]


# ------------------------------------------------------------------------------------------------ commands


def commands(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Commands of a document, split into words, without assignments before them.

    A variable that an earlier command of the document set is put in; others stay as they are.

    Args:
        path: The document.

    Yields:
        tuple[int, list[str]]: Line of the block, and words.
    """
    variables: dict[str, str] = {}
    for line, kind, text in code(path):
        if kind not in (*SHELLS, 'inline'):
            continue
        for words in split_commands(text):
            words = [string.Template(word).safe_substitute(variables) for word in words]
            while words and (found := _ASSIGNMENT.fullmatch(words[0])):
                variables[found[1]] = found[2]
                words = words[1:]
            if words:
                yield line, words


def split_commands(text: str) -> Iterator[list[str]]:
    """Split a piece of shell into commands, and these into words; what is no shell gives nothing."""
    text = re.sub(r'^\$ ', '', text.replace('\\\n', ' '), flags=re.MULTILINE)
    for line in text.splitlines():
        try:
            words = shlex.split(line, comments=True)
        except ValueError:
            continue
        command: list[str] = []
        for word in [*words, ';']:
            if word in ('&&', '||', '|', ';', '&', '>', '2>&1'):
                yield command
                command = []
            else:
                command.append(word)


def check_commands(path: Path, root: Path) -> Iterator[tuple[int, str]]:
    """Find commands that could not run as they are written; yields as :func:`check_links`."""
    for line, words in commands(path):
        program, arguments = Path(words[0]).name, words[1:]
        problem = None
        if program in ('python', 'python3') and arguments:
            problem = _python_problem(arguments, root)
        elif program == 'bash' and arguments:
            problem = _script_problem(arguments, root)
        elif program == 'make' and arguments:
            problem = _make_problem(arguments, root)
        if problem:
            yield line, f'`{shlex.join(words)}`: {problem}'


def _python_problem(words: list[str], root: Path) -> str | None:
    if words[0] == '-m' and len(words) > 1:
        if words[1] != 'posestructs' or len(words) == 2:
            return None if find_spec(words[1]) else f'no module {words[1]}'
        found = tools().get(words[2])
        if found is None:
            return None if words[2].isupper() else f'no command {words[2]}'
        return argument_problem(found.resolve(), words[3:])
    if not words[0].endswith('.py') or words[0].isupper():
        return None
    if not (root / words[0]).is_file():
        return f'no file {words[0]}'
    return argument_problem(root / words[0], words[1:])


def _script_problem(words: list[str], root: Path) -> str | None:
    if not (root / words[0]).is_file():
        return f'no file {words[0]}'
    if words[0] not in _LAUNCHERS:
        return None
    tool, pick = _LAUNCHERS[words[0]]
    if len(words) == 2 and words[1] == '...':
        return None
    try:
        arguments = pick(words[1:])
    except IndexError:
        return 'too few arguments'
    return argument_problem(root / tool, arguments)


def _make_problem(words: list[str], root: Path) -> str | None:
    targets = re.findall(r'^([\w-]+):(?!=)', (root / 'Makefile').read_text(), re.MULTILINE)
    wrong = [word for word in words if '=' not in word and word not in targets]
    return f'no target {", ".join(wrong)}' if wrong else None


def argument_problem(tool: Path, words: list[str]) -> str | None:
    """Have a tool's own parser read arguments.

    Args:
        tool: A file that parses its arguments with argparse.
        words: The arguments. ``...`` stands for any, so that nothing after it and nothing required is asked for.

    Returns:
        str | None: What the parser says of them; None where it takes them.
    """
    parser = parser_of(tool)
    if parser is None:
        return 'it has no argument parser' if words else None
    if '...' in words:
        strange = [word for word in words if word.startswith('--') and word not in parser._option_string_actions]
        return f'no flag {strange[0]}' if strange else None
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
            parser.parse_args(words)
    except SystemExit as end:
        return said.getvalue().strip().rpartition('error: ')[2] if end.code else None
    return None


@functools.cache
def parser_of(tool: Path) -> argparse.ArgumentParser | None:
    """Run a tool up to where it reads its arguments.

    Args:
        tool: The file.

    Returns:
        ArgumentParser | None: What it would have read them with; None where it reads none.
    """

    def stop(parser: argparse.ArgumentParser, *args: object, **kwargs: object) -> None:
        raise Found(parser)

    kept = {name: getattr(argparse.ArgumentParser, name) for name in ('parse_args', 'parse_known_args')}
    argv, path = sys.argv, list(sys.path)
    sys.argv = [str(tool)]
    try:
        for name in kept:
            setattr(argparse.ArgumentParser, name, stop)
        runpy.run_path(str(tool), run_name='__main__')
    except Found as found:
        return found.args[0]
    except SystemExit:
        return None
    finally:
        for name, method in kept.items():
            setattr(argparse.ArgumentParser, name, method)
        sys.argv, sys.path[:] = argv, path
    return None


# ------------------------------------------------------------------------------------------------ all of it


def problems(root: Path) -> list[Problem]:
    """Check every document of a checkout.

    Args:
        root: Its root.

    Returns:
        list[Problem]: By document and line.
    """
    found = []
    for path in documents(root):
        name = str(path.relative_to(root))
        checks = (check_links,) if name.startswith('docs/recipes/') else (check_links, check_paths, check_commands)
        found += [Problem(name, *problem) for check in checks for problem in check(path, root)]
    return sorted(set(found))
