"""PartScoreMap: targets by hand and against loops, both directions, flips, real samples through a real pipeline."""

import numpy as np
import pytest
import torch
from mmengine.dataset import default_collate, pseudo_collate
from mmpose.registry import DATASETS, KEYPOINT_CODECS

from posestructs.codecs.part_targets import tree_limbs
from posestructs.layers.part_maps import flip_average
from posestructs.structures import Deformation, build_tree
from posestructs.structures.offset_clusters import fit_types
from tests.helpers import data_root, needs_data

LSP = build_tree(dict(from_file='lsp-26.py'))
FLIC = build_tree(dict(from_file='flic-18.py'))
# a trunk with two arms, and a virtual part in the left one
SMALL = dict(
    names=['hip', 'neck', 'left_hand', 'right_hand', 'left_arm'],
    parents=[-1, 'hip', 'left_arm', 'neck', 'neck'],
    joints=['neck', 'right_hand', 'left_hand', 'hip'],
    weights=dict(left_arm=dict(neck=0.5, left_hand=0.5)),
)
SMALL_SIZES = dict(input_size=(64, 48), heatmap_size=(16, 12))
# feet, knees, hips, hips, ... of a person that stands: LSP's joints in a crop of side 1
STANDING = np.array(
    [[0.4, 0.9], [0.41, 0.7], [0.43, 0.5], [0.57, 0.5], [0.59, 0.7], [0.6, 0.9], [0.3, 0.5], [0.32, 0.38]]
    + [[0.4, 0.25], [0.6, 0.25], [0.68, 0.38], [0.7, 0.5], [0.5, 0.22], [0.5, 0.1]]
)


def codec(tree, **kwargs):
    return KEYPOINT_CODECS.build(dict(dict(type='PartScoreMap', tree=tree), **kwargs))


def small(**kwargs):
    return codec(SMALL, **dict(SMALL_SIZES, **kwargs))


def persons(count, seed=0, spread=0.25):
    """(N, 14, 2) in crops of side 1: limbs turned at random."""
    rng = np.random.default_rng(seed)
    poses = np.tile(STANDING, (count, 1, 1))
    for joint, above in tree_limbs(LSP)[::-1]:
        angle = rng.normal(0, spread, count)
        turn = np.stack([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]).transpose(2, 0, 1)
        limb = STANDING[joint] - STANDING[above]
        poses[:, joint] = poses[:, above] + (turn @ limb)
    return np.clip(poses, 0.02, 0.98)


def deformation(num_types, tree=LSP, aspect_ratio=1.0):
    positions, known = tree.part_positions(persons(400)[:, : tree.num_joints])
    return fit_types(tree, positions, known, num_types, aspect_ratio=aspect_ratio, restarts=1)


@pytest.fixture(scope='module')
def thirteen():
    return deformation(13)


def maps_of(target, made_by, floor=1e-6):
    """(1, C, h, w) log probabilities that are right: the target's shares, background elsewhere."""
    width, height = made_by.heatmap_size
    probs = np.full((made_by.num_channels, height * width), floor)
    for k, (cell, type_, share) in enumerate(
        zip(target['part_cells'][0], target['part_types'][0], target['part_shares'][0], strict=True)
    ):
        if share:
            probs[k * made_by.num_types + type_, cell] = share
    probs[-1] = np.maximum(1 - probs[:-1].sum(axis=0), floor)
    return torch.as_tensor(probs / probs.sum(axis=0)).log().reshape(1, -1, height, width)


# -- encode ------------------------------------------------------------------------------------------------------------


def test_targets_by_hand():
    """Cells of 4 x 4 pixels; joints in the data set's order, parts in the tree's."""
    joints = np.array([[[33.0, 10], [60, 10], [6, 10], [33, 40]]])
    target = small().encode(joints, np.ones((1, 4)))
    cells = {'hip': (8, 10), 'neck': (8, 2), 'left_hand': (1, 2), 'right_hand': (15, 2), 'left_arm': (5, 2)}
    expected = [y * 16 + x for x, y in (cells[name] for name in SMALL['names'])]
    assert target['part_cells'].tolist() == [expected]
    assert target['part_shares'].tolist() == [[1, 1, 1, 1, 1]]
    assert target['part_types'].tolist() == [[0, 0, 0, 0, 0]]
    # limbs of 30 (neck to hip), 27 and 27 pixels: 0.75 * 28 / 4 = 5.25 cells; ignored up to 2, ring up to 3
    rates = target['negative_rates'][0]
    row = [rates[2, x] for x in range(16)]
    inside = {x for x, _ in cells.values()}
    for x, rate in enumerate(row):
        off = min(abs(x - c) for c in inside)
        assert rate == np.float32({0: 0, 1: 0, 2: 0, 3: 0.5}.get(off, 0.0005)), x
    weights = target['negative_weights'][0]
    assert set(np.unique(weights[rates == 0.5])) == {0.5}
    assert set(np.unique(weights[rates == np.float32(0.0005)])) == {1}


def test_each_labelled_part_has_one_cell_and_cells_add_up_to_one():
    made, rng = codec(LSP, input_size=(96, 128), heatmap_size=(12, 16)), np.random.default_rng(0)
    shared = 0
    for pose in persons(20):
        joints, visible = pose[None] * (96, 128), (rng.random((1, 14)) < 0.8).astype(np.float32)
        target = made.encode(joints, visible)
        positions, known = LSP.part_positions(joints[0], visible[0])
        totals = {}
        for k in range(26):
            x, y = np.floor((positions[k] + 0.5) / 8)
            on_map = known[k] and 0 <= x < 12 and 0 <= y < 16
            assert (target['part_shares'][0, k] > 0) == on_map
            if on_map:
                assert target['part_cells'][0, k] == y * 12 + x
                totals.setdefault((x, y), []).append(target['part_shares'][0, k])
                assert target['negative_rates'][0, int(y), int(x)] == 0
        for shares in totals.values():
            assert sum(shares) == pytest.approx(1)
            assert len(set(shares)) == 1
            shared += len(shares) > 1
    assert shared > 10  # it did happen


def test_a_joint_off_the_map_has_no_cell_but_its_surroundings_count():
    joints = np.array([[[33.0, 10], [65, 10], [-200, 10], [33, 40]]])
    target = small(sampling=dict(scale_per_limb=0, min_scale=5)).encode(joints, np.ones((1, 4)))
    hip, neck, left_hand, right_hand, left_arm = target['part_shares'][0]
    assert (hip, neck, left_hand, right_hand, left_arm) == (1, 1, 0, 0, 0)
    # the right hand is in cell 16 of 0 to 15: 14 and 15 are near it, 13 is in its ring
    np.testing.assert_array_equal(target['negative_rates'][0, 2, 12:], np.float32([0.0005, 0.5, 0, 0]))
    # the left hand is far away and the arm between off the map as well
    assert (target['negative_rates'][0, 2, :3] == np.float32(0.0005)).all()


@pytest.mark.parametrize(
    ('x', 'y', 'cell'), [(-0.5, -0.5, 0), (63.49, 47.49, 12 * 16 - 1), (63.5, 10, None), (5, 47.5, None)]
)
def test_joints_on_the_very_border(x, y, cell):
    """The map covers the pixels whole: from half a pixel before the first centre to half a pixel after the last."""
    joints = np.array([[[33.0, 10], [x, y], [6, 10], [33, 40]]])
    target = small().encode(joints, np.ones((1, 4)))
    right_hand = SMALL['names'].index('right_hand')
    assert target['part_shares'][0, right_hand] == (cell is not None)
    assert target['part_cells'][0, right_hand] == (cell or 0)


def test_a_tree_of_one_part():
    made = codec(dict(names=['dot'], parents=[None]), **SMALL_SIZES)
    target = made.encode(np.array([[[33.0, 10]]]))
    assert (target['part_cells'].tolist(), target['part_shares'].tolist()) == ([[2 * 16 + 8]], [[1]])
    # without limbs, the least size: 2.5 cells, of which the ring takes the second
    np.testing.assert_array_equal(target['negative_rates'][0, 2, 6:11], np.float32([0.5, 0, 0, 0, 0.5]))
    keypoints, scores = made.decode(maps_of(target, made)[0].numpy())
    assert np.abs(keypoints - (33.5, 9.5)).max() < 1e-6 and scores[0, 0] == pytest.approx(1, abs=1e-4)


def test_persons_of_another_size_in_the_crops(thirteen):
    """Crops of 128 that show 4/3 as much as those of 96: the same offsets in cells, weights and types."""
    trained = codec(LSP, input_size=(96, 96), heatmap_size=(12, 12), deformation=thirteen, deformation_weight='fitted')
    wide = dict(input_size=(128, 128), heatmap_size=(16, 16), deformation=thirteen, deformation_weight='fitted')
    tested = codec(LSP, offset_scale=96 / 128, **wide)
    joints = persons(5) * 96
    for person in joints:
        here, there = (made.encode(points[None]) for made, points in ((trained, person), (tested, person + 16)))
        np.testing.assert_array_equal(here['part_types'], there['part_types'])
    sizes = ('input_size', 'heatmap_size')
    cells, others = (made.deformation.to_cells(*(getattr(made, key) for key in sizes)) for made in (trained, tested))
    np.testing.assert_allclose(cells, others)
    # the same person a cell further on, with the same scores around, is worth as much
    probs = torch.zeros(339, 16, 16).double()
    probs[:, 2:14, 2:14] = torch.randn(339, 12, 12, generator=torch.Generator().manual_seed(0)).double().exp()
    probs = (probs + 1e-9) / (probs + 1e-9).sum(dim=0)
    inner, outer = (made.decode_poses(p.log()[None]) for made, p in ((trained, probs[:, 2:14, 2:14]), (tested, probs)))
    assert torch.equal(inner.part_cells + 2, outer.part_cells) and torch.equal(inner.part_types, outer.part_types)


@pytest.mark.parametrize('value', [0.0, -1, True, np.inf, '1'])
def test_sizes_that_are_none(value, thirteen):
    with pytest.raises(ValueError, match='PartScoreMap.offset_scale=.*, allowed: a finite number above 0'):
        codec(LSP, input_size=(96, 96), heatmap_size=(12, 12), deformation=thirteen, offset_scale=value)
    with pytest.raises(ValueError, match='PartScoreMap.offset_scale'):
        small(offset_scale=value)


@pytest.mark.parametrize('decode', ['argmax', 'max_sum'])
@pytest.mark.parametrize('bad', [np.nan, np.inf, -np.inf])
def test_maps_of_a_model_that_has_run_away(decode, bad, thirteen):
    """On the device each joint has a position on the map; what is copied to the host is refused."""
    made = codec(LSP, input_size=(96, 128), heatmap_size=(12, 16), deformation=thirteen, decode=decode)
    logits = torch.randn(2, 339, 16, 12, generator=torch.Generator().manual_seed(0))
    logits[0] = bad
    logits[1, 40, 3] = -np.inf
    poses = made.decode_poses(logits.log_softmax(dim=1))
    with pytest.raises(ValueError, match='PartScoreMap: the score maps contain NaN'):
        made.batch_decode(logits.log_softmax(dim=1))
    assert poses.part_cells.min() >= 0
    assert (poses.part_cells[..., 0] < 12).all() and (poses.part_cells[..., 1] < 16).all()
    assert poses.keypoints.isfinite().all()
    assert ((poses.keypoint_scores[1] >= 0) & (poses.keypoint_scores[1] <= 1)).all()


def test_an_unlabelled_joint_says_nothing():
    joints = np.array([[[33.0, 10], [60, 10], [np.nan, np.inf], [33, 40]]])
    visible = np.array([[1, 1, 0, 1.0]])
    target = small().encode(joints, visible)
    # neither the hand nor the virtual part that it makes has a cell
    assert target['part_shares'].tolist() == [[1, 1, 0, 1, 0]]
    joints[0, 2] = 6, 10
    again = small().encode(joints, visible)
    for key, value in target.items():
        np.testing.assert_array_equal(value, again[key])
    # background may be drawn where the hand really is
    assert target['negative_rates'][0, 2, 1] == np.float32(0.0005)


@pytest.mark.parametrize(('unlabelled', 'rate'), [('ignore', 0), ('background', 0.01)])
def test_nothing_labelled(unlabelled, rate):
    target = small(unlabelled=unlabelled).encode(np.zeros((1, 4, 2)), np.zeros((1, 4)))
    assert not target['part_shares'].any()
    assert (target['negative_rates'] == np.float32(rate)).all()
    assert (target['negative_weights'] == 0.5).all()
    assert all(np.isfinite(value).all() for value in target.values())


def test_a_person_altogether_off_the_map_is_background():
    target = small().encode(np.full((1, 4, 2), -500.0))
    assert not target['part_shares'].any()
    assert (target['negative_rates'] == np.float32(0.0005)).all()


def test_a_type_is_not_known_without_the_parent(thirteen):
    made = codec(LSP, input_size=(96, 96), heatmap_size=(12, 12), deformation=thirteen)
    visible = np.ones((1, 14))
    joints = persons(1)[:1] * 96
    complete = made.encode(joints, visible)['part_types'][0]
    assert complete.min() >= 0
    visible[0, LSP.joints.index('right_elbow')] = 0
    target = made.encode(joints, visible)
    names = np.array(LSP.names)
    without_cell = set(names[target['part_shares'][0] == 0])
    without_type = set(names[(target['part_types'][0] < 0) & (target['part_shares'][0] > 0)])
    assert 'right_elbow' in without_cell
    assert len(without_cell) == 3  # and the two midpoints beside it
    assert without_type == {'right_wrist'}


def test_presets_and_their_changes():
    assert small().sampling.ignore_radius == 0.4
    paper = small(preset='paper', sampling=dict(negative_rate=0.25))
    rates = paper.encode(np.array([[[33.0, 10], [60, 10], [6, 10], [33, 40]]]))['negative_rates']
    assert (rates == 0).sum() == 5
    assert (rates == 0.25).sum() == 16 * 12 - 5


# -- decode ------------------------------------------------------------------------------------------------------------


def test_max_sum_adds_log_probabilities_by_default():
    sizes, one = dict(input_size=(64, 64), heatmap_size=(16, 16)), deformation(1)
    for preset in ('release', 'paper'):
        assert codec(LSP, deformation=one, preset=preset, **sizes).scores == 'log_probability'
        assert codec(LSP, deformation=one, deformation_weight='fitted', preset=preset, **sizes).scores == (
            'log_probability'
        )
    assert codec(LSP, deformation=one, scores='probability', **sizes).scores == 'probability'
    # arg-max does not depend on it, but for the score of the pose
    assert (small().scores, small(preset='paper').scores) == ('probability', 'log_probability')
    assert small(deformation_weight='fitted').scores == 'log_probability'
    assert small(deformation_weight='fitted', scores='probability').scores == 'probability'


@pytest.mark.parametrize('peak', [0.1, 0.37])
def test_the_default_leaves_well_centred_parts_of_an_unsure_model_in_place(peak):
    """Gaussians of a low peak at the true cells: the poses are plausible, so that nothing has to be moved."""
    sizes, one = dict(input_size=(256, 256), heatmap_size=(32, 32)), deformation(1)
    default = codec(LSP, deformation=one, **sizes)
    literal = codec(LSP, deformation=one, scores='probability', **sizes)
    y, x = np.mgrid[:32, :32]
    moved = {default: 0, literal: 0}
    for pose in persons(40, seed=3, spread=0.5):
        cells = default.encode((pose * 256)[None])['part_cells'][0]
        square = (x - cells[:, None, None] % 32) ** 2 + (y - cells[:, None, None] // 32) ** 2
        parts = 1e-6 + peak * np.exp(-square / 2)
        # parts that share a cell share its probability
        parts /= np.maximum(parts.sum(0) / 0.98, 1)
        log_probs = torch.from_numpy(np.concatenate([parts, 1 - parts.sum(0, keepdims=True)])).log()[None]
        for made in moved:
            found = made.decode_poses(log_probs).part_cells[0].numpy()
            moved[made] += (np.abs(found - np.stack([cells % 32, cells // 32], 1)).max(1) > 1).sum()
    share = {made.scores: count / (40 * 26) for made, count in moved.items()}
    assert share['log_probability'] <= 0.002
    # the release's sum moves more, the less sure the model is
    assert share['probability'] > (0.1 if peak == 0.1 else 0.02)


@pytest.mark.parametrize('scores', ['probability', 'log_probability'])
@pytest.mark.parametrize('decode', ['argmax', 'max_sum'])
@pytest.mark.parametrize('num_types', [1, 13])
def test_right_maps_give_the_joints_back(decode, num_types, scores, thirteen):
    """Within half a cell of where they are; rectangular cells on a rectangular input."""
    made = codec(
        LSP,
        input_size=(128, 128),
        heatmap_size=(32, 16),
        deformation=thirteen if num_types == 13 else deformation(1),
        decode=decode,
        scores=scores,
    )
    for pose in persons(3, seed=1):
        joints = (pose * 128)[None]
        target = made.encode(joints)
        keypoints, confidence = made.decode(maps_of(target, made)[0].numpy())
        off = np.abs(keypoints - joints)
        assert off[..., 0].max() <= 2 + 1e-9
        assert off[..., 1].max() <= 4 + 1e-9
        parts = list(LSP.joint_parts)
        np.testing.assert_allclose(confidence, target['part_shares'][:, parts], rtol=1e-3)
        if num_types == 13:
            poses = made.decode_poses(maps_of(target, made))
            np.testing.assert_array_equal(poses.part_types[0, parts], target['part_types'][0, parts])


def test_max_sum_mends_what_argmax_gets_wrong(thirteen):
    """A second wrist in the corner, a little stronger than the true one."""
    sizes = dict(input_size=(128, 128), heatmap_size=(16, 16))
    joints = persons(1, seed=2) * 128
    wrist = LSP.joints.index('right_wrist')
    part = LSP.joint_parts[wrist]
    errors = {}
    for decode in ('argmax', 'max_sum'):
        made = codec(LSP, deformation=thirteen, decode=decode, **sizes)
        target = made.encode(joints)
        log_probs = maps_of(target, made)
        channel = part * 13 + target['part_types'][0, part]
        log_probs[0, channel, 0, 15] = 0
        log_probs[0, channel].view(-1)[target['part_cells'][0, part]] = np.log(0.9)
        errors[decode] = np.linalg.norm(made.decode_poses(log_probs).keypoints[0, wrist].numpy() - joints[0, wrist])
    assert errors['argmax'] > 40
    assert errors['max_sum'] <= 4 * 2**0.5


@pytest.mark.parametrize('weight', [0.03, 'fitted'])
@pytest.mark.parametrize('scores', ['probability', 'log_probability'])
def test_pose_score_is_the_objective(thirteen, scores, weight):
    """sum_k u_k - sum w_x dx^2 + w_y dy^2, written out for the pose that was found."""
    sizes = dict(input_size=(96, 128), heatmap_size=(12, 16))
    made = codec(LSP, deformation=thirteen, scores=scores, deformation_weight=weight, **sizes)
    log_probs = torch.randn(1, 339, 16, 12, generator=torch.Generator().manual_seed(0)).double().log_softmax(dim=1)
    poses = made.decode_poses(log_probs)
    offsets = thirteen.to_cells(*sizes.values())
    weights = thirteen.weights_in_cells(*sizes.values()) if weight == 'fitted' else np.full_like(offsets, 0.03)
    score = 0.0
    for k, parent in enumerate(LSP.parents):
        (x, y), t = poses.part_cells[0, k].tolist(), int(poses.part_types[0, k])
        unary = float(log_probs[0, k * 13 + t, y, x])
        score += np.exp(unary) if scores == 'probability' else unary
        if parent >= 0:
            d = np.array([x, y]) - poses.part_cells[0, parent].numpy() - offsets[k, t]
            score -= (weights[k, t] * d**2).sum()
    assert float(poses.scores[0]) == pytest.approx(score, rel=1e-9)


def test_argmax_adds_up_types(thirteen):
    """A cell where three types are likely beats one where one is a little likelier."""
    made = codec(LSP, input_size=(96, 96), heatmap_size=(12, 12), deformation=thirteen, decode='argmax')
    probs = torch.full((339, 12, 12), 1e-6)
    probs[:3, 4, 5] = 0.2
    probs[7, 9, 9] = 0.3
    probs[-1] = 1 - probs[:-1].sum(dim=0)
    poses = made.decode_poses(probs.log()[None])
    assert poses.part_cells[0, 0].tolist() == [5, 4]
    head_top = LSP.joints.index(LSP.names[0])
    assert float(poses.keypoint_scores[0, head_top]) == pytest.approx(0.6, abs=1e-4)
    assert float(poses.keypoint_scores.max()) <= 1


def test_maps_of_another_size_cover_the_same_input(thirteen):
    """A level of a pyramid: cells are larger, offsets the same in cells."""
    made = codec(LSP, input_size=(128, 128), heatmap_size=(16, 16), decode='argmax', refine=None)
    level = codec(LSP, input_size=(128, 128), heatmap_size=(8, 10), decode='argmax', refine=None)
    joints = persons(1) * 128
    maps = maps_of(level.encode(joints), level)
    np.testing.assert_allclose(made.decode_poses(maps).keypoints, level.decode_poses(maps).keypoints)
    assert np.abs(made.decode_poses(maps).keypoints.numpy() - joints).max() <= 8


@pytest.mark.parametrize('num_types', [1, 13])
@pytest.mark.parametrize('decode', ['argmax', 'max_sum'])
def test_a_flipped_image_has_flipped_targets_and_the_same_joints(decode, num_types, thirteen):
    sizes = dict(input_size=(96, 128), heatmap_size=(12, 16))
    bend = thirteen if num_types == 13 else deformation(1)
    made = codec(LSP, deformation=bend, decode=decode, scores='log_probability', **sizes)
    swap = [LSP.joints.index(LSP.names[LSP.mirror[part]]) for part in LSP.joint_parts]
    nothing = torch.full((1, made.num_channels, 16, 12), -np.inf)
    for pose in persons(4, seed=3):
        joints = pose[None] * (90, 125)
        flipped = joints[:, swap].copy()
        flipped[..., 0] = 95 - flipped[..., 0]
        ours, theirs = (maps_of(made.encode(points), made) for points in (joints, flipped))
        # the flipped image's maps, flipped back by themselves, are the image's
        back = flip_average(nothing, theirs, made.flip_channels) + np.log(2)
        torch.testing.assert_close(back, ours, rtol=1e-6, atol=1e-6)
        both = made.decode_poses(flip_average(ours, theirs, made.flip_channels))
        np.testing.assert_allclose(both.keypoints, made.decode_poses(ours).keypoints)


@pytest.mark.parametrize(('tree', 'num_types', 'channels'), [('flic', 1, 19), ('lsp', 1, 27)])
def test_channels_without_types(tree, num_types, channels):
    made = codec(dict(flic=FLIC, lsp=LSP)[tree], input_size=(64, 64), heatmap_size=(8, 8))
    assert made.num_channels == channels
    assert made.decode_method == 'argmax'


@pytest.mark.parametrize(('tree', 'channels'), [('flic', 235), ('lsp', 339)])
def test_channels_with_thirteen_types(tree, channels, thirteen, tmp_path):
    tree = dict(flic=FLIC, lsp=LSP)[tree]
    zeros = np.zeros((tree.num_parts, 13, 2))
    types = np.tile(np.arange(13), (tree.num_parts, 1))
    Deformation(tree, zeros, zeros, types, np.full(types.shape, 1 / 13), 1.0).save(tmp_path / 'types.json')
    made = codec(tree, input_size=(64, 64), heatmap_size=(8, 8), deformation=str(tmp_path / 'types.json'))
    assert (made.num_channels, made.num_types, made.decode_method) == (channels, 13, 'max_sum')


# -- bad input ---------------------------------------------------------------------------------------------------------


def test_deformation_of_another_tree(thirteen, tmp_path):
    thirteen.save(tmp_path / 'lsp.json')
    with pytest.raises(ValueError, match='fitted for another tree'):
        codec(FLIC, input_size=(64, 64), heatmap_size=(8, 8), deformation=str(tmp_path / 'lsp.json'))
    with pytest.raises(ValueError, match='fitted for another tree'):
        codec(FLIC, input_size=(64, 64), heatmap_size=(8, 8), deformation=thirteen)


@pytest.mark.parametrize(
    ('kwargs', 'message'),
    [
        (dict(preset='slides'), "preset='slides', allowed: 'release', 'paper'"),
        (dict(decode='nms'), "decode='nms', allowed"),
        (dict(decode='max_sum'), "decode='max_sum', allowed with deformation=None: 'argmax'"),
        (dict(scores='logits'), "scores='logits', allowed"),
        (dict(refine='dark'), "refine='dark', allowed"),
        (dict(unlabelled='drop'), "unlabelled='drop', allowed"),
        (dict(deformation_weight='free'), "deformation_weight='free', allowed"),
        (dict(deformation_weight=-1), 'deformation_weight=-1, allowed'),
        (dict(heatmap_size=16), 'heatmap_size=16, allowed: .width, height.'),
        (dict(input_size=(64, 0)), r'input_size=\(64, 0\), allowed'),
    ],
)
def test_bad_arguments(kwargs, message):
    with pytest.raises(ValueError, match=message):
        small(**kwargs)


def test_unknown_sampling_key():
    with pytest.raises(KeyError, match='unknown keys .*negatives.*negative_rate'):
        small(sampling=dict(negatives=0.1))


def test_bad_keypoints():
    made = small()
    with pytest.raises(
        ValueError,
        match=r'\(1, 5, 2\), allowed: one person, \(1, 4, 2\) for the joints neck, right_hand.*KeypointConverter',
    ):
        made.encode(np.zeros((1, 5, 2)))
    with pytest.raises(ValueError, match=r'\(2, 4, 2\), allowed: one person'):
        made.encode(np.zeros((2, 4, 2)))
    with pytest.raises(ValueError, match="labelled joints at a position that is not finite: .'right_hand'"):
        made.encode(np.array([[[1.0, 1], [np.nan, 2], [3, 3], [4, 4]]]))
    with pytest.raises(ValueError, match=r'is \(1, 7, 4, 4\), allowed: \(N, 6, h, w\) for 5 parts .* x 1 types \+ 1'):
        made.decode_poses(torch.zeros(1, 7, 4, 4))


# -- a real pipeline ---------------------------------------------------------------------------------------------------


@needs_data
@pytest.mark.parametrize('collate', [pseudo_collate, default_collate])
def test_real_samples_through_a_real_pipeline(collate):
    """Persons of LSP-extended: fields are packed and collated, with values as encode gives them for these joints."""
    sizes = dict(input_size=(96, 128), heatmap_size=(12, 16))
    pipeline = [
        dict(type='LoadVerifiedImage'),
        dict(type='GetBBoxCenterScale'),
        dict(type='RandomFlip', direction='horizontal'),
        dict(type='TopdownAffine', input_size=sizes['input_size']),
        dict(type='GenerateTarget', encoder=dict(type='PartScoreMap', tree=dict(from_file='lsp-26.py'), **sizes)),
        dict(type='PackPoseInputs', pack_transformed=True),
    ]
    dataset = DATASETS.build(
        dict(
            type='LSPDataset',
            data_root=str(data_root() / 'lspet-mini'),
            ann_file='joints.mat',
            id_file='train.txt',
            data_prefix=dict(img='images/'),
            indices=list(range(12)),
            pipeline=pipeline,
        )
    )
    batch = collate([dataset[i] for i in range(12)])
    made, unlabelled = codec(LSP, **sizes), 0
    for sample in batch['data_samples']:
        labels, fields = sample.gt_instance_labels, sample.gt_fields
        gt = sample.gt_instances
        target = made.encode(gt.transformed_keypoints, gt.keypoints_visible)
        assert {*labels.keys()} == {'part_cells', 'part_types', 'part_shares', 'type_numbers'}
        assert labels.type_numbers.tolist() == [[0]]
        for key in labels.keys():  # noqa: SIM118 (an InstanceData is no dict)
            assert labels[key].dtype == torch.as_tensor(target[key]).dtype
            np.testing.assert_array_equal(labels[key].numpy(), target[key])
        for key in ('negative_rates', 'negative_weights'):
            np.testing.assert_array_equal(getattr(fields, key).numpy(), target[key])
        assert (gt.keypoints_visible > 0).sum() > 0
        unlabelled += (gt.keypoints_visible == 0).sum()
        assert (labels['part_shares'] > 0).sum() > 10
    assert unlabelled > 0
