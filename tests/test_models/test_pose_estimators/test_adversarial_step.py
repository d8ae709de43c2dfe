"""One iteration against Algorithm 1 in plain torch, network by network and joint by joint."""

import copy
import math
from contextlib import contextmanager

import pytest
import torch
from mmengine.model import BaseModule
from mmengine.optim import OptimWrapper
from torch import nn
from torch.nn import functional as F

from posestructs.engine import NetworkOptimWrapperDict

LR = 0.05


def sigmoid(logit):
    return 1 / (1 + torch.exp(-logit))


class Plain:
    """The paper's algorithm on copies of the networks; only the networks are shared with the code under test."""

    def __init__(self, model, data, kind='minimax', gate=True):
        self.model = copy.deepcopy(model)
        self.kind, self.gate, self.names = kind, gate, list(self.model.discriminators)
        self.images, samples = data['inputs'], data['data_samples']
        labels = [s.gt_instance_labels for s in samples]
        self.samples, self.count = samples, len(samples)
        self.targets = torch.stack([s.gt_fields.heatmaps for s in samples]).double()
        self.labelled = torch.cat([x.keypoint_weights for x in labels])
        self.known = torch.cat([x.occlusion_weights for x in labels])
        self.cells = torch.cat([x.keypoint_cells for x in labels])
        self.size = torch.cat([x.normaliser for x in labels])

    def generate(self):
        return self.model.head.forward(self.model.backbone(self.images))

    def l_g(self, stacks):
        """Eq. 1, map by map."""
        total = 0
        for maps in stacks:
            for i in range(self.count):
                for k in range(4):
                    if self.labelled[i, k]:
                        total = total + (maps[i, k] - self.targets[i, k]).square().sum()
                    if self.known[i, k]:
                        total = total + (maps[i, 4 + k] - self.targets[i, 4 + k]).square().sum()
        return total / (2 * self.count * len(stacks))

    def masked(self, maps):
        """Maps with the channels of unlabelled joints and of unknown occlusion set to zero."""
        out = maps.clone()
        for i in range(self.count):
            for k in range(4):
                if not self.labelled[i, k]:
                    out[i, k] = 0
                if not self.known[i, k]:
                    out[i, 4 + k] = 0
        return out

    def scores(self, name, maps):
        net = self.model.discriminators[name]
        if name == 'limbs':
            return sigmoid(net(self.masked(maps)[:, :4], self.images))
        if name == 'confidence':
            return sigmoid(net(self.masked(maps)))
        small = F.adaptive_avg_pool2d(self.images, maps.shape[2:])
        return sigmoid(net._logits(self.masked(maps), small))

    def label(self, name, maps, i, k):
        predicted = maps[i, k].detach()
        if name == 'confidence':
            return float(math.sqrt((predicted - self.targets[i, k]).square().sum()) < 4)
        place = predicted.argmax().item()
        away = math.dist((place % 8, place // 8), self.cells[i, k].tolist())
        return float(predicted.max() > 0 and away / self.size[i].item() < 0.5)

    def joints(self, name):
        """Images and joints that count; P needs the size of the person."""
        for i in range(self.count):
            for k in range(4):
                if self.labelled[i, k] and (name == 'confidence' or self.size[i] > 0):
                    yield i, k

    def l_d(self, name, maps, real=True, fake=True):
        """- E[log D(real)] - E[log(1 - |D(fake) - t|)]"""
        total = 0
        if real:
            d = self.scores(name, self.targets)
            total = total - sum(torch.log(d[i, k]) for i, k in self.joints(name))
        if fake:
            d = self.scores(name, maps.detach())
            labels = {(i, k): self.label(name, maps, i, k) for i, k in self.joints(name)}
            assert 0 < sum(labels.values()) < len(labels)  # labels of both kinds
            total = total - sum(torch.log(1 - abs(d[i, k] - t)) for (i, k), t in labels.items())
        return total / self.count

    def objective(self, stacks):
        total = self.l_g(stacks)
        for name, weight in zip(self.names, (0.7, 0.5, 0.6), strict=False):
            d = self.scores(name, stacks[-1])
            for i, k in self.joints(name):
                t = self.label(name, stacks[-1], i, k)
                if not (self.gate and t == 1):
                    term = torch.log(1 - abs(d[i, k] - t)) if self.kind == 'minimax' else -torch.log(abs(d[i, k] - t))
                    total = total + weight * term / self.count
        return total

    def gradients(self, loss, name):
        network = self.model.networks()[name]
        return list(network.parameters()), torch.autograd.grad(loss, list(network.parameters()), retain_graph=True)

    @torch.no_grad()
    def descend(self, parameters, gradients):
        for p, g in zip(parameters, gradients, strict=True):
            p -= LR * g

    def joint(self):
        stacks = self.generate()
        steps = [self.gradients(self.l_d(name, stacks[-1]), name) for name in self.names]
        steps.append(self.gradients(self.objective(stacks), 'generator'))
        for step in steps:
            self.descend(*step)

    def alternating(self):
        # gradients are those of the weights at the time of the forward pass, although some have changed since
        stacks = self.generate()
        for name in self.names:
            self.descend(*self.gradients(self.l_d(name, stacks[-1]), name))
        self.descend(*self.gradients(self.objective(stacks), 'generator'))

    def literal(self):
        stacks = self.generate()
        maps = stacks[-1].detach()
        self.descend(*self.gradients(self.l_g(stacks), 'generator'))
        for name in self.names:
            self.descend(*self.gradients(self.l_d(name, maps, real=False), name))
            self.descend(*self.gradients(self.l_d(name, maps, fake=False), name))
        self.descend(*self.gradients(self.objective(self.generate()), 'generator'))


@pytest.mark.parametrize(
    'adversarial',
    [
        dict(),
        dict(algorithm='alternating'),
        dict(algorithm='literal'),
        dict(gate=False),
        dict(generator_loss='non_saturating'),
        dict(generator_loss='non_saturating', gate=False),
        dict(weights=dict(limbs=0.6)),
        dict(weights=dict(limbs=0.6), algorithm='alternating'),
        dict(weights=dict(limbs=0.6), algorithm='literal'),
    ],
    ids=lambda cfg: ' '.join(map(str, cfg.values())) or 'default',
)
def test_iteration_is_the_algorithm(adversarial, toy):
    """With P and C, and with a third discriminator on joint coordinates."""
    discriminators = (toy.THREE if 'weights' in adversarial else toy.MODEL)['discriminators']
    model, data = toy.build(adversarial=adversarial, discriminators=discriminators), toy.batch()
    plain = Plain(model, data, adversarial.get('generator_loss', 'minimax'), adversarial.get('gate', True))
    before = toy.weights(model)
    model.train_step(data, toy.optimizers(model, lr=LR))
    getattr(plain, adversarial.get('algorithm', 'joint'))()
    after = toy.weights(plain.model)
    for name, value in toy.weights(model).items():
        torch.testing.assert_close(value, after[name], rtol=1e-9, atol=1e-11, msg=lambda m, n=name: f'{n}: {m}')
    moved = {name for name, value in before.items() if not torch.equal(value, after[name])}
    assert len(moved) > 0.9 * len(before)


@pytest.mark.parametrize('algorithm, passes', [('joint', 1), ('alternating', 1), ('literal', 2)])
def test_generator_passes_per_iteration(algorithm, passes, toy):
    model = toy.build(adversarial=dict(algorithm=algorithm))
    calls = dict.fromkeys(('backbone', 'head', 'pose', 'confidence'), 0)

    def count(name, module, method):
        run = getattr(module, method)

        def counted(*args, **kwargs):
            calls[name] += 1
            return run(*args, **kwargs)

        setattr(module, method, counted)

    count('backbone', model.backbone, 'forward')
    count('head', model.head, 'forward')
    for name in ('pose', 'confidence'):
        count(name, model.discriminators[name], 'forward')
    optim = toy.optimizers(model)
    for _ in range(3):
        model.train_step(toy.batch(count=2), optim)
    # real and predicted maps in one pass or in two, and one more pass in the generator's step
    discriminator = 3 * (3 if algorithm == 'literal' else 2)
    assert calls == dict(backbone=3 * passes, head=3 * passes, pose=discriminator, confidence=discriminator)


def test_no_step_touches_the_gradients_of_another_network(toy):
    """Left-over gradients would be added to those of the next step of that network."""
    model, data = toy.build(), toy.batch()
    networks, marks = model.networks(), {}

    def mark():
        for name, network in networks.items():
            for p in network.parameters():
                p.grad = torch.full_like(p, 7.0)
            marks[name] = list(network.parameters())

    def touched():
        return {name for name, parameters in marks.items() if any((p.grad != 7).any() for p in parameters)}

    class Keep:
        """An optimizer wrapper that computes gradients and does not use them."""

        def __init__(self, wrapper):
            self.optim_context, self.scale_loss = wrapper.optim_context, wrapper.scale_loss
            self.backward = self.update_params = lambda loss: loss.backward()

    optim = {name: Keep(wrapper) for name, wrapper in toy.optimizers(model).items()}
    step = model.build_step(data, optim)
    losses, maps = step.generator_forward()
    labels = step.joint_labels(maps)
    for name in ('pose', 'confidence'):
        mark()
        step.discriminator_backward(name, maps.detach(), labels[name])
        assert touched() == {name}
    mark()
    step.generator_step(losses, maps, labels)
    assert touched() == {'generator'}
    assert all(p.requires_grad for network in networks.values() for p in network.parameters())


def test_gradients_are_cleared_after_an_iteration(toy):
    for algorithm in ('joint', 'alternating', 'literal'):
        model = toy.build(adversarial=dict(algorithm=algorithm))
        model.train_step(toy.batch(), toy.optimizers(model))
        assert all(p.grad is None or not p.grad.any() for p in model.parameters())


def test_unlabelled_joints_have_no_effect(toy):
    """Neither on P and C nor, through them, on the generator."""
    model, data = toy.build(), toy.batch()
    step = model.build_step(data, toy.optimizers(model))
    _, maps = step.generator_forward()
    maps = maps.detach().requires_grad_()
    labels = step.joint_labels(maps)
    step.generator_step(dict(loss_kpt=maps.sum() * 0), maps, labels)
    known = step.targets.known.squeeze()
    assert known.shape == (6, 8) and 0 < known.sum() < known.numel() and not known[4].any()
    slopes = maps.grad.abs().sum((2, 3))
    assert (slopes[known == 0] == 0).all() and (slopes[known == 1] > 0).any()

    def losses(model, junk):
        step = model.build_step(data, toy.optimizers(model))
        _, maps = step.generator_forward()
        maps = maps.detach() + junk * (1 - known)[:, :, None, None]
        labels = step.joint_labels(maps)
        for name in ('pose', 'confidence'):
            step.discriminator_backward(name, maps, labels[name])
        return {name: value.item() for name, value in step.log.reduce().items()}

    assert losses(toy.build(), 0.0) == losses(toy.build(), 100.0)


@pytest.mark.parametrize('normal', ['groups', 'running statistics'])
@pytest.mark.parametrize('kind', [torch.optim.SGD, torch.optim.RMSprop])
def test_accumulating_two_batches_equals_one_of_twice_the_size(normal, kind, toy):
    changes = dict()
    if normal == 'running statistics':
        batches = dict(type='BN')
        changes = dict(
            train=False,
            backbone=dict(norm_cfg=batches),
            head=dict(norm_cfg=batches),
            discriminators={n: dict(channels=8, depth=1, norm_cfg=batches) for n in ('pose', 'confidence')},
        )
    whole, parts = toy.build(**changes), toy.build(**changes)
    before = toy.weights(whole)
    options = dict(kind=kind, lr=1e-3, momentum=0.9)
    one, two = toy.optimizers(whole, **options), toy.optimizers(parts, counts=2, iterations=6, **options)
    for number in range(0, 18, 6):
        whole.train_step(toy.batch(number, 6), one)
        parts.train_step(toy.batch(number, 3), two)
        parts.train_step(toy.batch(number + 3, 3), two)
    assert toy.largest_difference(toy.weights(whole), toy.weights(parts)) < 1e-10
    assert toy.largest_difference(toy.weights(whole), before) > 1e-3


def test_log(toy):
    model, data = toy.build(), toy.batch()
    plain = Plain(model, data)
    log = {k: v.item() for k, v in model.train_step(data, toy.optimizers(model)).items()}
    stacks = plain.generate()
    assert log['loss'] == pytest.approx(plain.objective(stacks).item(), rel=1e-9)
    assert log['loss_kpt'] + log['loss_occlusion'] == pytest.approx(plain.l_g(stacks).item(), rel=1e-9)
    adversarial = log['loss_adv_pose'] + log['loss_adv_confidence']
    assert log['loss'] - log['loss_kpt'] - log['loss_occlusion'] == pytest.approx(adversarial, rel=1e-9)
    for name in ('pose', 'confidence'):
        joints = list(plain.joints(name))
        real, fake = plain.scores(name, plain.targets), plain.scores(name, stacks[-1])
        labels = [plain.label(name, stacks[-1], i, k) for i, k in joints]
        expected = dict(
            loss_real=plain.l_d(name, stacks[-1], fake=False).item(),
            loss_fake=plain.l_d(name, stacks[-1], real=False).item(),
            score_real=sum(real[at].item() for at in joints) / len(joints),
            score_fake=sum(fake[at].item() for at in joints) / len(joints),
            acc_real=sum(real[at].item() > 0.5 for at in joints) / len(joints),
            acc_fake=sum((fake[at].item() > 0.5) == t for at, t in zip(joints, labels, strict=True)) / len(joints),
            share_right=sum(labels) / len(joints),
        )
        found = {key: log.pop(f'{name}.{key}') for key in expected}
        assert found == pytest.approx(expected, rel=1e-9)
    assert set(log) == {'loss', 'loss_kpt', 'loss_occlusion', 'loss_adv_pose', 'loss_adv_confidence', 'acc_pose'}


def test_persons_of_unknown_size_count_for_c_only(toy):
    model, data = toy.build(), toy.batch(1, 1)
    data['data_samples'][0].gt_instance_labels.normaliser.zero_()
    log = {k: v.item() for k, v in model.train_step(data, toy.optimizers(model)).items()}
    assert log['pose.loss_real'] == log['pose.loss_fake'] == log['loss_adv_pose'] == log['pose.acc_real'] == 0
    assert log['confidence.loss_real'] > 0


def moved(toy, model, before):
    """Networks of which a weight or a running statistic has changed."""
    own = lambda name: name.split('.')[1] if name.startswith('discriminators.') else 'generator'  # noqa: E731
    return {own(name) for name, value in toy.weights(model).items() if not torch.equal(value, before[name])}


@pytest.mark.parametrize('which', ['frozen', 'skip_steps'])
@pytest.mark.parametrize('algorithm', ['joint', 'alternating', 'literal'])
@pytest.mark.parametrize('stopped', ['generator', 'pose', 'confidence'])
def test_stopped_networks_do_not_change(which, algorithm, stopped, toy):
    batches = dict(norm_cfg=dict(type='BN'))
    changes = dict(backbone=batches, head=batches, adversarial=dict(algorithm=algorithm))
    model = toy.build(**changes)
    optim = toy.optimizers(model)
    user_frozen = (
        (model.networks()[stopped] if stopped != 'generator' else model.backbone).get_submodule('stem.0').eval()
    )  # frozen by the user
    getattr(model, which).add(stopped)
    before = toy.weights(model)
    log = model.train_step(toy.batch(), optim)
    assert moved(toy, model, before) == {'generator', 'pose', 'confidence'} - {stopped}
    assert 'pose.acc_real' in log and 'confidence.acc_fake' in log
    assert all(m.training == (m is not user_frozen) for m in model.modules())
    if stopped == 'generator':
        assert log['loss_adv_pose'] == 0
    else:
        assert log[f'loss_adv_{stopped}'] != 0  # it still contributes to the generator's loss
    getattr(model, which).clear()
    before = toy.weights(model)
    model.train_step(toy.batch(), optim)
    assert moved(toy, model, before) == {'generator', 'pose', 'confidence'}


def test_frozen_discriminator_without_weight_is_not_run(toy):
    model = toy.build()
    for name in ('pose', 'confidence'):
        model.discriminators[name].forward = None  # fails if called
    model.alpha = model.beta = 0.0
    model.frozen |= {'pose', 'confidence'}
    before = toy.weights(model)
    log = model.train_step(toy.batch(), toy.optimizers(model))
    assert moved(toy, model, before) == {'generator'}
    assert set(log) == {'loss', 'loss_kpt', 'loss_occlusion', 'loss_adv_pose', 'loss_adv_confidence', 'acc_pose'}


def test_skipped_batch_of_accumulated_ones(toy):
    """Its count goes on, so that its next accumulated batch begins with that of the other networks."""
    model = toy.build()
    optim = toy.optimizers(model, counts=2)
    model.skip_steps.add('pose')
    for _ in range(2):
        model.train_step(toy.batch(), optim)
    model.skip_steps.clear()
    before = toy.weights(model)
    model.train_step(toy.batch(), optim)
    assert moved(toy, model, before) == set()
    model.train_step(toy.batch(), optim)
    assert moved(toy, model, before) == {'generator', 'pose', 'confidence'}
    assert {member.inner_count for member in optim.values()} == {4}


class HalfPrecision(OptimWrapper):
    """Autocast as in ``AmpOptimWrapper``, on the CPU."""

    @contextmanager
    def optim_context(self, model):
        with super().optim_context(model), torch.autocast('cpu', torch.bfloat16):
            yield


def test_reduced_precision(toy):
    """Maps and logits are bfloat16; labels, losses and logs are at least float32."""
    half, full = toy.build().float(), toy.build().float()
    data = toy.batch()
    data['inputs'] = data['inputs'].float()
    before, seen = toy.weights(half), []
    for net in half.discriminators.values():
        net.classifier.register_forward_hook(lambda module, args, out: seen.append(out.dtype))
    optim = NetworkOptimWrapperDict(
        **{n: HalfPrecision(torch.optim.SGD(m.parameters(), LR)) for n, m in half.networks().items()}
    )
    logs = half.train_step(data, optim), full.train_step(data, toy.optimizers(full, lr=LR))
    assert set(seen) == {torch.bfloat16} and len(seen) == 4
    for name, value in logs[0].items():
        assert value.dtype == torch.float32, name
    # a few labels may differ, as they are those of bfloat16 maps
    assert logs[0]['loss'].item() == pytest.approx(logs[1]['loss'].item(), rel=0.05)
    steps = [torch.cat([(w - before[n]).flatten() for n, w in toy.weights(m).items()]) for m in (half, full)]
    assert F.cosine_similarity(*steps, dim=0) > 0.95


class Reconstruction(nn.Module):
    """Loss of an auto-encoder that returns the reconstruction error of each joint's map as its logit."""

    def real(self, errors):
        return errors

    def fake(self, errors, labels):
        return -0.5 * errors

    def generator(self, errors, labels):
        return errors


class AutoEncoder(BaseModule):
    label_rule = 'all_fake'

    def __init__(self, init_cfg=None):
        super().__init__(init_cfg)
        self.layer, self.adversarial_loss = nn.Conv2d(8, 8, 3, padding=1), Reconstruction()

    def forward(self, maps, images):
        return (self.layer(maps) - maps).square().sum((2, 3))[:, :4]


def test_a_discriminator_with_losses_of_its_own(toy):
    coder = dict(coder=dict(type=AutoEncoder))
    model = toy.build(discriminators=coder, adversarial=dict(weights=dict(coder=0.3)))
    data, network = toy.batch(), copy.deepcopy(model.discriminators['coder'])
    plain = Plain(model, data)
    with torch.no_grad():
        maps = plain.generate()[-1]
    real, fake = (network(plain.masked(each), None) * plain.labelled for each in (plain.targets, maps))
    gradients = torch.autograd.grad((real.sum() - 0.5 * fake.sum()) / 6, list(network.parameters()))
    log = model.train_step(data, toy.optimizers(model, lr=LR))
    assert log['loss_adv_coder'].item() == pytest.approx(0.3 * fake.sum().item() / 6, rel=1e-9)
    assert log['coder.share_right'] == 0
    for new, old, gradient in zip(
        model.discriminators['coder'].parameters(), network.parameters(), gradients, strict=True
    ):
        torch.testing.assert_close(new, old - LR * gradient, rtol=1e-9, atol=1e-11)


def test_a_discriminator_of_pose_maps_only(toy):
    small = dict(channels=8, depth=1, norm_cfg=toy.GROUPS, input_maps='pose')
    model = toy.build(discriminators=dict(pose=small))
    assert model.discriminators['pose'].map_channels == 4
    data, seen = toy.batch(), []
    model.discriminators['pose'].register_forward_pre_hook(lambda module, args: seen.append(args[0]))
    model.train_step(data, toy.optimizers(model))
    plain = Plain(model, data)
    torch.testing.assert_close(seen[0][:6], plain.masked(plain.targets)[:, :4])


# ------------------------------------------------------------------------------------ other losses, penalties, slopes


def of_known_joints(plain, name, value):
    """Sum over the joints that count, per image."""
    return sum(value(i, k) for i, k in plain.joints(name)) / plain.count


def test_pairs_and_penalties(toy):
    """D and G of a relativistic loss with R1 and R2, image by image and joint by joint."""
    pose = dict(
        channels=8,
        depth=1,
        norm_cfg=None,
        loss=dict(type='RelativisticLoss'),
        gradient_penalty=dict(r1=0.3, r2=0.8),
    )
    model, data = toy.build(discriminators=dict(pose=pose)), toy.batch()
    plain = Plain(model, data)
    stacks, net = plain.generate(), plain.model.discriminators['pose']
    small = F.adaptive_avg_pool2d(plain.images, stacks[-1].shape[2:])
    labels = {(i, k): plain.label('pose', stacks[-1], i, k) for i, k in plain.joints('pose')}
    assert 0 < sum(labels.values()) < len(labels)

    def logits(maps):
        return net._logits(maps, small)

    maps = [plain.masked(plain.targets).requires_grad_(), plain.masked(stacks[-1]).detach().requires_grad_()]
    real, fake = (logits(each) for each in maps)
    loss_d = of_known_joints(
        plain, 'pose', lambda i, k: (1 - labels[i, k]) * torch.log1p(torch.exp(fake[i, k] - real[i, k]))
    )
    penalty = 0
    for weight, each, found in zip((0.3, 0.8), maps, (real, fake), strict=True):
        for i in range(plain.count):
            counted = [found[i, k] for k in range(4) if (i, k) in labels]
            if counted:
                slope = torch.autograd.grad(sum(counted), each, create_graph=True)[0][i]
                penalty = penalty + weight / 2 * slope.square().sum() / plain.count
    fake = logits(plain.masked(stacks[-1]))
    loss_g = of_known_joints(
        plain, 'pose', lambda i, k: (1 - labels[i, k]) * torch.log1p(torch.exp(real[i, k].detach() - fake[i, k]))
    )
    steps = [plain.gradients(loss_d + penalty, 'pose')]
    steps.append(plain.gradients(plain.l_g(stacks) + 0.7 * loss_g, 'generator'))
    log = model.train_step(data, toy.optimizers(model, lr=LR))
    for step in steps:
        plain.descend(*step)
    after = toy.weights(plain.model)
    for name, value in toy.weights(model).items():
        torch.testing.assert_close(value, after[name], rtol=1e-9, atol=1e-11, msg=lambda m, n=name: f'{n}: {m}')
    assert log['pose.loss_penalty'].item() == pytest.approx(penalty.item(), rel=1e-9) and penalty > 1e-6
    assert log['pose.loss_real'].item() == pytest.approx(loss_d.item() / 2, rel=1e-9)
    assert log['loss_adv_pose'].item() == pytest.approx(0.7 * loss_g.item(), rel=1e-9)
    count = sum(1 - t for t in labels.values())
    ahead = sum((1 - t) * (real[at] > fake[at]).item() for at, t in labels.items())
    assert log['pose.acc_real'].item() == log['pose.acc_fake'].item() == pytest.approx(ahead / count)


def test_feature_matching_step(toy):
    pose = dict(toy.MODEL['discriminators']['pose'], loss=dict(type='FeatureMatchingLoss'))
    model, data = toy.build(discriminators=dict(pose=pose)), toy.batch()
    plain = Plain(model, data)
    stacks, net = plain.generate(), plain.model.discriminators['pose']
    read = [net.stem, net.stacks[0].downs[0], net.stacks[0]]
    kept = {}
    handles = [m.register_forward_hook(lambda m, _, out: kept.__setitem__(m, out)) for m in read]

    def features(maps):
        net(maps, plain.images)
        return [kept[m] for m in read]

    wanted = [each.detach() for each in features(plain.masked(plain.targets))]
    found = features(plain.masked(stacks[-1]))
    for handle in handles:
        handle.remove()
    each = [[(f[i] - w[i]).abs().mean() for f, w in zip(found, wanted, strict=True)] for i in range(plain.count)]
    share = [sum(1 for i, _ in plain.joints('pose') if i == n) / 4 for n in range(plain.count)]
    loss_g = sum(s * sum(e) / 3 for s, e in zip(share, each, strict=True)) / plain.count
    steps = [plain.gradients(plain.l_d('pose', stacks[-1]), 'pose')]
    steps.append(plain.gradients(plain.l_g(stacks) + 0.7 * loss_g, 'generator'))
    model.train_step(data, toy.optimizers(model, lr=LR))
    for step in steps:
        plain.descend(*step)
    after = toy.weights(plain.model)
    for name, value in toy.weights(model).items():
        torch.testing.assert_close(value, after[name], rtol=1e-9, atol=1e-11, msg=lambda m, n=name: f'{n}: {m}')


def coder(toy, **loss):
    cfg = dict(type='MapAutoEncoder', channels=8, depth=1, norm_cfg=toy.GROUPS, loss=dict(type='BEGANLoss', **loss))
    return dict(discriminators=dict(coder=cfg), adversarial=dict(weights=dict(coder=0.3)))


def test_began_step(toy):
    model, data = toy.build(**coder(toy, gamma=0.9, lambda_k=0.01)), toy.batch()
    k = model.discriminators['coder'].adversarial_loss.k.fill_(0.4)
    plain = Plain(model, data)
    stacks, net = plain.generate(), plain.model.discriminators['coder']

    def error(maps):
        per_joint = -net(plain.masked(maps), plain.images)
        return sum(per_joint[i, j] for i in range(plain.count) for j in range(4) if plain.labelled[i, j]) / plain.count

    real, fake = error(plain.targets), error(stacks[-1].detach())
    steps = [plain.gradients(real - 0.4 * fake, 'coder')]
    steps.append(plain.gradients(plain.l_g(stacks) + 0.3 * error(stacks[-1]), 'generator'))
    log = model.train_step(data, toy.optimizers(model, lr=LR))
    for step in steps:
        plain.descend(*step)
    expected = min(max(0.4 + 0.01 * (0.9 * real.item() - fake.item()), 0), 1)
    assert k.item() == log['coder.k'].item() == pytest.approx(expected, rel=1e-6) != 0.4
    after = toy.weights(plain.model)
    after['discriminators.coder.adversarial_loss.k'] = k
    for name, value in toy.weights(model).items():
        torch.testing.assert_close(value, after[name], rtol=1e-9, atol=1e-11, msg=lambda m, n=name: f'{n}: {m}')
    assert not any(key.startswith(('coder.score', 'coder.acc')) for key in log)
    # a frozen auto-encoder keeps its k
    model.frozen.add('coder')
    model.train_step(data, toy.optimizers(model))
    assert k.item() == log['coder.k'].item()


@pytest.mark.parametrize('weight', [0.7, 0.0])
def test_gradients_at_the_maps(weight, toy):
    """They do not depend on the weight, and measuring them changes nothing."""
    pose = dict(pose=toy.MODEL['discriminators']['pose'])
    model, data = toy.build(discriminators=pose, adversarial=dict(beta=weight)), toy.batch()
    same, plain = toy.build(discriminators=pose, adversarial=dict(beta=weight)), Plain(model, data)
    stacks = plain.generate()
    maps = stacks[-1].detach().requires_grad_()
    # L_G depends on the final maps by the last of two stacks
    (own,) = torch.autograd.grad(plain.l_g([stacks[0].detach(), maps]), maps)
    d = plain.scores('pose', maps)
    gated = [(i, k) for i, k in plain.joints('pose') if plain.label('pose', maps, i, k) == 0]
    (other,) = torch.autograd.grad(sum(torch.log(1 - d[at]) for at in gated) / plain.count, maps)
    model.measure_gradients = True
    log = model.train_step(data, toy.optimizers(model))
    assert log['pose.grad_ratio'].item() == pytest.approx((other.norm() / own.norm()).item(), rel=1e-9)
    cosine = (other * own).sum() / other.norm() / own.norm()
    assert log['pose.grad_cosine'].item() == pytest.approx(cosine.item(), rel=1e-9)
    unmeasured = same.train_step(data, toy.optimizers(same))
    assert 'pose.grad_ratio' not in unmeasured
    assert toy.largest_difference(toy.weights(model), toy.weights(same)) == 0


def test_steps_on_one_kind_of_maps_cannot_compare_pairs(toy):
    small = toy.MODEL['discriminators']['pose']
    for key, value in (('loss', dict(type='RelativisticLoss')), ('gradient_penalty', dict(r1=1.0))):
        with pytest.raises(ValueError, match=f"algorithm='literal' .* discriminators.pose.{key} cannot do"):
            toy.build(discriminators=dict(pose=small | {key: value}), adversarial=dict(algorithm='literal'))
    with pytest.raises(ValueError, match='gradient_penalty'):
        toy.build(discriminators=dict(pose=small | dict(gradient_penalty=dict(r3=1.0))))
