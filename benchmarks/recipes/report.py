"""Tables of the benchmark of adversarial recipes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from benchmarks.page import write_section
from benchmarks.recipes.rows import ROWS, Trial, fingerprint
from benchmarks.recipes.run import FINAL, HELD, OCCLUDERS, PLAIN, unpack
from posestructs.evaluation.error_anatomy import KINDS
from posestructs.evaluation.tables import format_table
from posestructs.utils.usage import UsageError

COST = 'cost.json'
# columns: test set and joints; photographs have artificial occluders, synthetic figures real occlusion
PHOTOGRAPHS = dict(
    plain=(PLAIN, 'all'),
    occluders=(OCCLUDERS, 'all'),
    visible=(OCCLUDERS, 'visible'),
    occluded=(OCCLUDERS, 'occluded'),
)
FIGURES = dict(all=(PLAIN, 'all'), visible=(PLAIN, 'visible'), occluded=(PLAIN, 'occluded'))
RESAMPLES, LEVEL = 2000, 0.95
DIAGNOSED = {
    'AUROC': 'auroc_discriminator',
    'of the peak': 'auroc_peak',
    'of both': 'auroc_together',
    'real against predicted': 'auroc_real',
    'score real': 'score_real',
    'score predicted': 'score_fake',
    'gradient / L_G': 'grad_share',
    'cosine': 'grad_cosine',
    'labels 1': 'share_right',
}
DIAGNOSES = (
    'Discriminators, seed 0, on the same persons: AUROC of right against wrong joints within predicted maps, by the '
    "discriminator, by the height of the map's peak and by both together; AUROC of target maps against predicted ones; "
    'mean scores of both; norm of the gradient of its term at the maps, relative to that of L_G, and their cosine; '
    'share of predicted joints with the label 1.'
)
SEEN = (
    'The shipped weights that all rows start from were trained on these persons: the figures are too high, and only '
    'their differences count.'
)
INTRODUCTION = """## Adversarial recipes

Recipes of adversarial fine-tuning against the same further training without discriminators, from the shipped model,
with the first 4,400 persons of train.txt; on synthetic figures from a generator that was trained on 200,000 others.
What each row is: `configs/adversarial_posenet/recipes/README.md`.

```bash
python benchmarks/adversarial_recipes.py
python benchmarks/adversarial_recipes.py --cost
python benchmarks/adversarial_recipes.py --report docs/benchmarks.md
```"""


def rates(runs: Sequence[Mapping], test_set: str, group: str) -> tuple[np.ndarray, np.ndarray] | None:
    """(S, N) right joints of each seed, and (N,) measured joints; ``None`` if the group was not measured."""
    sets = [run['sets'][test_set]['groups'].get(group) for run in runs]
    if any(each is None for each in sets):
        return None
    return np.stack([unpack(each['right']) for each in sets]), unpack(sets[0]['measured'])


def difference(
    runs: Sequence[Mapping], control: Sequence[Mapping], test_set: str, group: str
) -> tuple[float, float, float] | None:
    """Points of a row above the control with a 95 % interval over persons and seeds.

    Persons are drawn with replacement, the same for both rows; seeds are drawn with replacement for each row. A row of
    one seed does not show how much another seed would change.

    Args:
        runs: Results of the row, one for each seed.
        control: Results of the control.
        test_set: 'plain' or 'occluders'.
        group: 'all', 'visible' or 'occluded'.

    Returns:
        tuple[float, float, float] | None: Mean, low and high; ``None`` if nothing was measured.

    Raises:
        UsageError: The rows were scored on different persons.
    """
    first, second = rates(runs, test_set, group), rates(control, test_set, group)
    if first is None or second is None:
        return None
    (ours, measured), (theirs, other) = first, second
    if not np.array_equal(measured, other):
        raise UsageError('rows were scored on different persons: remove old results')
    rng, count = np.random.default_rng(0), len(measured)
    weights = rng.multinomial(count, np.full(count, 1 / count), size=RESAMPLES).astype(np.float64)
    draws = []
    for each in (ours, theirs):
        seeds = rng.multinomial(len(each), np.full(len(each), 1 / len(each)), size=RESAMPLES) / len(each)
        draws.append(((weights @ each.T) * seeds).sum(1) / (weights @ measured))
    low, high = np.quantile(100 * (draws[0] - draws[1]), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    mean = 100 * (ours.mean(0).sum() - theirs.mean(0).sum()) / measured.sum()
    return float(mean), float(low), float(high)


def percent(runs: Sequence[Mapping], test_set: str, group: str) -> str:
    """Mean percentage over seeds."""
    found = rates(runs, test_set, group)
    return '-' if found is None else f'{100 * found[0].mean(0).sum() / found[1].sum():.1f}'


def read_results(folder: Path, trial: Trial) -> dict[str, list[dict]]:
    """Results of the current configs by row, in the order of the rows and seeds."""
    found = {}
    for name, row in ROWS.items():
        runs = [json.loads(path.read_text()) for path in sorted(folder.glob(f'{name}_seed*.json'))]
        runs = [run for run in runs if run['fingerprint'] == fingerprint(row, run['seed'], trial)]
        if runs:
            found[name] = sorted(runs, key=lambda run: run['seed'])
    return found


def read_cost(folder: Path) -> dict[str, float]:
    """CPU time of a step of each row relative to the control, as far as it was measured."""
    file = folder / COST
    return json.loads(file.read_text())['ratios'] if file.is_file() else {}


def columns_of(found: Mapping[str, Sequence[Mapping]]) -> Mapping[str, tuple[str, str]]:
    """Columns of results that are all of one kind of data."""
    return PHOTOGRAPHS if OCCLUDERS in next(iter(found.values()))[0]['sets'] else FIGURES


def control_of(found: Mapping[str, Sequence[Mapping]]) -> str | None:
    """Name of the control among the results; ``None`` without one."""
    return next((name for name in found if ROWS[name].config == 'control'), None)


def tables(found: Mapping[str, Sequence[Mapping]], cost: Mapping[str, float]) -> str:
    """Markdown: accuracy and differences, errors by kind and occlusion, diagnostics.

    Args:
        found: Results by row, all of one kind of data.
        cost: CPU time of a step relative to the control, by row.

    Returns:
        str: Tables, each with a sentence before it.
    """
    columns = columns_of(found)
    where = (
        'without occluders and under occluders that are the same in every run'
        if columns is PHOTOGRAPHS
        else 'on figures that occlude themselves or are occluded'
    )
    heads = [*columns, *(f'{column}, over control' for column in columns if column != 'visible'), 'CPU']
    parts = [
        f'TorsoPCK@0.2 in percent, {where}; differences in points with 95 % intervals over persons and, where a row '
        'has several, seeds; CPU time of a training step of generator and discriminators relative to the control.',
        format_table(['', 'seeds', *heads], accuracy_rows(found, cost)),
        'Joints by kind of error in percent:',
        format_table(['', 'joints', *KINDS], kind_rows(found)),
    ]
    inner = diagnostic_rows(found)
    if inner:
        parts += [DIAGNOSES, format_table(['', *DIAGNOSED], inner)]
    return '\n\n'.join(parts)


def accuracy_rows(found: Mapping[str, Sequence[Mapping]], cost: Mapping[str, float]) -> list[list[str]]:
    """Cells of the table of accuracies; arguments as for :func:`tables`."""
    control, columns, rows = control_of(found), columns_of(found), []
    check_effect(found, control)
    for name, runs in found.items():
        cells = [ROWS[name].label, str(len(runs)), *(percent(runs, *column) for column in columns.values())]
        for key in columns:
            if key != 'visible':
                known = control is not None and name != control
                gap = difference(runs, found[control], *columns[key]) if known else None
                cells.append('-' if gap is None else f'{gap[0]:+.1f} [{gap[1]:+.1f}, {gap[2]:+.1f}]')
        rows.append([*cells, f'{cost[name]:.2f}' if name in cost else '-'])
    return rows


def check_effect(found: Mapping[str, Sequence[Mapping]], control: str | None) -> None:
    """Refuse results that are those of the control.

    Raises:
        UsageError: A run of a recipe found exactly the joints of the control with its seed.
    """
    reference = {run['seed']: run['sets'] for run in found.get(control, ())}
    for name, runs in found.items():
        for run in runs:
            if name != control and run['sets'] == reference.get(run['seed']):
                raise UsageError(f'{name}, seed {run["seed"]}: the same joints as {control}; the recipe had no effect')


def kind_rows(found: Mapping[str, Sequence[Mapping]]) -> list[list[str]]:
    """Cells of the table of error kinds; a result of an earlier version has none."""
    rows = []
    for name, runs in found.items():
        for key, (test_set, group) in columns_of(found).items():
            counts = [run['sets'][test_set]['groups'].get(group, {}).get('kinds') for run in runs]
            if None in counts:
                continue
            sums = {kind: sum(each[kind] for each in counts) for kind in KINDS}
            shares = (f'{100 * sums[kind] / sum(sums.values()):.1f}' for kind in KINDS)
            rows.append([ROWS[name].label, key, *shares])
    return rows


def diagnostic_rows(found: Mapping[str, Sequence[Mapping]]) -> list[list[str]]:
    """Cells of the table of diagnostics, of the first seed."""
    rows = []
    for name, runs in found.items():
        for which, values in runs[0].get('discriminators', {}).items():
            if 'budget' in runs[0]:  # in training; the config's own weights were not used
                values = {**values, 'grad_share': runs[0]['budget'] / len(runs[0]['discriminators'])}
            rows.append([f'{ROWS[name].label}: {which}', *(_cell(values, key) for key in DIAGNOSED.values())])
    return rows


def _cell(values: Mapping[str, float], key: str) -> str:
    return f'{values[key]:.2g}' if key in values else '-'


def by_data(found: Mapping[str, list[dict]]) -> dict[str, dict[str, list[dict]]]:
    """Results of photographs, and of synthetic figures."""
    parts = {'LSP-extended': False, 'synthetic figures': True}
    split = {title: {n: r for n, r in found.items() if ROWS[n].figures == figures} for title, figures in parts.items()}
    return {title: rows for title, rows in split.items() if rows}


def write_report(page: Path, results: Path, trial: Trial) -> None:
    """Write the tables of both parts into a page."""
    parts = [INTRODUCTION]
    for where in (HELD, FINAL):
        for data, found in by_data(read_results(results / where, trial)).items():
            persons = next(iter(found.values()))[0]['sets'][PLAIN]['persons']
            parts += [f'### {data[0].upper()}{data[1:]}, {persons:,} {scored_on(where, found)}']
            if where == HELD and not is_figures(found):
                parts += [SEEN]
            parts += [tables(found, read_cost(results))]
    write_section(page, 'adversarial-recipes', '\n\n'.join(parts))


def is_figures(found: Mapping[str, list[dict]]) -> bool:
    """Whether rows are those of synthetic figures."""
    return any(ROWS[name].figures for name in found)


def scored_on(where: str, found: Mapping[str, list[dict]]) -> str:
    """Persons that rows were scored on, in words."""
    if where == FINAL:
        return 'test persons'
    return 'figures held out of training' if is_figures(found) else 'persons held out of the fine-tuning'


def write_summary(page: Path, results: Path, trial: Trial) -> None:
    """Write short tables into a page: differences from the control, and the best discriminator of each recipe."""
    parts = []
    tested = {where: by_data(read_results(results / where, trial)) for where in (HELD, FINAL)}
    for where, data, found in ((where, *each) for where, sets in tested.items() for each in sets.items()):
        if control_of(found) is None or len(found) == 1:
            continue
        columns = [key for key in columns_of(found) if key != 'visible']
        rows = []
        for name, cells in zip(found, accuracy_rows(found, read_cost(results)), strict=True):
            known = [d for d in found[name][0].get('discriminators', {}).values() if 'auroc_discriminator' in d]
            best = max(known, key=lambda values: values['auroc_discriminator'], default={})
            inner = (_cell(best, key) for key in ('auroc_discriminator', 'auroc_together'))
            rows.append([*cells[:2], *cells[-1 - len(columns) : -1], *inner, cells[-1]])
        peaks = {d['auroc_peak'] for runs in found.values() for d in runs[0].get('discriminators', {}).values()}
        persons = next(iter(found.values()))[0]['sets'][PLAIN]['persons']
        parts += [
            f'{data[0].upper()}{data[1:]}, {persons:,} {scored_on(where, found)}: points of '
            'TorsoPCK@0.2 over the control, with 95 % intervals; AUROC of right against wrong joints by the '
            f"best discriminator, and by it together with the height of the map's peak{_range(peaks)}; CPU time of a "
            'step relative to the control.' + (f' {SEEN}' if where == HELD and not is_figures(found) else ''),
            format_table(['', 'seeds', *columns, 'AUROC', 'with the peak', 'CPU'], rows),
        ]
    if not parts:
        raise UsageError(f'{results}: no results of the control and of a recipe')
    write_section(page, 'adversarial-summary', '\n\n'.join(parts))


def _range(values: set[float]) -> str:
    """', which alone has 0.62 to 0.65', or nothing."""
    found = sorted({f'{value:.2g}' for value in values})
    return f', which alone has {" to ".join(dict.fromkeys((found[0], found[-1])))}' if found else ''
