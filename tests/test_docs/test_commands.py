"""Every command of README, pages and configs' READMEs runs in a copy of the checkout, or a reason is given.

They run to the letter, one after the other, as a reader would go on from page to page: what one leaves the next finds.
Only trainings and tests are shortened, by options that the shell's ``python`` adds: few images, small batches, as many
epochs as the config says. The recipes have a test of their own.
"""

from __future__ import annotations

import functools
import json
import re
import shutil
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from posestructs.datasets import StickFigureDataset
from tests.helpers import needs_data, repo_root
from tests.test_docs import check_docs

ROOT = repo_root()
PARTS = ('posestructs', 'configs', 'tools', 'demo', 'benchmarks', 'docs')
# without the tour, which comes first: others use what it has trained
PAGES = (
    'README.md',
    'CONTRIBUTING.md',
    *sorted(
        str(path.relative_to(ROOT))
        for pattern in ('docs/*.md', 'docs/*/*.md', 'configs/*/README.md')
        for path in ROOT.glob(pattern)
        if path.name != 'tour.md' and path.parent.name != 'recipes'
    ),
)
FEW = (
    *(f'{phase}_dataloader.dataset.indices={count}' for phase, count in (('train', 16), ('val', 4), ('test', 4))),
    'train_dataloader.batch_size=8',
    'default_hooks.checkpoint.interval=2',
    *(f'{phase}_dataloader.num_workers=0' for phase in ('train', 'val', 'test')),
    *(f'{phase}_dataloader.persistent_workers=False' for phase in ('train', 'val', 'test')),
)
SHORTENED = (
    'tools/train.py',
    'tools/test.py',
    'benchmarks/ablation.py',
    *(f'tools/analysis/{name}.py' for name in ('error_anatomy', 'fit_calibration', 'find_suspect_labels')),
)
PROGRAM = r'^(from|import) (posestructs\.apis|mmpose\.apis|onnx_pose)'

# a command, and why it is not run here
NOT_RUN = {
    r'make .*': '.ci/run calls it, or its own test does',
    r'pip .*|.*pip install.*': 'tests/test_setup.py installs',
    r'docker .*': 'there is no docker; tests/test_dockerfile.py reads the file',
    r'npm pack .*|mkdir -p data/movenet|.*(movenet_to_mmpose|peers|hard_persons|left_right_pilots)\.py.*'
    r'|.*train-peers.*'
    r'|python tools/train\.py .*movenet.*|(C=.*; )?python tools/test\.py .*td-hm_movenet.*': (
        "MoveNet's weights come from npm; tests/test_tools/test_movenet_to_mmpose.py fetches and converts them"
    ),
    r'\.venv/bin/python -m pytest .*': 'this is one of its tests',
    r'bash tools/(dist|slurm)_\w+\.sh .*|NNODES=.*|GPUS=.*': 'tests/test_tools starts several processes',
    r'.*\bwebcam\b.*': 'there is no camera',
    r'.*--det-model yolox_.*': 'detectors have to be fetched; tests/test_apis/test_person_detector.py builds some',
    r'python demo/web\.py.*': 'tests/test_apis starts the page',
    r'.*path/to/.*': "the reader's own data",
    r'.*(data/mpii|work_dirs/apn_4x512_mpii|apn_4x512_mpii-256x256\.py).*': 'MPII has to be fetched by hand',
    r'.*(_lsp-336x336|_lspet-256x256|_flic-448x448).*': 'LSP, LSP-extended and FLIC have to be fetched by hand',
    r'.*_efficientnet-lite0_.*': "needs ImageNet's weights, a package of its own; tests/test_configs trains a copy",
    r'.*\$CONFIG --resume': 'tests/test_tools resumes such a checkpoint',
    r'(B=.*lspet-mini.*|.*ablation\.py .*lspet-mini.*)': 'as the one with synthetic figures',
    r'python tools/deployment/latency\.py .*': 'torch.compile takes minutes; tests/test_tools runs it small',
    r'python benchmarks/accuracy\.py --budget .*': 'hours; tests/test_benchmarks runs it small',
    r'python benchmarks/adversarial_recipes\.py.*': 'hours; tests/test_benchmarks tests its parts',
    r'.*adversarial_posenet/recipes/.*|.*diagnose_discriminators\.py.*': (
        'minutes of training, or its checkpoint; tests/test_tools runs the tool small'
    ),
    r'(OMP_NUM_THREADS=1 )?python benchmarks/'
    r'(adversarial_step|label_thresholds|max_sum|message_passing|throughput|trust)\.py.*': (
        'minutes; tests/test_benchmarks runs it small'
    ),
}


def blocks(page: str) -> list[tuple[str, str]]:
    """Kind and text of a page's fenced blocks, and of other code in it."""
    return [(kind, text) for _, kind, text in check_docs.code(ROOT / page)]


def commands(block: str) -> Iterator[str]:
    """Lines of a shell block, with the assignments before them."""
    assignments: list[str] = []
    for line in block.replace('\\\n', ' ').splitlines():
        if re.fullmatch(r'[A-Z]\w*=(\S+|"[^"]*")', line):
            assignments.append(f'{line}; ')
        elif line.strip() and not line.startswith('#'):
            yield ''.join(assignments) + re.sub(r'\s+#.*|(?<=\s)\s+', '', line)


def reason(command: str) -> str | None:
    """Why a command is not run, if so."""
    return next((why for pattern, why in NOT_RUN.items() if re.fullmatch(pattern, command)), None)


@pytest.fixture(scope='module')
def checkout(environment_of, shell, tmp_path_factory):
    """A copy of the checkout with some images, where the tour has been followed; and what runs a command there."""
    folder = tmp_path_factory.mktemp('reader') / 'posestructs'
    leave = shutil.ignore_patterns('__pycache__', '_build', 'results')
    for part in PARTS:
        shutil.copytree(ROOT / part, folder / part, symlinks=True, ignore=leave)
    make_pictures(folder)
    env = dict(environment_of(folder))
    short = folder.parent / 'short'
    short.mkdir()
    cases = '|'.join(SHORTENED)
    (short / 'python').write_text(
        f'#!/bin/sh\ncase "$1 $*" in\n  *--cfg-options*) few="{" ".join(FEW)}";;\n'
        f'  *) few="--cfg-options {" ".join(FEW)}";;\nesac\n'
        f'case "$1" in\n  {cases}) set -- "$@" $few;;\nesac\nexec {shutil.which("python", path=env["PATH"])} "$@"\n'
    )
    (short / 'python').chmod(0o755)
    env['PATH'] = f'{short}:{env["PATH"]}'
    shutil.copytree(folder / 'tools' / 'deployment' / 'onnx_pose', folder / 'onnx_pose')  # as docs/export.md says
    run = functools.cache(lambda command: shell(command, folder, env))
    follow('docs/tour.md', folder, run)
    return folder, run


def make_pictures(folder: Path) -> None:
    """Files of a reader: an image, a folder of images, boxes and a video."""
    drawn = StickFigureDataset(num_samples=3, image_size=256)
    persons = [cv2.resize(drawn[i]['img'], (300, 300)) for i in range(3)]
    cv2.imwrite(str(folder / 'people.jpg'), persons[0])
    (folder / 'folder_of_images').mkdir()
    for i, image in enumerate(persons):
        cv2.imwrite(str(folder / 'folder_of_images' / f'{i}.jpg'), image)
    (folder / 'boxes.json').write_text(json.dumps({'0.jpg': [[10, 20, 110, 220]], '1.jpg': []}))
    film = cv2.VideoWriter(str(folder / 'film.mp4'), cv2.VideoWriter_fourcc(*'mp4v'), 5, (300, 300))
    for image in persons:
        film.write(np.ascontiguousarray(image))
    film.release()


def steps(page: str) -> list[tuple[str, str]]:
    """Steps of a page that are run, in order: its commands, and its Python that is no config."""
    found = []
    for kind, text in blocks(page):
        if kind == 'bash':
            found += [(kind, command) for command in commands(text) if reason(command) is None]
        elif kind == 'python' and re.search(PROGRAM, text, re.MULTILINE):
            found.append((kind, text))
    return found


def follow(page: str, folder: Path, run: Callable[[str], str]) -> None:
    """Run a page's steps, unless a page before has the same."""
    for kind, text in steps(page):
        if kind == 'python':
            name = f'snippet_{zlib.crc32(text.encode()):x}.py'
            (folder / name).write_text(text)
            text = f'python {name}'
        run(text)


def test_reasons_are_for_commands_that_are_there():
    shells = [text for page in PAGES for kind, text in blocks(page) if kind == 'bash']
    listed = [command for text in shells for command in commands(text)]
    for pattern in NOT_RUN:
        assert any(re.fullmatch(pattern, command) for command in listed), f'no page has a command like {pattern}'
    assert len([command for command in listed if reason(command) is None]) > 30


@pytest.mark.slow
def test_the_tour_leaves_pictures(checkout):
    folder, _ = checkout
    data = 'stick-figure-64x64'
    for pattern, count in (
        (f'browse/sfl-separable_gen64_{data}/train_pipeline/*.png', 8),
        (f'messages/sfl-separable_gen64_{data}/*.png', 1),
        (f'heatmaps/apn_2x56_{data}/*.png', 8),
    ):
        images = sorted(folder.glob(f'work_dirs/{pattern}'))
        assert len(images) == count and all(np.ptp(cv2.imread(str(path))) > 100 for path in images)


@pytest.mark.slow
@needs_data
@pytest.mark.parametrize('page', [page for page in PAGES if steps(page)])
def test_commands_run(page, checkout):
    follow(page, *checkout)
