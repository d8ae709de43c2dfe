"""The model zoo: tables made from ``configs/*/metafile.yml`` each time the pages are built.

In ``model_zoo.md`` the line :data:`MARK` is replaced by what :func:`model_zoo` returns.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from sphinx.application import Sphinx

ROOT = Path(__file__).resolve().parents[2]
MARK = '<!-- the tables -->'


def metafiles(root: Path) -> list[Path]:
    """Find the metafiles of a checkout.

    Args:
        root: Its root.

    Returns:
        list[Path]: One a group of configs, by name of the group.
    """
    return sorted(root.glob('configs/*/metafile.yml'))


def model_zoo(root: Path) -> str:
    """Write a section for each collection of models.

    Args:
        root: Root of the checkout.

    Returns:
        str: Markdown, whose links lead from ``docs/``.
    """
    sections = []
    for path in metafiles(root):
        meta = yaml.safe_load(path.read_text())
        for collection in meta['Collections']:
            models = [model for model in meta['Models'] if model['In Collection'] == collection['Name']]
            sections.append(section(collection, models))
    return '\n\n'.join(sections)


def section(collection: dict[str, Any], models: list[dict[str, Any]]) -> str:
    """Write the section of one collection.

    Args:
        collection: Entry of ``Collections``.
        models: The entries of ``Models`` that belong to it.

    Returns:
        str: Markdown.
    """
    lines = [f'## {collection["Name"]}', '']
    if paper := collection.get('Paper'):
        lines += [f'[{paper["Title"]}]({paper["URL"]})', '']
    metrics = list(dict.fromkeys(name for model in models for name in results(model)))
    lines += [row(['config', 'trained on', *metrics]), row(['---', '---', *['---:'] * len(metrics)])]
    for model in models:
        found = results(model)
        config = f'[`{model["Name"]}`](../{model["Config"]})'
        if weights := model.get('Weights'):
            config += f' ([weights]({weights if "://" in weights else f"../{weights}"}))'
        data = model['Metadata']['Training Data']
        data = data if isinstance(data, str) else ', '.join(data)
        lines.append(row([config, data, *(str(found.get(name, '')) for name in metrics)]))
    if not metrics:
        lines += ['', 'No measured result yet.']
    return '\n'.join(lines)


def results(model: dict[str, Any]) -> dict[str, Any]:
    """Collect the metrics of a model over its test sets.

    Args:
        model: Entry of ``Models``.

    Returns:
        dict[str, Any]: Value by name of the metric, and of the test set where that is not what the model trained on.
    """
    found = {}
    for result in model.get('Results', []):
        own = result['Dataset'] == model['Metadata']['Training Data']
        for name, value in result['Metrics'].items():
            found[name if own else f'{name} ({result["Dataset"]})'] = value
    return found


def row(cells: list[str]) -> str:
    """Write one line of a table."""
    return f'| {" | ".join(cells)} |'


def insert(app: Sphinx, docname: str, source: list[str]) -> None:
    """Put the tables into their page, and have it read again when a metafile changes."""
    if MARK in source[0]:
        source[0] = source[0].replace(MARK, model_zoo(ROOT))
        for path in metafiles(ROOT):
            app.env.note_dependency(path)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register :func:`insert`."""
    app.connect('source-read', insert)
    return dict(parallel_read_safe=True, parallel_write_safe=True)
