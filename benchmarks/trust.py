"""Errors and calibration of the shipped models on the test persons of lspet-mini, for docs/trust.md.

For each model: the shares of error kinds; ECE, Brier score and AUROC of the scores and of probabilities that were
fitted on one half of the persons, measured on the other; the joints that it draws outside the image where persons are
cut by its edge; and how well occlusion is predicted under occluders. Cuts and occluders are the same in every run. The
first model is compared with another one by a paired bootstrap. Predictions are kept and taken up again:

    python benchmarks/trust.py --docs docs/trust.md

``--model NAME CONFIG CHECKPOINT`` adds a model that is not shipped, ``--baseline NAME FILE`` predictions for the same
persons, a dump or those of another tool, as of ``benchmarks/peers.py --predictions``, and ``--discriminator NAME FILE``
what ``tools/analysis/diagnose_discriminators.py --out`` or ``benchmarks/adversarial_recipes.py`` measured of one.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from mmengine.registry import init_default_scope

import posestructs  # noqa: F401  makes mmpose importable and registers every component

# isort: split
from benchmarks.raw_results import write_results
from benchmarks.trust_numbers import figures
from benchmarks.trust_numbers.measure import false_joints, limits, numbers, probabilities
from benchmarks.trust_numbers.models import ROOT, Predicted, predict, read_baseline, read_model
from benchmarks.trust_numbers.tables import tables
from posestructs.apis.shipped_models import ShippedModel, shipped_models
from posestructs.evaluation.error_anatomy import compare_kinds
from posestructs.evaluation.prediction_files import Labels, labels_of_dataset
from posestructs.utils import cli
from posestructs.utils.dataset_configs import build_dataset
from posestructs.utils.files import atomic_write
from posestructs.utils.images import BadImageError

BEGIN, END = '<!-- numbers: benchmarks/trust.py -->', '<!-- end of numbers -->'


def read_labels(config: Path, options: Mapping[str, Any]) -> Labels:
    """Labels of the validation persons of a config."""
    cfg = cli.load_config(str(config))
    cli.merge_options(cfg, dict(options))
    init_default_scope('mmpose')
    return labels_of_dataset(build_dataset(cfg, 'val'), 'the validation set')


def read_discriminator(file: Path) -> dict[str, float]:
    """Figures of the discriminator 'pose' of a file."""
    found = json.loads(file.read_text()).get('discriminators') or {}
    if 'pose' not in found:
        raise SystemExit(f'{file} has no discriminator pose, it has {list(found)}')
    return found['pose']


def measure(models: Mapping[str, Predicted], labels: Labels, other: str | None) -> dict[str, Any]:
    """Everything but the figures of discriminators; ``other`` is the model that the first is compared with."""
    first = next(iter(models))
    content: dict[str, Any] = dict(models={name: numbers(found, labels) for name, found in models.items()})
    if other is not None:
        kinds = [models[name].analysis.errors.kind for name in (other, first)]
        compared = compare_kinds(*kinds, group=list(map(str, labels.images)))
        content |= dict(compared=[first, other], difference={kind: d._asdict() for kind, d in compared.items()})
    content['limits'] = limits(models[first], labels)
    content['cut'] = false_joints(models, labels)
    return content


def write_docs(page: Path, text: str) -> None:
    """Replace the numbers of a page."""
    before, found, rest = page.read_text().partition(BEGIN)
    if not found or END not in rest:
        raise SystemExit(f'{page} has no {BEGIN} ... {END}')
    atomic_write(page, f'{before}{BEGIN}\n\n{text}\n\n{END}{rest.partition(END)[2]}'.encode())


def write_figures(folder: Path, models: Mapping[str, Predicted], labels: Labels, other: str | None) -> None:
    """Write the figures: bars of the first model, that it is compared with, and baselines; the rest for the first."""
    first = next(iter(models))
    shown = [name for name, found in models.items() if name in (first, other) or not found.checkpoint]
    figures.save_figure(figures.bars({name: models[name] for name in shown}), folder / 'trust_anatomy.webp')
    curves = figures.calibration(models[first], probabilities(models[first], labels))
    figures.save_figure(curves, folder / 'trust_calibration.webp')
    try:
        figures.save_photos(figures.examples(models[first], labels), folder / 'trust_errors.webp')
    except (BadImageError, ValueError) as error:
        print(f'no sheet of errors: {error}')


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--models', nargs='+', help='names of shipped models; default: all')
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/trust'), help='default: %(default)s')
    parser.add_argument('--out', type=Path, default=ROOT / 'benchmarks/results/trust.json')
    parser.add_argument('--docs', type=Path, help='page whose numbers are replaced, with images in images/')
    parser.add_argument('--cfg-options', nargs='+', action=cli.OptionAction, default={}, metavar='KEY=VALUE')
    parser.add_argument('--model', nargs=3, action='append', default=[], metavar=('NAME', 'CONFIG', 'CHECKPOINT'))
    parser.add_argument('--baseline', nargs=2, action='append', default=[], metavar=('NAME', 'FILE'))
    parser.add_argument('--compare', metavar='NAME', help='compare the first model with this; default: the second')
    parser.add_argument('--discriminator', nargs=2, action='append', default=[], metavar=('NAME', 'FILE'))
    return parser.parse_args()


def main() -> None:
    """Measure."""
    args = parse_args()
    known = shipped_models()
    names = args.models or list(known)
    added = {name: ShippedModel(name, Path(config), Path(file), '') for name, config, file in args.model}
    known, names = known | added, [*names, *added]
    unknown = [name for name in names if name not in known]
    if unknown:
        raise SystemExit(f'--models {" ".join(unknown)}: allowed: {" ".join(known)}')
    labels, models = read_labels(known[names[0]].config, args.cfg_options), {}
    for name in names:
        predict(known[name], args.work_dir / name, args.cfg_options)
        models[name] = read_model(known[name], args.work_dir / name, labels)
    models |= {name: read_baseline(Path(file), labels) for name, file in args.baseline}
    other = args.compare or (list(models)[1] if len(models) > 1 else None)
    if other is not None and other not in list(models)[1:]:
        raise SystemExit(f'--compare {other}, allowed: {" ".join(list(models)[1:])}')
    content = measure(models, labels, other)
    content['discriminators'] = {name: read_discriminator(Path(file)) for name, file in args.discriminator}
    write_results(args.out, content)
    text = tables(content)
    print(f'\n{text}')
    if args.docs is not None:
        write_docs(args.docs, text)
        write_figures(args.docs.parent / 'images', models, labels, other)


if __name__ == '__main__':
    main()
