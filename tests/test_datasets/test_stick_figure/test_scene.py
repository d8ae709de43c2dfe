"""Images: the same everywhere, the same persons at every size, with left and right distinguishable."""

import os
import subprocess
import sys
import zlib

import cv2
import numpy as np
import pytest

from posestructs.datasets.stick_figure import Scene, SceneOptions, draw_scene
from posestructs.datasets.stick_figure.scene import as_image_size
from posestructs.datasets.stick_figure.skeleton import JOINTS
from posestructs.datasets.stick_figure.sketch import LOOKALIKE, OCCLUDER, OWNER
from tests.helpers import repo_root

PLAIN = SceneOptions(occluder_prob=0, lookalike_prob=0, crop_prob=0)
# image, labels and index image of (seed, index, size). Found equal with OpenCV 4.10 and 5.0, numpy 1.26 and 2.3, and
# with the vector units of the CPU switched off. Another OpenCV may fill the edge pixels of a shape differently; then
# the first and third numbers change, and a label where a joint lies on such an edge. The positions never change.
CHECKSUMS = {
    (0, 0, (128, 128)): 'c4fee8c4 64bfcd40 526797f4',
    (1, 2, (64, 64)): '27cf7eef 1d25177a 9c5b05d5',
    (7, 4294967295, (96, 160)): '7c9be050 b0435985 7341efdc',
    (9223372036854775807, 12345, (256, 256)): '4affbbc8 586beef1 725e3615',
}


def checksum(scene: Scene) -> str:
    parts = (
        (scene.image,),
        (scene.keypoints, scene.labelled, scene.occluded, scene.bbox, np.float64(scene.head_size)),
        (scene.canvas,),
    )
    return ' '.join(f'{zlib.crc32(b"".join(array.tobytes() for array in part)):08x}' for part in parts)


@pytest.mark.parametrize('key', CHECKSUMS)
def test_committed_pictures_are_drawn_bit_by_bit(key):
    assert checksum(draw_scene(*key)) == CHECKSUMS[key]


def test_another_process_draws_the_same_pictures():
    # the packages above are left empty: drawing needs numpy and OpenCV only, and starts in an instant
    code = f"""
import sys, types, zlib
for name in ('posestructs', 'posestructs.datasets'):
    sys.modules[name] = types.ModuleType(name)
    sys.modules[name].__path__ = [{str(repo_root())!r} + '/' + name.replace('.', '/')]
package = types.ModuleType('posestructs.datasets.stick_figure')
package.__path__ = [sys.modules['posestructs.datasets'].__path__[0] + '/stick_figure']
sys.modules[package.__name__] = package
from posestructs.datasets.stick_figure.scene import draw_scene
print(*(zlib.crc32(draw_scene(3, index).image.tobytes()) for index in (5, 4, 3)))
assert 'torch' not in sys.modules
"""
    expected = [zlib.crc32(draw_scene(3, index).image.tobytes()) for index in (5, 4, 3)]
    environment = {**os.environ, 'PYTHONHASHSEED': '4711'}
    done = subprocess.run([sys.executable, '-c', code], env=environment, check=True, capture_output=True, text=True)
    assert [int(word) for word in done.stdout.split()] == expected


def test_pictures_differ_and_do_not_depend_on_what_was_drawn_before():
    first = draw_scene(0, 1)
    images = [draw_scene(seed, index).image for seed in range(4) for index in range(30)]
    assert len({image.tobytes() for image in images}) == 120
    assert checksum(draw_scene(0, 1)) == checksum(first)


def test_an_option_changes_its_subject_and_nothing_else():
    for index in range(12):
        plain = draw_scene(5, index, options=PLAIN)
        busy = draw_scene(5, index, options=SceneOptions(occluder_prob=1, lookalike_prob=1, crop_prob=0))
        np.testing.assert_array_equal(plain.keypoints, busy.keypoints)
        assert (busy.occluded >= plain.occluded).all()  # more can only be hidden
        added = (busy.owners >= LOOKALIKE) | (busy.owners >= OCCLUDER)
        same = ~added.reshape(128, 2, 128, 2).any(axis=(1, 3))
        assert same.mean() > 0.1 and added.any()
        np.testing.assert_array_equal(plain.image[same], busy.image[same])


def test_the_same_person_at_every_size():
    for index in range(10):
        large, small = draw_scene(2, index, (256, 256)), draw_scene(2, index, (64, 64))
        np.testing.assert_allclose((large.keypoints + 0.5) / 4, small.keypoints + 0.5, atol=1e-3)
        assert large.head_size == pytest.approx(4 * small.head_size, rel=1e-6)
        shrunk = cv2.resize(large.image, (64, 64), interpolation=cv2.INTER_AREA).astype(float)
        person = cv2.resize((large.owners > 0).astype(np.uint8), (64, 64), interpolation=cv2.INTER_NEAREST) > 0
        assert np.abs(shrunk - small.image)[person].mean() < 40


@pytest.mark.parametrize('size', [(32, 32), (200, 100), (90, 180), (33, 47)])
def test_persons_fill_any_shape_of_image(size):
    for index in range(15):
        scene = draw_scene(8, index, size, PLAIN)
        assert scene.image.shape == (size[1], size[0], 3) and scene.image.dtype == np.uint8
        assert scene.labelled.all()
        assert (scene.keypoints >= 0).all() and (scene.keypoints <= np.array(size) - 1).all()
        x1, y1, x2, y2 = scene.bbox
        assert max((x2 - x1) / size[0], (y2 - y1) / size[1]) > 0.45


def test_close_views_cut_persons_off_but_never_all_of_them():
    scenes = [draw_scene(3, index, (48, 48), SceneOptions(crop_prob=1)) for index in range(150)]
    labelled = np.stack([scene.labelled for scene in scenes])
    assert 0.02 < 1 - labelled.mean() < 0.3
    assert labelled.sum(axis=1).min() >= 5
    for scene in scenes:
        outside = ((scene.keypoints < 0) | (scene.keypoints > 47)).any(axis=1)
        np.testing.assert_array_equal(scene.labelled, ~outside)
        assert not scene.occluded[outside].any()


def test_a_joint_lies_on_its_own_person():
    """Where a joint is neither hidden nor outside, its pixel shows a segment that ends in it."""
    for index in range(40):
        scene = draw_scene(6, index)
        for (x, y), name, shown in zip(scene.keypoints, JOINTS, scene.labelled & ~scene.occluded, strict=True):
            if shown:
                owner = scene.owners[round(2 * float(y) + 0.5), round(2 * float(x) + 0.5)]
                assert owner in OWNER.values(), name


def sees_eyes(scene):
    """Visibility of the eyes' ink, from the indices of the image."""
    ink = [i for i, colour in enumerate(scene.pen.sketch.palette()[:128, 0].tolist()) if colour == [24, 20, 22]]
    return any((scene.canvas == index).any() for index in ink if scene.owner_table[index] == OWNER['head'])


def test_the_face_tells_left_from_right():
    """Upright persons whose eyes are seen have their left on the image's right; those without, on its left."""
    right_way = {True: [], False: []}
    for index in range(300):
        scene = draw_scene(12, index, (64, 64), PLAIN)
        upright = scene.keypoints[JOINTS.index('pelvis'), 1] > scene.keypoints[JOINTS.index('thorax'), 1] + 6
        if not upright or abs(scene.pose.angles['neck_twist']) > 30:
            continue
        left, right = (scene.keypoints[JOINTS.index(f'{side}_shoulder'), 0] for side in ('left', 'right'))
        eyes = sees_eyes(scene)
        if abs(left - right) > 3:
            right_way[eyes].append((left > right) == eyes)
    assert len(right_way[True]) > 50 and len(right_way[False]) > 50
    assert np.mean(right_way[True]) > 0.97
    assert np.mean(right_way[False]) > 0.75  # a bowed head hides its eyes from the front, too


def test_bad_arguments_are_refused():
    with pytest.raises(ValueError, match='seed=-1, allowed: an integer from 0'):
        draw_scene(-1, 0)
    with pytest.raises(ValueError, match='index=4294967296, allowed: an integer from 0'):
        draw_scene(0, 2**32)
    with pytest.raises(ValueError, match='index=1.5, allowed: an integer'):
        draw_scene(0, 1.5)
    with pytest.raises(ValueError, match='size=16, allowed: an integer from 32 to 4096'):
        draw_scene(0, 0, (16, 64))


@pytest.mark.parametrize('key', ['occluder_prob', 'lookalike_prob', 'crop_prob'])
@pytest.mark.parametrize('value', [-0.1, 1.5, float('nan'), float('inf')])
def test_probabilities(key, value):
    with pytest.raises(ValueError, match=rf'{key}=.*, allowed: a number from 0 to 1'):
        SceneOptions(**{key: value})


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(occluder_prob='0.5'), "occluder_prob='0.5', allowed: a number from 0 to 1"),
        (dict(crop_prob=True), 'crop_prob=True, allowed: a number from 0 to 1'),
        (dict(max_rotation=200), 'max_rotation=200, allowed: a number from 0 to 180'),
        (dict(max_yaw=-1), 'max_yaw=-1, allowed: a number from 0 to 180'),
        (dict(activities=['walk', 'fly']), r"activities=\['walk', 'fly'\], allowed: different ones of \['stand'"),
        (dict(activities='walk'), "activities='walk', allowed: different ones of"),
        (dict(activities=()), r'activities=\(\), allowed: different ones of'),
        (dict(activities=['walk', 'walk']), 'allowed: different ones of'),
        (dict(activities=[['walk']]), 'allowed: different ones of'),
        (dict(scale=0.5), r'scale=0.5, allowed: a pair \(smallest, largest\)'),
        (dict(scale=(0.9, 0.5)), r'scale\[1\]=0.5, allowed: a number from 0.9 to 1'),
        (dict(scale=(0.0, 0.5)), r'scale\[0\]=0.0, allowed: a number from 0.1 to 1'),
    ],
)
def test_other_options(options, message):
    with pytest.raises(ValueError, match=message):
        SceneOptions(**options)


def test_sizes():
    assert as_image_size('size', 64) == (64, 64) and as_image_size('size', [64, 96]) == (64, 96)
    for bad in (31, (64, 31), 0, -5, 5000):
        with pytest.raises(ValueError, match='image_size=.*, allowed: an integer from 32 to 4096'):
            as_image_size('image_size', bad)
    for bad in (64.0, '64', (64, 64, 3), None, True):
        with pytest.raises(ValueError, match='image_size=.*, allowed: an integer'):
            as_image_size('image_size', bad)


def test_limits_belong_to_the_range():
    assert SceneOptions(occluder_prob=0, lookalike_prob=1, max_rotation=180, scale=[1, 1]).scale == (1.0, 1.0)
