"""One optimizer wrapper per network of a model, such as generator, pose and confidence.

mmengine's ``OptimWrapperDict`` holds several wrappers, but does not pass on the length of training, and mmengine cannot
build one from a config. With this constructor::

    optim_wrapper = dict(
        constructor='NetworkOptimWrapperConstructor',
        generator=dict(optimizer=dict(type='RMSprop', lr=2.5e-4), clip_grad=dict(max_norm=5)),
        pose=dict(optimizer=dict(type='RMSprop', lr=2.5e-4)),
        confidence=None,  # for a model without this network
    )

The config of a network that the model's config sets to ``None`` (``discriminators=dict(confidence=None)``, or
``discriminators=None``) is ignored, so that one edit is enough to leave a network out.

Schedules by network are a feature of mmengine: ``param_scheduler=dict(generator=[...], pose=[...])``.
"""

from __future__ import annotations

import copy
import logging
import reprlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from mmengine.logging import print_log
from mmengine.optim import OptimWrapper, OptimWrapperDict, build_optim_wrapper
from mmpose.registry import OPTIM_WRAPPER_CONSTRUCTORS
from torch import nn

from posestructs.utils.networks import unwrapped


def training_networks(model: nn.Module) -> dict[str, nn.Module]:
    """Networks of a model that is about to be trained, with its discriminators attached.

    Args:
        model: Model, wrapped or not, with the method ``networks`` and, optionally, ``attach_discriminators``.

    Returns:
        dict[str, nn.Module]: Networks by name.
    """
    model = unwrapped(model)
    if hasattr(model, 'attach_discriminators'):
        model.attach_discriminators()
    return model.networks()


class NetworkOptimWrapperDict(OptimWrapperDict):
    """Optimizer wrappers by name of the network."""

    def initialize_count_status(self, model: nn.Module, cur_iter: int, max_iters: int) -> None:
        """Pass the position in training to each wrapper, which accumulation of gradients needs.

        Args:
            model: Model, wrapped or not, to whose ``networks`` the wrappers belong.
            cur_iter: Number of iterations done.
            max_iters: Total number of iterations.
        """
        networks = unwrapped(model).networks()
        for name, member in self.items():
            member.initialize_count_status(networks[name], cur_iter, max_iters)

    def load_state_dict(self, state_dict: dict) -> None:
        """Load the state of each wrapper.

        Args:
            state_dict: States by name.

        Raises:
            KeyError: The checkpoint belongs to a run with other networks.
            ValueError: The parameters or parameter groups of a network differ; nothing is loaded then.
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
        """Refuse to treat all networks as one; each wrapper has a context of its own."""
        raise RuntimeError(
            f"{type(model).__name__} treats several networks as one: set model_wrapper_cfg=dict(type='"
            "NetworkDistributedDataParallel'), and use a model that trains its networks separately"
        )
        yield


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class NetworkOptimWrapperConstructor:
    """Build one optimizer wrapper per network.

    Args:
        optim_wrapper_cfg: Configs by name of the network, as for mmengine's own constructor: ``optimizer``, and
            optionally ``type``, ``clip_grad``, ``accumulative_counts``, ``paramwise_cfg``, ``constructor``. ``None``
            for a network that the model does not have.
        paramwise_cfg: Not allowed here, as it would be for all networks at once.

    Raises:
        ValueError: ``paramwise_cfg`` is given for all networks.
    """

    def __init__(self, optim_wrapper_cfg: Mapping[str, Any], paramwise_cfg: Any = None) -> None:
        if paramwise_cfg is not None:
            raise ValueError('optim_wrapper.paramwise_cfg: set it in the config of each network that it is meant for')
        self._members = {name: part for name, part in optim_wrapper_cfg.items() if part is not None}

    def __call__(self, model: nn.Module) -> NetworkOptimWrapperDict:
        """Build the wrappers. This attaches the model's discriminators.

        Args:
            model: Model, wrapped or not, with a method ``networks``. Optional are ``attach_discriminators``; the
                attribute ``left_out``, names of networks that the model's config sets to ``None``; and the method
                ``check_optim``, which may refuse the result.

        Returns:
            NetworkOptimWrapperDict: One wrapper per network, in the order of the networks.

        Raises:
            ValueError: A network has no config, a config has no network, or a config is not a dict with an optimizer.
            TypeError: The model has no method ``networks``.
        """
        model = unwrapped(model)
        if not hasattr(model, 'networks'):
            raise TypeError(
                f"optim_wrapper.constructor='NetworkOptimWrapperConstructor' is for a model of several networks, and "
                f'{type(model).__name__} is a single one'
            )
        networks = training_networks(model)
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
        # a deep copy: networks may share a part of a config, and mmengine pops keys of it (clip_grad.type)
        cfg = copy.deepcopy(dict(self._members[name]))
        cfg.setdefault('type', 'OptimWrapper')
        wrapper = build_optim_wrapper(network, cfg)
        if wrapper.clip_grad_kwargs:
            wrapper.grad_name = f'{name}.{wrapper.grad_name}'
        return wrapper


def _check_groups(name: str, found: Sequence[Mapping], wanted: Sequence[Mapping]) -> None:
    """Refuse parameter groups of other sizes, as torch does, but name the network and say what to do."""
    sizes = [[len(group['params']) for group in groups] for groups in (found, wanted)]
    if sizes[0] != sizes[1]:
        has, needs = (f'{sum(each)} parameter tensors (per group: {reprlib.repr(each)})' for each in sizes)
        raise ValueError(
            f"the checkpoint's optimizer of {name} is for {has}, this run's for {needs}: resume with the same {name} "
            'network and paramwise_cfg, or start from its weights with load_from'
        )
