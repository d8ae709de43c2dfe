"""The demo on a few figures: its photographs, comparison and images, and what a whole run leaves."""

import json
import re
import subprocess
import sys

import cv2
import numpy as np
import pytest

from tests.helpers import repo_root

ROOT = repo_root()
PHOTOS = ROOT / 'demo' / 'images'
CONFIG = ROOT / 'configs' / 'demo' / 'sfl-separable_res18-stage1_easy-figure-64x64.py'
SMALL = [f'{part}_dataloader.dataset.num_samples={n}' for part, n in (('train', 64), ('test', 32))]


@pytest.fixture(scope='module')
def report():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / 'tools' / 'misc'))
        import demo_report

        yield demo_report


@pytest.fixture(scope='module')
def trained(report, main, tmp_path_factory):
    """The first two models after two batches."""
    models = []
    for name in ('baseline', 'structured'):
        folder = tmp_path_factory.mktemp(name)
        config = CONFIG.with_name(CONFIG.stem + ('_none.py' if name == 'baseline' else '.py'))
        tail = ['--work-dir', folder, '--cfg-options', *SMALL, 'train_cfg.max_epochs=1', 'param_scheduler.1.end=1']
        main('train.py', config, '--no-validate', *tail)
        files = folder / 'metrics.json', folder / 'predictions.pkl'
        main('test.py', config, folder / 'epoch_1.pth', '--out', files[0], '--dump', files[1], *tail)
        models.append(report.Trained(name, config, *map(report.load, files), 0.5))
    return models


def test_the_models_differ_in_their_messages_only(trained):
    both, none = (model.config for model in reversed(trained))
    from mmengine.config import Config

    both, none = Config.fromfile(both), Config.fromfile(none)
    assert none.model.neck.pop('direction') == 'none' and 'direction' not in both.model.neck
    assert both.to_dict() == none.to_dict()
    for key in ('activities', 'max_yaw', 'scale', 'occluder_prob'):
        assert both.train_dataloader.dataset[key] == both.test_dataloader.dataset[key]


def test_the_comparison_is_of_the_metric_in_the_table(report, trained):
    first, second = trained
    difference = report.compare(first, second)
    key = 'TorsoPCK@0.2'
    assert difference.mean == pytest.approx(second.metrics[key] - first.metrics[key], abs=1e-6)
    assert difference.low <= difference.mean <= difference.high
    header, _, *rows = report.metric_table(trained).splitlines()
    cells = [[cell.strip() for cell in line.strip('|').split('|')] for line in (header, *rows)]
    assert [row[0] for row in cells] == ['model', 'baseline', 'structured']
    for row, model in zip(cells[1:], trained, strict=True):
        assert row[1] == f'{model.metrics[key]:.1f}' and row[-1] == '0.5'


@pytest.mark.parametrize(
    ('difference', 'words'),
    [
        ((8.0, 6.5, 9.5), '66.0 %.*58.0 %.*That is 8.0 points more .95 % interval 6.5 to 9.5; one run each'),
        ((-8.0, -9.5, -6.5), 'That is 8.0 points fewer .95 % interval 6.5 to 9.5'),
        ((0.5, -0.5, 1.5), r'The difference of \+0.5 points may be chance .95 % interval -0.5 to \+1.5'),
    ],
)
def test_the_last_line_says_what_was_shown(report, difference, words):
    low, high = (
        report.Trained(name, CONFIG, {'TorsoPCK@0.2': value}, [{}] * 500, 1.0)
        for name, value in (('baseline', 58.0), ('structured', 66.0))
    )
    assert re.search(f'On 500 unseen figures.*{words}', report.explain(low, high, report.Difference(*difference)))


def test_figures_are_drawn_with_labels_and_predictions(report, trained):
    sheet = report.draw_figures(trained, persons=4)
    tile, gap, title = report.TILE, 4, 20
    assert sheet.shape[1] == gap + 2 * (3 * tile + 4 * gap + gap)
    row = sheet[2 * gap + title :][:tile]
    tiles = [row[:, 2 * gap + i * (tile + gap) :][:, :tile] for i in range(3)]
    info = report.test_set(trained[0]).get_data_info(0)
    plain = cv2.resize(info['img'], (tile, tile))[..., ::-1].astype(int)
    for image in tiles:  # the same figure, with different joints on it
        assert 0.005 < (np.abs(image - plain).max(-1) > 60).mean() < 0.6
    assert all((a != b).any() for a, b in zip(tiles, tiles[1:], strict=False))


def test_photographs_and_results_side_by_side(report, tmp_path):
    rng = np.random.default_rng(0)
    sizes = dict(wide=(100, 200), tall=(100, 60), small=(50, 30))
    for name, size in sizes.items():
        for folder, value in (('in', 40), ('out', 200)):
            (tmp_path / folder).mkdir(exist_ok=True)
            image = np.full((*size, 3), value, np.uint8) + rng.integers(0, 5, (*size, 3), dtype=np.uint8)
            cv2.imwrite(str(tmp_path / folder / f'{name}.png'), image)
    sheet = report.draw_photos([tmp_path / 'in' / f'{name}.png' for name in sizes], tmp_path / 'out')
    assert sheet.shape[1] == report.SHEET_WIDTH
    # the wide pair fills a row, the others share one
    line = sheet[sheet.shape[0] // 4].mean(-1)
    assert (line[30:430] < 60).all() and (line[-400:-30] > 180).all()
    line = sheet[-20].mean(-1)
    assert (np.diff((line > 120).astype(int)) == 1).sum() == 2


def test_every_photograph_has_a_box_inside_it_and_a_licence():
    boxes = json.loads((PHOTOS / 'boxes.json').read_text())
    photos = {path.name for path in PHOTOS.glob('*.jpg')}
    assert set(boxes) == photos
    page = (PHOTOS / 'README.md').read_text()
    for name, persons in boxes.items():
        path = PHOTOS / name
        assert path.stat().st_size < 60_000 and f'| `{name}` |' in page
        height, width = cv2.imread(str(path)).shape[:2]
        for x1, y1, x2, y2 in persons:
            assert 0 <= x1 < x2 <= width and 0 <= y1 < y2 <= height


def test_the_first_image_of_the_readme_is_what_the_shipped_model_finds(report, tmp_path):
    from posestructs.apis import PoseInferencer

    boxes = json.loads((PHOTOS / 'boxes.json').read_text())
    photos = [PHOTOS / name for name in boxes]
    list(PoseInferencer()([str(path) for path in photos], bboxes=boxes, out_dir=tmp_path))
    drawn = report.draw_photos(photos, tmp_path / 'visualizations').astype(int)
    committed = cv2.imread(str(ROOT / 'docs' / 'images' / 'shipped_model.webp'))[..., ::-1].astype(int)
    assert committed.shape == drawn.shape, 'make it anew: demo/images/README.md says how'
    # what JPEG changes, and joints that move by a fraction of a pixel on another machine
    assert (np.abs(committed - drawn).max(-1) > 80).mean() < 0.005, 'make it anew: demo/images/README.md says how'


def demo(*arguments):
    call = [sys.executable, 'tools/misc/demo.py', *map(str, arguments)]
    return subprocess.run(call, cwd=ROOT, capture_output=True, text=True, timeout=500)


@pytest.mark.slow
def test_it_shows_photographs_and_sets_the_models_side_by_side(tmp_path):
    folder, names = tmp_path / 'demo', ('baseline', 'structured', 'adversarial', 'hybrid')
    small = [
        *SMALL,
        *(
            f'{part}_dataloader.{key}'
            for part in ('train', 'test')
            for key in ('num_workers=0', 'persistent_workers=False')
        ),
    ]
    done = demo('--work-dir', folder, '--persons', 4, '--models', *names, '--cfg-options', *small)
    assert done.returncode == 0, done.stdout + done.stderr
    for name in ('photos.webp', 'predictions.webp', 'metrics.md'):
        assert str(folder / name) in done.stdout
    # photographs come first
    assert done.stdout.index('photos.webp') < done.stdout.index('tools/train.py')
    assert len(list((folder / 'photos' / 'visualizations').glob('*.jpg'))) == len(list(PHOTOS.glob('*.jpg')))

    table = (folder / 'metrics.md').read_text().strip()
    assert table in done.stdout
    rows = [[cell.strip() for cell in line.strip('|').split('|')] for line in table.splitlines()]
    assert tuple(row[0] for row in rows[2:]) == names
    for name, *cells in rows[2:]:
        metrics = json.loads((folder / name / 'metrics.json').read_text())
        assert cells[:-1] == [f'{metrics[key]:.1f}' if key in metrics else '-' for key in rows[0][1:-1]]
    sheet = cv2.imread(str(folder / 'predictions.webp'))
    assert sheet.shape[1] > 2 * 5 * 128  # two figures a row, each with labels and once for each model
    last = done.stdout.strip().splitlines()[-1]
    assert last.startswith('On 32 unseen figures Adversarial PoseNet with messages places ')


@pytest.mark.slow
def test_a_run_that_fails_is_named(tmp_path):
    done = demo('--models', 'structured', '--work-dir', tmp_path, '--cfg-options', 'model.type=NoSuchModel')
    assert done.returncode != 0
    for part in ('structured: python tools/train.py', 'NoSuchModel', str(tmp_path / 'structured')):
        assert part in done.stderr
