"""A file that sleap-io wrote, and the two layouts of SLEAP itself."""

import h5py
import numpy as np
import pytest

from posestructs.evaluation.prediction_files import read_predictions

FILE = 'sleap.analysis.h5'
BASE = np.array([[10, 20], [30, 20], [12, 40], [70, 90]], float)
# (frame, track) that are there; the tail of the first animal is not found in the last frame
THERE = [(0, 0), (0, 1), (1, 0), (2, 0), (2, 1)]


def expected():
    points = np.stack([BASE + 100 * track + frame for frame, track in THERE])
    points[3, 3] = np.nan
    return points


def check(poses):
    np.testing.assert_array_equal(poses.keypoints, expected())
    np.testing.assert_allclose(poses.scores, np.tile([0.9, 0.8, 0.7, 0.6], (5, 1)), atol=1e-6)
    assert poses.joints == ('nose', 'left_ear', 'right_ear', 'tail')
    assert poses.images == [0, 0, 1, 2, 2] and poses.frames
    np.testing.assert_allclose(poses.person_scores, [0.5, 0.6, 0.5, 0.5, 0.6], atol=1e-6)


def test_file_of_sleap_io(files):
    check(read_predictions(files / FILE))


@pytest.mark.parametrize('transposed', [False, True])
def test_files_without_names_of_axes(files, tmp_path, transposed):
    """SLEAP's own writer: (tracks, 2, nodes, frames), or not transposed."""
    path = tmp_path / 'a.h5'
    with h5py.File(files / FILE) as source, h5py.File(path, 'w') as file:
        for key in ('tracks', 'point_scores', 'instance_scores', 'node_names'):
            value = source[key][()]
            if key == 'point_scores':
                value = np.broadcast_to(np.array([0.9, 0.8, 0.7, 0.6])[:, None], (2, 4, 3))
            file[key] = value.T if transposed and value.ndim > 1 else value
    check(read_predictions(path))


def test_shapes_that_do_not_fit(tmp_path):
    path = tmp_path / 'a.h5'
    with h5py.File(path, 'w') as file:
        file['tracks'] = np.zeros((2, 3, 4, 5))
        file['node_names'] = [b'a', b'b']
    with pytest.raises(ValueError, match=r'tracks.shape=.* allowed: \(tracks, 2, 2 nodes, frames\)'):
        read_predictions(path)


@pytest.mark.parametrize(
    ('tracks', 'dims', 'message'),
    [
        (None, None, 'it is neither of SLEAP'),
        (h5py.SoftLink('/nowhere'), None, 'it is neither of SLEAP'),
        (np.zeros((1, 2, 2, 5), complex), None, 'tracks.dtype=complex128, allowed: real numbers'),
        (np.zeros((1, 2, 2, 5)), '{', 'tracks.dims is not a JSON list'),
        (np.zeros((1, 2, 2, 5)), '["a", "b"]', 'tracks.dims=.*allowed: track, xy, node, frame'),
    ],
)
def test_tracks_that_are_no_positions(tmp_path, tracks, dims, message):
    path = tmp_path / 'a.h5'
    with h5py.File(path, 'w') as file:
        file['node_names'] = [b'a', b'b']
        if tracks is None:
            file.create_group('tracks')
        else:
            file['tracks'] = tracks
        if dims is not None:
            file['tracks'].attrs['dims'] = dims
    with pytest.raises(ValueError, match=message):
        read_predictions(path)
