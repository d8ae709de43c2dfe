import json
import pickle

import numpy as np
import pytest

from posestructs.structures import RELEASE_WEIGHT, Deformation, KinematicTree, build_tree
from posestructs.utils.paths import config_root

NAMES, PARENTS = ['neck', 'hip', 'left', 'right'], [None, 'neck', 'neck', 'neck']
TREE = KinematicTree.from_parents(NAMES, PARENTS, mirror=[('left', 'right')])
OFFSETS = [[(0, -0.5), (0, -0.25)], [(-0.1, 0.4), (0.1, 0.4)], [(0.2, 0.1), (0.25, -0.3)], [(-0.2, 0.1), (-0.25, -0.3)]]
VARIANCES = np.arange(1, 17).reshape(4, 2, 2) / 1000
SWAPPED = [[0, 1], [1, 0], [0, 1], [0, 1]]


def make(**changes):
    values = dict(
        tree=TREE,
        offsets=OFFSETS,
        variances=VARIANCES,
        mirror_types=SWAPPED,
        frequencies=np.full((4, 2), 0.5),
        aspect_ratio=0.75,
        source='four persons',
    )
    return Deformation(**(values | changes))


def test_offsets_and_weights_in_cells_by_hand():
    # 192 x 256 px in 48 x 32 cells: the unit is 256 px, which is 64 cells across and 32 down
    found = make()
    cells = found.to_cells((192, 256), (48, 32))
    np.testing.assert_allclose(cells[2], [(0.2 * 64, 0.1 * 32), (0.25 * 64, -0.3 * 32)])
    weights = found.weights_in_cells((192, 256), (48, 32))
    np.testing.assert_allclose(weights[0, 0], [1 / (2 * (0.001 * 64**2 + 1 / 6)), 1 / (2 * (0.002 * 32**2 + 1 / 6))])
    assert found.num_types == 2 and found.tree_fingerprint == TREE.fingerprint and RELEASE_WEIGHT == 0.03
    # a landscape crop: the unit is its width
    np.testing.assert_allclose(make(aspect_ratio=2).to_cells((64, 32), (16, 8))[1, 0], (-0.1 * 16, 0.4 * 16))


def test_weights_are_bounded():
    sharp = make(variances=np.zeros((4, 2, 2)))
    assert (sharp.weights_in_cells((192, 256), (48, 64)) == 3).all()
    assert (sharp.weights_in_cells((192, 256), (48, 64), max_weight=0.5) == 0.5).all()
    with pytest.raises(ValueError, match='max_weight=0, allowed: a finite number above 0, or None'):
        sharp.weights_in_cells((192, 256), (48, 64), max_weight=0)


def test_a_weight_is_the_log_density_of_the_offset():
    """-w d^2 of rounded positions is a Gaussian's log density, up to a constant: by simulation."""
    rng = np.random.default_rng(0)
    sigma = 1.5  # cells
    parents, offsets = rng.uniform(0, 50, 400000), rng.normal(size=400000) * sigma
    rounded = np.round(parents + offsets) - np.round(parents)
    cells = make(variances=np.full((4, 2, 2), (sigma / 64) ** 2)).weights_in_cells((192, 256), (48, 64))
    np.testing.assert_allclose(cells, 1 / (2 * rounded.var()), rtol=0.01)


def test_types_are_those_of_the_nearest_offset():
    found, rng = make(), np.random.default_rng(0)
    positions, labelled = rng.uniform(0, 256, size=(3, 50, 4, 2)), rng.uniform(size=(3, 50, 4)) < 0.8
    positions[~labelled] = np.nan
    types = found.types_of(positions, labelled, (192, 256))
    assert types.shape == (3, 50, 4) and types.dtype == np.int64
    for person in np.ndindex(3, 50):
        for v, origin in enumerate([1, 0, 0, 0]):
            if labelled[person][v] and labelled[person][origin]:
                offset = (positions[person][v] - positions[person][origin]) / 256
                lengths = [np.hypot(*(offset - mean)) for mean in OFFSETS[v]]
                assert types[person][v] == lengths.index(min(lengths))
            else:
                assert types[person][v] == -1
    assert {-1, 0, 1} == set(types[..., 2].ravel())


def test_persons_of_another_size():
    found = make().scaled(0.5)
    np.testing.assert_allclose(found.offsets, make().offsets / 2)
    np.testing.assert_allclose(found.variances, VARIANCES / 4)
    positions, labelled = np.random.default_rng(0).uniform(0, 100, (20, 4, 2)), np.ones((20, 4), bool)
    expected = make().types_of(positions, labelled, (192, 256))
    np.testing.assert_array_equal(found.types_of(positions / 2, labelled, (192, 256)), expected)
    with pytest.raises(ValueError, match='factor=0, allowed: a finite number above 0'):
        make().scaled(0)


def test_a_file_gives_back_what_was_saved(tmp_path, monkeypatch):
    path = tmp_path / 'new' / 'types.json'
    found = make(offsets=np.array(OFFSETS) / 3)
    found.save(path)
    for loaded in (Deformation.load(path, TREE), pickle.loads(pickle.dumps(found))):
        for key in ('offsets', 'variances', 'mirror_types', 'frequencies'):
            np.testing.assert_allclose(getattr(loaded, key), getattr(found, key), rtol=1e-5)
            assert not getattr(loaded, key).flags.writeable
        assert (loaded.aspect_ratio, loaded.source, loaded.num_types) == (0.75, 'four persons', 2)
        np.testing.assert_array_equal(loaded.offsets[2] * (-1, 1), loaded.offsets[3])
    content = json.loads(path.read_text())
    assert content['unit'] == 'longer side of the crop' and content['parts']['hip'] == 'neck'
    monkeypatch.chdir(path.parent)
    assert Deformation.load('types.json', TREE).num_types == 2


def test_shipped_files_fit_the_shipped_trees():
    for path in (config_root() / '_base_' / 'deformations').glob('*.json'):
        tree = build_tree(dict(from_file=f'{path.stem.split("_")[0]}.py'))
        found = Deformation.load(path.name, tree)
        assert path.stat().st_size < 100_000 and found.num_types == (1 if '_1type' in path.stem else 13)
        # a person's parts are less than half a crop from their parents
        assert np.abs(found.offsets).max() < 0.5


def gaps(deformation, name):
    """Angles between the types of a part that lie next to each other, in degrees."""
    x, y = deformation.offsets[deformation.tree.names.index(name)].T
    angles = np.sort(np.degrees(np.arctan2(y, x)))
    return np.diff(angles, append=angles[0] + 360)


def test_shipped_types_are_of_persons_as_they_are_trained_on():
    # LSP's persons are turned over the full circle, so that types of a stiff part are all around its parent
    lsp = Deformation.load('lsp-26_13types.json', build_tree(dict(from_file='lsp-26.py')))
    assert lsp.source == '1000 people of lsp_336x336.py, each 4 times, augmented'
    for name in ('right_waist', 'left_chest', 'right_hip'):
        assert gaps(lsp, name).max() < 60
        assert lsp.frequencies[lsp.tree.names.index(name)].min() > 0.03
    # FLIC's by at most 80 degrees
    flic = Deformation.load('flic-18_13types.json', build_tree(dict(from_file='flic-18.py')))
    assert flic.source == '3987 people of flic_336x336.py, each 1 times, augmented'
    assert gaps(flic, 'right_waist').max() > 120
    assert flic.offsets[flic.tree.names.index('right_waist'), :, 1].max() > 0


def changed(tree=TREE, **changes):
    lists = dict(names=tree.names, parents=tree.parents, mirror=tree.mirror, joints=tree.joints)
    return KinematicTree.from_parents(**(lists | changes))


def test_a_file_of_another_tree_is_refused(tmp_path):
    make().save(tmp_path / 'types.json')
    with pytest.raises(ValueError, match='types.json.* was fitted for another tree: it has 4 parts, this tree has 26'):
        Deformation.load(tmp_path / 'types.json', build_tree(dict(from_file='lsp-26.py')))


def test_files_with_other_arrays_are_refused(tmp_path):
    path = tmp_path / 'types.json'
    make().save(path)
    whole = json.loads(path.read_text())

    def refused(message, **changes):
        path.write_text(json.dumps(whole | changes))
        with pytest.raises(ValueError, match=f'types.json.*{message}'):
            Deformation.load(path, TREE)

    refused(r'offsets.shape=.*, allowed: \(4, 1, 2\) for this tree', offsets=[[[0, 0]]] * 3)
    refused('variances holds NaN or infinity, allowed: finite numbers', variances=[[[float('nan')] * 2] * 2] * 4)
    refused('aspect_ratio=.wide., allowed: a finite number above 0', aspect_ratio='wide')
    refused('could not convert string to float', offsets='zero')


def flipped(values, v, value):
    values = np.array(values, dtype=float)
    values[v] = value
    return values


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (dict(variances=-VARIANCES), 'variances and frequencies hold negative values'),
        (dict(frequencies=np.full((4, 2), 0.4)), 'frequencies sum to .*, allowed: 1 for each part'),
        (dict(mirror_types=[[0, 2], [1, 0], [0, 1], [0, 1]]), 'mirror_types=0 to 2, allowed: 0 to 1'),
        (
            dict(mirror_types=[[0, 1], [1, 0], [1, 1], [0, 0]]),
            "mirror_types of 'left' do not lead back",
        ),
        (dict(offsets=flipped(OFFSETS, 3, 0.2)), "offsets of 'left' are not those of 'right' mirrored"),
        (dict(offsets=flipped(OFFSETS, 0, 0.2)), "offsets of 'neck' are not those of 'neck' mirrored"),
        (dict(mirror_types=[[0, 1]] * 4), "offsets of 'hip' are not those of 'hip' mirrored"),
        (dict(tree=build_tree(dict(from_file='lsp-26.py'))), r'shape=.*, allowed: \(26, 2, 2\) for this tree'),
        (dict(aspect_ratio=0), 'aspect_ratio=0, allowed: a finite number above 0'),
        (dict(tree=changed(parents=[-1, 0, 0, 1])), 'types need a tree that is its own mirror image'),
    ],
)
def test_what_does_not_fit_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        make(**changes)


def test_another_aspect_ratio_is_warned_of(caplog):
    from mmengine.logging import MMLogger

    lines = []
    logger = MMLogger.get_current_instance()
    logger.addFilter(keep := lambda record: lines.append(record.getMessage()) or True)
    try:
        make().to_cells((192, 256), (48, 64))
        assert not lines
        make().to_cells((256, 256), (64, 64))
    finally:
        logger.removeFilter(keep)
    assert len(lines) == 1 and 'aspect ratio 0.75 (four persons); for an input of 256 x 256' in lines[0]
