"""Values of ``--cfg-options``, as they stand on the command line."""

from __future__ import annotations

import argparse
import ast
import re
import reprlib
from typing import Any

from mmengine.config import DictAction

_DICT = re.compile(r'\{|\bdict\(')


class OptionAction(DictAction):
    """mmengine's ``--cfg-options``, which also reads dicts and refuses what it cannot read.

    A value with ``{...}`` or ``dict(...)`` is read as Python, where a bare word is text; mmengine would split it at its
    commas, or never end.
    """

    def __call__(self, parser: argparse.ArgumentParser, namespace: Any, values: list[str], flag: str = '') -> None:
        options = dict(getattr(namespace, self.dest, None) or {})
        for word in values:
            key, equals, text = word.partition('=')
            if not equals or not all(key.split('.')):
                parser.error(f'argument {flag}: {word} is not KEY=VALUE')
            try:
                options[key] = read_option(text)
            except ValueError as error:
                parser.error(f'argument {flag}: {key}: {error}')
        setattr(namespace, self.dest, options)


def read_option(text: str) -> Any:
    """Read the value of an option.

    Args:
        text: A number, text, list or dict, as in ``0.1``, ``Adam``, ``[1,2]``, ``[dict(type=LinearLR,end=5)]``.

    Returns:
        Any: The value.

    Raises:
        ValueError: It cannot be read.
    """
    if _DICT.search(text):
        try:
            return _value(ast.parse(text.strip(), mode='eval').body)
        except (SyntaxError, RecursionError, MemoryError) as error:
            raise ValueError(f'{reprlib.repr(text)}, allowed: as in [dict(type=LinearLR,end=5)]') from error
    try:
        return DictAction._parse_iterable(text)
    except (AssertionError, RecursionError) as error:
        raise ValueError(f'{reprlib.repr(text)} is not a list, allowed: as in [1,2] and [(1,2),(3,4)]') from error


def _value(node: ast.AST) -> Any:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == 'dict' and not node.args:
        if any(word.arg is None for word in node.keywords):
            raise ValueError('** is not allowed in a dict')
        return {word.arg: _value(word.value) for word in node.keywords}
    if isinstance(node, ast.Dict) and None not in node.keys:
        return {_key(key): _value(value) for key, value in zip(node.keys, node.values, strict=True)}
    if isinstance(node, (ast.List, ast.Tuple)):
        items = [_value(item) for item in node.elts]
        return tuple(items) if isinstance(node, ast.Tuple) else items
    if isinstance(node, (ast.Name, ast.Attribute)):
        return DictAction._parse_int_float_bool(ast.unparse(node))  # a word, with 'true' and 'inf' as elsewhere
    try:
        return ast.literal_eval(node)
    except ValueError as error:
        raise ValueError(f'{ast.unparse(node)} is not a value; quote text that is not one word') from error


def _key(node: ast.AST) -> str | int:
    key = _value(node)
    if not isinstance(key, (str, int)):
        raise ValueError(f'{key!r} is not a key of a dict, allowed: text, an integer')
    return key
