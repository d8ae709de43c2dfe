"""One optimizer wrapper per network of a model, such as generator, pose and confidence.

mmengine's ``OptimWrapperDict`` holds several, but does not tell them how long training is, and nothing in mmengine
builds one from a config. Here::

    optim_wrapper = dict(
        constructor='NetworkOptimWrapperConstructor',
        generator=dict(optimizer=dict(type='RMSprop', lr=2.5e-4), clip_grad=dict(max_norm=5)),
        pose=dict(optimizer=dict(type='RMSprop', lr=2.5e-4)),
        confidence=None,  # for a model without this network
    )

A config for a network that the model's own config sets to ``None`` (``discriminators=dict(confidence=None)``, or
``discriminators=None``) is passed over, so that a network is left out by one edit.

A schedule per network is mmengine's own: ``param_scheduler=dict(generator=[...], pose=[...])``.
"""

from __future__ import annotations

import copy
import logging
import reprlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from mmengine.logging import print_log
from mmengine.model import is_model_wrapper
from mmengine.optim import OptimWrapper, OptimWrapperDict, build_optim_wrapper
from mmpose.registry import OPTIM_WRAPPER_CONSTRUCTORS
from torch import nn


def finish_step(optim: OptimWrapper) -> None:
    """Step and clear gradients, where enough batches are accumulated: ``update_params`` without its backward pass.

    Args:
        optim: Wrapper of one network, whose ``backward`` was called.
    """
    if optim.should_update():
        optim.step()
        optim.zero_grad()


def skip_step(optim: OptimWrapper) -> None:
    """Let an iteration pass without a step; what is left of an accumulated batch is dropped.

    Args:
        optim: Wrapper of one network.
    """
    optim._inner_count += 1  # as mmengine asks of whatever stands in for ``backward``
    if optim.should_update():
        optim.zero_grad()


class NetworkOptimWrapperDict(OptimWrapperDict):
    """Optimizer wrappers by name of the network."""

    def initialize_count_status(self, model: nn.Module, cur_iter: int, max_iters: int) -> None:
        """Tell each member where training stands, which accumulation of gradients needs.

        Args:
            model: The model, wrapped or not, whose ``networks`` are meant.
            cur_iter: Iterations done.
            max_iters: Iterations in all.
        """
        networks = unwrapped(model).networks()
        for name, member in self.items():
            member.initialize_count_status(networks[name], cur_iter, max_iters)

    def load_state_dict(self, state_dict: dict) -> None:
        """Load each member's state.

        Args:
            state_dict: States by name.

        Raises:
            KeyError: The checkpoint is of a run with other networks.
            ValueError: A network has other parameters there, or other groups of them; nothing is loaded then.
        """
        if set(state_dict) != set(self.keys()):
            raise KeyError(
                f'the checkpoint has optimizers of {sorted(state_dict)}, this run of {sorted(self.keys())}: resume '
                'with the same discriminators, or start from its weights with load_from'
            )
        for name, member in self.items():
            _check_groups(name, state_dict[name]['param_groups'], member.optimizer.param_groups)
        super().load_state_dict(state_dict)

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Refuse: only a member's has a meaning."""
        raise RuntimeError(
            f"{type(model).__name__} treats several networks as one: set model_wrapper_cfg=dict(type='"
            "NetworkDistributedDataParallel'), and use a model that trains its networks apart"
        )
        yield


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class NetworkOptimWrapperConstructor:
    """Build one optimizer wrapper per network.

    Args:
        optim_wrapper_cfg: A config of mmengine's kind by name of the network: ``optimizer``, and optionally ``type``,
            ``clip_grad``, ``accumulative_counts``, ``paramwise_cfg``, ``constructor``. ``None`` stands for none.
        paramwise_cfg: Not for all networks at once.

    Raises:
        ValueError: ``paramwise_cfg`` stands beside the networks.
    """

    def __init__(self, optim_wrapper_cfg: Mapping[str, Any], paramwise_cfg: Any = None) -> None:
        if paramwise_cfg is not None:
            raise ValueError('optim_wrapper.paramwise_cfg: give it in the config of each network that it is meant for')
        self._members = {name: part for name, part in optim_wrapper_cfg.items() if part is not None}

    def __call__(self, model: nn.Module) -> NetworkOptimWrapperDict:
        """Build.

        Args:
            model: Wrapped or not, with a method ``networks`` that gives its networks by name. Its attribute
                ``left_out``, where it has one, names networks that its config sets to ``None``; its method
                ``check_optim``, where it has one, may refuse the result.

        Returns:
            NetworkOptimWrapperDict: One wrapper per network, in the order of the networks.

        Raises:
            ValueError: A network has no config, a config has no network, or a config is not one.
            TypeError: The model does not consist of networks.
        """
        model = unwrapped(model)
        if not hasattr(model, 'networks'):
            raise TypeError(
                f"optim_wrapper.constructor='NetworkOptimWrapperConstructor' is for a model of several networks, and "
                f'{type(model).__name__} is one'
            )
        networks = model.networks()
        self._check(networks, getattr(model, 'left_out', ()))
        wrappers = NetworkOptimWrapperDict(**{name: self._build(name, network) for name, network in networks.items()})
        if hasattr(model, 'check_optim'):
            model.check_optim(wrappers)
        return wrappers

    def _check(self, networks: Mapping[str, nn.Module], left_out: Collection[str]) -> None:
        names = ', '.join(networks)
        missing = [name for name in networks if name not in self._members]
        if missing:
            raise ValueError(f'optim_wrapper has no {", ".join(missing)}; the networks of the model are {names}')
        for name, part in self._members.items():
            if name in left_out:
                print_log(f'optim_wrapper.{name} is not used: the model sets {name} to None', 'current', logging.INFO)
                continue
            if name not in networks:
                raise ValueError(
                    f'optim_wrapper.{name}: no such network in the model, which has {names}; leave it out, set it to '
                    "None, or drop a base config's with _delete_=True"
                )
            if not isinstance(part, Mapping) or 'optimizer' not in part:
                raise ValueError(f'optim_wrapper.{name}={part!r}, needed: a dict with optimizer=dict(type=..., lr=...)')

    def _build(self, name: str, network: nn.Module) -> OptimWrapper:
        # networks may share a part of a config, of which mmengine pops keys (clip_grad.type)
        cfg = copy.deepcopy(dict(self._members[name]))
        cfg.setdefault('type', 'OptimWrapper')
        wrapper = build_optim_wrapper(network, cfg)
        if wrapper.clip_grad_kwargs:
            wrapper.grad_name = f'{name}.{wrapper.grad_name}'
        return wrapper


def unwrapped(model: nn.Module) -> nn.Module:
    """The model inside a distributed wrapper, or the model itself."""
    return model.module if is_model_wrapper(model) else model


def _check_groups(name: str, found: Sequence[Mapping], wanted: Sequence[Mapping]) -> None:
    """Refuse what torch refuses, groups of other sizes, but name the network and say what to do."""
    sizes = [[len(group['params']) for group in groups] for groups in (found, wanted)]
    if sizes[0] != sizes[1]:
        has, needs = (f'{sum(each)} parameter tensors (per group: {reprlib.repr(each)})' for each in sizes)
        raise ValueError(
            f"the checkpoint's optimizer of {name} is for {has}, this run's for {needs}: resume with the same {name} "
            'network and paramwise_cfg, or start from its weights with load_from'
        )
