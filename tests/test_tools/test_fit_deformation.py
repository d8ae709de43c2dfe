"""The real command on the real annotations, against the same computed from the files by hand."""

import subprocess
import sys

import cv2
import h5py
import numpy as np
import pytest
from scipy.io import loadmat
from sklearn.cluster import KMeans

from posestructs.structures import Deformation, build_tree
from tests.helpers import data_root, needs_data, repo_root

TOOL = repo_root() / 'tools' / 'analysis' / 'fit_deformation.py'
MIRROR = np.array([-1, 1])

LSP = """
custom_imports = dict(imports=['posestructs'], allow_failed_imports=False)
default_scope = 'mmpose'
codec = dict(type='PartScoreMap', tree=dict(from_file='lsp-26.py'), deformation='not there yet.json')
pipeline = [
    dict(type='LoadVerifiedImage'),
    dict(type='GetBBoxCenterScale', padding=1.5),
    dict(type='RandomFlip', prob=0.5),
    dict(type='RandomBBoxTransform', rotate_factor=180, rotate_prob=1.0, scale_prob=0, shift_prob=0),
    dict(type='TopdownAffine', input_size=(96, 128)),
    dict(type='RandomOccluder', prob=1.0),
    dict(type='GenerateTarget', encoder=codec),
    dict(type='PackPoseInputs'),
]
train_dataloader = dict(batch_size=2, dataset=dict(
    type='LSPDataset', data_root={root!r}, ann_file='joints_pc_oc.mat', split='train', centric='observer',
    pipeline=pipeline))
"""


@pytest.fixture
def config(tmp_path):
    path = tmp_path / 'my_lsp.py'
    path.write_text(LSP.format(root=str(data_root() / 'lsp-annotations')))
    return path


@pytest.fixture
def fit(main, tmp_path, monkeypatch, capsys):
    """Run the tool's own main in this process, in a folder of its own."""
    monkeypatch.chdir(tmp_path)

    def run(config, *flags):
        capsys.readouterr()
        main('analysis/fit_deformation.py', config, *flags)
        return capsys.readouterr().out

    return run


def lsp_crops():
    """(1000, 14, 2) joints in crops of 3 : 4 whose longer side is 1, straight from the file."""
    content = loadmat(data_root() / 'lsp-annotations' / 'joints_pc_oc.mat')['oc_joints']
    joints = content[:2].transpose(2, 1, 0)[:1000].astype(np.float64)
    low, high = joints.min(axis=1), joints.max(axis=1)
    width, height = (1.5 * (high - low)).T
    side = np.maximum(height, width * 4 / 3)
    return (joints - ((low + high) / 2)[:, None]) / side[:, None, None]


@needs_data
def test_types_of_lsp_are_those_of_its_file(fit, config, tmp_path):
    """Left lower arm: K-means by hand over both wrists, in the crops that mmpose's formulas give."""
    out = fit(config, '--num-types', 3, '--restarts', 10)
    path = tmp_path / 'work_dirs' / 'deformation' / 'my_lsp.json'
    assert '1000 persons; steps of the pipeline left out: LoadVerifiedImage, RandomFlip, RandomBBoxTransform' in out
    assert f'3 types of 26 parts in work_dirs/deformation/{path.name}' in out and '(6 kB)' in out
    tree = build_tree(dict(from_file='lsp-26.py'))
    found = Deformation.load(path, tree)
    assert found.aspect_ratio == 0.75 and found.source == '1000 persons of my_lsp.py'
    crops = lsp_crops()
    right = (crops[:, 6] - crops[:, 7]) / 2  # from the middle of the lower arm to the wrist
    left = (crops[:, 11] - crops[:, 10]) / 2
    points = np.concatenate([right, left * MIRROR])
    target = KMeans(3, n_init=20, random_state=1).fit(points)
    v = tree.names.index('right_wrist')
    order = np.argsort(np.arctan2(*target.cluster_centers_.T[::-1]))
    np.testing.assert_allclose(found.offsets[v], target.cluster_centers_[order], atol=1e-3)
    np.testing.assert_array_equal(found.offsets[tree.names.index('left_wrist')] * MIRROR, found.offsets[v])
    for t, cluster in enumerate(order):
        mine = points[target.labels_ == cluster]
        np.testing.assert_allclose(found.frequencies[v, t], len(mine) / 2000, atol=0.01)
        np.testing.assert_allclose(found.variances[v, t], mine.var(axis=0), rtol=0.05)
    # the line of the head: one type for everybody is the mean
    one = Deformation.load(run_one_type(fit, config, tmp_path), tree)
    neck = (crops[:, 12] - crops[:, 13]).mean(axis=0)
    np.testing.assert_allclose(one.offsets[1, 0], (0, neck[1]), atol=1e-6)
    np.testing.assert_allclose(one.offsets[2, 0], mean_offset(crops, 8, 9), atol=1e-6)
    image = cv2.imread(str(path.with_suffix('.png')))
    assert image.shape == (4 + 4 * (20 + 200 + 4), 4 + 7 * (200 + 4), 3)


def run_one_type(fit, config, tmp_path):
    fit(config, '--num-types', 1, '--out', tmp_path / 'one.json', '--plot', tmp_path / 'one.jpg')
    assert (tmp_path / 'one.jpg').stat().st_size > 10_000
    return tmp_path / 'one.json'


def mean_offset(crops, right, left):
    """Of both shoulders to the neck, the left one mirrored."""
    return ((crops[:, right] - crops[:, 12]) + (crops[:, left] - crops[:, 12]) * MIRROR).mean(axis=0) / 2


@needs_data
def test_augmented_persons_are_turned(fit, config, tmp_path):
    """Rotations over the full circle: arms point everywhere, as long as before."""
    flags = ('--num-types', 8, '--restarts', 1, '--max-persons', 200, '--augment', 3)
    fit(config, *flags, '--out', tmp_path / 'types.json')
    found = Deformation.load(tmp_path / 'types.json', build_tree(dict(from_file='lsp-26.py')))
    assert found.source == '200 persons of my_lsp.py, each 3 times, augmented'
    crops = lsp_crops()
    length = np.linalg.norm((crops[:, 8] - crops[:, 2]) / 3, axis=-1)  # trunks hang down as they are
    v = found.tree.names.index('right_hip')
    reach, angle = np.hypot(*found.offsets[v].T), np.arctan2(*found.offsets[v].T)
    assert np.all(np.abs(reach - np.median(length)) < 0.4 * np.median(length))
    steps = np.diff(np.sort(angle), append=np.sort(angle)[:1] + 2 * np.pi)
    assert steps.max() < 2 * np.pi / 8 * 1.8
    assert found.frequencies[v].min() > 0.05
    fit(config, *flags, '--out', tmp_path / 'again.json')
    assert (tmp_path / 'again.json').read_bytes() == (tmp_path / 'types.json').read_bytes()


@needs_data
def test_lspes_unlabelled_joints_do_not_count(fit, config, tmp_path):
    """Real persons of whom some joints have no place: one mean per part, by hand."""
    root = data_root() / 'lspet-mini'
    options = ['type=LSPDataset', 'ann_file=joints.mat', 'split=all', 'centric=person', f'data_root={root}']
    options = [f'train_dataloader.dataset.{option}' for option in [*options, 'id_file=val.txt']]
    path = tmp_path / 'types.json'
    out = fit(config, '--num-types', 1, '--restarts', 1, '--max-persons', 200, '--out', path, '--cfg-options', *options)
    found = Deformation.load(path, build_tree(dict(from_file='lsp-26.py')))
    ids = np.loadtxt(root / 'val.txt', dtype=str)
    ids = np.array([int(name.strip('im.jpg')) for name in ids])[np.linspace(0, 999, 200).round().astype(int)] - 1
    joints = loadmat(root / 'joints.mat')['joints'].transpose(2, 0, 1)[ids]
    labelled = joints[..., 2] > 0
    assert 0 < (~labelled).sum()
    offsets = []
    for person, known in zip(joints[..., :2], labelled, strict=True):
        low, high = person[known].min(axis=0), person[known].max(axis=0)
        width, height = 1.5 * (high - low)
        for wrist, elbow, sign in ((6, 7, 1), (11, 10, -1)):
            if known[wrist] and known[elbow]:
                offset = (person[wrist] - person[elbow]) / 2 / max(height, width * 4 / 3)
                offsets.append(offset * (sign, 1))
    assert 200 < len(offsets) < 400
    v = found.tree.names.index('right_wrist')
    np.testing.assert_allclose(found.offsets[v, 0], np.mean(offsets, axis=0), atol=1e-6)
    np.testing.assert_allclose(found.variances[v, 0], np.var(offsets, axis=0), rtol=1e-4)
    counts = {line.split()[0]: int(line.split()[1]) for line in out.splitlines() if line.startswith(('right', 'left'))}
    assert counts['right_forearm'] + counts['left_forearm'] == len(offsets)


@needs_data
def test_flic_by_a_tree_of_the_command_line(fit, config, tmp_path):
    root = data_root() / 'flic-annotations'
    path = tmp_path / 'flic_config.py'
    text = config.read_text().replace('LSPDataset', 'FLICDataset').replace('joints_pc_oc.mat', 'valid.h5')
    text = text.replace("split='train', centric='observer'", "split='all'").replace(
        'lsp-annotations', 'flic-annotations'
    )
    path.write_text(text)
    out = fit(path, '--tree', 'flic-18.py', '--num-types', 1, '--out', tmp_path / 'types.json')
    assert '1016 persons' in out
    found = Deformation.load(tmp_path / 'types.json', build_tree(dict(from_file='flic-18.py')))
    with h5py.File(root / 'valid.h5') as file:
        joints, labelled = np.array(file['part'], dtype=np.float64), np.array(file['visible']) > 0
    assert labelled[:, :8].all()
    points = np.where(labelled[..., None], joints, np.nan)  # the box is around all that the file labels, eyes too
    width, height = (1.5 * (np.nanmax(points, axis=1) - np.nanmin(points, axis=1))).T
    side = np.maximum(height, width * 4 / 3)[:, None]
    right, left = ((joints[:, a] - joints[:, b]) / side for a, b in ((4, 3), (1, 0)))  # rsho 3, relb 4, lsho 0, lelb 1
    expected = (right + left * MIRROR).mean(axis=0) / 2 / 2  # half a limb from its middle
    v = found.tree.names.index('right_elbow')
    np.testing.assert_allclose(found.offsets[v, 0], expected, atol=1e-6)
    assert found.offsets[found.tree.names.index('right_shoulder'), 0, 0] < 0, 'on the left of the image'


def test_stick_figures_through_a_combined_data_set(fit, tmp_path):
    """No file is read; joints are converted by the pipelines of the parts."""
    path = tmp_path / 'sticks.py'
    path.write_text("""
custom_imports = dict(imports=['posestructs'], allow_failed_imports=False)
default_scope = 'mmpose'
tree = dict(from_file='lsp-26.py')
pipeline = [
    dict(type='LoadVerifiedImage'), dict(type='GetBBoxCenterScale'),
    dict(type='TopdownAffine', input_size=(64, 64)), dict(type='PackPoseInputs')]
swap = [(k, k) for k in range(14)]
sticks = dict(type='StickFigureDataset', num_samples=30, image_size=48, pipeline=[
    dict(type='KeypointConverter', num_keypoints=14, mapping=swap)])
train_dataloader = dict(batch_size=2, dataset=dict(
    type='CombinedDataset', metainfo=dict(from_file='configs/_base_/datasets/lsp.py'), pipeline=pipeline,
    datasets=[sticks, dict(sticks, start_index=30)]))
""")
    out = fit(path, '--num-types', 2, '--out', tmp_path / 'combined.json')
    assert '60 persons; steps of the pipeline left out: LoadVerifiedImage, PackPoseInputs' in out
    text = path.read_text() + (
        'train_dataloader = dict(batch_size=2, dataset=dict('
        "type='StickFigureDataset', num_samples=60, image_size=48, pipeline=pipeline))"
    )
    path.write_text(text)
    fit(path, '--num-types', 2, '--out', tmp_path / 'one.json')
    tree = build_tree(dict(from_file='lsp-26.py'))
    one, combined = (Deformation.load(tmp_path / f'{name}.json', tree) for name in ('one', 'combined'))
    np.testing.assert_allclose(one.offsets, combined.offsets, atol=1e-5)
    np.testing.assert_allclose(one.variances, combined.variances, atol=1e-6)


@needs_data
def test_the_command_itself(config, tmp_path, environment):
    """In a process of its own, from another folder: one line says what is wrong, and nothing is left behind."""
    command = [sys.executable, str(TOOL), str(config), '--max-persons', '5', '--out', 'types.json']
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment())
    assert done.returncode == 1 and 'Traceback' not in done.stderr
    assert (
        done.stderr.strip()
        .splitlines()[-1]
        .startswith("fit_deformation.py: error: num_types=13 is too many for part 'head_top': 5 persons")
    )
    assert not (tmp_path / 'types.json').exists()


@needs_data
@pytest.mark.parametrize(
    ('flags', 'message'),
    [
        (['--tree', 'dog.py'], "tree: tree from_file='dog.py': no such file"),
        (['--tree', 'coco-17.py'], "the data set has the joints ['right_ankle'"),
        (['--num-types', '0'], 'num_types=0, allowed: an integer of at least 1'),
        (['--trim', '1.5'], 'trim=1.5, allowed: a number of at least 0 and below 1'),
        (['--restarts', '0'], 'restarts=0, allowed: an integer'),
        (['--augment', '-1'], '--augment -1, allowed: at least 0'),
        (['--max-persons', '0'], '--max-persons 0, allowed: at least 1'),
        (['--cfg-options', 'codec.tree=None'], 'sets neither tree nor codec.tree: give --tree'),
        (['--cfg-options', 'train_dataloader.dataset.ann_file=no.mat'], 'no.mat'),
        (['--cfg-options', 'train_dataloader.dataset.pipeline.4.type=PackPoseInputs'], 'has no TopdownAffine'),
        (['--cfg-options', 'train_dataloader=None'], 'sets no train_dataloader.dataset'),
    ],
)
def test_errors_are_one_line(fit, config, tmp_path, flags, message):
    if '--max-persons' not in flags:
        flags = [*flags, '--max-persons', '2']
    with pytest.raises(SystemExit) as stop:
        fit(config, *flags)
    assert str(stop.value).startswith('fit_deformation.py: error: ') and message in str(stop.value)
    assert not (tmp_path / 'work_dirs').exists()
