"""Errors and calibration of the shipped models on the test persons of lspet-mini, for docs/trust.md.

For each model: the shares of error kinds; ECE, Brier score and AUROC of the scores and of probabilities that were
fitted on one half of the persons, measured on the other; the joints that it draws outside the image where persons are
cut by its edge; and how well occlusion is predicted under occluders. Cuts and occluders are the same in every run. The
first two models are compared with a paired bootstrap. Predictions are kept and taken up again:

    python benchmarks/trust.py --docs docs/trust.md

``--model NAME CONFIG CHECKPOINT`` adds a model that is not shipped, and ``--baseline NAME FILE`` the predictions of
another tool, as of ``benchmarks/peers.py --predictions``.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from mmengine.registry import init_default_scope

import posestructs  # noqa: F401
from posestructs.apis.shipped_models import ShippedModel, shipped_models
from posestructs.evaluation.calibration import auroc, average_precision, reliability, summary
from posestructs.evaluation.calibration_fit import hold_out
from posestructs.evaluation.error_anatomy import KINDS, torso_scale
from posestructs.evaluation.prediction_files import labels_of_dataset, match_predictions, read_predictions
from posestructs.evaluation.tables import format_table
from posestructs.utils.cli import load_config
from posestructs.utils.dataset_configs import build_dataset
from posestructs.utils.files import atomic_write

ROOT = Path(__file__).resolve().parents[1]
CUT = ('AUROC', 'false_at_95', 'false_at_90')
BEGIN, END = '<!-- numbers: benchmarks/trust.py -->', '<!-- end of numbers -->'


def run(tool: str, *args: object) -> None:
    """Run a tool of the project."""
    subprocess.run([sys.executable, str(ROOT / 'tools' / tool), *map(str, args)], check=True)


def measure(model: ShippedModel, folder: Path, options: list[str]) -> dict:
    """All numbers of one model."""
    val, test, fitted = folder / 'val.pkl', folder / 'test.pkl', folder / 'calibration.json'
    features = folder / 'features.json'
    flags = ['--cfg-options', *options] if options else []
    fit = 'analysis/fit_calibration.py', model.config, model.checkpoint
    if not (val.is_file() and features.is_file()):
        run(*fit, '--method', 'features', '--cut-persons', '--dump', val, '--out', features, *flags)
    run(*fit, '--pred', val, '--out', fitted, *flags)
    run('analysis/error_anatomy.py', val, '--config', model.config, '--names', model.name, '--out-dir', folder, *flags)
    if not test.is_file():
        run('test.py', model.config, model.checkpoint, '--dump', test, '--work-dir', folder / 'test', *flags)
    rows = json.loads((folder / 'anatomy.json').read_text())['models'][model.name]['rows']
    report, other = (json.loads(path.read_text())['report'] for path in (fitted, features))
    report |= {'from features': other['calibrated']} if 'calibrated' in other else {}
    found = dict(errors=rows, calibration=report, cut=other.get('present', {}))
    return dict(found, occlusion=occlusion(test), checkpoint=model.checkpoint.name)


def baseline(name: str, predictions: Path, config: Path, folder: Path, options: list[str]) -> dict:
    """Numbers of predictions that another tool wrote for the validation persons of a config."""
    flags = ['--cfg-options', *options] if options else []
    run('analysis/error_anatomy.py', predictions, '--config', config, '--names', name, '--out-dir', folder, *flags)
    rows = json.loads((folder / 'anatomy.json').read_text())['models'][name]['rows']
    cfg = load_config(str(config))
    cfg.merge_from_dict(dict(option.split('=', 1) for option in options))
    init_default_scope('mmpose')
    labels = labels_of_dataset(build_dataset(cfg, 'val'), 'the validation set')
    found = match_predictions(read_predictions(predictions), labels)
    pair = [labels.meta['keypoint_name2id'][joint] for joint in labels.meta['torso_pair']]
    size = torso_scale(labels.keypoints, labels.labelled, pair)[:, None]
    held = hold_out(labels.images, 0.5, 0)
    mask = labels.labelled & np.isfinite(size) & found.found[:, None] & held[:, None]
    right = np.linalg.norm(found.pred - labels.keypoints, axis=2) <= 0.2 * size
    return dict(errors=rows, calibration=dict(score=summary(found.scores[mask], right[mask])), cut={}, occlusion={})


def occlusion(dump: Path) -> dict[str, float]:
    """AUROC, average precision and ECE of the predicted occlusion; empty where a side is missing."""
    poses = read_predictions(dump)
    occluded, score = poses.labels.get('keypoints_occluded'), poses.fields.get('keypoints_occluded')
    if occluded is None or score is None:
        return {}
    known = poses.labels['labelled'] & (occluded >= 0)
    score, occluded = score[known], occluded[known] == 1
    if not occluded.any() or occluded.all():
        return {}
    ece = reliability(np.clip(score, 0, 1), occluded).ece()
    return dict(
        AUROC=auroc(score, occluded), AP=average_precision(score, occluded), ECE=ece, greatest=float(score.max())
    )


def tables(results: dict[str, dict], difference: dict | None) -> str:
    """Markdown of everything that was measured."""
    errors = [
        [name, *(f'{found["errors"]["all joints"]["percent"][kind]:.1f}' for kind in KINDS)]
        for name, found in results.items()
    ]
    keys = ('ECE', 'Brier', 'AUROC', 'PCK_of_trusted_50')
    scores = [
        [f'{name}, {kind}', *(f'{part[key]:.3f}' if key in part else '-' for key in keys)]
        for name, found in results.items()
        for kind, part in found['calibration'].items()
    ]
    hidden = [
        [name, *(f'{found["occlusion"][key]:.3f}' for key in ('AUROC', 'AP', 'ECE', 'greatest'))]
        for name, found in results.items()
        if found['occlusion']
    ]
    parts = [format_table(['% of joints', *KINDS], errors)]
    if difference is not None:
        first, second = list(results)[:2]
        rows = [[kind, *(f'{d[key]:+.1f}' for key in ('mean', 'low', 'high'))] for kind, d in difference.items()]
        parts += [f'{second} minus {first}, in points, with 95 % intervals:']
        parts += [format_table(['kind', 'difference', 'low', 'high'], rows)]
    parts += [
        format_table(['held-out persons', 'ECE', 'Brier', 'AUROC of wrong joints', 'right in the trusted half'], scores)
    ]
    cut = [
        [
            f'{name}, {kind}',
            *('-' if found['cut'][kind][key] is None else f'{found["cut"][kind][key]:.3f}' for key in CUT),
        ]
        for name, found in results.items()
        if found.get('cut')
        for kind in ('score', 'present')
    ]
    if cut:
        head = ['persons cut by the edge', 'AUROC of absent joints', 'absent drawn, 95 % of right kept', '90 % kept']
        parts += [format_table(head, cut)]
    if hidden:
        parts += [format_table(['occlusion', 'AUROC', 'average precision', 'ECE', 'greatest probability'], hidden)]
    return '\n\n'.join(parts)


def compare(names: list[str], models: dict[str, ShippedModel], folder: Path, options: list[str]) -> dict | None:
    """Difference of the first two models, or None where there is one."""
    if len(names) < 2:
        return None
    dumps = [folder / name / 'val.pkl' for name in names[:2]]
    flags = ['--cfg-options', *options] if options else []
    both = ['--names', *names[:2], '--out-dir', folder, '--worst', 0]
    run('analysis/error_anatomy.py', *dumps, '--config', models[names[0]].config, *both, *flags)
    return json.loads((folder / 'anatomy.json').read_text())['difference']


def write_docs(page: Path, text: str) -> None:
    """Replace the numbers of a page."""
    before, found, rest = page.read_text().partition(BEGIN)
    if not found or END not in rest:
        raise SystemExit(f'{page} has no {BEGIN} ... {END}')
    atomic_write(page, f'{before}{BEGIN}\n\n{text}\n\n{END}{rest.partition(END)[2]}'.encode())


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--models', nargs='+', help='names of shipped models; default: all, the first two are compared')
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/trust'), help='default: %(default)s')
    parser.add_argument('--out', type=Path, default=ROOT / 'benchmarks/results/trust.json')
    parser.add_argument('--docs', type=Path, help='page whose numbers are replaced, with images in images/')
    parser.add_argument('--cfg-options', nargs='+', default=[], metavar='KEY=VALUE', help='for all tools')
    parser.add_argument('--model', nargs=3, action='append', default=[], metavar=('NAME', 'CONFIG', 'CHECKPOINT'))
    parser.add_argument('--baseline', nargs=2, action='append', default=[], metavar=('NAME', 'FILE'))
    args = parser.parse_args()
    models = shipped_models()
    names = args.models or list(models)
    added = {name: ShippedModel(name, Path(config), Path(file), '') for name, config, file in args.model}
    models, names = models | added, [*names, *added]
    unknown = [name for name in names if name not in models]
    if unknown:
        raise SystemExit(f'--models {" ".join(unknown)}: allowed: {" ".join(models)}')
    results = {name: measure(models[name], args.work_dir / name, args.cfg_options) for name in names}
    difference = compare(names, models, args.work_dir, args.cfg_options)
    for name, file in args.baseline:
        config = models[names[0]].config
        results[name] = baseline(name, Path(file), config, args.work_dir / name, args.cfg_options)
    content = dict(models=results, difference=difference)
    atomic_write(args.out, (json.dumps(content, indent=1) + '\n').encode())
    text = tables(results, difference)
    print(f'\n{text}')
    if args.docs is not None:
        write_docs(args.docs, text)
        for plot in ('anatomy', 'calibration'):
            data = (args.work_dir / names[0] / f'{plot}.png').read_bytes()
            atomic_write(args.docs.parent / 'images' / f'trust_{plot}.png', data)


if __name__ == '__main__':
    main()
