"""Maps of crops where the joints are in the image, beside the arithmetic of the estimator."""

import numpy as np
import pytest
import torch
from mmengine.structures import PixelData
from mmpose.structures import PoseDataSample

from posestructs.visualization.image_maps import crop_matrix, maps_of_image

CROP = dict(
    input_center=np.array([[70.0, 40]]), input_scale=np.array([[64.0, 96]]), input_size=(64, 96), ori_shape=(120, 200)
)


def person(cell, value=1.0, size=(16, 24), **crop):
    """One map with one hot cell (x, y)."""
    maps = np.zeros((1, size[1], size[0]), np.float32)
    maps[0, cell[1], cell[0]] = value
    sample = PoseDataSample(metainfo={**CROP, **crop})
    sample.pred_fields = PixelData(heatmaps=maps, occlusion_heatmaps=torch.from_numpy(maps / 2))
    return sample


def test_a_cell_lies_where_the_estimator_puts_its_joint():
    """TopdownPoseEstimator: keypoint / input_size * scale + center - scale / 2; a codec: cell * input / map size."""
    for cell, pixel in (((0, 0), (38, -8)), ((8, 12), (70, 40)), ((3, 20), (50, 72))):
        x, y = crop_matrix(CROP, (16, 24)) @ [*cell, 1]
        assert (x, y) == pytest.approx(pixel)
    # of a cell of 4 x 4 pixels the centre lies 1.5 beside the first
    assert crop_matrix(CROP, (16, 24), centred=True) @ [8, 12, 1] == pytest.approx([71.5, 41.5])
    assert crop_matrix(CROP, (64, 96), centred=True) @ [0, 0, 1] == pytest.approx([38, -8])


def test_maps_of_an_image():
    maps = maps_of_image([person((8, 12)), person((3, 20), value=0.7)])
    assert maps['heatmaps'].shape == (1, 120, 200) and maps['heatmaps'].dtype == np.float32
    assert maps['heatmaps'][0, 40, 70] == pytest.approx(1) and maps['heatmaps'][0, 72, 50] == pytest.approx(0.7)
    np.testing.assert_allclose(maps['occlusion'], maps['heatmaps'] / 2)
    assert maps['heatmaps'][0, 40, 72] == pytest.approx(0.5, abs=0.01)  # halfway to the next cell
    assert not maps['heatmaps'][0, :, 110:].any()


def test_persons_who_overlap():
    one, other = person((8, 12)), person((8, 12), value=0.4)
    np.testing.assert_array_equal(maps_of_image([other, one])['heatmaps'], maps_of_image([one])['heatmaps'])


def test_large_images_get_a_coarse_grid():
    crop = dict(input_center=np.array([[700.0, 400]]), input_scale=np.array([[640.0, 960]]), ori_shape=(1200, 2000))
    maps = maps_of_image([person((8, 12), **crop)])['heatmaps']
    assert maps.shape == (1, 154, 256)
    y, x = np.unravel_index(maps[0].argmax(), maps[0].shape)
    assert (x * 2000 / 256, y * 1200 / 154) == pytest.approx((700, 400), abs=5)


def test_no_maps():
    assert maps_of_image([]) == {} and maps_of_image([PoseDataSample(metainfo=CROP)]) == {}
