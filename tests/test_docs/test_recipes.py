"""The recipes are followed to the letter: files written, commands run in a shell, what they print compared.

A ``python`` block is the file that its first line names, a ``bash`` block is run as it stands, a ``text`` block is what
the commands before it print (``...`` stands for anything, as in a doctest; lines may have more around them). Commands
in ``console`` blocks are trainings of hours: that they are those of a ``bash`` block, less its options, is all that is
looked at.
"""

from __future__ import annotations

import csv
import importlib.util
import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import pytest
import torch

from posestructs.datasets import StickFigureDataset
from posestructs.structures.metainfo import load_metainfo
from tests.helpers import needs_data, repo_root
from tests.test_docs import check_docs

RECIPES = repo_root() / 'docs' / 'recipes'
NAMES = (
    'backbone',
    'skeleton',
    'discriminator',
    'dataset',
    'labels',
    'existing-config',
    'published-checkpoint',
    'early-stopping',
)


class Block(NamedTuple):
    """A fenced block."""

    kind: str
    text: str

    @property
    def path(self) -> str:
        """Of a file: what its first line names."""
        return re.match(r'# (\S+\.py)\n', self.text)[1]


def blocks(name: str) -> list[Block]:
    found = check_docs.code(RECIPES / f'{name}.md')
    return [Block(kind, text) for _, kind, text in found if kind != 'inline']


@pytest.fixture(scope='module')
def environment(environment_of):
    return environment_of(repo_root())


@pytest.fixture
def follow(environment, shell, tmp_path):
    """Do all that a recipe says; its folder and what each ``bash`` block printed."""

    def follow(name: str) -> tuple[Path, list[str]]:
        printed: list[str] = []
        for block in blocks(name):
            if block.kind == 'python':
                file = tmp_path / block.path
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(block.text)
            elif block.kind == 'bash':
                printed.append(shell(block.text, tmp_path, environment))
            elif block.kind == 'text':
                assert_prints(printed[-1], block.text)
        return tmp_path, printed

    return follow


def assert_prints(printed: str, expected: str) -> None:
    """Each line is found in the output, in this order."""
    start = 0
    for line in expected.splitlines():
        pattern = re.escape(line.strip()).replace(r'\.\.\.', r'[^\n]*')
        found = re.compile(pattern).search(printed, start)
        assert found, f'{line!r} is not printed, or not after the line before it:\n{printed}'
        start = found.end()


def logged(work_dir: Path) -> list[dict]:
    """Logged values of a run, checked to be numbers."""
    (file,) = work_dir.glob('*/vis_data/scalars.json')
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    assert all(math.isfinite(value) for row in rows for value in row.values())
    assert any('loss' in row for row in rows)
    return rows


def checkpoint(work_dir: Path, epoch: int) -> dict:
    return torch.load(work_dir / f'epoch_{epoch}.pth', weights_only=True)


def assert_moved(work_dir: Path, prefix: str) -> None:
    """All weights below a prefix are others after the second epoch than after the first."""
    before, after = (checkpoint(work_dir, epoch)['state_dict'] for epoch in (1, 2))
    names = [name for name in before if name.startswith(prefix)]
    assert names and not [name for name in names if torch.equal(before[name], after[name])]


def commands(script: str) -> Iterator[str]:
    """Lines of a script that begin a command, without the `$` of a console."""
    for line in script.splitlines():
        if line.removeprefix('$ ').startswith('python '):
            yield line.removeprefix('$ ')


def test_pages_are_complete():
    index = (RECIPES / 'index.md').read_text()
    listed = re.search(r'```\{toctree\}.*?\n\n(.*?)\n```', index, re.DOTALL)[1].split()
    assert listed == list(NAMES) == [n for n in NAMES if f']({n}.md)' in index]
    assert {path.stem for path in RECIPES.glob('*.md')} == {'index', *NAMES}
    for name in NAMES:
        page = blocks(name)
        assert len({block.path for block in page if block.kind == 'python'}) > 0
        assert {block.kind for block in page} - {'xml'} == {'python', 'bash', 'text', 'console'}
        tried = [command for block in page if block.kind == 'bash' for command in commands(block.text)]
        for command in (c for block in page if block.kind == 'console' for c in commands(block.text)):
            assert any(other.startswith(f'{command} ') for other in tried), f'{name}: {command} is tried nowhere'


@pytest.mark.slow
@pytest.mark.xdist_group('recipe-own_backbone')
def test_own_backbone(follow):
    project, _ = follow('backbone')
    for work_dir, others in (('try_sfl', {'neck', 'head'}), ('try_apn', {'head', 'discriminators'})):
        rows = logged(project / 'work_dirs' / work_dir)
        assert 'TorsoPCK@0.2' in rows[-1]
        weights = checkpoint(project / 'work_dirs' / work_dir, 1)['state_dict']
        assert {name.partition('.')[0] for name in weights} == {'backbone'} | others
        assert weights['backbone.blocks.5.layers.0.weight'].shape == (48, 1, 3, 3)


@pytest.mark.slow
@pytest.mark.xdist_group('recipe-own_skeleton')
def test_own_skeleton(follow):
    project, _ = follow('skeleton')
    columns = set(logged(project / 'work_dirs' / 'try')[-1])
    assert any('wrist' in column for column in columns) and not any('knee' in column for column in columns)
    weights = checkpoint(project / 'work_dirs' / 'try', 1)['state_dict']
    assert weights['neck.up.kernels.0'].shape[0] == 11  # edges of 12 parts
    assert weights['head.prediction.weight'].shape[0] == 12


@pytest.mark.slow
@pytest.mark.xdist_group('recipe-own_discriminator')
def test_own_discriminator(follow):
    project, _ = follow('discriminator')
    for work_dir, expected in (('try', {'pose', 'confidence', 'limbs'}), ('try_only', {'limbs'})):
        folder = project / 'work_dirs' / work_dir
        assert 'TorsoPCK@0.2' in logged(folder)[-1]
        assert_moved(folder, 'discriminators.limbs.')
        names = checkpoint(folder, 2)['state_dict']
        assert {name.split('.')[1] for name in names if name.startswith('discriminators.')} == expected


@pytest.mark.slow
@pytest.mark.xdist_group('recipe-own_data_set')
def test_own_data_set(follow, shell, environment):
    project, _ = follow('dataset')
    images = sorted((project / 'work_dirs' / 'look').glob('*.png'))
    assert len(images) == 4 and all(cv2.imread(str(drawing)) is not None for drawing in images)
    rows = logged(project / 'work_dirs' / 'try')
    assert 'TorsoPCK@0.2' in rows[-1] and any('loss_adv_pose' in row for row in rows)
    assert any(key.startswith('occluded/') for key in rows[-1])
    with open(project / 'data' / 'climbers' / 'val.csv') as file:
        assert len(list(csv.DictReader(file))) == 16

    rows = logged(project / 'work_dirs' / 'try_unlabelled')
    assert 'TorsoPCK@0.2' in rows[-1] and not any(key.startswith('occluded/') for key in rows[-1])
    assert any(row.get('loss_occlusion', 0) > 0 for row in rows)  # of the occluders

    spec = importlib.util.spec_from_file_location('my_datasets', project / 'my_datasets.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    root = str(project / 'data' / 'climbers')
    read = module.ClimberDataset('val.csv', data_root=root, data_prefix=dict(img='images'), test_mode=True)
    drawn = StickFigureDataset(num_samples=16, start_index=32, image_size=128)
    for i in range(16):
        np.testing.assert_allclose(read[i]['keypoints'], drawn[i]['keypoints'], atol=0.006)
        for key in ('keypoints_visible', 'keypoints_occluded'):
            np.testing.assert_array_equal(read[i][key], drawn[i][key])

    # the page promises that forgotten evaluators are reported before the first step
    forgetful = "_base_ = './apn_climbers_unlabelled.py'\nval_evaluator = [*_base_.val_evaluator, dict(SPLIT)]\n"
    forgetful += 'test_evaluator = val_evaluator\n'
    forgetful = forgetful.replace('SPLIT', "type='OcclusionSplitPCK', base=dict(type='TorsoPCK', thr=0.2)")
    (project / 'configs' / 'forgetful.py').write_text(forgetful)
    weights = 'work_dirs/try_unlabelled/epoch_1.pth'
    for part, command in dict(val='train configs/forgetful.py', test=f'test configs/forgetful.py {weights}').items():
        printed = shell(f'! python -m posestructs {command}', project, environment)
        assert f'error: {part}_evaluator has OcclusionSplitPCK' in printed and 'Traceback' not in printed
        assert 'Epoch(' not in printed


@pytest.mark.slow
@pytest.mark.xdist_group('recipe-own_labels')
def test_own_labels(follow):
    project, _ = follow('labels')
    figures = StickFigureDataset(num_samples=16, image_size=128)
    names = list(figures.metainfo['keypoint_id2name'].values())
    for tool, tolerance in (('studio', 0.51), ('cvat', 0.01)):
        found, occluded = {}, 0
        for split in ('train', 'val'):
            content = json.loads((project / 'data' / tool / f'{split}.json').read_text())
            assert content['categories'][0]['keypoints'] == names
            files = {image['id']: image['file_name'] for image in content['images']}
            found |= {files[ann['image_id']][-8:]: ann for ann in content['annotations']}
        assert len(found) == len({ann['id'] for ann in found.values()}) == 16
        for i, figure in enumerate(figures):
            ann = found[f'{i:04d}.png']
            joints = np.reshape(ann['keypoints'], (-1, 3))
            labelled = figure['keypoints_visible'][0] > 0
            np.testing.assert_array_equal(joints[:, 2] > 0, labelled)
            np.testing.assert_allclose(joints[labelled, :2], figure['keypoints'][0][labelled], atol=tolerance + 1e-3)
            assert (joints[~labelled] == 0).all() and ann['num_keypoints'] == labelled.sum()
            x, y, width, height = ann['bbox']
            assert (joints[labelled, :2] > (x, y)).all() and (joints[labelled, :2] < (x + width, y + height)).all()
            occluded += (joints[:, 2] == 1).sum()
        assert (occluded > 0) == (tool == 'cvat')
    assert 'TorsoPCK@0.2' in logged(project / 'work_dirs' / 'try')[-1]


@pytest.fixture
def imported(tmp_path, monkeypatch, capsys):
    """Run the page's import on an export of five images with one person each."""
    script = {block.path: block.text for block in blocks('labels') if block.kind == 'python'}['import_labels.py']
    module = {'__name__': 'import_labels'}
    exec(compile(script, 'import_labels.py', 'exec'), module)
    names = list(load_metainfo(dict(from_file='lsp.py'))['keypoint_name2id'])
    monkeypatch.chdir(tmp_path)
    for i in range(5):
        (tmp_path / f'{i}.png').touch()

    def imported(count=5, **changes):
        content = dict(
            images=[dict(id=i, file_name=f'{i}.png', width=64, height=64) for i in range(count)],
            annotations=[dict(id=i, image_id=i, category_id=1, keypoints=[9, 9, 2] * 14) for i in range(count)],
            categories=[dict(id=1, name='person', keypoints=names[::-1])],
        )
        (tmp_path / 'export.json').write_text(json.dumps(content | changes))
        module['main']('export.json', '.', 'lsp.py', 'out')
        return capsys.readouterr().out, json.loads((tmp_path / 'out' / 'val.json').read_text())

    return imported


def test_import_of_labels_with_other_categories(imported):
    names = list(load_metainfo(dict(from_file='lsp.py'))['keypoint_name2id'])
    dog, person = dict(id=2, name='dog', keypoints=['nose', 'tail']), dict(id=1, name='person', keypoints=names)
    printed, content = imported(categories=[dog, person])
    assert 'category dog is ignored, its joints are others: nose, tail' in printed
    assert len(content['annotations']) == 1
    for categories in ([dog], []):
        with pytest.raises(SystemExit, match='export.json: no category has the joints of lsp.py') as stop:
            imported(categories=categories)
        assert ('nose' in str(stop.value)) == bool(categories)


def test_import_of_labels_of_local_storage(imported):
    for prefix in ('/data/local-files/?d=', '/data/local-files/?d=a/', 'images/'):
        images = [dict(id=i, file_name=f'{prefix}{i}.png', width=64, height=64) for i in range(5)]
        assert [image['file_name'] for image in imported(images=images)[1]['images']] == ['3.png']


def test_import_of_too_few_labels(imported, tmp_path):
    with pytest.raises(SystemExit, match='export.json: 3 images with labelled joints, needed: at least 4'):
        imported(count=3)
    empty = [dict(id=i, image_id=i, category_id=1, keypoints=[]) for i in range(5)]
    with pytest.raises(SystemExit, match='export.json: 0 images with labelled joints, needed: at least 4'):
        imported(annotations=empty)
    assert not (tmp_path / 'out').exists()


@pytest.mark.slow
@pytest.mark.xdist_group('recipe-early_stopping')
def test_early_stopping(follow):
    project, _ = follow('early-stopping')
    rows = logged(project / 'work_dirs' / 'try')
    # the first validation is the best, and two more are waited for
    assert sum('TorsoPCK@0.2' in row for row in rows) == 3
    (best,) = (project / 'work_dirs/try').glob('best_TorsoPCK@0.2_epoch_*.pth')
    assert torch.load(best, weights_only=True)['meta']['epoch'] in (1, 2, 3)


@pytest.mark.slow
@pytest.mark.xdist_group('recipe-existing_config')
@needs_data
def test_existing_config(follow):
    project, printed = follow('existing-config')
    assert not re.search('unexpected key|missing keys|size mismatch', printed[-1])
    assert 'coco/AP' in json.loads((project / 'metrics.json').read_text())
    logged(project / 'work_dirs' / 'try')
    trained = checkpoint(project / 'work_dirs' / 'try', 1)
    for name in ('generator', 'pose', 'confidence'):
        state = trained['optimizer'][name]['state']
        assert {int(values['step']) for values in state.values()} == {2}
        assert any(values['exp_avg'].abs().sum() > 0 for values in state.values())
    names = torch.load(project / 'res50.pth', weights_only=True)['state_dict']
    assert names and not any(name.startswith('discriminators.') for name in names)


@pytest.mark.slow
@pytest.mark.xdist_group('recipe-published_checkpoint')
@needs_data
def test_published_checkpoint(follow):
    project, printed = follow('published-checkpoint')
    assert not re.search('unexpected key|size mismatch|not of this model', printed[-1])
    for name, frozen, trained in (
        ('hrnet', r'backbone\.(conv|layer1|stage[23])', 'backbone.stage4.0.branches.0.0.conv1.weight'),
        ('rtmpose', r'backbone\.(stem|stage[123])\.', 'backbone.stage4.0.conv.weight'),
    ):
        before = torch.load(project / f'{name}.pth', weights_only=True)['state_dict']
        after = checkpoint(project / 'work_dirs' / f'try_{name}', 1)['state_dict']
        assert before.keys() < after.keys()
        assert {key.partition('.')[0] for key in after.keys() - before.keys()} == {'neck'}
        kept = [key for key in before if re.match(frozen, key)]
        assert len(kept) > 50 and all(torch.equal(before[key], after[key]) for key in kept)
        assert after['neck.fuse.weight'].abs().max() > 0 and not torch.equal(before[trained], after[trained])
