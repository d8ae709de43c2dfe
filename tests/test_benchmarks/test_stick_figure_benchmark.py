"""Difficulty of the synthetic images, and the measures of it."""

import dataclasses

import numpy as np
import pytest

from benchmarks.stick_figure import colour_distance, near_lookalikes, visible_share
from posestructs.datasets.stick_figure import SceneOptions, draw_scene
from posestructs.datasets.stick_figure.limbs import limb_circles
from posestructs.datasets.stick_figure.skeleton import JOINTS

LSP = [JOINTS.index(name) for name in JOINTS if name not in ('pelvis', 'thorax')]
COUNT = 600


@pytest.fixture(scope='module')
def scenes():
    return [draw_scene(0, index) for index in range(COUNT)]


def test_15_to_30_percent_of_the_joints_are_occluded(scenes):
    labelled = np.stack([scene.labelled for scene in scenes])
    occluded = np.stack([scene.occluded for scene in scenes])
    assert not (occluded & ~labelled).any()
    for joints in (LSP, list(range(16))):
        assert 0.15 <= occluded[:, joints][labelled[:, joints]].mean() <= 0.30
    # every joint is hidden now and then, none mostly
    shares = occluded.sum(axis=0) / labelled.sum(axis=0)
    assert shares.min() > 0.03 and shares.max() < 0.5


def test_30_percent_of_the_pictures_have_a_lookalike_limb_near_its_twin(scenes):
    assert np.mean([bool(near_lookalikes(scene)) for scene in scenes]) >= 0.30


def test_depth_alone_and_occluders_alone_hide_joints():
    shares = []
    for probability in (0.0, 1.0):
        options = SceneOptions(occluder_prob=probability)
        images = [draw_scene(1, index, (64, 64), options) for index in range(250)]
        shares.append(np.concatenate([scene.occluded[scene.labelled] for scene in images]).mean())
    depth, both = shares
    assert depth > 0.08 and both > depth + 0.1


def first_with_lookalike(kind):
    options = SceneOptions(lookalike_prob=1, occluder_prob=0, crop_prob=0)
    for index in range(100):
        scene = draw_scene(4, index, options=options)
        for limb in near_lookalikes(scene):
            if limb.kind == kind and visible_share(scene, limb) > 0.9:
                return scene, limb
    raise AssertionError(kind)


@pytest.mark.parametrize('kind', ['arm', 'leg'])
def test_a_lookalike_is_counted_only_near_its_twin_and_where_it_is_seen(kind):
    scene, limb = first_with_lookalike(kind)
    torso = np.hypot(*(np.subtract(*(scene.pen.seen[name][:2] for name in ('left_shoulder', 'right_hip')))))
    twin = np.mean([circle[:2] for circle in limb_circles(scene.pen, kind, limb.twin)[:3]], axis=0)
    assert np.hypot(*(limb.middle - twin)) <= torso
    assert limb in near_lookalikes(scene)

    away = (twin - limb.middle) + (1.02 * torso, 0)
    moved = limb._replace(circles=tuple((x + away[0], y + away[1], r) for x, y, r in limb.circles))
    assert near_lookalikes(dataclasses.replace(scene, lookalikes=(moved,))) == []
    nobody = limb._replace(owner=99)
    assert visible_share(scene, nobody) == 0
    assert near_lookalikes(dataclasses.replace(scene, lookalikes=(nobody,))) == []


def test_a_lookalike_looks_like_its_twin():
    """Same lengths and thickness as the twin's own, and nearer to its colours than to another person's."""
    own, foreign = [], []
    options = SceneOptions(lookalike_prob=1, occluder_prob=0)
    images = [draw_scene(9, index, options=options) for index in range(40)]
    for scene, other in zip(images, images[1:], strict=False):
        for limb in scene.lookalikes:
            own.append(colour_distance(scene, limb))
            stranger = dataclasses.replace(scene, image=np.where((scene.owners[::2, ::2] == limb.owner)[..., None],
                                                                 scene.image, other.image))  # fmt: skip
            foreign.append(colour_distance(stranger, limb))
            radii = [circle[2] for circle in limb_circles(scene.pen, limb.kind, limb.twin)]
            assert [circle[2] for circle in limb.circles] == radii
    assert np.median(own) < 12 and np.mean(np.array(own) <= 40) > 0.9
    assert np.median(foreign) > 3 * np.median(own)
