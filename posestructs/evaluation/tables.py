"""Format metric results as Markdown tables for logs and READMEs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

COUNTS = ('joints', 'sticks', 'sticks_left_out', 'people', 'people_left_out')
"""Columns that count instead of giving percent; they come last."""

MEAN = 'mean'


def split_key(key: str, keys: Mapping[str, object]) -> tuple[str, str]:
    """Row and column of a metric.

    Args:
        key: Name of a metric, such as ``TorsoPCK@0.2/elbow``.
        keys: All names of the result: what precedes the last ``/`` is the row where it is a metric itself.

    Returns:
        tuple[str, str]: ``('TorsoPCK@0.2', 'elbow')``, ``('TorsoPCK@0.2', 'mean')`` for the metric itself; mmpose's
        ``'Elbow PCK'`` gives ``('PCK', 'elbow')``.
    """
    row, slash, column = key.rpartition('/')
    if slash and (row in keys or column in COUNTS):
        return row, column
    column, space, row = key.rpartition(' ')
    head, slash, column = column.rpartition('/')  # a prefix stands before the group's name: 'mpii/Elbow PCK'
    if space and head + slash + row in keys:
        return head + slash + row, column.lower()
    return key, MEAN


def format_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table with padded cells, the first column left-aligned, the others right-aligned.

    Args:
        header: C column names.
        rows: C cells each.

    Returns:
        str: Lines of equal length, without a final newline.
    """
    widths = [max(len(r[i]) for r in (header, *rows)) for i in range(len(header))]
    widths = [max(w, 2) for w in widths]

    def line(cells: Sequence[str]) -> str:
        padded = [c.ljust(w) if i == 0 else c.rjust(w) for i, (c, w) in enumerate(zip(cells, widths, strict=True))]
        return f'| {" | ".join(padded)} |'

    rule = [('-' * w) if i == 0 else ('-' * (w - 1) + ':') for i, w in enumerate(widths)]
    return '\n'.join([line(header), line(rule), *map(line, rows)])


def metrics_table(metrics: Mapping[str, float], digits: int = 1, counts: bool = True) -> str:
    """A table of metrics: one row per metric and threshold, joint groups as columns.

    Args:
        metrics: Result of an mmengine evaluator: names to percentages and counts.
        digits: Digits after the point of a percentage.
        counts: Show the numbers of persons, joints and sticks that were measured and left out.

    Returns:
        str: Markdown; a cell is ``-`` where a row has no such value.
    """
    cells = {key: split_key(key, metrics) for key in metrics}
    rows = list(dict.fromkeys(row for row, _ in cells.values()))
    seen = list(dict.fromkeys(column for _, column in cells.values()))
    columns = [c for c in seen if c not in (MEAN, *COUNTS)]
    columns += [MEAN] * (MEAN in seen) + [c for c in COUNTS if c in seen and counts]
    values = {cell: metrics[key] for key, cell in cells.items()}

    def text(row: str, column: str) -> str:
        value = values.get((row, column))
        if value is None:
            return '-'
        return f'{int(value)}' if column in COUNTS else f'{value:.{digits}f}'

    return format_table(['', *columns], [[row, *(text(row, c) for c in columns)] for row in rows])
