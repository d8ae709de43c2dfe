"""Formulas as MathML, which browsers draw themselves: the pages need no network and no script."""

from __future__ import annotations

from typing import Any

from docutils import nodes
from docutils.utils.math import latex2mathml
from sphinx.application import Sphinx


def visit_inline(translator: Any, node: nodes.math) -> None:
    """Write a formula within a line.

    Raises:
        docutils.utils.math.MathError: It has a command that docutils does not know.
        nodes.SkipNode: Always; there is nothing below.
    """
    translator.body.append(str(latex2mathml.tex2mathml(node.astext())))
    raise nodes.SkipNode


def visit_block(translator: Any, node: nodes.math_block) -> None:
    """Write a formula on lines of its own; raises as :func:`visit_inline`."""
    formula = latex2mathml.tex2mathml(node.astext(), as_block=True)
    translator.body.append(f'<div class="formula" style="margin: 1rem 0; overflow-x: auto">{formula}</div>\n')
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the renderer ``mathml``."""
    app.add_html_math_renderer('mathml', inline_renderers=(visit_inline, None), block_renderers=(visit_block, None))
    return dict(parallel_read_safe=True, parallel_write_safe=True)
