"""The model zoo: tables made from the ``metafile.yml`` of each folder of ``configs/``.

Run it with ``python benchmarks/model_zoo.py`` after a change of a metafile.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import yaml

from benchmarks.page import write_section
from posestructs.utils.usage import report_usage_errors

ROOT = Path(__file__).resolve().parents[1]
NAME = 'model-zoo'


def metafiles(root: Path) -> list[Path]:
    """Find the metafiles of a checkout.

    Args:
        root: Its root.

    Returns:
        list[Path]: One a group of configs, by name of the group.
    """
    return sorted(root.glob('configs/**/metafile.yml'))


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
    for (dataset, *metrics), rows in tables(models).items():
        lines += [f'Tested on {dataset}:', '', row(['config', 'trained on', *metrics])]
        lines.append(row(['---', '---', *['---:'] * len(metrics)]))
        lines += [row([linked(model), trained_on(model), *map(str, values)]) for model, values in rows]
        lines.append('')
    untrained: dict[str, list[str]] = {}
    for model in models:
        if not model.get('Results'):
            untrained.setdefault(trained_on(model), []).append(f'`{model["Name"]}`')
    if untrained:
        lines += ['Without figures in this table, by training data:', '']
        lines += [f'- {data}: {", ".join(configs)}' for data, configs in untrained.items()]
    return '\n'.join(lines).rstrip()


def tables(models: list[dict[str, Any]]) -> dict[tuple[str, ...], list[tuple[dict[str, Any], list[Any]]]]:
    """Group results such that no table has an empty cell.

    Args:
        models: Entries of ``Models``.

    Returns:
        dict: Models with their values, by the test set and the names of its metrics.
    """
    groups: dict[tuple[str, ...], list[tuple[dict[str, Any], list[Any]]]] = {}
    for model in models:
        for result in model.get('Results', []):
            key = (result['Dataset'], *result['Metrics'])
            groups.setdefault(key, []).append((model, list(result['Metrics'].values())))
    return groups


def linked(model: dict[str, Any]) -> str:
    """Write the name of a model with links to its config and weights."""
    config = f'[`{model["Name"]}`](../{model["Config"]})'
    if weights := model.get('Weights'):
        config += f' ([weights]({weights if "://" in weights else f"../{weights}"}))'
    return config


def trained_on(model: dict[str, Any]) -> str:
    """Write the training data of a model."""
    data = model['Metadata']['Training Data']
    return data if isinstance(data, str) else ', '.join(data)


def row(cells: list[str]) -> str:
    """Write one line of a table."""
    return f'| {" | ".join(cells)} |'


@report_usage_errors
def main() -> None:
    """Write the tables."""
    parser = argparse.ArgumentParser(description='Write the tables of the model zoo into a Markdown page.')
    parser.add_argument('page', nargs='?', type=Path, default=ROOT / 'docs/model_zoo.md', help='default: %(default)s')
    write_section(parser.parse_args().page, NAME, model_zoo(ROOT))


if __name__ == '__main__':
    main()
