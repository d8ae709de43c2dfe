"""Markdown of ``benchmarks/trust.py``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from benchmarks.trust_numbers.measure import CUTS, DRAWN, MIRRORED
from posestructs.evaluation.error_anatomy import KINDS
from posestructs.evaluation.tables import format_table

SCORES = {
    'ECE': 'ECE',
    'Brier': 'Brier',
    'AUROC': 'AUROC of wrong joints',
    'PCK_of_trusted_50': 'right in the trusted half',
}
HIDDEN = {'AUROC': 'AUROC', 'AP': 'average precision', 'ECE': 'ECE', 'greatest': 'greatest probability'}
JUDGES = {'auroc_discriminator': 'P alone', 'auroc_peak': 'peak of the map', 'auroc_together': 'both'}


def tables(content: Mapping[str, Any]) -> str:
    """Markdown of everything that was measured.

    Args:
        content: Content of the result file.

    Returns:
        str: Paragraphs and tables.
    """
    return '\n\n'.join(_parts(content))


def _parts(content: Mapping[str, Any]) -> Iterator[str]:
    models = content['models']
    yield '**Kinds of errors.** All labelled joints of all persons.'
    shares = {name: found['errors']['all joints']['percent'] for name, found in models.items()}
    yield format_table(['% of joints', *KINDS], [[name, *(f'{s[k]:.1f}' for k in KINDS)] for name, s in shares.items()])
    if content.get('difference'):
        first, second = content['compared']
        yield f'What {first} gains over {second}, in points, with 95 % intervals of a paired bootstrap over the images:'
        rows = [[kind, *(f'{d[k]:+.1f}' for k in ('mean', 'low', 'high'))] for kind, d in content['difference'].items()]
        yield format_table(['kind', 'difference', 'low', 'high'], rows)
    yield (
        '**Scores and probabilities.** Persons that no calibration was fitted on; *calibrated* is a Platt curve for '
        'each joint, *from features* is `--method features`.'
    )
    yield format_table(
        ['held-out persons', *SCORES.values()],
        [
            [f'{name}, {kind}', *(_number(part.get(key)) for key in SCORES)]
            for name, found in models.items()
            for kind, part in found['calibration'].items()
        ],
    )
    yield from _limits(content)
    yield from _discriminators(content)
    hidden = [
        [name, *(_number(found['occlusion'][key]) for key in HIDDEN)]
        for name, found in models.items()
        if found['occlusion']
    ]
    if hidden:
        yield '**Occlusion.** Persons under occluders that are the same in every run.'
        yield format_table(['occlusion', *HIDDEN.values()], hidden)
    yield from _cut(content)


def _limits(content: Mapping[str, Any]) -> Iterator[str]:
    found = content.get('limits')
    if not found:
        return
    yield f'**Where the AUROC is lost.** {next(iter(content["models"]))}, the same held-out persons:'
    head = ['AUROC of wrong joints', 'score', 'from features']
    yield format_table(head, [[name, *map(_number, row.values())] for name, row in found['auroc'].items()])
    share = '-' if found['mirrored_inversions'] is None else f'{100 * found["mirrored_inversions"]:.0f} %'
    yield (
        f'*Mirrored persons* are those whose prediction is closer to the labels with left and right exchanged, by more '
        f'than {MIRRORED:g} torsos on average: {100 * found["mirrored_persons"]:.0f} % of the persons, with {share} of '
        'the inversions.'
    )
    yield 'Other regressions on the same features:'
    yield format_table(['', 'AUROC of wrong joints'], [[name, _number(value)] for name, value in found['fits'].items()])


def _discriminators(content: Mapping[str, Any]) -> Iterator[str]:
    found = content.get('discriminators')
    if not found:
        return
    yield '**P as a source.** AUROC of wrong joints on persons that P was not trained on:'
    rows = [[name, *(_number(part.get(key)) for key in JUDGES)] for name, part in found.items()]
    yield format_table(['discriminator', *JUDGES.values()], rows)


def _cut(content: Mapping[str, Any]) -> Iterator[str]:
    found = content.get('cut')
    if not found:
        return
    yield (
        '**Cut persons.** Each person is cut either at the waist or at the side. All thresholds are such that equally '
        f'many of the joints in the image are drawn at the right place: as many as the first model draws with a score '
        f'of at least {DRAWN:g}.'
    )
    rows = [[name, *(_percent(row.get(kind)) for kind in CUTS)] for name, row in found.items()]
    yield format_table(['absent joints that are drawn', 'at the waist', 'at the side', 'both'], rows)


def _number(value: float | None) -> str:
    return '-' if value is None else f'{value:.3f}'


def _percent(value: float | None) -> str:
    return '-' if value is None else f'{100 * value:.1f} %'
