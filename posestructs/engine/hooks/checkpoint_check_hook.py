"""Refuse a checkpoint of another model, or one from which the run cannot be resumed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import BaseLoop, EpochBasedTrainLoop, Runner
from mmpose.registry import HOOKS

from posestructs.utils import resume_check
from posestructs.utils.networks import unwrapped
from posestructs.utils.usage import UsageError
from posestructs.utils.weights_fit import all_zero, compare_weights, non_finite, weights_of

ANEW = 'to start anew from its weights, use --load-from in the place of --resume'
_LEAST_SHARE = 0.5  # of a model's weights, to start training from a file


@HOOKS.register_module()
class CheckpointCheckHook(Hook):
    """Compare a checkpoint with the model and, where a run is resumed, with its schedule, optimizer and data.

    mmengine warns of weights that do not fit and goes on with random ones; and it replaces the schedule and the
    optimizer settings of the config by those of the checkpoint. ``tools/train.py`` and ``tools/test.py`` have the hook
    by themselves; elsewhere name it in ``custom_hooks``.
    """

    priority = 'VERY_HIGH'

    def __init__(self) -> None:
        self._extended: list[Any] = []

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Check the content of a checkpoint before it is used.

        Args:
            runner: The runner.
            checkpoint: The content; ends of schedules that training is continued beyond are changed in place.

        Raises:
            UsageError: It is of another model, or resuming makes no sense.
        """
        trains = isinstance(runner._train_loop, BaseLoop)  # a config where the runner only tests
        self._check_weights(runner, checkpoint, trains and not runner._resume)
        if trains and runner._resume:
            self._check_resume(runner, checkpoint)

    def before_train(self, runner: Runner) -> None:
        """Take the step at which an extended schedule had ended, and tell where a resumed run has nothing to learn.

        Args:
            runner: The runner that trains.
        """
        for scheduler, end in self._extended:
            if scheduler._global_step == end:
                scheduler._global_step -= 1
                scheduler.step()
        self._extended = []
        note = _rest(runner) if runner._resume and runner.iter else None
        if note:
            runner.logger.warning(note)

    def _check_weights(self, runner: Runner, checkpoint: Mapping, start: bool) -> None:
        model = unwrapped(runner.model)
        name = f'checkpoint {runner._load_from}'
        try:
            state = weights_of(checkpoint)
        except UsageError as error:
            raise UsageError(f'{name}: {error}') from error
        parameters = {key for key, _ in model.named_parameters()}
        if all_zero(state, parameters):
            raise UsageError(f'{name} holds weights that are all 0, allowed: those of a trained or initialised model')
        odd = non_finite(state, parameters)
        if odd:
            raise UsageError(
                f'{name} holds NaN or infinity, as after a diverged training, in {len(odd)} weights: {odd[0]}, ...'
            )
        misfit = compare_weights(model.state_dict(), state)
        if not misfit:
            return
        if start and misfit.share >= _LEAST_SHARE:
            runner.logger.warning(
                f'{name} has {misfit.share:.0%} of the weights of this model; the others keep their initial values '
                f'({misfit.count_by_network()}). Weights {misfit.describe()}'
            )
            return
        raise UsageError(f'{name} does not match the model of the config. Weights {misfit.describe()}')

    def _check_resume(self, runner: Runner, checkpoint: dict) -> None:
        meta = checkpoint['meta']
        self._check_length(runner, meta)
        refused = []
        for scheduler, state in self._schedulers(runner, checkpoint):
            name, new = type(scheduler).__name__, scheduler.state_dict()
            if resume_check.is_extension(name, state, new):
                self._extended.append((scheduler, state['end']))
                runner.logger.info(
                    f'{name} of the checkpoint ended at step {state["end"]}, it now ends at {new["end"]}'
                )
                state['end'] = new['end']
            refused += resume_check.scheduler_changes(name, state, new)
        notes = []
        for name, states, old, new in self._optimizers(runner, checkpoint):
            if [len(group.get('params', ())) for group in old] != [len(group['params']) for group in new]:
                raise UsageError(f'--resume: the {name} in the checkpoint has other groups of weights; {ANEW}')
            changes, other = resume_check.optimizer_changes(old, new)
            if other:
                refused.append(f'the {name} in the checkpoint is of another class')
            for problem in resume_check.odd_moments(states, old, new)[:1]:
                raise UsageError(f'--resume: the {name} in the checkpoint has {problem}; {ANEW}')
            notes += [f'{name} {change}' for change in changes]
        if refused:
            raise UsageError(f'--resume: {resume_check.shortened(refused)} (checkpoint -> config); {ANEW}')
        if 'optimizer' not in checkpoint:
            runner.logger.warning('the checkpoint holds no optimizer: moments and learning rates start anew')
        if notes:
            runner.logger.warning(
                f'the checkpoint overrides the config: {resume_check.shortened(notes)} (checkpoint -> config, not used)'
            )
        changes = resume_check.shortened(resume_check.config_changes(meta.get('cfg') or '', runner.cfg.pretty_text))
        if changes:
            runner.logger.warning(f'the config differs from that of the checkpoint: {changes} (checkpoint -> config)')

    def _check_length(self, runner: Runner, meta: Mapping) -> None:
        if not isinstance(runner.train_loop, EpochBasedTrainLoop) or not meta.get('epoch'):
            return
        now, before = len(runner.train_dataloader), meta['iter'] / meta['epoch']
        if now != before:
            raise UsageError(
                f'--resume: an epoch of the checkpoint has {before:g} iterations, one of this run {now}: batch size, '
                f'number of ranks and data have to be the same, as learning rates follow the count; {ANEW}'
            )

    @staticmethod
    def _schedulers(runner: Runner, checkpoint: Mapping) -> Iterator[tuple[Any, dict]]:
        own, states = runner.param_schedulers or [], checkpoint.get('param_schedulers')
        if states is None:
            return
        if isinstance(own, dict) != isinstance(states, dict):
            raise UsageError(f'--resume: the checkpoint has param_scheduler for other networks; {ANEW}')
        names = sorted({*own, *states}) if isinstance(own, dict) else [None]
        for name in names:
            mine, theirs = (own, states) if name is None else (own.get(name, []), states.get(name, []))
            if len(mine) != len(theirs):
                key = 'param_scheduler' if name is None else f'param_scheduler.{name}'
                raise UsageError(
                    f'--resume: {key} has {len(theirs)} entries in the checkpoint, {len(mine)} now; {ANEW}'
                )
            yield from zip(mine, theirs, strict=True)

    @staticmethod
    def _optimizers(runner: Runner, checkpoint: Mapping) -> Iterator[tuple[str, Mapping, list, list]]:
        """Name, saved state, saved groups and own groups of each optimizer."""
        saved = checkpoint.get('optimizer')
        if saved is None:
            return
        wrappers = runner.optim_wrapper
        if hasattr(wrappers, 'optim_wrappers'):
            for name, wrapper in wrappers.items():
                if name in saved:  # other names are refused when they are loaded
                    part = saved[name]
                    groups = wrapper.optimizer.param_groups
                    yield f'optimizer of {name}', part.get('state', {}), part['param_groups'], groups
        else:
            groups = wrappers.optimizer.param_groups
            yield 'optimizer', saved.get('state', {}), saved['param_groups'], groups


def _rest(runner: Runner) -> str | None:
    """Warning about a run that has no step left, or whose schedules of the learning rate have all ended."""
    by_epoch = isinstance(runner.train_loop, EpochBasedTrainLoop)
    unit, done, total = ('epoch', runner.epoch, runner.max_epochs)
    if not by_epoch:
        unit, done, total = ('iter', runner.iter, runner.max_iters)
    if done >= total:
        return f'nothing is left to train: the checkpoint has {done} {unit}s, and train_cfg.max_{unit}s={total}'
    own = runner.param_schedulers or []
    schedulers = [each for part in own.values() for each in part] if isinstance(own, dict) else own
    schedulers = [each for each in schedulers if each.param_name == 'lr']
    if not schedulers or any(each.end > (runner.epoch if each.by_epoch else runner.iter) for each in schedulers):
        return None
    rates = sorted({rate for values in runner.optim_wrapper.get_lr().values() for rate in values})
    values = ', '.join(f'{rate:g}' for rate in rates)
    return (
        f'the schedule of the learning rate has ended: it stays at {values} for the remaining {total - done} {unit}s '
        f'(train_cfg.max_{unit}s={total}); the ends are set in param_scheduler'
    )
