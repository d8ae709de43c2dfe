"""The head: scores against a loop, numbers of weights, flips, no synchronisation with a GPU, mmpose's conventions."""

import numpy as np
import pytest
import torch
from mmengine.structures import InstanceData, PixelData
from mmpose.models.heads.base_head import BaseHead
from mmpose.registry import MODELS
from mmpose.structures import PoseDataSample
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from posestructs.codecs import PartScoreMap
from posestructs.models.losses.masked_softmax_loss import masked_softmax_loss
from posestructs.structures import Deformation, build_tree

LSP = build_tree(dict(from_file='lsp-26.py'))
FLIC = build_tree(dict(from_file='flic-18.py'))
ARMS = dict(
    names=['neck', 'left_hand', 'right_hand'],
    parents=[-1, 'neck', 'neck'],
    mirror=[('left_hand', 'right_hand')],
    joints=['right_hand', 'left_hand', 'neck'],
)
# rectangular, three types; two types of the neck are mirror images of each other
SIZES = dict(input_size=(48, 64), heatmap_size=(6, 8))


def three_types():
    tree = build_tree(ARMS)
    offsets = np.array([[[0, 0], [-0.1, 0], [0.1, 0]], [[0.3, 0], [0.2, 0.2], [0.2, -0.2]], [[0, 0]] * 3])
    offsets[2] = offsets[1] * (-1, 1)
    types = np.array([[0, 2, 1], [0, 1, 2], [0, 1, 2]])
    return Deformation(tree, offsets, np.full((3, 3, 2), 0.01), types, np.full((3, 3), 1 / 3), 0.75)


def decoder(**kwargs):
    return dict(dict(type='PartScoreMap', tree=ARMS, deformation=three_types(), **SIZES), **kwargs)


def head(in_channels=12, **kwargs):
    built = MODELS.build(dict(dict(type='PartScoreHead', in_channels=in_channels, decoder=decoder()), **kwargs))
    built.init_weights()
    return built.eval()


def features(channels=12, count=2, seed=0):
    return torch.randn(count, channels, 8, 6, generator=torch.Generator().manual_seed(seed))


def sample(codec, joints, visible):
    encoded = codec.encode(joints, visible)
    labels = InstanceData(**{key: encoded[key] for key in codec.label_mapping_table})
    fields = PixelData(**{key: encoded[key] for key in codec.field_mapping_table})
    return PoseDataSample(gt_instance_labels=labels.to_tensor(), gt_fields=fields.to_tensor())


def samples(codec, visible=(1, 1, 1)):
    joints = np.array([[[10.0, 30], [40, 28], [25, 12]]]), np.array([[[12.0, 40], [12, 41], [30, 20]]])
    return [sample(codec, points, np.array([visible], np.float32)) for points in joints]


# -- scores ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize('background', ['branch', 'plain'])
@pytest.mark.parametrize('shared', [None, 5])
def test_scores_part_by_part(background, shared):
    """z_k = W_k [A'_k, B'_k] + b_k over the four channels of a part; the background reads shared or all channels."""
    built = head(background=background, shared_channels=shared, background_channels=7).double()
    built.requires_grad_(False)
    for parameter in built.parameters():
        nn.init.normal_(parameter, generator=torch.Generator().manual_seed(1))
    parts, other = features().double(), features(5, seed=1).double()
    logits = built((parts, other) if shared else (parts,))
    weight, bias = built.prediction.weight[..., 0, 0], built.prediction.bias
    for k in range(3):
        for t in range(3):
            row = weight[k * 3 + t]
            expected = sum(row[c] * parts[:, k * 4 + c] for c in range(4)) + bias[k * 3 + t]
            torch.testing.assert_close(logits[:, k * 3 + t], expected)
    seen = other if shared else parts
    if background == 'branch':
        hidden = built.background_features
        seen = torch.einsum('oc,nchw->nohw', hidden.weight[..., 0, 0], seen) + hidden.bias[:, None, None]
        seen = seen.clamp(min=0)
    last = built.background_logit
    expected = torch.einsum('c,nchw->nhw', last.weight[0, :, 0, 0], seen) + last.bias
    torch.testing.assert_close(logits[:, -1], expected)


@pytest.mark.parametrize(
    ('tree', 'num_types', 'channels'), [(FLIC, 1, 19), (LSP, 1, 27), (FLIC, 13, 235), (LSP, 13, 339)]
)
def test_number_of_channels(tree, num_types, channels):
    built = MODELS.build(
        dict(type='PartScoreHead', in_channels=tree.num_parts * 4, tree=tree, num_types=num_types, background='plain')
    )
    assert built(torch.zeros(1, tree.num_parts * 4, 3, 2)).shape == (1, channels, 3, 2)


def test_initial_values_of_the_release():
    built = MODELS.build(dict(type='PartScoreHead', in_channels=26 * 256, tree=LSP, num_types=13, shared_channels=1024))
    built.init_weights()
    built.requires_grad_(False)
    assert built.prediction.weight.std() == pytest.approx(0.1, rel=0.02)
    assert built.background_features.weight.std() == pytest.approx(0.01, rel=0.02)
    assert built.background_logit.weight.std() == pytest.approx(0.1, rel=0.2)
    assert not any(parameter.any() for name, parameter in built.named_parameters() if name.endswith('bias'))
    # the release's background branch: 1x1-512
    assert built.background_features.weight.shape == (512, 1024, 1, 1)
    assert isinstance(built, BaseHead)


def test_the_branch_drops_whole_channels_in_training():
    built = head(background_channels=64)
    nn.init.ones_(built.background_features.bias)
    nn.init.zeros_(built.background_features.weight)
    nn.init.ones_(built.background_logit.weight)
    assert (built(features())[:, -1] == 64).all()
    trained = built.train()(features())[:, -1]
    assert (trained == trained[:, :1, :1]).all()  # the same channels at every cell
    assert (trained != 64).any()


# -- training ----------------------------------------------------------------------------------------------------------


def test_loss_is_that_of_the_targets():
    built = head(loss=dict(type='MaskedSoftmaxLoss', loss_weight=2.0))
    data = samples(built.decoder)
    for one in data:  # every cell that is not close to a part counts, so that nothing is random
        one.gt_fields.negative_rates = (one.gt_fields.negative_rates > 0).float()
    losses = built.loss((features(),), data)
    keys = ('part_cells', 'part_types', 'part_shares')
    targets = [torch.cat([getattr(s.gt_instance_labels, key) for s in data]) for key in keys]
    mask = torch.cat([s.gt_fields.negative_rates * s.gt_fields.negative_weights for s in data])
    expected = 2 * masked_softmax_loss(built(features()), *targets, mask)
    torch.testing.assert_close(losses['loss_parts'], expected)
    assert set(losses) == {'loss_parts', 'acc_pose'}
    assert set(built.loss((features(),), data, dict(compute_acc=False))) == {'loss_parts'}


def test_accuracy_is_right_where_the_scores_are():
    built = head()
    data = samples(built.decoder)
    cells = torch.cat([s.gt_instance_labels.part_cells for s in data])
    logits = torch.zeros(2, 10, 8, 6)
    for n in range(2):
        for k in range(3):
            logits.view(2, 10, 48)[n, k * 3 + 1, cells[n, k]] = 5
    built.forward = lambda feats: logits
    assert built.loss(None, data)['acc_pose'] == 1
    logits[0, 3:6] = logits[0, 3:6].flip(-1)  # one hand of one of two persons
    assert built.loss(None, data)['acc_pose'] == pytest.approx((0.5 + 1 + 1) / 3)


def test_nobody_labelled_is_zero_and_finite():
    built = head().train()
    feats = features().requires_grad_()
    losses = built.loss((feats,), samples(built.decoder, visible=(0, 0, 0)))
    assert losses['loss_parts'] == 0
    assert losses['acc_pose'] == 0
    losses['loss_parts'].backward()
    for tensor in (feats, *built.parameters()):
        assert (tensor.grad == 0).all()


class _Spy(TorchDispatchMode):
    """Names of all operators that run."""

    def __init__(self):
        super().__init__()
        self.names = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.names.add(func.overloadpacket.__name__)
        return func(*args, **(kwargs or {}))


# operators that read a value, have a size that depends on values, or copy Python numbers to a GPU
WAITS = {
    '_local_scalar_dense',
    'item',
    'nonzero',
    'masked_select',
    'index',
    'index_put',
    'lift_fresh',
    'equal',
    '_to_copy',
}


def test_nothing_waits_for_a_gpu():
    with _Spy() as spy:
        torch.tensor([1.0], requires_grad=True)[[0]].max().item()
    assert len(spy.names & WAITS) >= 3  # it records them
    built, feats = head().train(), (features(),)
    data = samples(built.decoder)
    with _Spy() as spy:
        losses = built.loss(feats, data)
        losses['loss_parts'].backward()
    assert spy.names & {'gather', '_log_softmax', 'convolution'}
    # a change of dtype is a _to_copy as well
    assert not spy.names & (WAITS - {'_to_copy'})


# -- prediction --------------------------------------------------------------------------------------------------------


def test_predictions_are_the_decoded_softmax():
    built = head()
    preds, fields = built.predict((features(),), None, dict(output_heatmaps=True))
    probs = built(features()).softmax(dim=1)
    joints, scores = built.decoder.batch_decode(probs.log())
    for n, pred in enumerate(preds):
        np.testing.assert_allclose(pred.keypoints, joints[n], rtol=1e-5)
        np.testing.assert_allclose(pred.keypoint_scores, scores[n], rtol=1e-4)
        assert pred.keypoints.shape == (1, 3, 2)
        assert pred.pose_scores.shape == (1,)
        # maps of the joints in the data set's order: right hand, left hand, neck
        expected = probs[n, :9].unflatten(0, (3, 3)).sum(dim=1)[[2, 1, 0]]
        torch.testing.assert_close(fields[n].heatmaps, expected)
        # of parts and background, in the tree's order
        parts = torch.stack([*(probs[n, 3 * v : 3 * v + 3].sum(dim=0) for v in range(3)), probs[n, 9]])
        torch.testing.assert_close(fields[n].part_scores, parts)
    assert isinstance(built.predict((features(),), None), list)


def test_maps_of_nan_are_refused_but_for_a_level_of_a_pyramid():
    broken = (features() * torch.nan,)
    with pytest.raises(ValueError, match='the score maps contain NaN'):
        head().predict(broken, None)
    assert np.isnan(head().predict(broken, None, dict(pyramid_scales=[1.0]))[0].keypoint_scores).all()


def test_flip_test_averages_probabilities_of_mirrored_parts_and_types():
    built = head()
    ours, flipped = features(), features(seed=1)
    averaged = built.flip_averaged([(ours,), (flipped,)])
    p, q = (built(x).softmax(dim=1).detach() for x in (ours, flipped))
    swapped = q.flip(-1).clone()
    # neck: types 1 and 2 are mirrored; hands: parts are
    for channel, source in enumerate([0, 2, 1, 6, 7, 8, 3, 4, 5, 9]):
        expected = (p[:, channel] + q.flip(-1)[:, source]) / 2
        torch.testing.assert_close(averaged[:, channel].exp(), expected)
    assert not torch.allclose(p + swapped, 2 * averaged.exp())
    preds = built.predict([(ours,), (flipped,)], None, dict(flip_test=True))
    expected = built.decode(averaged)
    np.testing.assert_array_equal(preds[0].keypoints, expected[0].keypoints)


def test_bfloat16_features_are_scored_in_float32():
    built = head().bfloat16()
    assert built.log_probabilities((features().bfloat16(),)).dtype == torch.float32


# -- bad input ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ('kwargs', 'message'),
    [
        (dict(in_channels=13), 'in_channels=13, allowed: a multiple of the 3 parts'),
        (dict(background='none'), "background='none', allowed"),
        (dict(background_channels=0), 'background_channels=0, allowed'),
        (dict(shared_channels=-1), 'shared_channels=-1, allowed: an integer of at least 1, or None'),
        (dict(num_types=5), 'num_types=5, .*deformation of PartScoreHead.decoder has 3'),
        (dict(num_types=0, decoder=None, tree=ARMS), 'num_types=0, allowed'),
        (dict(tree=LSP), r'PartScoreHead.tree \(26 parts, 14 joints\) is not that of .*decoder \(3 parts, 3 joints\)'),
        (dict(decoder=None), 'needs a tree, or a decoder'),
    ],
)
def test_bad_arguments(kwargs, message):
    with pytest.raises(ValueError, match=message):
        head(**kwargs)


def test_decoder_of_another_kind():
    with pytest.raises(TypeError, match='decoder=MSRAHeatmap, allowed: a PartScoreMap'):
        head(decoder=dict(type='MSRAHeatmap', sigma=2, **SIZES))


def test_features_that_do_not_fit():
    counts = r'in_channels=12 \(3 parts of its tree x 4\), shared_channels=.*decoder 3 parts'
    with pytest.raises(ValueError, match=f'the neck returns 16 channels of parts; .*{counts}'):
        head()((features(16),))
    with pytest.raises(ValueError, match='shared_channels=5 needs a second feature map .*keep_input=True'):
        head(shared_channels=5)((features(),))
    with pytest.raises(ValueError, match=f'shared feature map of 6 channels; .*{counts}'):
        head(shared_channels=5)((features(), features(6)))


def test_targets_of_another_tree():
    built = head()
    other = PartScoreMap(tree=LSP, **SIZES)
    data = [sample(other, np.full((1, 14, 2), 20.0), np.ones((1, 14))) for _ in range(2)]
    with pytest.raises(ValueError, match='targets have 26 parts of 1 types, PartScoreHead 3 of 3: the codec of Gen'):
        built.loss((features(),), data)


def test_targets_of_other_types():
    """One type too few would train without an error, one too many with an infinite loss."""
    built, untyped = head(), decoder(deformation=None)
    with pytest.raises(ValueError, match='targets have 3 parts of 1 types, PartScoreHead 3 of 3'):
        built.loss((features(),), samples(PartScoreMap(**{k: v for k, v in untyped.items() if k != 'type'})))
    with pytest.raises(ValueError, match='targets have 3 parts of 3 types, PartScoreHead 3 of 1'):
        head(decoder=untyped).loss((features(),), samples(built.decoder))


def test_no_decoder_and_no_flipped_features():
    with pytest.raises(RuntimeError, match='needs a decoder'):
        head(decoder=None, tree=ARMS).predict((features(),), None)
    with pytest.raises(ValueError, match='features of the flipped images'):
        head().predict((features(),), None, dict(flip_test=True))


def test_shifted_heatmaps_are_refused_at_once():
    built = head()
    with pytest.raises(ValueError, match=r'test_cfg.shift_heatmap=True, allowed'):
        built.test_cfg = dict(flip_test=True, shift_heatmap=True)
    built.test_cfg = dict(flip_test=True, shift_heatmap=False)
    assert built.test_cfg['flip_test']
