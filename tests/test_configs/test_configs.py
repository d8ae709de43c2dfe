"""Every config builds: model, pipelines, metrics, hooks, optimizer; data sets where their files are."""

import numpy as np
import pytest
import torch
from mmengine.evaluator import Evaluator
from mmengine.optim import OptimWrapperDict, build_optim_wrapper
from mmengine.registry import init_default_scope
from mmpose.registry import DATASETS, HOOKS, MODELS

from posestructs.utils import cli
from posestructs.utils.plain_values import make_plain
from tests.helpers import data_root, needs_data, repo_root

ROOT = repo_root() / 'configs'
CONFIGS = sorted(str(p.relative_to(ROOT)) for p in ROOT.rglob('*.py') if '_base_' not in p.parts)


# arguments in which the codecs of training, of images without persons and of tests may differ
FREE = {'input_size', 'heatmap_size', 'offset_scale', 'unlabelled', 'negatives', '_scope_'}


@pytest.fixture(params=CONFIGS)
def config(request, load_config):
    return load_config(request.param)


def test_model_codec_and_data_agree(config):
    # weights from the net are not to be had in a test
    config.merge_from_dict({'model.backbone.init_cfg': None})
    # on the device that computes nothing, as VGG-16 takes seconds
    with torch.device('meta'):
        model = MODELS.build(config.model)
    optim_wrapper = build_optim_wrapper(model, config.optim_wrapper)
    members = optim_wrapper.values() if isinstance(optim_wrapper, OptimWrapperDict) else [optim_wrapper]
    groups = [group for member in members for group in member.optimizer.param_groups]
    assert sum(len(group['params']) for group in groups) == len(list(model.parameters()))
    for hook in config.get('custom_hooks') or []:
        HOOKS.build(hook)

    width, height = config.codec.input_size
    meta = dataset_of(config.val_dataloader.dataset, lazy_init=True).metainfo
    with torch.no_grad(), torch.device('meta'):
        heatmaps = model.head.forward(model.extract_feat(torch.zeros(2, 3, height, width)))
    heatmaps = heatmaps[-1] if isinstance(heatmaps, (list, tuple)) else heatmaps
    channels = (1 + getattr(model.head, 'multi_task', False)) * meta['num_keypoints']
    channels = getattr(model.head.decoder, 'num_channels', channels)  # a map of scores has more
    assert heatmaps.shape == (2, channels, *reversed(config.codec.heatmap_size))
    check_trees(model, meta)
    for part in ('train', 'val', 'test'):
        cfg = config[f'{part}_dataloader'].dataset
        for one in cfg.get('datasets', [cfg]):
            converted = [step.num_keypoints for step in one.get('pipeline', []) if step.type == 'KeypointConverter']
            joints = [dataset_of(one, lazy_init=True).metainfo['num_keypoints'], *converted][-1]
            assert joints == meta['num_keypoints']
            check_targets(one.get('pipeline') or cfg.pipeline, config.model.head.decoder)
    for part in ('val', 'test'):
        crops = [
            step.input_size for step in config[f'{part}_dataloader'].dataset.pipeline if step.type == 'TopdownAffine'
        ]
        assert crops == [model.head.decoder.input_size]
        metrics = config[f'{part}_evaluator']
        metrics = metrics if isinstance(metrics, list) else [metrics]
        # COCO's reads its file at once; the small copies have one
        evaluator = Evaluator([metric for metric in metrics if 'ann_file' not in metric])
        evaluator.dataset_meta = meta  # our metrics look their joints up here, and complain of what is missing


def check_trees(model, meta):
    """Parts of trees are made of the data set's joints, in its order, and left is mirrored to right as it says."""
    names = tuple(meta['keypoint_id2name'][k] for k in range(meta['num_keypoints']))
    for tree in (getattr(part, 'tree', None) for part in (getattr(model, 'neck', None), model.head)):
        if tree is None:
            continue
        assert tree.joints == names
        if tree.symmetric:
            flipped = [tree.names[tree.mirror[part]] for part in tree.joint_parts]
            assert flipped == [names[k] for k in meta['flip_indices']]


def check_targets(pipeline, decoder):
    """Targets are made for the crops that the pipeline cuts, by the codec that reads the prediction."""
    crops = [tuple(step.input_size) for step in pipeline if step.type == 'TopdownAffine']
    for step in pipeline:
        if step.type == 'GenerateTarget':
            assert crops == [tuple(step.encoder.input_size)]
            cells = [np.divide(codec.input_size, codec.heatmap_size) for codec in (step.encoder, decoder)]
            np.testing.assert_array_equal(*cells)
            # a larger image may be searched than is trained on
            one, other = ({k: v for k, v in codec.items() if k not in FREE} for codec in (step.encoder, decoder))
            assert one == other


def dataset_of(cfg, **options):
    return DATASETS.build(dict(cfg, **options))


def test_the_documented_configs_are_there():
    names = {
        'baseline/td-hm_res18_lspet-mini-128x128.py',
        'baseline/td-hm_hourglass-small_lspet-mini-128x128.py',
        'baseline/td-hm_res50_lspet-mini-128x128.py',
        *(f'baseline/td-hm_{net}_{data}-256x256.py' for net in ('res50', 'hourglass52') for data in ('lspet', 'mpii')),
        'demo/td-hm_res18-small_stick-figure-64x64.py',
        *(f'structured_feature/sfl-release_fcnvgg_{data}-336x336.py' for data in ('lsp', 'lspet', 'flic')),
        *(f'structured_feature/sfl-paper_fcnvgg_{data}-448x448.py' for data in ('lsp', 'flic')),
        *(
            f'structured_feature/sfl-{name}{direction}.py'
            for name in (
                'release_fcnvgg_lsp-336x336',
                'separable_gen64_lspet-mini-128x128',
                'separable_gen64_stick-figure-64x64',
            )
            for direction in ('', '_up', '_down', '_none')
        ),
        *(f'hybrid/apn-tree_{net}_mpii-256x256.py' for net in ('4x512', '2x256', 'hrnet-w32', 'res50')),
        *(f'hybrid/apn-tree_2x56_{data}.py' for data in ('lspet-mini-128x128', 'stick-figure-64x64')),
        'hybrid/td-hm-apn_res50_mpii-256x256.py',
        'hybrid/apn-tree_hrnet-w32_coco-256x192.py',
        'hybrid/apn-tree_res50_freihand-224x224.py',
        *(f'adversarial_posenet/apn_4x512_{data}-256x256.py' for data in ('mpii', 'lsp')),
        *(
            f'adversarial_posenet/apn_2x56_{data}{variant}.py'
            for data in ('lspet-mini-128x128', 'stick-figure-64x64')
            for variant in ('', '_multi-task', '_single-task')
        ),
    }
    assert names <= set(CONFIGS)


@needs_data
def test_lsp_and_its_extension_are_trained_on_together():
    init_default_scope('mmpose')
    config = cli.load_config(str(ROOT / 'baseline' / 'td-hm_res50_lspet-256x256.py'))
    both = config.train_dataloader.dataset
    for part, folder in zip(both.datasets, ('lspet-raw-sample', 'lsp-annotations'), strict=True):
        part.update(data_root=str(data_root() / folder), check_images=False)
    dataset = DATASETS.build(both)
    assert len(dataset) == 10000 + 1000
    assert dataset.metainfo['torso_pair'] == ('left_shoulder', 'right_hip')
    lspet, lsp = dataset.get_data_info(9999), dataset.get_data_info(10000)
    assert lspet['keypoints_occluded'] is None and lsp['keypoints_occluded'].shape == (1, 14)
    assert (lspet['img_path'][-11:], lsp['img_path'][-10:]) == ('im10000.jpg', 'im0001.jpg')


@needs_data
@pytest.mark.parametrize(
    'name', ['baseline/td-hm_res18_lspet-mini-128x128.py', 'baseline/td-hm_res50_lspet-256x256.py']
)
def test_mmposes_inferencer_takes_the_config(name, tmp_path, monkeypatch):
    from mmpose.apis import MMPoseInferencer

    monkeypatch.setenv('POSESTRUCTS_DATA', str(data_root()))
    config = cli.load_config(str(ROOT / name))
    config.merge_from_dict({'model.backbone.init_cfg': None})
    init_default_scope('mmpose')
    torch.manual_seed(0)
    model = MODELS.build(config.model)
    # as a trained checkpoint has it
    meta = DATASETS.build(dict(config.val_dataloader.dataset, lazy_init=True)).metainfo
    checkpoint = dict(state_dict=model.state_dict(), meta=dict(dataset_meta=meta))
    make_plain(checkpoint)
    torch.save(checkpoint, tmp_path / 'weights.pth')
    image = sorted((data_root() / 'lspet-mini' / 'images').glob('*.jpg'))[0]
    inferencer = MMPoseInferencer(
        str(ROOT / name), str(tmp_path / 'weights.pth'), det_model='whole_image', device='cpu'
    )
    found = next(inferencer(str(image), out_dir=str(tmp_path / 'out'), show_progress=False))['predictions'][0][0]
    assert len(found['keypoints']) == len(found['keypoint_scores']) == 14
    assert (tmp_path / 'out' / 'visualizations' / image.name).stat().st_size > 1000
