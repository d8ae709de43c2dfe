"""Distributed training on machines without a GPU.

mmengine's launchers choose a CUDA device for each rank before they connect the ranks, and its default model wrapper
names one, so that both fail on a CPU. Here the ranks are connected over gloo beforehand, which mmengine then uses.
"""

from __future__ import annotations

import gc
import os
import subprocess

import torch
import torch.distributed as torch_dist
from mmengine import device
from mmengine.config import Config
from mmengine.registry import MODEL_WRAPPERS
from mmpose.registry import MODELS
from torch.nn.parallel import DistributedDataParallel

from posestructs.utils.checks import check_choice
from posestructs.utils.usage import UsageError

# environment variables of each launcher: rank, number of ranks, rank within the node
_VARIABLES = {
    'pytorch': ('RANK', 'WORLD_SIZE', 'LOCAL_RANK'),
    'slurm': ('SLURM_PROCID', 'SLURM_NTASKS', 'SLURM_LOCALID'),
    'mpi': ('OMPI_COMM_WORLD_RANK', 'OMPI_COMM_WORLD_SIZE', 'OMPI_COMM_WORLD_LOCAL_RANK'),
}
_DEFAULT_PORT = '29500'


def has_accelerator() -> bool:
    """Check whether mmengine finds a device other than the CPU that ranks can be connected on.

    Returns:
        bool: True where there is one.
    """
    kinds = (device.is_cuda_available, device.is_npu_available, device.is_mlu_available, device.is_musa_available)
    return any(available() for available in kinds)


def set_up_ranks(cfg: Config) -> None:
    """Check the launcher's environment, and on a CPU connect the ranks.

    Args:
        cfg: Its ``launcher`` says who started the processes; changed in place where there is no GPU.

    Raises:
        UsageError: There is no such launcher, it did not start this process, or a node has more ranks than GPUs.
    """
    if cfg.launcher == 'none':
        return
    try:
        check_choice('launcher', cfg.launcher, ('none', *_VARIABLES))
    except ValueError as error:
        raise UsageError(str(error)) from error
    names = _VARIABLES[cfg.launcher]
    missing = [name for name in names[:2] if name not in os.environ]
    if missing:
        raise UsageError(
            f'--launcher {cfg.launcher}: {" and ".join(missing)} not set, so this process was not started by it; '
            'use tools/dist_*.sh or tools/slurm_*.sh'
        )
    rank, world_size, local_rank = (int(os.environ.get(name, 0)) for name in names)
    _let_model_name_its_wrapper(cfg)
    if not has_accelerator():
        _connect_over_gloo(cfg, rank, world_size, local_rank)
    elif device.is_cuda_available() and local_rank >= torch.cuda.device_count():
        raise UsageError(
            f'rank {local_rank} of this node has no GPU: it has {torch.cuda.device_count()} (CUDA_VISIBLE_DEVICES=-1 '
            'runs on the CPU)'
        )


def disconnect_ranks() -> None:
    """Destroy the process group at the end of a program, where there is one.

    A rank that exits without it can abort, as the threads of its connections may outlive the interpreter. Gloo ends
    them with the last object that uses them, such as a model, so delete the runner first.
    """
    if torch_dist.is_available() and torch_dist.is_initialized():
        torch_dist.destroy_process_group()
        gc.collect()  # a runner and its parts refer to each other


def _connect_over_gloo(cfg: Config, rank: int, world_size: int, local_rank: int) -> None:
    os.environ.setdefault('MASTER_PORT', _DEFAULT_PORT)
    if 'MASTER_ADDR' not in os.environ:
        os.environ['MASTER_ADDR'] = _first_slurm_host() if cfg.launcher == 'slurm' else '127.0.0.1'
    os.environ.update(RANK=str(rank), WORLD_SIZE=str(world_size), LOCAL_RANK=str(local_rank))
    torch_dist.init_process_group('gloo', rank=rank, world_size=world_size)
    wrapper = dict(cfg.get('model_wrapper_cfg') or _default_wrapper(cfg))
    kind = MODEL_WRAPPERS.get(wrapper.get('type', 'MMDistributedDataParallel'))
    if isinstance(kind, type) and issubclass(kind, DistributedDataParallel):
        wrapper.setdefault('device_ids', None)
    cfg.model_wrapper_cfg = wrapper


def _let_model_name_its_wrapper(cfg: Config) -> None:
    """Wrap a model as its class says (``model_wrapper``), where the config does not say how."""
    kind = (cfg.get('model') or {}).get('type')
    name = getattr(MODELS.get(kind) if isinstance(kind, str) else kind, 'model_wrapper', None)
    if name is not None and not cfg.get('model_wrapper_cfg'):
        cfg.model_wrapper_cfg = dict(type=name, find_unused_parameters=cfg.get('find_unused_parameters', False))


def _default_wrapper(cfg: Config) -> dict:
    """mmengine's default model wrapper, as an explicit config."""
    unused = cfg.get('find_unused_parameters', False)
    return dict(type='MMDistributedDataParallel', broadcast_buffers=False, find_unused_parameters=unused)


def _first_slurm_host() -> str:
    command = ['scontrol', 'show', 'hostnames', os.environ['SLURM_NODELIST']]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[0]
