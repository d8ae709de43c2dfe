"""Real runs of the tools with --show-dir: what is on the images, and in a TensorBoard file."""

import copy
import runpy
import sys
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import Compose, pseudo_collate
from mmengine.registry import init_default_scope
from mmpose.registry import DATASETS, MODELS
from mmpose.visualization import PoseLocalVisualizer
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from posestructs.visualization.heatmap_sheet import DiscriminatorScores, heatmap_sheet
from posestructs.visualization.pose_drawing import enlarge
from posestructs.visualization.structure_visualization_hook import StructureVisualizationHook, changes_images
from tests.helpers import repo_root
from tests.helpers.tools import forget_runs

TINY = repo_root() / 'tests/test_tools/tiny_adversarial-64x64.py'
SFL = """
_base_ = ['{root}/configs/structured_feature/sfl-separable_gen64_stick-figure-64x64.py']
model = dict(
    backbone=dict(channels=8, depth=1, stem_channels=(4, 4, 8)),
    neck=dict(in_channels=8, part_channels=2),
    head=dict(in_channels=26 * 2 * 2, shared_channels=8),
)
test_dataloader = dict(batch_size=4, num_workers=0, persistent_workers=False, dataset=dict(num_samples=2))
"""


@pytest.fixture
def tool(monkeypatch):
    def run(name, *args):
        forget_runs()
        monkeypatch.setattr(sys, 'argv', [name, *map(str, args)])
        monkeypatch.setenv('LOCAL_RANK', '0')
        monkeypatch.setattr(sys, 'path', list(sys.path))
        runpy.run_path(str(repo_root() / 'tools' / name), run_name='__main__')

    return run


@pytest.fixture
def visualizer():
    """The visualizer of a run, which a hook asks for when it is built."""
    return PoseLocalVisualizer.get_instance('visualizer')


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory):
    init_default_scope('mmpose')
    torch.manual_seed(0)
    model = MODELS.build(Config.fromfile(TINY).model)
    model.attach_discriminators()
    for weight in model.parameters():
        if weight.ndim == 4:
            torch.nn.init.kaiming_normal_(weight)
    path = tmp_path_factory.mktemp('model') / 'tiny.pth'
    torch.save(dict(state_dict=model.state_dict(), meta={}), path)
    return path, model.eval()


def test_pictures_of_a_test_run(tool, checkpoint, tmp_path, monkeypatch):
    """With a relative work directory, in which mmpose's hook would nest its folder anew with each batch."""
    path, model = checkpoint
    monkeypatch.chdir(tmp_path)
    flags = ['--show-dir', 'drawn', '--cfg-options', 'test_dataloader.batch_size=2']
    tool('test.py', TINY, path, '--work-dir', 'w', *flags)
    (folder,) = (tmp_path / 'w').glob('*/drawn')
    names = [f'{i:06d}_0{kind}.png' for i in range(4) for kind in ('', '_maps')]
    assert sorted(file.name for file in folder.iterdir()) == names

    # the third person by hand: its maps, and what both discriminators say of them
    dataset = DATASETS.build(Config.fromfile(TINY).test_dataloader.dataset)
    sample = dataset[2]
    data = model.data_preprocessor(pseudo_collate([sample]), False)
    model.test_cfg['output_heatmaps'] = True
    with torch.no_grad():
        (found,) = model.predict(data['inputs'], data['data_samples'])
        pose, occlusion = found.pred_fields.heatmaps, found.pred_fields.occlusion_heatmaps
        maps = torch.cat([pose, occlusion])[None]
        scores = {
            key: model.discriminators[name](maps, data['inputs']).sigmoid()[0].numpy()
            for key, name in (('P', 'pose'), ('C', 'confidence'))
        }
    expected_scores = {key: DiscriminatorScores(value, np.full(14, np.nan)) for key, value in scores.items()}
    crop = np.ascontiguousarray(sample['inputs'].permute(1, 2, 0).numpy()[..., ::-1])
    titles = list(dataset.metainfo['keypoint_id2name'].values())
    expected = heatmap_sheet(enlarge(crop, 1.5), pose.numpy(), occlusion.numpy(), expected_scores, titles)
    sheet = cv2.imread(str(folder / '000002_0_maps.png'))[..., ::-1]
    assert sheet.shape == expected.shape
    assert np.abs(sheet.astype(int) - expected).mean() < 0.5

    # the image has no file: it is shown as far as the model sees it, with the skeleton; heat and occlusion below
    drawing = cv2.imread(str(folder / '000002_0.png'))
    assert drawing.shape == (3 * 64, 64, 3)
    original = dataset.get_data_info(2)['img']
    assert np.median(np.abs(drawing[:64].astype(int) - original)) < 10
    assert np.abs(drawing[64:128].astype(int) - drawing[128:]).mean() > 1


def test_a_checkpoint_without_discriminators_has_no_scores(tool, checkpoint, tmp_path):
    path, model = checkpoint
    state = {key: value for key, value in model.state_dict().items() if not key.startswith('discriminators.')}
    torch.save(dict(state_dict=state, meta={}), tmp_path / 'bare.pth')
    flags = ['--show-dir', 'drawn', '--interval', 3]
    heights = []
    for file in (path, tmp_path / 'bare.pth'):
        tool('test.py', TINY, file, '--work-dir', tmp_path / file.stem, *flags)
        sheets = sorted((tmp_path / file.stem).glob('*/drawn/*_maps.png'))
        assert [sheet.name for sheet in sheets] == ['000000_0_maps.png', '000003_0_maps.png']
        heights.append(cv2.imread(str(sheets[0])).shape[0])
    assert heights[0] - heights[1] == 2 * 2 * 16  # two rows of tiles, two bars each


def test_score_maps_of_parts(tool, tmp_path):
    config = tmp_path / 'sfl.py'
    config.write_text(SFL.format(root=repo_root()))
    model = MODELS.build(Config.fromfile(config).model)
    torch.save(dict(state_dict=model.state_dict(), meta={}), tmp_path / 'sfl.pth')
    tool('test.py', config, tmp_path / 'sfl.pth', '--work-dir', tmp_path / 'w', '--show-dir', 'drawn')
    (folder,) = (tmp_path / 'w').glob('*/drawn')
    assert cv2.imread(str(folder / '000000_0.png')).shape == (2 * 64, 64, 3)

    # by hand: a tile for each of the 26 parts, and one for the background
    dataset = DATASETS.build(Config.fromfile(config).test_dataloader.dataset)
    data = model.eval().data_preprocessor(pseudo_collate([dataset[1]]), False)
    with torch.no_grad():
        feats, mirrored = model.extract_feat(data['inputs']), model.extract_feat(data['inputs'].flip(-1))
        scores = model.head.flip_averaged([feats, mirrored]).exp()[0].numpy()
    crop = np.ascontiguousarray(dataset[1]['inputs'].permute(1, 2, 0).numpy()[..., ::-1])
    expected = heatmap_sheet(enlarge(crop, 1.5), scores, names=[*model.head.tree.names, 'background'])
    sheet = cv2.imread(str(folder / '000001_0_maps.png'))[..., ::-1]
    assert sheet.shape == expected.shape and np.abs(sheet.astype(int) - expected).mean() < 0.5


def test_validation_pictures_and_losses_in_tensorboard(tool, tmp_path):
    flags = ['--tensorboard', '--show-dir', 'drawn', '--interval', 3]
    short = ['train_cfg.max_epochs=1', 'default_hooks.logger.interval=1', 'default_hooks.checkpoint.interval=-1']
    tool('train.py', TINY, '--work-dir', tmp_path, *flags, '--cfg-options', *short)
    events = EventAccumulator(str(next(tmp_path.glob('*/vis_data'))), size_guidance=dict(images=0))
    events.Reload()
    assert {'val_img', 'val_maps'} <= set(events.Tags()['images'])
    assert {'loss', 'loss_adv_pose', 'pose.score_fake'} <= set(events.Tags()['scalars'])
    (image,) = events.Images('val_img')
    drawing = cv2.imdecode(np.frombuffer(image.encoded_image_string, np.uint8), cv2.IMREAD_COLOR)
    assert drawing.shape == (3 * 64, 64, 3)
    (sheet,) = events.Images('val_maps')
    assert sheet.height > 2 * (2 * 96 + 2 * 16)  # two rows of tiles, two maps and two bars each


def test_the_image_is_drawn_with_the_occluders_that_the_model_saw(tmp_path, visualizer):
    """Half of the image lies in the crop; the rest is that of the file."""
    image = np.full((100, 200, 3), 90, np.uint8)
    cv2.imwrite(str(tmp_path / 'a.png'), image)
    occluder = dict(type='RandomOccluder', prob=1.0, num=(3, 3), fills='flat', size=1.0, aspect=1.0, seed=1)
    steps = [dict(type='LoadImage'), dict(type='GetBBoxCenterScale', padding=1.0)]
    pipeline = [*steps, dict(type='TopdownAffine', input_size=(100, 100)), occluder, dict(type='PackPoseInputs')]
    person = dict(img_path=str(tmp_path / 'a.png'), id=1, img_id=1, bbox=np.array([[0, 0, 100, 100]], np.float32))
    person |= dict(bbox_score=np.ones(1, np.float32), keypoints=np.array([[[30.0, 30], [70, 70]]], np.float32))
    person |= dict(keypoints_visible=np.ones((1, 2), np.float32), skeleton_links=[(0, 1)])
    plain, occluded = (Compose(p)(copy.deepcopy(person)) for p in (pipeline[:3] + pipeline[4:], pipeline))
    hook = StructureVisualizationHook(enable=True)

    def drawn(packed, steps):
        hook._occludes = changes_images(SimpleNamespace(datasets=[SimpleNamespace(pipeline=Compose(steps))]))
        return hook._image(packed['data_samples'], packed['inputs'])

    seen = occluded['inputs'].permute(1, 2, 0).numpy()[..., ::-1]
    assert (seen != 90).any(axis=2).mean() > 0.05
    found = drawn(occluded, pipeline)
    assert (np.abs(found[2:98, 2:98].astype(int) - seen[2:98, 2:98]).max(axis=2) > 40).mean() < 0.02
    np.testing.assert_array_equal(found[:, 101:], image[:, 101:])
    np.testing.assert_array_equal(drawn(plain, pipeline[:3] + pipeline[4:]), image)


@pytest.mark.parametrize('slip', [dict(interval=0), dict(kpt_thr=float('nan')), dict(wait_time=-1), dict(maps='no')])
def test_arguments_are_refused_when_the_hook_is_built(slip, visualizer):
    with pytest.raises(ValueError, match=f'^StructureVisualizationHook.{next(iter(slip))}=.*, allowed'):
        StructureVisualizationHook(**slip)
